//! A block `[[feeds]]` of the configuration: what a feed is called, where it comes from and how it is written.
//!
//! Read in two stages like all configuration: [`FeedSaid`] is what stands there, [`Feed`] what is meant. The second is made
//! while the first is read, so that an error has the block's line.

use std::collections::BTreeMap;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use super::folder::{Folder, FolderSaid};
use super::gateway::{Gateway, format_of};
use super::mapped::json::is_pointer;
use super::mapped::{
    Blank, Identity, Mapping, NumberAt, Only, RecordKind, Syntax, TimeFormat, Unit, Volume, Zone,
};
use super::{Decoder, Format, Platform};
use crate::ingest::gaps::Watch;
use crate::ingest::pgw::RecordType;
use crate::limits::NAME_BYTES_MAX;
use crate::model::TotalOf;

/// A feed that comes in a format of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// The carrier, for who reads the configuration; the catalogue says what the feed is to it.
    pub carrier: Option<String>,
    /// The topic that it comes by, as the brokers name it; without one it comes by files only.
    pub topic: Option<String>,
    /// The folder into which its files are dropped.
    pub folder: Option<Folder>,
    /// How it is watched for gaps.
    pub watch: Watch,
    pub decoder: Decoder,
}

/// What stands in the block; which keys a format needs, [`Feed`] says.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedSaid {
    id: String,
    format: FormatName,
    carrier: Option<String>,
    topic: Option<String>,
    also: Option<Also>,
    #[serde(flatten)]
    folder: FolderSaid,
    #[serde(flatten)]
    mapping: MappingSaid,
}

/// Feeds of other nodes' records in the same files.
type Also = BTreeMap<RecordType, String>;

/// The keys of a mapped feed.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
#[serde(default)]
struct MappingSaid {
    delimiter: Option<char>,
    columns: Option<Vec<String>>,
    records: Option<String>,
    kind: Option<Kind>,
    identity: Option<String>,
    identity_kind: Option<Identity>,
    record_id: Option<OneOrMore>,
    start: Option<String>,
    end: Option<String>,
    at: Option<String>,
    day: Option<String>,
    up: Option<String>,
    down: Option<String>,
    total: Option<String>,
    unit: Option<Unit>,
    blank: Option<Blank>,
    time: Option<String>,
    zone: Option<String>,
    only: Option<Only>,
    number: Option<String>,
    node: Option<String>,
}

/// A format by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
enum FormatName {
    Platform(Platform),
    Gateway(RecordType),
    MappedCsv,
    MappedJson,
}

impl TryFrom<String> for FormatName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let (csv, json) = ("mapped-csv", "mapped-json");
        let of_nodes = RecordType::ALL.into_iter().find(|kind| format_of(*kind) == name);
        let platform = || Platform::from_name(&name).map(Self::Platform);
        let mapped =
            || [(csv, Self::MappedCsv), (json, Self::MappedJson)].into_iter().find(|(n, _)| *n == name);
        let found =
            of_nodes.map(Self::Gateway).or_else(platform).or_else(|| mapped().map(|(_, found)| found));
        found.ok_or_else(|| {
            let names: Vec<&str> = Format::names().chain([csv, json]).collect();
            format!("{name:?} is none of {}", names.join(", "))
        })
    }
}

/// What a mapped record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    #[default]
    Cdr,
    DayTotal,
    CycleTotal,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// Values by which a record may be one of usage.
const ONLY_VALUES_MAX: usize = 64;
/// Fields that an id may be made of.
const ID_PARTS_MAX: usize = 4;

impl<'de> Deserialize<'de> for Feed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Block)
    }
}

/// Makes the feed of its block within the block, so that a reader of a file knows the line of what cannot be meant.
struct Block;

impl<'de> Visitor<'de> for Block {
    type Value = Feed;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a block of a feed")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Feed, A::Error> {
        let said = FeedSaid::deserialize(MapAccessDeserializer::new(map))?;
        Feed::try_from(said).map_err(A::Error::custom)
    }
}

impl TryFrom<FeedSaid> for Feed {
    type Error = String;

