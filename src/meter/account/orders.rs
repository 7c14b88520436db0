//! Orders that were taken, remembered for 90 days, so that the same order again does nothing and another one under the
//! same id is refused (`docs/rules.md` P1, C9). Refused orders leave no trace: they may come again, put right.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_64_with_seed};

use super::{Recharge, Void};
use crate::limits::{ID_LIFE_S, ORDERS_MAX};
use crate::meter::exact::Exact;
use crate::model::UnixTime;

/// Orders in the order in which they were taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Orders(Exact<Taken>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Taken {
    id: u64,
    content: u64,
    at: UnixTime,
}

/// What is known of an order's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    No,
    Same,
    /// The id was used for something else.
    Other,
    /// Not known, and there is no room to remember it.
    Full,
}

impl Orders {
    pub(super) fn look(&self, order: &Recharge<'_>, now: UnixTime) -> Known {
        self.find(xxh3_64(order.order.as_bytes()), content(order), now)
    }

    /// What is known of an order's being voided.
    pub(super) fn look_void(&self, void: &Void<'_>, now: UnixTime) -> Known {
        self.find(void_id(void.order), xxh3_64(void.reference.as_bytes()), now)
    }

    fn find(&self, id: u64, content: u64, now: UnixTime) -> Known {
        let mut kept = self.0.iter().filter(|taken| !taken.is_forgotten(now));
        match kept.clone().find(|taken| taken.id == id) {
            Some(taken) if taken.content == content => Known::Same,
            Some(_) => Known::Other,
            None if kept.nth(ORDERS_MAX.saturating_sub(1)).is_some() => Known::Full,
            None => Known::No,
        }
    }

    pub(super) fn remember(&mut self, order: &Recharge<'_>, now: UnixTime) {
        self.push(Taken { id: xxh3_64(order.order.as_bytes()), content: content(order), at: now });
    }

    pub(super) fn remember_void(&mut self, void: &Void<'_>, now: UnixTime) {
        let content = xxh3_64(void.reference.as_bytes());
        self.push(Taken { id: void_id(void.order), content, at: now });
    }

    /// An order that was taken elsewhere: it is not taken here again, whatever it says.
    pub(super) fn remember_opened(&mut self, order: &str, now: UnixTime) {
        let id = xxh3_64(order.as_bytes());
        self.push(Taken { id, content: xxh3_64_with_seed(order.as_bytes(), 2), at: now });
    }

    /// Whether any is remembered.
    pub(super) fn any(&self, now: UnixTime) -> bool {
        self.0.iter().any(|taken| !taken.is_forgotten(now))
    }

    fn push(&mut self, taken: Taken) {
        self.0.retain(|held| !held.is_forgotten(taken.at));
        self.0.push(taken);
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.0.bytes()
    }
}

impl Taken {
    fn is_forgotten(&self, now: UnixTime) -> bool {
        self.at < now.saturating_sub(ID_LIFE_S)
    }
}

/// A void is remembered beside its order, under another hash of the same id.
fn void_id(order: &str) -> u64 {
    xxh3_64_with_seed(order.as_bytes(), 1)
}

/// Hash of what makes an order that order: what was paid and for what, not by whom it came; each part closed off so
/// that none can run into the next.
fn content(order: &Recharge<'_>) -> u64 {
    let (payment, spec) = (order.payment, order.package);
    let mut hash = Xxh3::new();
    for text in [&payment.provider, &payment.reference] {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    hash.update(&payment.paid_at.to_le_bytes());
    hash.update(&spec.quota.unwrap_or(u64::MAX).to_le_bytes());
    hash.update(&[
        order.mode as u8,
        spec.kind as u8,
        spec.per as u8,
        spec.priority,
        u8::from(spec.pays_overage),
    ]);
    let (unit, count) = match spec.validity {
        crate::model::Validity::Months(n) => (0u8, n),
        crate::model::Validity::Days(n) => (1, n),
        crate::model::Validity::Cycles(n) => (2, n),
    };
    hash.update(&[unit]);
    hash.update(&count.to_le_bytes());
    hash.digest()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::BurntBecomes;

    fn void(order: &str) -> Void<'_> {
        Void { order, reference: "refund", burnt: BurntBecomes::Waived }
    }

    #[test]
    fn a_void_is_remembered_for_ninety_days_and_ten_minutes() {
        let mut orders = Orders::default();
        orders.remember_void(&void("a"), 100);
        let last = 100 + ID_LIFE_S;
        assert_eq!(orders.look_void(&void("a"), last), Known::Same);
        assert_eq!(orders.look_void(&Void { reference: "other", ..void("a") }, last), Known::Other);
        assert_eq!((orders.look_void(&void("a"), last + 1), orders.any(last)), (Known::No, true));
        assert!(!orders.any(last + 1));
    }

    #[test]
    fn no_more_than_4096_are_remembered_and_those_stay_known() {
        let mut orders = Orders::default();
        for order in 1..ORDERS_MAX {
            orders.remember_opened(&order.to_string(), 100);
        }
        assert_eq!(orders.look_void(&void("a"), 100), Known::No);
        orders.remember_void(&void("a"), 100);
        assert_eq!(orders.look_void(&void("b"), 100), Known::Full);
        assert_eq!(orders.look_void(&void("a"), 100), Known::Same);
        assert_eq!(orders.look_void(&void("b"), 101 + ID_LIFE_S), Known::No);
    }
}
