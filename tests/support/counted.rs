//! Counters out of Prometheus's text.

#![allow(unreachable_pub, reason = "shared by path")]

/// The sum of a counter over its series that have all of these labels.
pub fn sum(metrics: &str, name: &str, labels: &[(&str, &str)]) -> u64 {
    let series = metrics.lines().filter(|line| line.starts_with(&format!("{name}{{")));
    let wanted: Vec<String> = labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
    let of = |line: &str| line.rsplit(' ').next()?.parse::<u64>().ok();
    series.filter(|line| wanted.iter().all(|label| line.contains(label))).filter_map(of).sum()
}

/// What a meter has counted of CDRs since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cdrs {
    pub counted: u64,
    pub duplicate: u64,
    /// Whatever became of them.
    pub folded: u64,
}

impl Cdrs {
    pub fn of(metrics: &str) -> Self {
        let sum = |labels: &[(&str, &str)]| sum(metrics, "tidegauge_records_total", labels);
        let outcome = |name| sum(&[("input", "cdr"), ("outcome", name)]);
        Self {
            counted: outcome("counted"),
            duplicate: outcome("duplicate"),
            folded: sum(&[("input", "cdr")]),
        }
    }
}
