//! Files of P-GW records (TS 32.298 clause 5.2.2.2), as many as one likes, and what they must come to.
//!
//! The writer knows BER and nothing of the product; what each card used is added up record by record while they are made.
//! Every record has 436 octets, a service-data list of two containers in it, and lies within one day: so a byte of a file
//! names its record, and no rule of splitting is needed to say what is expected. The same seed makes the same files.

#![allow(dead_code, unreachable_pub, reason = "each user takes its part")]

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::ops::Range;
use std::path::Path;

use chrono::{DateTime, Datelike as _, NaiveDate};
use serde_json::json;

/// Octets of a record.
pub const RECORD: usize = 436;
/// Days that records lie in, the last one yesterday: all of them open.
pub const DAYS: usize = 6;
/// Of them, those that belong to the cycle before.
const DAYS_BEFORE: usize = 3;
/// The feed that the files are of.
pub const FEED: &str = "bulk";

const DAY_S: i64 = 86_400;
const HALF_HOUR_S: u64 = 1_800;
/// Numbers from here on take four octets, as BER demands of them: the first bits are not all the same.
const FOUR_OCTETS: u32 = 0x0100_0000;
const THREE_OCTETS: u32 = 0x8000;

/// What stands in the places of a record that change.
mod mark {
    pub const IMSI: &[u8] = b"<imsi!!>";
    pub const MSISDN: &[u8] = b"<msisdn>";
    pub const CHARGING_ID: &[u8] = b"<id>";
    pub const LOCAL_NUMBER: &[u8] = b"<nr>";
    pub const OPENED: &[u8] = b"<opened!>";
    pub const DURATION: &[u8] = b"<>";
    pub const FIRST: [&[u8]; 2] = [b"<first-0>", b"<first-1>"];
    pub const LAST: [&[u8]; 2] = [b"<last--0>", b"<last--1>"];
    pub const REPORT: [&[u8]; 2] = [b"<report0>", b"<report1>"];
    pub const UP: [&[u8]; 2] = [b"<u0", b"<u1"];
    pub const DOWN: [&[u8]; 2] = [b"<d0>", b"<d1>"];
}

/// One element with a context-specific tag.
fn tlv(number: u8, constructed: bool, content: &[u8]) -> Vec<u8> {
    let class = 0x80 | if constructed { 0x20 } else { 0 };
    let mut out = if number < 31 { vec![class | number] } else { vec![class | 31, number] };
    match content.len() {
        len @ 0..=0x7F => out.push(len as u8),
        len @ 0x80..=0xFF => out.extend([0x81, len as u8]),
        len => out.extend([0x82, (len >> 8) as u8, len as u8]),
    }
    out.extend(content);
    out
}

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    tlv(number, false, content)
}

fn group(number: u8, content: &[Vec<u8>]) -> Vec<u8> {
    tlv(number, true, &content.concat())
}

/// `ChangeOfServiceCondition`.
fn container(n: usize) -> Vec<u8> {
    let parts = [
        field(1, &[10]),                           // ratingGroup
        field(2, b"iot-flat-rule-1"),              // chargingRuleBaseName
        field(4, &[n as u8 + 1]),                  // localSequenceNumber
        field(5, mark::FIRST[n]),                  // timeOfFirstUsage
        field(6, mark::LAST[n]),                   // timeOfLastUsage
        field(7, &[0x02, 0x58]),                   // timeUsage
        field(8, &[0x05, 0x01, 0x00, 0x00, 0x00]), // serviceConditionChange
        group(9, &[field(1, &[9])]),               // qoSInformationNeg: qCI
        group(10, &[field(0, &[10, 3, 0, 7])]),    // servingNodeAddress
        field(12, mark::UP[n]),                    // datavolumeFBCUplink
        field(13, mark::DOWN[n]),                  // datavolumeFBCDownlink
        field(14, mark::REPORT[n]),                // timeOfReport
        field(20, &[0x18, 0x64, 0xF0, 0x00, 0x12, 0x34, 0x64, 0xF0, 0x00, 0x01, 0x23, 0x45, 0x67]),
    ];
    tlv_of_sequence(&parts.concat())
}

/// A universal SEQUENCE.
fn tlv_of_sequence(content: &[u8]) -> Vec<u8> {
    [&[0x30, content.len() as u8], content].concat()
}

/// `PGWRecord` with marks in the places that change; the network's name makes up the length.
fn template() -> Vec<u8> {
    let nameless = template_of("").len();
    let name = format!("{:.<1$}", "iot.example", RECORD - nameless);
    assert!(name.len() <= 63, "accessPointNameNI");
    template_of(&name)
}

