"""Reads card.alerts. pip install confluent-kafka"""
import json, os
from confluent_kafka import Consumer

consumer = Consumer({
    "bootstrap.servers": os.environ.get("KAFKA_BROKERS", "127.0.0.1:9092"),
    "group.id": os.environ.get("GROUP", "alerts-by-mail"),
    "isolation.level": "read_committed",  # what was aborted has not happened
    "enable.auto.commit": False,  # an offset is committed when the work is done
    "auto.offset.reset": "earliest",  # a new group misses nothing
    "session.timeout.ms": 10_000,  # after a crash another goes on so soon
})
consumer.subscribe([os.environ.get("TOPIC", "card.alerts")])
done = set()  # in earnest: a unique column, written in one transaction with the work
while True:
    message = consumer.poll(1.0)
    if message is None or message.error():
        continue
    event = json.loads(message.value())
    if event["id"] not in done:
        data = event["data"]
        print(event["subject"], event["type"], data["rule"], data.get("remaining"), flush=True)  # the work
        done.add(event["id"])
    consumer.commit(message, asynchronous=False)
