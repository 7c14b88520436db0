//! What a card brings along, in the words of scripts: `used= overage= credits= state= since=`, and a word a package:
//! `order/kind/quota/burnt/from/to`, then any of `cycle`, `in:BYTES`, `channel:NAME`.

use tidegauge::model::{OpenedPackage, OpenedState, Opening, PackageKind, Payment, Per, Stopped};

use crate::words::{Words, Zone};

/// What is said of it; nothing without `used=`.
pub(crate) fn opening(words: &mut Words, zone: &Zone) -> Result<Option<Box<Opening>>, String> {
    let Some(used) = words.optional("used")? else { return Ok(None) };
    let overage = words.optional("overage")?;
    let credits = words.number("credits", 0)?;
    let state = state(words, zone)?;
    let packages = words.rest().iter().map(|word| package(word, zone)).collect::<Result<Vec<_>, String>>()?;
    Ok(Some(Box::new(Opening { used, overage, packages, state, credits })))
}

fn state(words: &mut Words, zone: &Zone) -> Result<OpenedState, String> {
    let since = words.take("since").map(|at| zone.time(&at)).transpose()?;
    let by = match words.or("state", "active").as_str() {
        "active" => return Ok(OpenedState::Active),
        "owner" => Stopped::Owner,
        "expiry" => Stopped::Expiry,
        "exhaustion" => Stopped::Exhaustion,
        other => return Err(format!("state={other}")),
    };
    Ok(OpenedState::Suspended { by, since })
}

fn package(word: &str, zone: &Zone) -> Result<OpenedPackage, String> {
    let wrong = || format!("{word} is no package");
    let bytes = |text: &str| text.parse::<u64>().map_err(|_| wrong());
    let parts: Vec<&str> = word.split('/').collect();
    let [order, kind, quota, burnt, from, to, more @ ..] = parts.as_slice() else { return Err(wrong()) };
    let mut package = OpenedPackage {
        order: (*order).to_owned(),
        channel: String::new(),
        payment: Payment { provider: "pay".to_owned(), reference: format!("ref-{order}"), paid_at: 0 },
        kind: if *kind == "base" { PackageKind::Base } else { PackageKind::Booster },
        quota: if *quota == "unlimited" { None } else { Some(bytes(quota)?) },
        per: Per::Validity,
        priority: 10,
        burnt: bytes(burnt)?,
        burnt_in_cycle: None,
        effective_at: zone.time(from)?,
        expires_at: zone.time(to)?,
    };
    for said in more {
        match said.split_once(':') {
            None if *said == "cycle" => package.per = Per::Cycle,
            Some(("in", part)) => package.burnt_in_cycle = Some(bytes(part)?),
            Some(("channel", name)) => name.clone_into(&mut package.channel),
            _ => return Err(wrong()),
        }
    }
    Ok(package)
}
