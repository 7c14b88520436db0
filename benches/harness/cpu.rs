//! CPU time of a product's threads, and how often its workers went to sleep, from `/proc`: time is in ticks of 10 ms, so
//! over seconds.

use std::fs;
use std::time::Duration;

/// Linux tells user and system time in ticks of this length to every program.
const TICK: Duration = Duration::from_millis(10);

/// What the threads of a process have used so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cpu {
    /// The workers' threads: they fold, seal, and answer questions about cards.
    pub(crate) workers: Duration,
    /// All of the process, HTTP and the Kafka client too.
    pub(crate) whole: Duration,
    /// How often the workers' threads waited: on a machine that others use too this says more than a time.
    pub(crate) waits: u64,
}

impl Cpu {
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let mut cpu = Self { whole: used(&format!("/proc/{pid}/stat"))?, ..Self::default() };
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            let path = thread?.path();
            let name = fs::read_to_string(path.join("comm"))?;
            if name.starts_with("worker-") {
                cpu.workers += used(&path.join("stat").to_string_lossy())?;
                cpu.waits += waits(&fs::read_to_string(path.join("status"))?);
            }
        }
        Ok(cpu)
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            workers: self.workers.saturating_sub(before.workers),
            whole: self.whole.saturating_sub(before.whole),
            waits: self.waits.saturating_sub(before.waits),
        }
    }
}

impl std::ops::Add for Cpu {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            workers: self.workers + other.workers,
            whole: self.whole + other.whole,
            waits: self.waits + other.waits,
        }
    }
}

/// User and system time of a `stat` (proc(5): fields 14 and 15, counted behind the name, which may hold spaces).
fn used(path: &str) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(path)?;
    let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
    let ticks: u32 = behind.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u32>().ok()).sum();
    Ok(TICK * ticks)
}

/// Of a `status` (proc(5)).
fn waits(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}
