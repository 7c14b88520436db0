//! How outcomes, events and views are written in a trace.

use tidegauge::codec::time::day_text;
use tidegauge::meter::account::{PackageView, Stance};
use tidegauge::meter::{CardView, Effects, SuspendedBy};
use tidegauge::model::{
    AlertData, BurntBecomes, CardName, CarrierState, CounterData, Delivery, DirectoryEntry, Event, EventBody,
    Input, Ledger, Move, Outcome, PackageData, Recipient, UnixTime, VoidData, Withheld,
};

use crate::words::Zone;

/// Part of a card's view.
pub(crate) type View = fn(&CardView, &Zone) -> Vec<String>;

/// What became of a record, with its bytes and, if it was not counted, why. Ticks and catalogues have no outcome.
pub(crate) fn outcomes(ledger: &Ledger, effects: &Effects) -> Vec<String> {
    let mut reasons = effects.quarantined.iter().map(|kept| kept.reason.to_string());
    let mut lines = ledger_lines(ledger, |input, outcome, records, bytes| {
        assert_eq!(records, 1, "a message of one record");
        let why = match outcome {
            Outcome::Counted | Outcome::Duplicate => String::new(),
            _ => format!(": {}", reasons.next().expect("what is not counted is kept with its reason")),
        };
        let bytes = if input == Input::Command { String::new() } else { format!(" {bytes}") };
        format!("{} {}{bytes}{why}", input.name(), outcome.name())
    });
    lines
        .extend(effects.catalogue_conflicts.iter().map(|c| format!("catalogue {}: {}", c.version, c.reason)));
    lines
}

pub(crate) fn ledger(ledger: &Ledger) -> Vec<String> {
    ledger_lines(ledger, |input, outcome, records, bytes| {
        format!("{} {} {records} records {bytes} bytes", input.name(), outcome.name())
    })
}

fn ledger_lines(ledger: &Ledger, mut line: impl FnMut(Input, Outcome, u64, u64) -> String) -> Vec<String> {
    let mut lines = Vec::new();
    for input in Input::ALL {
        for outcome in Outcome::ALL {
            let records = ledger.records(input, outcome);
            if records > 0 {
                lines.push(line(input, outcome, records, ledger.bytes(input, outcome)));
            }
        }
    }
    lines
}

pub(crate) fn directory(entries: &[DirectoryEntry], zone: &Zone) -> Vec<String> {
    let line = |entry: &DirectoryEntry| {
        let name = match entry.name {
            CardName::Iccid(_) => "iccid".to_owned(),
            CardName::Number(number) => number.to_string(),
        };
        let to = entry.valid_to.map(|at| format!(" to {}", zone.show(at))).unwrap_or_default();
        format!("{name} from {}{to}", zone.show(entry.valid_from))
    };
    entries.iter().map(line).collect()
}

pub(crate) fn event(event: &Event, zone: &Zone) -> String {
    let at = if event.at == event.log_time { String::new() } else { format!(" @{}", zone.show(event.at)) };
    format!("{}{at} {}", event.body.kind(), body(&event.body, zone)).trim_end().to_owned()
}

