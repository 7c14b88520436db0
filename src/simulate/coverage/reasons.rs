//! The kinds of reasons that the meter gives, as texts in which `…` stands for what differs from one to the next.
//!
//! A new reason belongs here: one that is met and not listed fails a test, and one that is listed and never met is named.

/// Why a command or a recharge is refused.
pub(super) const REFUSALS: [&str; 66] = [
    "order … is in force from … on: send it as a recharge afterwards",
    "order … ended at …: leave it out, and say what is overage",
    "order …: … bytes burnt of …",
    "order …: channel … is not one of the vendor's own: only these may sell packages for its cards",
    "order … began before the running cycle: say in `burnt_in_cycle` what it burnt since",
    "order …: all … bytes that it burnt are of the running cycle, not …",
    "order …: … bytes burnt in the running cycle, and … in all",
    "… bytes were used, and … burnt with … of overage are more",
    "its suspension has not begun",
    "it is suspended by expiry, and a base package is in force",
    "it was suspended by expiry so long ago that it would be cancelled",
    "the card is … already: what it brings along is taken once, …",
    "the card has been used, or a cycle of it has closed: …",
    "the card has orders: …",
    "its `at` is more than 90 days ago",
    "its `at` is more than 10 minutes after log time",
    "no such card: register it first",
    "the card is cancelled, and that is final",
    "the card is cancelled, which is final",
    "the card is suspended already",
    "the card is …, not suspended",
    "the card has usage at carrier …; moving it to another is not done by this version",
    "carrier … is not in the catalogue",
    "plan … is not in the catalogue",
    "… recipients: a card has at most 16",
    "recipient … is named twice for one channel",
    "… rules: a card has at most 16",
    "rule … is named twice: give each rule a name of its own",
    "rule …: burnt_percent … is not within 1..=100",
    "rule …: remaining_percent … is not within 0..=99",
    "rule …: used_bytes 0 is reached always: say at least 1",
    "rule …: used_day_bytes 0 is reached always: say at least 1",
    "rule …: expires_days … is not within 1..=90",
    "rule …: no_data_hours … is not within 1..=744",
    "rule … is none of the presets, and customers may set only these: …",
    "0 credits: say at least 1",
    "the card has … credits; with … more it would have over 1000000",
    "the card has … credits, and … are to leave it",
    "the other card is this one",
    "reference … was used for another move of this card's credits",
    "no credit of the last 90 days was taken to tell … of …",
    "… bytes: an adjustment is of at least 1 and at most 2^48",
    "its day has not begun",
    "its day lies outside the months of the carrier's calendar",
    "day … is closed, and its cycle's figures are final: leave the day out to correct the open cycle",
    "day … is closed: leave the day out to correct the running cycle",
    "day … is closed: name an open day of its cycle, as …; from … on the cycle can be restated",
    "the cycle of its day cannot be restated: post it into the open one",
    "reference … was used for something else on this card",
    "it was set aside more than 90 days ago",
    "its reference is not the quarantine id of this record",
    "the record has been counted",
    "it would be set aside again: …",
    "channel … is not one of the vendor's own: only these may recharge its cards",
    "a quota of 0 bytes: order at least one byte, or no quota for an unlimited one",
    "a quota of … bytes: a package has at most …",
    "a validity of 0 months: order at least 1",
    "a validity of 0 days: order at least 1",
    "a validity of 0 cycles: order at least 1",
    "a validity of …: a package lasts at most ten years",
    "a validity of … ends after the carrier's calendar: order a shorter one",
    "order … was used for another recharge of this card: send this one under an order id of its own",
    "order … was voided under another reference",
    "order … is neither queued nor in force: nothing is left of it to void",
    "… packages are in force: order again when one has expired",
    "… packages are queued: order again when one has started",
];