    fn try_from(said: FeedSaid) -> Result<Self, String> {
        let wrong = |problem: String| format!("feed {:?}: {problem}", said.id);
        name("id", &said.id).map_err(wrong)?;
        if let Some(topic) = &said.topic {
            name("topic", topic).map_err(wrong)?;
        }
        let format =
            format(said.format, said.mapping, &said.id, &said.also.unwrap_or_default()).map_err(wrong)?;
        let (folder, watch) = said.folder.meant().map_err(wrong)?;
        said.folder.check(said.topic.is_some()).map_err(wrong)?;
        if said.topic.is_some() && folder.is_some() {
            return Err(wrong("it comes by a topic or by a folder: two names make two feeds".to_owned()));
        }
        if watch.keyed && said.topic.is_none() {
            return Err(wrong("keyed_by_node is of a topic: say which".to_owned()));
        }
        let decoder = Decoder::new(&said.id, format);
        Ok(Self { carrier: said.carrier, topic: said.topic, folder, watch, decoder })
    }
}

/// What may be a topic's name may be a feed's.
fn name(key: &str, text: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if (1..=NAME_BYTES_MAX).contains(&text.len()) && text.chars().all(fits) {
        return Ok(());
    }
    Err(format!("{key} {text:?} is not 1 to {NAME_BYTES_MAX} of letters, digits, '.', '_', '-'"))
}

fn format(name: FormatName, said: MappingSaid, feed: &str, also: &Also) -> Result<Format, String> {
    also.values().try_for_each(|feed| self::name("also", feed))?;
    let is_gateway = matches!(name, FormatName::Gateway(_));
    refuse("also", !is_gateway && !also.is_empty(), "is of pgw-cdr, sgw-cdr and chf-cdr")?;
    match name {
        FormatName::MappedCsv => csv(&said).and_then(|syntax| mapped(syntax, said)),
        FormatName::MappedJson => json(&said).and_then(|syntax| mapped(syntax, said)),
        _ if said != MappingSaid::default() => {
            Err("the format says where everything stands: only mapped formats take more keys".to_owned())
        }
        FormatName::Gateway(own) => Gateway::meant(own, feed, also).map(Format::Gateway),
        FormatName::Platform(platform) => Ok(Format::Platform(platform)),
    }
}

fn mapped(syntax: Syntax, said: MappingSaid) -> Result<Format, String> {
    mapping(syntax, said).map(|mapping| Format::Mapped(Box::new(mapping)))
}

fn csv(said: &MappingSaid) -> Result<Syntax, String> {
    refuse("records", said.records.is_some(), "is of mapped-json")?;
    let delimiter = said.delimiter.unwrap_or(',');
    let delimiter = u8::try_from(delimiter).ok().filter(|byte| byte.is_ascii() && !b"\"\r\n".contains(byte));
    let delimiter = delimiter.ok_or("delimiter: one ASCII character that is no quote and no line's end")?;
    Ok(Syntax::Csv { delimiter, columns: said.columns.clone() })
}

fn json(said: &MappingSaid) -> Result<Syntax, String> {
    refuse("delimiter", said.delimiter.is_some(), "is of mapped-csv")?;
    refuse("columns", said.columns.is_some(), "is of mapped-csv")?;
    Ok(Syntax::Json { records: said.records.clone() })
}

fn refuse(key: &str, is_said: bool, why: &str) -> Result<(), String> {
    if is_said { Err(format!("{key} {why}")) } else { Ok(()) }
}

fn mapping(syntax: Syntax, said: MappingSaid) -> Result<Mapping, String> {
    check_places(&syntax, &said)?;
    let zone = match &said.zone {
        Some(text) => Some(Zone::parse(text).ok_or_else(|| {
            format!("zone {text:?} is no zone like \"Asia/Shanghai\" and no offset like \"+08:00\"")
        })?),
        None => None,
    };
    let time =
        said.time.as_deref().ok_or("time is missing: rfc3339, unix, unix-ms or a pattern of strftime")?;
    Ok(Mapping {
        time: TimeFormat::new(time, zone)?,
        volume: volume(&said)?,
        unit: said.unit.ok_or("unit is missing: B, kB, MB, GB, KiB, MiB, GiB, said-1000 or said-1024")?,
        blank: said.blank.unwrap_or_default(),
        identity_kind: said.identity_kind.ok_or("identity_kind is missing: iccid, imsi, msisdn or imei")?,
        record: record(&said)?,
        only: only(&said)?,
        number: number(&said)?,
        identity: needed("identity", said.identity)?,
        syntax,
    })
}