fn template_of(network: &str) -> Vec<u8> {
    let msisdn = [&[0x91], mark::MSISDN].concat();
    let parts = [
        field(0, &[85]),                                              // recordType
        field(3, mark::IMSI),                                         // servedIMSI
        group(4, &[field(0, &[10, 4, 1, 2])]),                        // p-GWAddress
        field(5, mark::CHARGING_ID),                                  // chargingID
        group(6, &[field(0, &[10, 3, 0, 7])]),                        // servingNodeAddress
        field(7, network.as_bytes()),                                 // accessPointNameNI
        field(8, &[0xF1, 0x21]),                                      // pdpPDNType
        group(9, &[group(0, &[field(0, &[100, 64, 1, 9])])]),         // servedPDPPDNAddress
        field(11, &[0xFF]),                                           // dynamicAddressFlag
        field(13, mark::OPENED),                                      // recordOpeningTime
        field(14, mark::DURATION),                                    // duration
        field(15, &[0]),                                              // causeForRecClosing
        field(18, b"PGW-BULK-1"),                                     // nodeID
        field(20, mark::LOCAL_NUMBER),                                // localSequenceNumber
        field(21, &[0]),                                              // apnSelectionMode
        field(22, &msisdn),                                           // servedMSISDN
        field(23, &[0x08, 0x00]),                                     // chargingCharacteristics
        field(24, &[3]),                                              // chChSelectionMode
        field(27, &[0x99, 0xF9, 0x07]),                               // servingNodePLMNIdentifier
        field(29, &[0x68, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0xF0]), // servedIMEI
        field(30, &[6]),                                              // rATType
        field(31, &[0x00, 0x00]),                                     // mSTimeZone
        field(32, &[0x18, 0x64, 0xF0, 0x00, 0x12, 0x34, 0x64, 0xF0, 0x00, 0x01, 0x23, 0x45, 0x67]),
        group(34, &[container(0), container(1)]), // listOfServiceData
        group(35, &[vec![0x0A, 0x01, 0x02]]),     // servingNodeType
        field(37, &[0x99, 0xF9, 0x07]),           // p-GWPLMNIdentifier
    ];
    let content = parts.concat();
    [&[0xBF, 79, 0x82, (content.len() >> 8) as u8, content.len() as u8], content.as_slice()].concat()
}

/// Where the marks stand in the template.
struct Places {
    imsi: usize,
    msisdn: usize,
    charging_id: usize,
    local_number: usize,
    opened: usize,
    duration: usize,
    containers: [ContainerPlaces; 2],
}

struct ContainerPlaces {
    first: usize,
    last: usize,
    report: usize,
    up: usize,
    down: usize,
}

fn place(template: &[u8], mark: &[u8]) -> usize {
    let mut found = template.windows(mark.len()).enumerate().filter(|(_, window)| *window == mark);
    let (at, _) = found.next().expect("the mark is there");
    assert!(found.next().is_none(), "{mark:?} is there once");
    at
}

impl Places {
    fn of(template: &[u8]) -> Self {
        let at = |mark: &[u8]| place(template, mark);
        let container = |n: usize| ContainerPlaces {
            first: at(mark::FIRST[n]),
            last: at(mark::LAST[n]),
            report: at(mark::REPORT[n]),
            up: at(mark::UP[n]),
            down: at(mark::DOWN[n]),
        };
        Self {
            imsi: at(mark::IMSI),
            msisdn: at(mark::MSISDN),
            charging_id: at(mark::CHARGING_ID),
            local_number: at(mark::LOCAL_NUMBER),
            opened: at(mark::OPENED),
            duration: at(mark::DURATION),
            containers: [container(0), container(1)],
        }
    }
}

/// The gateway that writes the files.
pub struct Gateway {
    seed: u64,
    cards: u32,
    /// First day of records, days since 1970.
    first_day: i64,
    record: Vec<u8>,
    places: Places,
    /// Day of each record's date in BCD.
    dates: [[u8; 3]; DAYS],
    /// Bytes by card and day, of all records written so far.
    used: Vec<[u64; DAYS]>,
}

pub fn iccid(card: u32) -> String {
    format!("8999970{card:012}")
}

fn imsi(card: u32) -> u64 {
    999_700_000_000_000 + u64::from(card)
}

fn bcd(two: u64) -> u8 {
    (two / 10 * 16 + two % 10) as u8
}

/// Fifteen digits, low nibble first, filled up.
fn tbcd(mut digits: u64) -> [u8; 8] {
    let mut out = [0xF0; 8];
    for n in (0..15).rev() {
        let (octet, shift) = (&mut out[n / 2], n % 2 * 4);
        *octet = *octet & !(0xF << shift) | ((digits % 10) as u8) << shift;
        digits /= 10;
    }
    out
}

/// A seeded row of numbers (splitmix64), one of each record's own.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ z >> 31) % n
    }
}

impl Gateway {
    /// For so many cards, around now.
    pub fn new(seed: u64, cards: u32, now: i64) -> Self {
        let record = template();
        assert_eq!(record.len(), RECORD);
        let first_day = now.div_euclid(DAY_S) - DAYS as i64;
        let date = |day: usize| {
            let date = date(first_day + day as i64);
            [date.year() as u32 % 100, date.month(), date.day()].map(|two| bcd(u64::from(two)))
        };
        Self {
            seed,
            cards,
            first_day,
            places: Places::of(&record),
            record,
            dates: std::array::from_fn(date),
            used: vec![[0; DAYS]; cards as usize],
        }
    }

