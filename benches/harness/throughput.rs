//! Backlogs folded to their end: CPU a record, beside the floors.

use tidegauge::log::kafka::topics::Stamps;

use crate::Size;
use crate::broker::{Broker, make_topics};
use crate::load::Load;
use crate::stage::{Kind, Took, spawn};

/// One round's four figures.
struct Round {
    ingest: Took,
    ingest_floor: Took,
    meter: Took,
    meter_floor: Took,
}

pub(crate) fn run(size: Size) -> anyhow::Result<()> {
    println!(
        "throughput: {} CDRs, JSON, one a message, over {} cards, {} round(s)",
        size.records, size.cards, size.rounds
    );
    let mut rounds = Vec::new();
    for number in 0..size.rounds {
        let broker = Broker::start()?;
        let round = round(&broker.address, &format!("r{number}."), size)?;
        println!(
            "  round {number}: ingest {:.0} ns (floor {:.0}), meter {:.0} ns (floor {:.0})",
            round.ingest.cpu_per_record(),
            round.ingest_floor.cpu_per_record(),
            round.meter.cpu_per_record(),
            round.meter_floor.cpu_per_record()
        );
        rounds.push(round);
    }
    let of = |f: fn(&Round) -> f64| median(rounds.iter().map(f).collect());
    let (ingest, meter) = (of(|r| r.ingest.cpu_per_record()), of(|r| r.meter.cpu_per_record()));
    println!(
        "  ingest  {ingest:.0} CPU ns a record, {:.2} × its floor, {:.0} records/s",
        of(|r| r.ingest.cpu_per_record() / r.ingest_floor.cpu_per_record()),
        of(|r| r.ingest.records_per_s())
    );
    println!(
        "  meter   {meter:.0} CPU ns a record, {:.2} × its floor, {:.0} records/s",
        of(|r| r.meter.cpu_per_record() / r.meter_floor.cpu_per_record()),
        of(|r| r.meter.records_per_s())
    );
    println!("  both    {:.0} CPU ns a record", ingest + meter);
    Ok(())
}

fn round(brokers: &str, prefix: &str, size: Size) -> anyhow::Result<Round> {
    make_topics(brokers, prefix, Stamps::Brokers)?;
    let load = Load::new(brokers, prefix)?;
    let commands = registered(brokers, prefix, &load, size.cards)?;
    load.cdrs(size.cards, size.records)?;
    let ingest_floor = spawn(Kind::IngestFloor, brokers, prefix, size.records)?;
    let ingest = spawn(Kind::Ingest, brokers, prefix, size.records)?;
    let meter_floor = spawn(Kind::MeterFloor, brokers, prefix, size.records)?;
    let meter = spawn(Kind::Meter, brokers, prefix, size.records)?;
    anyhow::ensure!(commands > 0 && meter.records >= size.records, "every record was folded");
    Ok(Round { ingest, ingest_floor, meter, meter_floor })
}

/// Registers cards, buys packages and folds that, so that what is measured afterwards is usage alone. One after the
/// other: an order of a card that the directory does not know yet would be parked.
fn registered(brokers: &str, prefix: &str, load: &Load, cards: u32) -> anyhow::Result<u64> {
    load.catalogue()?;
    let commands = load.cards(cards)?;
    spawn(Kind::Ingest, brokers, prefix, commands)?;
    spawn(Kind::Meter, brokers, prefix, commands)?;
    let commands = load.packages(cards)?;
    spawn(Kind::Ingest, brokers, prefix, commands)?;
    spawn(Kind::Meter, brokers, prefix, commands)?;
    Ok(commands)
}

/// Resident memory of a worker with so many cards, each with a package, rules and a CDR.
pub(crate) fn memory(size: Size) -> anyhow::Result<()> {
    let broker = Broker::start()?;
    let (brokers, prefix) = (&broker.address, "m.");
    make_topics(brokers, prefix, Stamps::Brokers)?;
    let load = Load::new(brokers, prefix)?;
    let few = resident_with(brokers, "few.", 1_000)?;
    let commands = registered(brokers, prefix, &load, size.cards)?;
    load.cdrs(size.cards, u64::from(size.cards))?;
    spawn(Kind::Ingest, brokers, prefix, u64::from(size.cards))?;
    let meter = spawn(Kind::Meter, brokers, prefix, u64::from(size.cards))?;
    anyhow::ensure!(commands > 0, "cards were registered");
    println!(
        "memory: {} cards, {:.0} resident bytes a card ({} MiB, less {} MiB of a worker with 1,000 cards)",
        size.cards,
        meter.resident.saturating_sub(few) as f64 / f64::from(size.cards),
        meter.resident >> 20,
        few >> 20
    );
    Ok(())
}

fn resident_with(brokers: &str, prefix: &str, cards: u32) -> anyhow::Result<u64> {
    make_topics(brokers, prefix, Stamps::Brokers)?;
    let load = Load::new(brokers, prefix)?;
    registered(brokers, prefix, &load, cards)?;
    load.cdrs(cards, u64::from(cards))?;
    spawn(Kind::Ingest, brokers, prefix, u64::from(cards))?;
    Ok(spawn(Kind::Meter, brokers, prefix, u64::from(cards))?.resident)
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
