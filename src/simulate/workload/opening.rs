//! What cards bring along that were used elsewhere: mostly right, now and then in one of the ways in which it is not.

use serde_json::{Value, json};

use super::{DAY, time};
use crate::log::sim::Rng;
use crate::simulate::places::FOREIGN_CHANNEL;

pub(super) fn of(card: &str, now: i64, rng: &mut Rng) -> Value {
    let packages: Vec<Value> = (0..rng.below(4)).map(|n| package(card, n, now, rng)).collect();
    let burnt: u64 = packages.iter().filter_map(|package| package["burnt"].as_u64()).sum();
    let beyond = if rng.coin() { rng.below(1 << 24) } else { 0 };
    let mut opening = json!({"used": burnt + beyond, "packages": packages, "credits": rng.below(5)});
    if rng.below(3) == 0 {
        opening["overage"] = json!(rng.below(beyond + 2));
    }
    if rng.below(4) == 0 {
        opening["state"] = json!("suspended");
        opening["suspended_by"] = json!(rng.pick(&["owner", "expiry", "exhaustion"]));
        let since = now - rng.between(-DAY, 100 * DAY);
        if rng.coin() {
            opening["suspended_at"] = json!(time(since, rng));
        }
    }
    opening
}

fn package(card: &str, n: u64, now: i64, rng: &mut Rng) -> Value {
    // The order of a recharge, now and then.
    let order = if rng.below(8) == 0 { super::order_id(card, 1, now) } else { format!("before-{card}-{n}") };
    let quota = 1 + rng.below(1 << 24);
    let burnt = match rng.below(8) {
        0 => quota,
        1 => quota + rng.below(2),
        _ => rng.below(quota),
    };
    let (first, last) = if rng.below(20) == 0 { (-DAY, -DAY) } else { (0, 60) };
    let (began, ends) = (now - rng.between(first, 45 * DAY), now + rng.between(last, 40 * DAY));
    let mut package = json!({
        "order": order, "kind": if rng.below(3) == 0 { "booster" } else { "base" },
        "payment": {"provider": "bank", "reference": format!("before{n}"), "paid_at": time(began, rng)},
        "quota": if rng.below(10) == 0 { json!("unlimited") } else { json!(quota) },
        "per": if rng.below(3) == 0 { "cycle" } else { "validity" }, "priority": rng.below(3),
        "burnt": burnt, "effective_at": time(began, rng), "expires_at": time(ends, rng),
    });
    if package["per"] == "validity" && rng.coin() {
        // Right of one that began before the cycle.
        package["burnt_in_cycle"] = json!(if rng.below(16) == 0 { burnt + 1 } else { rng.below(burnt + 1) });
    }
    if rng.below(20) == 0 {
        package["channel"] = json!(FOREIGN_CHANNEL);
    }
    package
}
