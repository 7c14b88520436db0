//! What is read, or cut, in one pass is what the careful way makes of it, whatever the bytes.

use std::ops::Range;
use std::path::Path;

use proptest::prelude::*;

use super::super::pieces::{self, Cut, is_written_in_lines, listed};
use super::super::{Piece, Platform, Said, Unreadable, soracom, stream, super_sim};

const FEED: &str = "f";

/// Bytes that matter to a scanner, and some that do not.
const BYTES: &[u8] = b"\"\\{}[]:,0159.-+eE ntfu\n\x00\x1f\x80xZ";

fn data(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/platform-feeds").join(name);
    std::fs::read(path).unwrap()
}

fn careful<'a>(platform: Platform, piece: &Piece<'a>) -> Result<Said<'a>, Unreadable> {
    Ok(match platform {
        Platform::Soracom => soracom::careful(piece, FEED),
        Platform::SuperSim => super_sim::careful(piece, FEED),
        _ => stream::careful(piece.bytes, FEED),
    }?)
}

fn read<'a>(platform: Platform, piece: &Piece<'a>) -> Result<Said<'a>, Unreadable> {
    Ok(match platform {
        Platform::Soracom => soracom::read(piece, FEED),
        Platform::SuperSim => super_sim::read(piece, FEED),
        _ => stream::read(piece.bytes, FEED),
    }?)
}

fn is_plain(platform: Platform, piece: &Piece<'_>) -> bool {
    match platform {
        Platform::Soracom => soracom::plain(piece).is_some(),
        Platform::SuperSim => super_sim::plain(piece, FEED).is_some(),
        _ => stream::plain(piece.bytes, FEED).is_some(),
    }
}

const PAGE: &str = r#"{"usage_records":[
    {"period":{"start_time":"2026-07-25T01:00:00Z","end_time":"2026-07-25T02:00:00Z"},"account_sid":"AC1","sim_sid":"HS1",
     "network_sid":null,"iso_country":"DE","data_upload":7,"data_download":250000,"data_total":250007,"extra":[{},[-1.5e3,true]]},
    {"period":{"end_time":"2026-07-25T03:00:00Z","start_time":"2026-07-25T02:00:00Z"},"sim_sid":"HS1","fleet_sid":"HF1",
     "data_upload":0,"data_download":1}
], "iccid":"89883070000000000017"}"#;

/// How a message is cut from a range of it on.
type Cutting = fn(&mut Cut<'_>, Range<usize>);

/// A message of a platform, and how it is cut with care.
fn message(platform: Platform) -> (Vec<u8>, Cutting) {
    match platform {
        Platform::Soracom => (data("soracom-airstats-by-imsi.json"), soracom::named),
        Platform::SuperSim => (PAGE.as_bytes().to_vec(), super_sim::page),
        Platform::Emnify => (data("emnify-shape.json"), listed),
        _ => (data("1nce-shape.jsonl"), listed),
    }
}

fn cut(platform: Platform, bytes: &[u8]) -> Vec<Piece<'_>> {
    match platform {
        Platform::Soracom => soracom::pieces(bytes, is_written_in_lines(bytes)),
        Platform::SuperSim => super_sim::pieces(bytes, is_written_in_lines(bytes)),
        _ => pieces::values(bytes, is_written_in_lines(bytes)),
    }
}

/// The same with care.
fn carefully(bytes: &[u8], page: Cutting) -> Vec<Piece<'_>> {
    pieces::top((bytes, is_written_in_lines(bytes)), |_, _| None, page)
}

/// So much of a sample holds some records.
const BEGINNING: usize = 6_000;

const PLATFORMS: [Platform; 4] = [Platform::Onence, Platform::Emnify, Platform::Soracom, Platform::SuperSim];

#[test]
fn samples_are_read_in_one_pass_as_with_care() {
    for platform in PLATFORMS {
        let (bytes, page) = message(platform);
        let pieces = cut(platform, &bytes);
        assert_eq!(pieces, carefully(&bytes, page), "{platform:?}");
        let mut plain = 0;
        for piece in &pieces {
            assert_eq!(read(platform, piece), careful(platform, piece), "{platform:?} {}", piece.at);
            plain += usize::from(is_plain(platform, piece));
        }
        // All but SMS and what has no SIM.
        assert!(plain * 10 >= pieces.len() * 8, "{platform:?}: {plain} of {}", pieces.len());
    }
}

/// Bytes with some of them put in another's place, taken out or put in.
fn damaged(bytes: &[u8], damage: &[(usize, usize, u8)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, which, how) in damage {
        let (at, byte) = (at % bytes.len().max(1), BYTES[which % BYTES.len()]);
        match how {
            0 if at < bytes.len() => bytes[at] = byte,
            1 if at < bytes.len() => drop(bytes.remove(at)),
            _ => bytes.insert(at, byte),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_record_is_read_as_with_care(
        platform in proptest::sample::select(&PLATFORMS[..]),
        record in any::<usize>(),
        damage in proptest::collection::vec((any::<usize>(), any::<usize>(), 0u8..3), 0..4),
    ) {
        let (message, _) = message(platform);
        // An object that does not end is not looked into.
        let end = if platform == Platform::Soracom { message.len() } else { BEGINNING };
        let mut pieces = cut(platform, message.get(..end).unwrap_or(&message));
        pieces.truncate(20);
        pieces.retain(|piece| piece.fault.is_none());
        let piece = pieces[record % pieces.len()];
        let bytes = damaged(piece.bytes, &damage);
        let of = piece.of.or(Some("440103929795636"));
        let piece = Piece { bytes: &bytes, of, ..piece };
        prop_assert_eq!(read(platform, &piece), careful(platform, &piece), "{}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_damaged_message_is_cut_as_with_care(
        platform in proptest::sample::select(&PLATFORMS[..]),
        damage in proptest::collection::vec((0usize..900, any::<usize>(), 0u8..3), 0..4),
        end in 1usize..3_000,
    ) {
        let (message, page) = message(platform);
        let bytes = damaged(message.get(..end).unwrap_or(&message), &damage);
        prop_assert_eq!(cut(platform, &bytes), carefully(&bytes, page), "{}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn brackets_in_any_order_are_cut_as_with_care(
        platform in proptest::sample::select(&PLATFORMS[..]),
        text in r#"[\[{]["{}\[\]:, 1a\\]{0,24}"#,
    ) {
        let (_, page) = message(platform);
        prop_assert_eq!(cut(platform, text.as_bytes()), carefully(text.as_bytes(), page), "{}", text);
    }
}