fn body(body: &EventBody, zone: &Zone) -> String {
    match body {
        EventBody::AlertFired(alert) | EventBody::AlertResolved(alert) => self::alert(alert, zone),
        EventBody::PackageQueued(p)
        | EventBody::PackageActivated(p)
        | EventBody::PackageExpired(p)
        | EventBody::PackageExhausted(p) => package(p, zone),
        EventBody::RechargeRefused { order, reason, .. } => format!("{order}: {reason}"),
        EventBody::CardRegistered { channel, carrier, plan } => format!("{channel} {carrier} {plan}"),
        EventBody::CardOpened { cycle, used, overage, credits, packages } => {
            let packages: Vec<String> = packages.iter().map(|p| package(p, zone)).collect();
            let packages =
                if packages.is_empty() { String::new() } else { format!(": {}", packages.join("; ")) };
            let cycle = day_text(*cycle);
            format!("{used} used in cycle {cycle}, overage {overage}, {credits} credits{packages}")
        }
        EventBody::CardActivated { cause }
        | EventBody::CardSuspended { cause }
        | EventBody::CardResumed { cause }
        | EventBody::CardCancelled { cause } => format!("({cause})"),
        EventBody::CardWarned { days, suspended_at, cancelled_at } => format!(
            "{days} days, suspended {}, cancelled {}",
            zone.show(*suspended_at),
            zone.show(*cancelled_at)
        ),
        EventBody::CardConfirmed { state, desired } => {
            format!("{}, desired {}", state.name(), desired.name())
        }
        EventBody::CardUsedWhileStopped { state, since, used_at, confirmed } => format!(
            "{} since {}, used until {}, confirmed {}",
            state.name(),
            zone.show(*since),
            zone.show(*used_at),
            confirmed.map_or("nothing", CarrierState::name)
        ),
        EventBody::PackageVoided(void) => voided(void, zone),
        EventBody::CycleClosed { cycle, used, settled, estimate, overage, unsettled_days, revision }
        | EventBody::CycleRestated { cycle, used, settled, estimate, overage, unsettled_days, revision } => {
            format!(
                "{} used {used} settled {settled} estimate {estimate} overage {overage} unsettled {unsettled_days} \
             revision {revision}",
                day_text(*cycle)
            )
        }
        EventBody::CounterWrapped(c)
        | EventBody::CounterRestarted(c)
        | EventBody::CounterUnexplained(c)
        | EventBody::CounterBegun(c)
        | EventBody::CounterLowered(c) => counter(c, zone),
        EventBody::UsageAdjusted { reference, bytes, left_over, day, cycle, used, reason } => {
            // A quarantine id is a hash of the record.
            let reference = if reference.len() == 32 { "its-id" } else { reference };
            let reason = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            let (day, cycle) = (day_text(*day), day_text(*cycle));
            format!(
                "{reference}: {bytes} of {day}, {left_over} left over; used {used} in cycle {cycle}{reason}"
            )
        }
        EventBody::CreditsAdded { credits, balance, .. } => format!("{credits}, {balance} now"),
        EventBody::CreditsMoved { reference, credits, balance, other } => match other {
            Move::To(card) => format!("{reference}: {credits} to {card}, {balance} now"),
            Move::From(card) => format!("{reference}: {credits} from {card}, {balance} now"),
        },
        EventBody::CreditsReturned { reference, balance } => format!("for {reference}, {balance} now"),
        EventBody::CommandApplied { command } => command.clone(),
        EventBody::CommandRefused { command, reason } => format!("{command}: {reason}"),
    }
}

fn counter(c: &CounterData, zone: &Zone) -> String {
    let name = [Some(&c.feed), c.imei.as_ref(), Some(&c.counter), c.session.as_ref()];
    let name = name.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("/");
    let of = c.day.or(c.cycle).map(|day| format!(" of {}", day_text(day))).unwrap_or_default();
    let taken = match (c.taken_up, c.taken_down) {
        (0, 0) => String::new(),
        (up, down) => format!(" takes {up}+{down}"),
    };
    let since = c.before_at.map(|at| format!(" at {}", zone.show(at))).unwrap_or_default();
    format!(
        "{name}{of} read {} {}+{} before {}+{}{since} counts {}+{}{taken}",
        zone.show(c.read_at),
        c.tx,
        c.rx,
        c.before_tx,
        c.before_rx,
        c.up,
        c.down
    )
}