fn only(said: &MappingSaid) -> Result<Option<Only>, String> {
    let Some(only) = &said.only else { return Ok(None) };
    if !(1..=ONLY_VALUES_MAX).contains(&only.values.len()) {
        return Err(format!("only: 1 to {ONLY_VALUES_MAX} values, those of records of usage of data"));
    }
    // What stands in a record is compared without the spaces around it.
    let never = only.values.iter().find(|value| value.is_empty() || value.trim() != *value);
    if let Some(value) = never {
        return Err(format!("only: no record has the value {value:?}: write it without spaces around it"));
    }
    refuse(
        "only",
        said.number.is_some(),
        "leaves records out, whose numbers would be told as missing: leave number out, or only",
    )?;
    Ok(Some(only.clone()))
}

fn number(said: &MappingSaid) -> Result<Option<NumberAt>, String> {
    refuse("node", said.node.is_some() && said.number.is_none(), "is of number: say where that stands too")?;
    let is_total = !matches!(said.kind.unwrap_or_default(), Kind::Cdr);
    refuse("number", said.number.is_some() && is_total, "is of a cdr: totals replace each other")?;
    Ok(said.number.clone().map(|number| NumberAt { number, node: said.node.clone() }))
}

fn needed(key: &str, said: Option<String>) -> Result<String, String> {
    said.ok_or_else(|| format!("{key} is missing: where it stands in a record"))
}

fn volume(said: &MappingSaid) -> Result<Volume, String> {
    match (said.up.clone(), said.down.clone(), said.total.clone()) {
        (Some(up), Some(down), None) => Ok(Volume::Directions { up, down }),
        (None, None, Some(total)) => Ok(Volume::Total(total)),
        _ => Err("a volume is either up and down, or total".to_owned()),
    }
}

fn record(said: &MappingSaid) -> Result<RecordKind, String> {
    let of = match said.kind.unwrap_or_default() {
        Kind::Cdr => {
            refuse("at", said.at.is_some(), "is of totals: a cdr has start and end")?;
            refuse("day", said.day.is_some(), "is of totals: a cdr has start and end")?;
            let id = match said.record_id.clone() {
                Some(OneOrMore::One(one)) => vec![one],
                Some(OneOrMore::More(more)) if (1..=ID_PARTS_MAX).contains(&more.len()) => more,
                Some(OneOrMore::More(_)) => return Err("record_id: one to four fields".to_owned()),
                None => {
                    return Err(
                        "record_id is missing: the field, or the fields, that name a record".to_owned()
                    );
                }
            };
            let (start, end) = (needed("start", said.start.clone())?, needed("end", said.end.clone())?);
            return Ok(RecordKind::Cdr { start, end, id });
        }
        Kind::DayTotal => TotalOf::Day,
        Kind::CycleTotal => TotalOf::Cycle,
    };
    for (key, is_said) in [
        ("start", said.start.is_some()),
        ("end", said.end.is_some()),
        ("record_id", said.record_id.is_some()),
    ] {
        refuse(key, is_said, "is of a cdr: a total has the time at which it was so, at")?;
    }
    Ok(RecordKind::Total { of, at: needed("at", said.at.clone())?, day: said.day.clone() })
}

/// Columns must be among those named, and pointers must be such.
fn check_places(syntax: &Syntax, said: &MappingSaid) -> Result<(), String> {
    let ids = match &said.record_id {
        Some(OneOrMore::One(one)) => std::slice::from_ref(one),
        Some(OneOrMore::More(more)) => more.as_slice(),
        None => &[],
    };
    let single =
        [&said.identity, &said.start, &said.end, &said.at, &said.day, &said.up, &said.down, &said.total];
    let numbers = [&said.number, &said.node];
    let only = said.only.as_ref().map(|only| &only.field);
    let mut places = single.into_iter().chain(numbers).flatten().chain(ids).chain(only);
    match syntax {
        Syntax::Csv { columns: Some(columns), .. } => match places.find(|place| !columns.contains(place)) {
            Some(place) => Err(format!("{place:?} is none of the columns")),
            None => Ok(()),
        },
        Syntax::Csv { columns: None, .. } => Ok(()),
        Syntax::Json { records } => match places.chain(records).find(|place| !is_pointer(place)) {
            Some(place) => Err(format!("{place:?} is no JSON pointer: write \"/{place}\"")),
            None => Ok(()),
        },
    }
}
