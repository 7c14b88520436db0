//! Packages of very many cards that end in one second (`docs/rules.md` T): how long the hand-over takes, second of log time by
//! second, while CDRs of other cards are metered in between. The meter of one partition alone: no Kafka, cards without ids,
//! events dropped as they come.

use clap::Args;
use tidegauge::codec::json::{CommandIn, command};
use tidegauge::codec::pack::{Pack, PackWriter};
use tidegauge::limits::{DAY_S, SHARDS, TIMERS_PER_SECOND};
use tidegauge::meter::{Effects, Meter};
use tidegauge::model::{
    CardCommand, CardId, Cdr, EventBody, FeedName, LogOffset, Origin, Record, Slices, UnixTime,
};

use crate::stage::{Watch, resident};

/// How many.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Cards, each with one package; all end in one second.
    #[arg(long, default_value_t = 10_000_000)]
    packages: u32,
    /// CDRs of other cards in each second of the hand-over.
    #[arg(long, default_value_t = 1_000)]
    cdrs: u32,
}

/// 2026-08-03 00:00:00 UTC; packages are bought then, for a day.
const BOUGHT: UnixTime = 1_785_715_200;
const DUE: UnixTime = BOUGHT + DAY_S;
/// Cards that are metered while the others wait.
const OTHERS: u32 = 10_000;
const PACK: usize = 1_000;
const ORIGIN: Origin<'static> = Origin { source: "harness", partition: 0, offset: 0, received_ms: 0 };

const CATALOGUE: &str = r#"{"version": 1, "deployment": "harness", "late_horizon_days": 8, "own_channels": ["shop"],
"carriers": [{"name": "north", "settling_feed": "gateway", "split": "split", "settling_days_first": 0, "settling_days_last": 0,
"calendar": {"offsets": [{"from": 0, "offset_s": 0}], "cycle_starts": [20635, 20666, 20697, 20727]}}],
"feeds": [{"name": "gateway", "role": "settling"}], "plans": [{"name": "basic", "rules": [], "suspend_on_exhaustion": false}],
"default_rules": [{"name": "half", "burnt_percent": 50}]}"#;
const REGISTER: &str = r#"{"id": "r", "card": "8986000000000000000", "at": "2026-08-03T00:00:00Z", "type": "card.register",
"channel": "shop", "carrier": "north", "plan": "basic"}"#;
const RECHARGE: &str = r#"{"id": "o", "card": "8986000000000000000", "at": "2026-08-03T00:00:00Z", "type": "recharge",
"channel": "shop", "mode": "immediate", "payment": {"provider": "bank", "reference": "p", "paid_at": "2026-08-03T00:00:00Z"},
"package": {"kind": "base", "quota": "500MiB", "validity": {"days": 1}}}"#;

/// A meter and the log that it folds.
struct Fleet {
    meter: Meter,
    effects: Effects,
    writer: PackWriter,
    offset: u64,
    time: UnixTime,
    expired: u64,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let mut fleet = Fleet {
        meter: Meter::new(0),
        effects: Effects::default(),
        writer: PackWriter::new(),
        offset: 0,
        time: BOUGHT,
        expired: 0,
    };
    fleet.push(&Record::Catalogue { json: CATALOGUE.as_bytes() })?;
    let sold = Watch::start();
    let (register, recharge) = (template(REGISTER)?, template(RECHARGE)?);
    for card in 0..options.packages + OTHERS {
        fleet.command(&register, card)?;
        if card < options.packages {
            fleet.command(&recharge, card)?;
        }
    }
    fleet.fold()?;
    let (sold, before) = (sold.took(u64::from(options.packages)), resident());
    let (took, seconds, greatest_ns) = fleet.hand_over(options)?;
    println!(
        "timers: {} packages sold in {:.1} s, {} MiB resident ({} bytes a card)",
        options.packages,
        sold.wall_ns as f64 / 1e9,
        before >> 20,
        before / u64::from(options.packages + OTHERS),
    );
    println!(
        "timers: handed over in {seconds} seconds of log time, {:.2} s of CPU: {:.0} packages/s, {:.2} ms the greatest step \
         (of at most {} timers and {} CDRs), {} MiB resident",
        took.cpu_ns as f64 / 1e9,
        f64::from(options.packages) * 1e9 / took.cpu_ns as f64,
        greatest_ns as f64 / 1e6,
        SHARDS * TIMERS_PER_SECOND,
        options.cdrs,
        took.resident >> 20,
    );
    Ok(())
}

fn template(said: &str) -> anyhow::Result<CardCommand> {
    match command(said.as_bytes())? {
        CommandIn::Card(command) => Ok(command),
        CommandIn::Broadcast { .. } => anyhow::bail!("a command of a card"),
    }
}

fn card(at: u32) -> CardId {
    CardId::parse(&format!("898600{at:013}")).expect("19 digits")
}

impl Fleet {
    fn command(&mut self, template: &CardCommand, at: u32) -> anyhow::Result<()> {
        let card = card(at);
        let command = CardCommand { card, iccid: card.to_string(), ..template.clone() };
        let json = serde_json::to_vec(&command)?;
        self.push(&Record::Command { card, json: &json, origin: ORIGIN })
    }

    fn push(&mut self, record: &Record<'_>) -> anyhow::Result<()> {
        if self.writer.len() == PACK || !self.writer.push(record) {
            self.fold()?;
            anyhow::ensure!(self.writer.push(record), "a record fits an empty pack");
        }
        Ok(())
    }

    /// Folds what was pushed, as of now.
    fn fold(&mut self) -> anyhow::Result<()> {
        let bytes = self.writer.finish();
        self.meter.fold(LogOffset(self.offset), self.time, &Pack::read(&bytes)?, &mut self.effects)?;
        self.offset += 1;
        let ended = |body: &EventBody| matches!(body, EventBody::PackageExpired(_));
        self.expired += self.effects.events.iter().filter(|event| ended(&event.body)).count() as u64;
        self.effects.clear();
        self.effects.dirty_since = LogOffset(self.offset - 1);
        Ok(())
    }

    /// Second by second until nothing is left to hand over; answers what that took, in how many seconds, and the most that
    /// one of them took.
    fn hand_over(&mut self, options: &Options) -> anyhow::Result<(crate::stage::Took, i64, u64)> {
        let (all, mut greatest_ns, mut cdrs) = (Watch::start(), 0, 0u64);
        self.time = DUE;
        while self.expired < u64::from(options.packages) {
            let before = self.expired;
            let step = Watch::start();
            for _ in 0..options.cdrs {
                cdrs += 1;
                self.cdr(options.packages + (cdrs % u64::from(OTHERS)) as u32, cdrs)?;
            }
            self.fold()?;
            greatest_ns = greatest_ns.max(step.took(0).wall_ns);
            let done = self.expired - before;
            anyhow::ensure!(done > 0 && done <= (SHARDS * TIMERS_PER_SECOND) as u64, "{done} in a second");
            self.time += 1;
        }
        Ok((all.took(cdrs), self.time - DUE, greatest_ns))
    }

    fn cdr(&mut self, at: u32, id: u64) -> anyhow::Result<()> {
        let (id, start, slices) = (id.to_string(), self.time - 900, Slices::default());
        let feed = FeedName::new("gateway");
        let (up, down, end) = (48_213, 351_042, self.time);
        let (card, number, origin) = (card(at), None, ORIGIN);
        self.push(&Record::Cdr(Cdr { card, feed, id: &id, start, end, up, down, slices, number, origin }))
    }
}