fn alert(alert: &AlertData, zone: &Zone) -> String {
    assert_eq!(alert.settled + alert.provisional, alert.used, "what is not settled is provisional");
    let occasion = &alert.occasion;
    let which = [
        occasion.day.map(|day| format!(" of {}", day_text(day))),
        occasion.day_used.map(|used| format!(" ({used} used)")),
        occasion.since.map(|since| format!(" since {}", zone.show(since))),
        occasion.expires_at.map(|end| format!(" by {}", zone.show(end))),
    ];
    let which = which.into_iter().flatten().collect::<String>();
    let delivery = alert.delivery.as_deref().map(self::delivery).unwrap_or_default();
    let settling = if alert.settling { " settling" } else { "" };
    let late = if alert.late { " late" } else { "" };
    let forecast = alert.forecast.map(|at| format!(", out {}", zone.show(at))).unwrap_or_default();
    format!(
        "{} #{}{which}: burnt {} of {}, {} left; used {} ({} settled), overage {}, cycle {}{settling}{late}{forecast}{delivery}",
        alert.rule,
        alert.arming,
        alert.burnt,
        quota(alert.quota),
        quota(alert.remaining),
        alert.used,
        alert.settled,
        alert.overage,
        day_text(alert.cycle)
    )
}

/// `; told sms:+1 for 1, 4 left; voice withheld from 2: why`
fn delivery(d: &Delivery) -> String {
    if let Some(event) = &d.with {
        let short = event.split_once("/alert.fired/").map_or(event.as_str(), |(_, short)| short);
        return format!("; told with {short}, {} left", d.balance);
    }
    let to = |r: &Recipient| format!(" {}:{}", r.channel().name(), r.to());
    let told = d.recipients.iter().map(to).collect::<String>();
    let held = |w: &Withheld| format!("; {} withheld from {}: {}", w.channel.name(), w.recipients, w.reason);
    let withheld = d.withheld.iter().map(held).collect::<String>();
    format!("; told{told} for {}, {} left{withheld}", d.credits, d.balance)
}

fn package(p: &PackageData, zone: &Zone) -> String {
    let cycle = p.cycle.map(|cycle| format!(" of cycle {}", day_text(cycle))).unwrap_or_default();
    format!(
        "{} burnt {} of {}{cycle}{}",
        p.order,
        p.burnt,
        quota(p.quota),
        span(p.effective_at, p.expires_at, zone)
    )
}

fn voided(void: &VoidData, zone: &Zone) -> String {
    let becomes = match void.burnt_becomes {
        None => "",
        Some(BurntBecomes::Overage) => ", burnt is overage",
        Some(BurntBecomes::Waived) => ", burnt is waived",
    };
    let reference = void.reference.as_ref().map(|text| format!(" {text}")).unwrap_or_default();
    format!("{} ({}{reference}){becomes}", package(&void.package, zone), void.cause)
}

/// The card's state: how it should be, how the carrier has set it, and how it goes on.
pub(crate) fn state(view: &CardView, zone: &Zone) -> Vec<String> {
    let part =
        |text: &str, what: Option<String>| what.map(|what| format!("{text}{what}")).unwrap_or_default();
    let by = (view.suspended_by != SuspendedBy::Nobody).then(|| format!("{:?}", view.suspended_by));
    let confirmed = view.confirmed.zip(view.confirmed_at);
    let line = [
        view.state.name().to_owned(),
        part(" by ", by),
        part(" since ", view.stopped_at.map(|at| zone.show(at))),
        part(" until ", view.cancelled_at.map(|at| zone.show(at))),
        part(", desired ", Some(view.desired.name().to_owned())),
        part(", confirmed ", confirmed.map(|(state, at)| format!("{} at {}", state.name(), zone.show(at)))),
        part(", used while stopped", view.used_while_stopped.then(String::new)),
    ]
    .concat();
    vec![line]
}

fn quota(quota: Option<u64>) -> String {
    quota.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string())
}

fn span(from: Option<UnixTime>, to: Option<UnixTime>, zone: &Zone) -> String {
    match (from, to) {
        (Some(from), Some(to)) => format!(", {} to {}", zone.show(from), zone.show(to)),
        _ => String::new(),
    }
}