    /// First day of the later of the two cycles.
    fn turn(&self) -> NaiveDate {
        date(self.first_day + DAYS_BEFORE as i64)
    }

    /// The catalogue: a new cycle begins in the middle of the days.
    pub fn catalogue(&self) -> String {
        format!(
            "version = 1\nown_channels = [\"shop\"]\n[[feeds]]\nname = \"{FEED}\"\nrole = \"settling\"\n[[carriers]]\nname = \"here\"\n\
             zone = \"Etc/UTC\"\nanchor_day = {}\nsettling_feed = \"{FEED}\"\n[[plans]]\nname = \"plan\"\nrules = []\n",
            self.turn().day()
        )
    }

    /// The block of the configuration: files are dropped into a folder.
    pub fn configuration(folder: &Path) -> String {
        format!("[[feeds]]\nid = \"{FEED}\"\nformat = \"pgw-cdr\"\nfolder = \"{}\"\n", folder.display())
    }

    /// The command that registers a card, which holds its number from before the first record on.
    pub fn registration(&self, card: u32) -> String {
        let at = DateTime::from_timestamp((self.first_day - 1) * DAY_S, 0).expect("a time");
        json!({
            "id": "register", "card": iccid(card), "at": at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "type": "card.register", "channel": "shop", "carrier": "here", "plan": "plan", "imsi": imsi(card).to_string(),
        })
        .to_string()
    }

    /// The number of a card, as one asks for it.
    pub fn number(card: u32) -> String {
        format!("imsi:{}", imsi(card))
    }

    /// Writes the records of these numbers into a file that is dropped when it is whole. Numbers begin at 0.
    pub fn drop_file(&mut self, path: &Path, numbers: Range<u64>) -> io::Result<()> {
        let unfinished = path.with_extension("tmp");
        let mut file = BufWriter::with_capacity(1 << 20, File::create(&unfinished)?);
        for number in numbers {
            self.make(number);
            file.write_all(&self.record)?;
        }
        file.into_inner()?.sync_data()?;
        std::fs::rename(unfinished, path)
    }

    /// Makes the record of a number, and adds up what its card used.
    fn make(&mut self, number: u64) {
        let mut dice = Dice(self.seed ^ number.wrapping_mul(0xA24B_AED4_963E_E407));
        let card = dice.below(u64::from(self.cards)) as u32;
        let day = dice.below(DAYS as u64) as usize;
        let duration = HALF_HOUR_S / 2 + dice.below(HALF_HOUR_S / 2);
        let opened = dice.below(DAY_S as u64 - HALF_HOUR_S);
        let number = FOUR_OCTETS + u32::try_from(number).expect("fewer records");
        assert!(number < 0x8000_0000, "four octets");
        let Self { record, places, dates, used, .. } = self;
        let mut put = |at: usize, octets: &[u8]| record[at..at + octets.len()].copy_from_slice(octets);
        let time = |second: u64| {
            let [year, month, date] = dates[day];
            let [h, m, s] = [second / 3_600, second / 60 % 60, second % 60].map(bcd);
            [year, month, date, h, m, s, b'+', 0, 0]
        };
        put(places.imsi, &tbcd(imsi(card)));
        put(places.msisdn, &tbcd(882_390_000_000_000 + u64::from(card)));
        put(places.charging_id, &number.to_be_bytes());
        put(places.local_number, &number.to_be_bytes());
        put(places.opened, &time(opened));
        put(places.duration, &(duration as u16).to_be_bytes());
        for (n, at) in places.containers.iter().enumerate() {
            let up = THREE_OCTETS + dice.below(0x10_0000) as u32;
            let down = FOUR_OCTETS + dice.below(0x0400_0000) as u32;
            let (from, to) = (duration * n as u64 / 2, duration * (n as u64 + 1) / 2);
            put(at.first, &time(opened + from));
            put(at.last, &time(opened + to));
            put(at.report, &time(opened + to));
            put(at.up, &up.to_be_bytes()[1..]);
            put(at.down, &down.to_be_bytes());
            used[card as usize][day] += u64::from(up) + u64::from(down);
        }
    }

    /// What a card used on each of the days, as dates, where that is anything.
    pub fn days(&self, card: u32) -> Vec<(String, u64)> {
        let days = self.used[card as usize].into_iter().enumerate();
        let days = days.map(|(day, used)| (date(self.first_day + day as i64).to_string(), used));
        days.filter(|(_, used)| *used > 0).collect()
    }

    /// The same by the cycles' first days.
    pub fn months(&self, card: u32) -> Vec<(String, u64)> {
        let (before, after) = self.used[card as usize].split_at(DAYS_BEFORE);
        let turn = self.turn();
        let month_before = turn.checked_sub_months(chrono::Months::new(1)).expect("a date");
        let months = [(month_before, before), (turn, after)].into_iter();
        let months = months.map(|(first, days)| (first.to_string(), days.iter().sum()));
        months.filter(|(_, used)| *used > 0).collect()
    }
}

fn date(day: i64) -> NaiveDate {
    DateTime::from_timestamp(day * DAY_S, 0).expect("a date").date_naive()
}
