//! The decoder of 3GPP records against one that somebody else wrote: every P-GW record of the sample files, and of a
//! file made here, decoded with the `rasn` crate, says the same.

#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot do")]

#[path = "support/pgw.rs"]
mod pgw;
#[path = "support/rasn_pgw.rs"]
mod rasn_pgw;

use chrono::NaiveDate;
use rasn_pgw::{Address, Field, ServiceField, Volume};
use tidegauge::ingest::pgw::{Pieces, RecordType, UsageRecord, decode};
use tidegauge::model::{Number, NumberKind};

/// What usage is made of.
#[derive(Debug, Default, PartialEq, Eq)]
struct Usage {
    number: Option<Number>,
    id: String,
    start: i64,
    end: i64,
    up: u64,
    down: u64,
    local_number: Option<u64>,
}

/// `None`: the time by which some say that there is none.
fn time(octets: &[u8]) -> Option<i64> {
    let two = |octet: u8| u32::from(octet >> 4) * 10 + u32::from(octet & 0xF);
    let [year, month, day, h, m, s] = [0, 1, 2, 3, 4, 5].map(|at| two(octets[at]));
    let local =
        NaiveDate::from_ymd_opt(2_000 + year as i32, month, day).unwrap().and_hms_opt(h, m, s).unwrap();
    let zone = i64::from(two(octets[7]) * 3_600 + two(octets[8]) * 60);
    let zone = if octets[6] == b'-' { -zone } else { zone };
    ((year, month, day, h, m, s) != (0, 1, 1, 0, 0, 0)).then(|| local.and_utc().timestamp() - zone)
}

fn digits(octets: &[u8]) -> u64 {
    let nibbles = octets.iter().flat_map(|octet| [octet & 0xF, octet >> 4]);
    let text: String =
        nibbles.take_while(|digit| *digit < 10).map(|digit| char::from(b'0' + digit)).collect();
    text.parse().unwrap()
}

/// The last four octets.
fn word(octets: &[u8]) -> u32 {
    octets.iter().fold(0u32, |sum, octet| sum << 8 | u32::from(*octet))
}

/// Up, down and time of a container.
type Container = (u64, u64, Option<i64>);

/// Containers that carry new volume: of the services if there is such a list, else of the volumes.
fn containers(fields: &[Field]) -> Vec<Container> {
    let service = |container: &rasn_pgw::Service| {
        container.iter().fold((0, 0, Some(0)), |sum, field| match field {
            ServiceField::Up(up) => (*up, sum.1, sum.2),
            ServiceField::Down(down) => (sum.0, *down, sum.2),
            ServiceField::Report(at) => (sum.0, sum.1, time(at)),
            _ => sum,
        })
    };
    let volume = |container: &rasn_pgw::Volumes| {
        container.iter().fold((0, 0, Some(0)), |sum, field| match field {
            Volume::Up(up) => (*up, sum.1, sum.2),
            Volume::Down(down) => (sum.0, *down, sum.2),
            Volume::Time(at) => (sum.0, sum.1, time(at)),
            _ => sum,
        })
    };
    let services = fields.iter().find_map(|field| match field {
        Field::Services(list) => Some(list.iter().map(service).collect()),
        _ => None,
    });
    let volumes = || {
        fields.iter().find_map(|field| match field {
            Field::Volumes(list) => Some(list.iter().map(volume).collect()),
            _ => None,
        })
    };
    services.or_else(volumes).unwrap_or_default()
}

/// What the other decoder says.
fn told(bytes: &[u8]) -> Usage {
    let record = rasn_pgw::decode(bytes).unwrap_or_else(|error| panic!("{error}: {bytes:02X?}"));
    let (mut usage, mut msisdn, mut duration) = (Usage::default(), None, 0);
    let (mut node, mut address, mut charging_id, mut sequence) = (None, None, None, 0);
    for field in &record.0 {
        match field {
            Field::ServedImsi(octets) => {
                usage.number = Some(Number { kind: NumberKind::Imsi, digits: digits(octets) });
            }
            Field::ServedMsisdn(octets) => {
                msisdn = Some(Number { kind: NumberKind::Msisdn, digits: digits(&octets[1..]) });
            }
            Field::Gateway(addresses) => {
                address = addresses.first().map(|(Address::V4(octets) | Address::V6(octets))| octets.clone());
            }
            Field::ChargingId(octets) => charging_id = Some(word(octets)),
            Field::Opened(octets) => usage.start = time(octets).unwrap(),
            Field::Duration(seconds) => duration = *seconds,
            Field::Sequence(number) => sequence = *number,
            Field::Node(name) => node = Some(String::from_utf8(name.to_vec()).unwrap()),
            Field::LocalNumber(number) => usage.local_number = Some(*number),
            _ => {}
        }
    }
    let address = address.map(|octets| octets.iter().map(u8::to_string).collect::<Vec<_>>().join("."));
    let (node, charging_id) = (node.or(address).unwrap(), charging_id.unwrap());
    usage.id = format!("85/{node}/{charging_id}/{sequence}");
    usage.end = usage.start + duration;
    usage.number = usage.number.or(msisdn);
    let new = containers(&record.0).into_iter().filter(|(_, _, at)| at.is_some());
    (usage.up, usage.down) = new.fold((0, 0), |sum, (up, down, _)| (sum.0 + up, sum.1 + down));
    usage
}

fn ours(bytes: &[u8]) -> Usage {
    let mut record = UsageRecord::default();
    decode(bytes, 0, &mut record).unwrap();
    assert_eq!(record.kind, RecordType::Pgw);
    let UsageRecord { number, id, start, end, up, down, local_number, .. } = record;
    Usage { number, id, start, end, up, down, local_number }
}

/// Compares every record; answers how many there were.
fn compare(file: &[u8]) -> usize {
    let pieces = Pieces::new(file).inspect(|piece| assert_eq!(piece.broken, None));
    pieces.map(|piece| assert_eq!(ours(piece.bytes), told(piece.bytes), "at byte {}", piece.at)).count()
}

#[test]
fn every_record_of_the_sample_files_is_read_as_another_decoder_reads_it() {
    for (name, records) in [("pgw-32297.cdr", 2_076), ("pgw-ff-filled.ber", 60)] {
        let path = format!("{}/tests/data/3gpp-cdr/{name}", env!("CARGO_MANIFEST_DIR"));
        assert_eq!(compare(&std::fs::read(path).unwrap()), records, "{name}");
    }
}

#[test]
fn every_record_of_a_file_made_here_is_read_as_another_decoder_reads_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("made.cdr");
    let mut gateway = pgw::Gateway::new(1, 50, 1_785_600_000);
    gateway.drop_file(&path, 0..1_000).unwrap();
    let file = std::fs::read(path).unwrap();
    assert_eq!(file.len(), 1_000 * pgw::RECORD);
    assert_eq!(compare(&file), 1_000);
    let of_records: u64 =
        Pieces::new(&file).map(|piece| ours(piece.bytes)).map(|usage| usage.up + usage.down).sum();
    let of_cards: u64 = (0..50).flat_map(|card| gateway.months(card)).map(|(_, used)| used).sum();
    assert_eq!(of_records, of_cards, "what is expected is what stands in the file");
}
