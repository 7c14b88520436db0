"""Makes v1.hex from docs/pack.md alone: python3 v1.py > v1.hex"""

import struct


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


NAMES = ["usage.cdr", "cmcc-pgw-1", "usage.modem", "modem", "qgdcnt", "card.commands"]
TEXT = "85/10.1.2.3/3405691582/12" + "Sitzung-ü"
CARD = int("8986001234567890ABC", 16).to_bytes(10, "little")
RECEIVED_MS = 1785547815123


def record(kind, flag, source, size, offset, received_ms, partition, feed, card, rest):
    head = struct.pack("<BBHIQqIH10s", kind, flag, source, size, offset, received_ms, partition, feed, card)
    assert len(head) == 40 and len(head + rest) == size
    return head + rest


def cdr():
    rest = struct.pack("<QqqQQIHH", 460041234567890, 1785547815, 1785548715, 48213, 1351042, 0, 25, 2)
    rest += struct.pack("<qQQ", 1785548400, 8213, 1000000) + struct.pack("<qQQ", 1785548715, 40000, 351042)
    return record(1, 1, 0, 88 + 48, 77, RECEIVED_MS, 3, 1, CARD, rest)


def reading():
    rest = struct.pack("<QqQQQIHHB7x", 0, -1, 2**64 - 1, 99000123, 860000000000011, 25, 10, 4, 32)
    return record(2, 0, 2, 96, 2**63, 0, 0, 3, CARD, rest)


def with_json(kind, source, card, json, received_ms):
    offset, partition = (5, 1) if received_ms else (0, 0)
    return record(kind, 0, source, 40 + len(json), offset, received_ms, partition, 0, card, json)


def tick():
    return record(6, 1, 0, 48, 0, 0, 0, 0, bytes(10), struct.pack("<Q", 12345))


def pack():
    dictionary = b"".join(struct.pack("<H", len(name)) + name.encode() for name in NAMES)
    text = TEXT.encode()
    records = [
        cdr(),
        reading(),
        with_json(3, 5, CARD, b'{"id":"c-1"}', RECEIVED_MS),
        with_json(4, 5, bytes(10), b'{"id":"f-1"}', RECEIVED_MS),
        with_json(5, 0, bytes(10), b'{"version":1}', 0),
        tick(),
    ]
    body = b"".join(records)
    header = struct.pack(
        "<4sBxHHxxIII", b"TGPK", 1, len(records), len(NAMES), len(dictionary), len(text), len(body)
    )
    whole = header + dictionary + text + body
    return whole + struct.pack("<I", crc32c(whole))


digits = pack().hex()
for at in range(0, len(digits), 96):
    print(digits[at : at + 96])