/// The same at bounds that no world is big enough to reach: thousands of orders on one card. Tests of their own hold these.
pub(super) const REFUSALS_AT_BOUNDS: [&str; 20] = [
    "the carrier's calendar does not hold today",
    "its `at` is of another cycle than the running one, and so is what it says was used",
    "… used bytes: at most …",
    "… packages: at most 16 are in force",
    "… credits: a card has at most 1000000",
    "order … stands there twice",
    "order …: a quota of 0 bytes",
    "order …: … bytes of quota: at most …",
    "order …: a package lasts at most … days",
    "it was suspended more than ten years ago",
    "with … credits more it would have over 1000000",
    "the card is at carrier …: register it at its own first",
    "the card has 4,096 commands of the last 90 days already",
    "the card has 4,096 moves of the last 90 days already",
    "the card has 4,096 references of the last 90 days already",
    "the card has 4096 orders within 90 days already",
    "the card holds 64 packages, those of its open days included: order again when they are closed",
    "the shard has no room for more names",
    "recipient …: a number has 1 to 128 bytes",
    "two numbers of one kind",
];

/// Why a record goes to quarantine or dead letter.
pub(super) const SET_ASIDE: [&str; 20] = [
    "no such card: register it first",
    "the card is cancelled and its last cycle is closed",
    "the same id was used for another command",
    "the same id was counted with other content",
    "the card did not hold … at its start",
    "longer than seven days",
    "the day of its start is closed",
    "its day is closed",
    "its time is more than 10 minutes after log time",
    "more bytes than its counter of 32 bits can show",
    "feed … is not in the catalogue",
    "feed … settles: it tells records or totals, not counters of devices",
    "feed … settles, but not for carrier …",
    "feed … would be the third estimating feed of the card; two count",
    "feed … tells totals of the card, which hold this already",
    "feed … is not a settling feed of the catalogue",
    "day … is not over for any carrier that … settles for",
    "a carrier's total must name the carrier's feed",
    "its time is before the day or cycle that it is a total of",
    "not newer than the … held of its …",
];

/// The same at bounds, and of what ingest has refused or parked before.
pub(super) const SET_ASIDE_AT_BOUNDS: [&str; 13] = [
    "no such card",
    "the session of a carrier's total is no date, like 2026-08-01",
    "the card has 1,024 records on this day already",
    "the card has 256 totals of open days already",
    "the card's cycles would hold more than 2^60 bytes",
    "its days lie outside the months of the carrier's calendar",
    "the card did not hold … at its time",
    "more bytes than a counter can have counted",
    "more bytes than a bearer can move in seven days",
    "more than 64 slices",
    "its slices do not add up to its volume",
    "not a canonical command: …",
    "the command names another card than its record",
];

/// Whether a reason is of a kind.
pub(super) fn is_of(reason: &str, kind: &str) -> bool {
    let mut parts = kind.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = reason.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_of_the_kind_that_reads_like_it() {
        let cases = [
            ("its day has not begun", "its day has not begun", true),
            ("its day has not begun yet", "its day has not begun", false),
            ("the card is active, not suspended", "the card is …, not suspended", true),
            ("the card is suspended already", "the card is …, not suspended", false),
            (
                "the card has 3 credits, and 9 are to leave it",
                "the card has … credits, and … are to leave it",
                true,
            ),
            ("it would be set aside again: late", "it would be set aside again: …", true),
            ("17 rules: a card has at most 16", "… rules: a card has at most 16", true),
        ];
        for (reason, kind, expected) in cases {
            assert_eq!(is_of(reason, kind), expected, "{reason:?} {kind:?}");
        }
    }

    #[test]
    fn no_kind_is_listed_twice() {
        let all = [&REFUSALS[..], &REFUSALS_AT_BOUNDS[..], &SET_ASIDE[..], &SET_ASIDE_AT_BOUNDS[..]];
        for kinds in [[all[0], all[1]].concat(), [all[2], all[3]].concat()] {
            let mut once = kinds.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), kinds.len());
        }
    }
}
