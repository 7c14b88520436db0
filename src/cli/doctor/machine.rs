//! The limits of the machine that this runs on: open files, memory, processors. A service's own may be others.

use std::path::Path;

use super::finding::{Finding, Findings};
use crate::config::Config;

/// Sockets of one worker or ingest: two or three clients, each with every broker, and room.
const FILES_A_THREAD: u64 = 64;
/// HTTP, ClickHouse, the program itself.
const FILES_BESIDE: u64 = 512;
/// What one card takes in memory with the ids of nine open days; README has the figures behind it.
const BYTES_A_CARD: u64 = 2_300;
/// Below this a meter has no room for anything.
const MEMORY_MIN: u64 = 512 * 1_024 * 1_024;

pub(super) fn look(config: &Config) -> Vec<Finding> {
    let mut findings = Findings::of("limits");
    files(config, &mut findings);
    memory(&mut findings);
    processors(config, &mut findings);
    findings.done()
}

fn files(config: &Config, findings: &mut Findings) {
    let threads = u64::from(config.worker_threads) + u64::from(config.ingest_threads);
    let needed = threads * FILES_A_THREAD + FILES_BESIDE;
    let Some(limit) = read("/proc/self/limits").as_deref().and_then(open_files) else { return };
    if limit >= needed {
        findings.ok("open files", format!("{limit} allowed, {needed} wanted"));
        return;
    }
    findings.warning(
        "open files",
        format!("{limit} allowed, {needed} wanted for {threads} threads, their brokers and HTTP"),
        format!("ulimit -n {needed}; LimitNOFILE= of a unit (deploy/systemd sets it)"),
    );
}

/// The soft limit.
fn open_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let soft = line.split_whitespace().next()?;
    if soft == "unlimited" { Some(u64::MAX) } else { soft.parse().ok() }
}

fn memory(findings: &mut Findings) {
    let Some(machine) = read("/proc/meminfo").as_deref().and_then(memory_total) else { return };
    let group = read("/sys/fs/cgroup/memory.max").and_then(|text| text.trim().parse().ok());
    let bytes = group.map_or(machine, |group: u64| group.min(machine));
    let (mib, cards) = (bytes >> 20, bytes / 2 / BYTES_A_CARD / 100_000);
    let text = format!("{mib} MiB; half of it holds about {}.{} million cards", cards / 10, cards % 10);
    if bytes < MEMORY_MIN {
        findings.warning("memory", text, "512 MiB at least, and 2.3 kB a card of this instance's partitions");
    } else {
        findings.ok("memory", text);
    }
}

fn memory_total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1_024)
}

fn processors(config: &Config, findings: &mut Findings) {
    let threads = usize::from(config.worker_threads) + usize::from(config.ingest_threads);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let text = format!("{cores}, for {threads} threads that ingest and meter");
    if threads > 2 * cores {
        findings.warning("processors", text, "fewer of worker.threads and ingest.threads, or more instances");
    } else {
        findings.ok("processors", text);
    }
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(Path::new(path)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_read() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 524288               files\n";
        assert_eq!(open_files(limits), Some(1024));
        assert_eq!(open_files("Max open files  unlimited unlimited files"), Some(u64::MAX));
        assert_eq!(memory_total("MemTotal:       24689116 kB\nMemFree: 1 kB\n"), Some(24_689_116 * 1_024));
        assert_eq!((open_files(""), memory_total("")), (None, None));
    }
}
