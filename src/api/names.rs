//! The card that a path names: by ICCID, or by a number that it holds just now.
//!
//! Invariant: a number that could mean two cards means none: the client is told which, and says what it means.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use super::{Api, problem::Problem};
use crate::limits::{NUMBER_DIGITS_MAX, NUMBER_DIGITS_MIN};
use crate::model::{CardId, Number, NumberKind, UnixTime};
use crate::shell::{SharedDirectory, wall_ms};

/// The kinds of number that name a card.
const KINDS: [(&str, NumberKind); 2] = [("imsi", NumberKind::Imsi), ("msisdn", NumberKind::Msisdn)];
/// Cards that an answer names.
const SHOWN: usize = 4;

/// Who holds which number.
#[derive(Clone)]
pub struct Names {
    pub directory: SharedDirectory,
    /// Whether it was read to its end; else who is not found may be there all the same.
    pub whole: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// What stands in a path.
#[derive(Debug, PartialEq, Eq)]
enum Name {
    Card(CardId),
    /// A number of one of these kinds.
    Number(Vec<NumberKind>, u64),
}

/// What a path names, as it stands there.
pub(super) struct Named(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        let no_text = |_| Problem::BadRequest("what the path names is no text in UTF-8".to_owned());
        name.map(|Path(name)| Self(name)).map_err(no_text)
    }
}

impl Api {
    /// The card of a name, as of now.
    ///
    /// # Errors
    /// No name, nobody's, or that of several.
    pub(super) fn card_of(&self, name: &str) -> Result<CardId, Problem> {
        let (kinds, digits) = match read(name)? {
            Name::Card(card) => return Ok(card),
            Name::Number(kinds, digits) => (kinds, digits),
        };
        let not_here =
            || Problem::NotReady("numbers are not known here: name the card by its ICCID".to_owned());
        let names = self.names.as_ref().ok_or_else(not_here)?;
        let held = names.held(&kinds, digits, self.log_now());
        match held.iter().map(|(_, card)| *card).collect::<BTreeSet<_>>().len() {
            1 => Ok(held[0].1),
            0 if (names.whole)() => Err(Problem::NotFound(format!("no card goes by {name}"))),
            0 => Err(Problem::NotReady("the directory of numbers is being read".to_owned())),
            _ => Err(Problem::Ambiguous(format!("{name} names several cards: {}", list(&held)))),
        }
    }

    /// The card of a name as a command has it: an ICCID as it was said, with its check digit.
    pub(super) fn iccid_of(&self, name: &str) -> Result<String, Problem> {
        match read(name) {
            Ok(Name::Card(_)) => Ok(bare(name).to_owned()),
            _ => Ok(self.card_of(name)?.to_string()),
        }
    }

    /// Now, by the log where the clock is supplied.
    pub(super) fn log_now(&self) -> UnixTime {
        let newest = || self.board.partitions().iter().map(|status| status.log_time).max();
        let supplied = self.clock_supplied.then(newest).flatten().filter(|at| *at > 0);
        supplied.unwrap_or_else(|| wall_ms().div_euclid(1_000))
    }
}

impl Names {
    fn held(&self, kinds: &[NumberKind], digits: u64, at: UnixTime) -> Vec<(Number, CardId)> {
        let numbers = kinds.iter().map(|kind| Number { kind: *kind, digits });
        numbers
            .flat_map(|number| self.directory.holders(number, at).into_iter().map(move |card| (number, card)))
            .collect()
    }
}

fn list(held: &[(Number, CardId)]) -> String {
    let shown = held.iter().take(SHOWN).map(|(number, card)| format!("{number} is card {card}"));
    shown.collect::<Vec<_>>().join(", ")
}

/// `iccid:8986…` → `8986…`.
fn bare(name: &str) -> &str {
    name.strip_prefix("iccid:").unwrap_or(name)
}

fn read(name: &str) -> Result<Name, Problem> {
    let (kinds, text) = match name.split_once(':').map(|(kind, text)| (kind_of(kind), text)) {
        Some((Some(kind), text)) => (vec![kind], text),
        _ => (KINDS.map(|(_, kind)| kind).to_vec(), name),
    };
    let digits = text.strip_prefix('+').unwrap_or(text);
    let least = if kinds.len() > 1 { NUMBER_DIGITS_MIN } else { 1 };
    if (least..=NUMBER_DIGITS_MAX).contains(&digits.len())
        && let Some(number) = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())
    {
        return Ok(Name::Number(kinds, number.unwrap_or_default()));
    }
    let card = CardId::parse(bare(name)).map_err(|e| {
        Problem::BadRequest(format!("{name:?}: {e}; a card is named by ICCID, imsi:DIGITS or msisdn:DIGITS"))
    });
    card.map(Name::Card)
}

fn kind_of(text: &str) -> Option<NumberKind> {
    KINDS.iter().find(|(kind, _)| text.eq_ignore_ascii_case(kind)).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::Directory as _;
    use crate::model::{CardName, DirectoryEntry};

    fn card(last: u8) -> CardId {
        CardId::parse(&format!("898600123456789012{last}")).expect("an ICCID")
    }

    #[test]
    fn a_name_is_read_as_what_it_can_be() {
        let both = || vec![NumberKind::Imsi, NumberKind::Msisdn];
        for (name, expected) in [
            ("8986001234567890123", Some(Name::Card(card(3)))),
            ("89860012345678901236", Some(Name::Card(card(3)))),
            ("iccid:8986001234567890123", Some(Name::Card(card(3)))),
            ("460041234567890", Some(Name::Number(both(), 460_041_234_567_890))),
            ("+8613800000001", Some(Name::Number(both(), 8_613_800_000_001))),
            ("msisdn:8613800000001", Some(Name::Number(vec![NumberKind::Msisdn], 8_613_800_000_001))),
            ("IMSI:1", Some(Name::Number(vec![NumberKind::Imsi], 1))),
            ("1234", None),
            ("imei:123456", None),
            ("imsi:", None),
            ("imsi:12345678901234567", None),
            ("46004123456789O", None),
        ] {
            assert_eq!(read(name).ok(), expected, "{name}");
        }
    }

    #[test]
    fn whoever_holds_a_number_in_a_second_is_found_and_nobody_else() {
        let mut directory = SharedDirectory::default();
        let imsi = Number { kind: NumberKind::Imsi, digits: 460_041_234_567_890 };
        let msisdn = Number { kind: NumberKind::Msisdn, ..imsi };
        for (number, card, valid_from, valid_to) in
            [(imsi, card(1), 100, Some(200)), (imsi, card(2), 150, None), (msisdn, card(3), 300, None)]
        {
            let name = CardName::Number(number);
            drop(directory.set(name, card, Some(DirectoryEntry { name, card, valid_from, valid_to })));
        }
        let names = Names { directory, whole: Arc::new(|| true) };
        let both = KINDS.map(|(_, kind)| kind);
        let held = |at| -> Vec<CardId> {
            let mut held: Vec<_> =
                names.held(&both, imsi.digits, at).into_iter().map(|(_, card)| card).collect();
            held.sort();
            held
        };
        assert_eq!(held(99), []);
        assert_eq!(held(120), [card(1)]);
        assert_eq!(held(160), [card(1), card(2)]);
        assert_eq!(held(300), [card(2), card(3)]);
        assert_eq!(
            list(&names.held(&both, imsi.digits, 120)),
            format!("imsi 460041234567890 is card {}", card(1))
        );
    }
}
