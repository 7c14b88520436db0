//! Which bytes belong to which day and piece of a day (`docs/rules.md` C2): worked out second by edge with exact fractions.

use crate::model::{SplitRule, UnixTime};

/// Bytes from one edge to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    /// First second of the share within the interval.
    pub(super) from: UnixTime,
    pub(super) up: u64,
    pub(super) down: u64,
}

/// Splits an interval at every edge inside it. `edges` need no order.
pub(super) fn share(
    rule: SplitRule,
    (start, end): (UnixTime, UnixTime),
    (up, down): (u64, u64),
    edges: &[UnixTime],
) -> Vec<Share> {
    if end <= start {
        return vec![Share { from: start, up, down }];
    }
    match rule {
        SplitRule::Start => vec![Share { from: start, up, down }],
        SplitRule::End => vec![Share { from: end - 1, up, down }],
        SplitRule::Split => split(start, end, (up, down), edges),
    }
}

fn split(start: UnixTime, end: UnixTime, (up, down): (u64, u64), edges: &[UnixTime]) -> Vec<Share> {
    let mut marks: Vec<UnixTime> =
        edges.iter().copied().filter(|edge| start < *edge && *edge < end).collect();
    marks.extend([start, end]);
    marks.sort_unstable();
    marks.dedup();
    // The floor of bytes · (mark − start) / (end − start) has been used before each mark.
    let before = |bytes: u64, mark: UnixTime| {
        let exact = i128::from(bytes) * i128::from(mark - start);
        exact.div_euclid(i128::from(end - start)) as u64
    };
    let pairs = marks.iter().zip(marks.iter().skip(1));
    pairs
        .map(|(&from, &to)| Share {
            from,
            up: before(up, to) - before(up, from),
            down: before(down, to) - before(down, from),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_floors_of_what_was_used_before_each_edge() {
        // 10 bytes in 40 s, edges after 10 and 30 s: 2.5 → 2, 7.5 → 7, 10.
        let shares = share(SplitRule::Split, (90, 130), (10, 0), &[120, 100, 100, 500]);
        assert_eq!(shares.iter().map(|s| (s.from, s.up)).collect::<Vec<_>>(), [(90, 2), (100, 5), (120, 3)]);
    }

    #[test]
    fn the_other_rules_date_the_whole_by_its_first_or_its_last_second() {
        let whole =
            |rule, interval| share(rule, interval, (7, 9), &[100]).iter().map(|s| s.from).collect::<Vec<_>>();
        assert_eq!(whole(SplitRule::Start, (50, 150)), [50]);
        assert_eq!(whole(SplitRule::End, (50, 150)), [149]);
        assert_eq!(whole(SplitRule::End, (150, 50)), [150]);
    }
}
