//! Partitions that have halted, told together where they halted alike.
//!
//! Invariant: every partition that has halted is named; only its reason may be left out, for one that differs in numbers alone.

use std::fmt::Write as _;

use serde_json::Value;

/// Partitions and the reason of the first of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alike {
    pub(super) partitions: Vec<u64>,
    pub(super) why: String,
}

/// Those that have halted, as `GET /v1/partitions` tells it.
pub(super) fn halted(partitions: &Value) -> Vec<(u64, String)> {
    let all = partitions.as_array().into_iter().flatten();
    let halted = all.filter(|status| status["state"] == "halted");
    halted
        .filter_map(|status| Some((status["partition"].as_u64()?, status["halted"].as_str()?.to_owned())))
        .collect()
}

/// What is said of one partition, if a sentence of `/health/ready` is: its number and the rest.
pub(super) fn of_partition(sentence: &str) -> Option<(u64, &str)> {
    let (number, rest) = sentence.strip_prefix("partition ")?.split_once(' ')?;
    Some((number.parse().ok()?, rest))
}

/// Puts those together whose reasons differ in numbers alone: partitions, offsets, times.
pub(super) fn alike(said: impl IntoIterator<Item = (u64, String)>) -> Vec<Alike> {
    let mut groups: Vec<(String, Alike)> = Vec::new();
    for (partition, why) in said {
        let words = why.replace(|c: char| c.is_ascii_digit(), "");
        match groups.iter_mut().find(|(of, _)| *of == words) {
            Some((_, group)) => group.partitions.push(partition),
            None => groups.push((words, Alike { partitions: vec![partition], why })),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// `partition 3`, `partitions 0-7, 9`.
pub(super) fn named(partitions: &[u64]) -> String {
    let mut sorted = partitions.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut text = String::from(if sorted.len() == 1 { "partition " } else { "partitions " });
    for (nth, run) in sorted.chunk_by(|a, b| a + 1 == *b).enumerate() {
        let separator = if nth == 0 { "" } else { ", " };
        // A string takes whatever is written.
        let _ = match run {
            [only] => write!(text, "{separator}{only}"),
            [first, .., last] => write!(text, "{separator}{first}-{last}"),
            [] => Ok(()),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn partitions_are_named_by_their_runs() {
        assert_eq!(named(&[3]), "partition 3");
        assert_eq!(named(&[1, 0, 2, 5, 7, 8]), "partitions 0-2, 5, 7-8");
    }

    #[test]
    fn who_halted_alike_is_told_once_and_nobody_is_left_out() {
        let told = |partition: u32, state: &str, why: &str| json!({"partition": partition, "state": state, "halted": why});
        let partitions = json!([
            told(0, "halted", "log [0] offset 17: no record"),
            told(1, "halted", "log [1] offset 9: no record"),
            told(2, "running", ""),
            told(3, "halted", "log [3] offset 9: ahead of the clock"),
        ]);
        let groups = alike(halted(&partitions));
        let group =
            |partitions: &[u64], why: &str| Alike { partitions: partitions.to_vec(), why: why.to_owned() };
        let expected = [
            group(&[0, 1], "log [0] offset 17: no record"),
            group(&[3], "log [3] offset 9: ahead of the clock"),
        ];
        assert_eq!(groups, expected);
    }

    #[test]
    fn a_sentence_of_one_partition_is_told_from_others() {
        assert_eq!(of_partition("partition 12 is restoring"), Some((12, "is restoring")));
        assert_eq!(of_partition("2 of 4 workers have joined"), None);
    }
}
