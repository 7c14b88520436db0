//! Formats of 3GPP records: whose records a feed holds, on the files of tests/data/3gpp-cdr.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::ingest::formats::feed::Feed;

fn data(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/data/3gpp-cdr/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Records by the feed that they are of, and what is refused by its text.
fn by_feed(decoder: &Decoder, bytes: &[u8]) -> BTreeMap<String, usize> {
    let (mut found, mut buffers) = (BTreeMap::new(), Buffers::default());
    for piece in decoder.pieces(bytes) {
        let key = match decoder.read(&piece, &mut buffers) {
            Ok(Said::Cdr(cdr) | Said::Nobodys(cdr)) => cdr.feed.into_owned(),
            Ok(other) => panic!("{other:?}"),
            Err(error) => error.to_string(),
        };
        *found.entry(key).or_default() += 1;
    }
    found
}

fn feed(block: serde_json::Value) -> Result<Feed, String> {
    serde_json::from_value(block).map_err(|error| error.to_string())
}

/// Records in the files, of tests/data/3gpp-cdr/expected.json.
const PGW: (&str, usize) = ("pgw-32297.cdr", 2_076);
const SGW: (&str, usize) = ("sgw-plain.ber", 2_068);
const CHF: (&str, usize) = ("chf-plain.ber", 2_036);

#[test]
fn each_format_reads_the_records_of_its_node_and_refuses_others() {
    for (format, (own, count), (other, others)) in
        [("pgw-cdr", PGW, SGW), ("sgw-cdr", SGW, CHF), ("chf-cdr", CHF, PGW)]
    {
        let decoder = Decoder::new("f", Format::from_name(format).unwrap());
        assert_eq!(decoder.format(), format);
        assert_eq!(by_feed(&decoder, &data(own)), [("f".to_owned(), count)].into(), "{format}");
        let refused = by_feed(&decoder, &data(other));
        assert_eq!(refused.values().sum::<usize>(), others, "{format}");
        assert!(
            refused.keys().all(|why| why.contains("name the feed that it is of in `also`")),
            "{refused:?}"
        );
    }
}

#[test]
fn records_of_several_nodes_in_one_file_are_of_the_feeds_that_the_block_names() {
    let block =
        json!({"id": "core", "format": "pgw-cdr", "also": {"sgw-cdr": "core-sgw", "chf-cdr": "core"}});
    let decoder = feed(block).unwrap().decoder;
    let mixed = [data(SGW.0), data(CHF.0), data("pgw-ff-filled.ber")].concat();
    let expected = [("core-sgw".to_owned(), SGW.1), ("core".to_owned(), CHF.1 + 60)];
    assert_eq!(by_feed(&decoder, &mixed), expected.into());
}

#[test]
fn a_feed_that_would_add_up_what_two_nodes_counted_is_refused() {
    for (format, also, expected) in [
        ("pgw-cdr", json!({"sgw-cdr": "f"}), "also: feed \"f\" would hold S-GW records and others"),
        ("sgw-cdr", json!({"chf-cdr": "f"}), "also: feed \"f\" would hold S-GW records and others"),
        ("chf-cdr", json!({"sgw-cdr": "x", "pgw-cdr": "x"}), "also: feed \"x\" would hold"),
        ("pgw-cdr", json!({"pgw-cdr": "x"}), "also: P-GW records are of this feed"),
        ("pgw-cdr", json!({"chf-cdr": "a b"}), "also \"a b\" is not 1 to 128 of letters"),
        ("1nce", json!({"sgw-cdr": "x"}), "also is of pgw-cdr, sgw-cdr and chf-cdr"),
    ] {
        let error = feed(json!({"id": "f", "format": format, "also": also})).unwrap_err();
        assert!(error.contains(expected), "{format} {also}: {error}");
    }
    assert!(feed(json!({"id": "f", "format": "sgw-cdr", "also": {"pgw-cdr": "x", "chf-cdr": "x"}})).is_ok());
}

#[test]
fn a_damaged_header_names_what_the_file_is_written_in() {
    let mut file = data(PGW.0);
    // The format of the first CDR header, in the upper three bits: aligned PER.
    file[54 + 3] = (3 << 5) | (file[54 + 3] & 0x1F);
    let found = by_feed(&Decoder::new("f", Format::from_name("pgw-cdr").unwrap()), &file);
    assert_eq!(found["f"], PGW.1 - 1);
    assert!(found.keys().any(|why| why.contains("aligned PER")), "{found:?}");
}