pub(crate) fn card(view: &CardView, _: &Zone) -> Vec<String> {
    let by = if view.suspended_by == SuspendedBy::Nobody {
        String::new()
    } else {
        format!(" by {:?}", view.suspended_by)
    };
    let settling = if view.settling { " settling" } else { "" };
    let account = &view.account;
    assert_eq!(
        (account.quota, account.burnt, account.remaining, account.overage),
        (view.quota, view.burnt, view.remaining, view.overage),
        "the account and the card say the same"
    );
    vec![format!(
        "{}{by} cycle {}..{} used {} settled {}, burnt {} of {}, {} left, overage {}{settling}",
        view.state.name(),
        day_text(view.cycle),
        day_text(view.cycle_last),
        view.used,
        view.settled,
        view.burnt,
        quota(view.quota),
        quota(view.remaining),
        view.overage
    )]
}

pub(crate) fn days(view: &CardView, _: &Zone) -> Vec<String> {
    let day = |day: &tidegauge::meter::DayRow| {
        let source = |name: &str, up: u64, down: u64| match (up, down) {
            (0, 0) => String::new(),
            _ => format!(" {name} {up}+{down}"),
        };
        let marks = [(day.complete, " complete"), (day.closed, " closed"), (day.unsettled, " unsettled")];
        let marks = marks.iter().filter(|(holds, _)| *holds).map(|(_, mark)| *mark).collect::<String>();
        format!(
            "{} used {}{}{}{}{marks}",
            day_text(day.day),
            day.used,
            source("settling", day.settling_up, day.settling_down),
            source("estimate", day.estimate_up, day.estimate_down),
            source("modem", day.modem_up, day.modem_down)
        )
    };
    view.days.iter().map(day).collect()
}

pub(crate) fn months(view: &CardView, _: &Zone) -> Vec<String> {
    let month = |month: &tidegauge::meter::MonthRow| {
        format!(
            "{}..{} used {} settled {} burnt {} overage {} unsettled {}{}{}",
            day_text(month.cycle),
            day_text(month.cycle_last),
            month.used,
            month.settled,
            month.burnt,
            month.overage,
            month.unsettled_days,
            if month.closed { " closed" } else { "" },
            if month.used_while_stopped { ", used while stopped" } else { "" }
        )
    };
    view.months.iter().map(month).collect()
}

pub(crate) fn quotas(view: &CardView, _: &Zone) -> Vec<String> {
    let month = |month: &tidegauge::meter::MonthRow| {
        format!("{} quota {}, {} left", day_text(month.cycle), quota(month.quota), month.remaining)
    };
    view.months.iter().map(month).collect()
}

pub(crate) fn packages(view: &CardView, zone: &Zone) -> Vec<String> {
    let account = &view.account;
    let line = |what: &str, p: &PackageView| {
        let span = span(p.effective_at, p.expires_at, zone);
        assert_eq!(p.remaining, p.quota.map(|quota| quota - p.burnt), "what is left is not burnt");
        format!("{what} {} burnt {} of {}{span}", p.order, p.burnt, quota(p.quota))
    };
    let mut lines = Vec::new();
    if let (Some(from), Some(to)) = (account.effective_at, account.expires_at) {
        lines.push(format!("base {} to {}", zone.show(from), zone.show(to)));
    }
    lines.extend(account.packages.iter().map(|p| line("in force", p)));
    lines.extend(account.queue.iter().map(|p| line("queued", p)));
    lines
}

pub(crate) fn rules(view: &CardView, _: &Zone) -> Vec<String> {
    let stance = |stance| match stance {
        Stance::Armed => "armed",
        Stance::Held => "held",
        Stance::Fired => "fired",
    };
    let rule = |rule: &tidegauge::meter::account::RuleView| {
        format!("{} {}{}", rule.name, stance(rule.stance), if rule.alerting { " alerting" } else { "" })
    };
    let mut lines = vec![format!("arming {}", view.account.arming)];
    lines.extend(view.account.rules.iter().map(rule));
    lines
}
