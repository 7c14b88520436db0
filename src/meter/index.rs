//! The catalogue made ready for folding: feeds by hash, the deployment's seed; and the terms of a shard's carriers.
//!
//! Invariant: everything here is a function of the catalogue in force and of what the shard has been told, so that it is
//! built anew on restore and never written.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::FoldError;
use crate::limits::DAY_S;
use crate::model::{Carrier, Catalogue, CounterRules, Day, FeedName, FeedRole, Plan, Rule, UnixTime};

/// The feed of `usage.modem`: known without being named in the catalogue.
pub(super) const MODEM: &str = "modem";

/// A catalogue in force.
#[derive(Debug, Clone)]
pub(super) struct CatalogueIndex {
    catalogue: Arc<Catalogue>,
    /// Ascending by hash.
    feeds: Vec<(u64, FeedRole)>,
    /// Keys the ids of records (`domain.md` C3).
    pub seed: u64,
    /// How long after its end a day accepts records, seconds.
    pub horizon_s: i64,
}

impl CatalogueIndex {
    pub(super) fn new(catalogue: Arc<Catalogue>) -> Result<Self, FoldError> {
        catalogue.check()?;
        let named = catalogue.feeds.iter().map(|feed| (FeedName::new(&feed.name).hash, feed.role));
        let mut feeds: Vec<_> = named.collect();
        let modem = modem_hash();
        if feeds.iter().all(|(hash, _)| *hash != modem) {
            feeds.push((modem, FeedRole::Estimate));
        }
        feeds.sort_unstable_by_key(|(hash, _)| *hash);
        if !feeds.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(FoldError::FeedHash);
        }
        let seed = xxh3_64(catalogue.deployment.as_bytes());
        let horizon_s = i64::from(catalogue.late_horizon_days) * DAY_S;
        Ok(Self { catalogue, feeds, seed, horizon_s })
    }

    /// Before the first catalogue: knows nobody.
    pub(super) fn none() -> Self {
        let catalogue = Catalogue {
            version: 0,
            deployment: String::new(),
            carriers: Vec::new(),
            feeds: Vec::new(),
            plans: Vec::new(),
            default_rules: Vec::new(),
            late_horizon_days: Catalogue::LATE_HORIZON_DAYS,
            own_channels: Vec::new(),
            counters: CounterRules::default(),
        };
        Self { catalogue: Arc::new(catalogue), feeds: Vec::new(), seed: 0, horizon_s: 0 }
    }

    /// Whether a day is over for a carrier that the feed settles for.
    pub(super) fn is_over(&self, feed: &str, day: Day, now: UnixTime) -> bool {
        let settled = |carrier: &&Carrier| carrier.settling_feed.as_deref() == Some(feed);
        self.catalogue.carriers.iter().filter(settled).any(|carrier| carrier.calendar.day_end(day) <= now)
    }

    pub(super) fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    pub(super) fn feed(&self, hash: u64) -> Option<FeedRole> {
        let at = self.feeds.binary_search_by_key(&hash, |(feed, _)| *feed).ok()?;
        self.feeds.get(at).map(|(_, role)| *role)
    }

    pub(super) fn carrier(&self, name: &str) -> Option<&Carrier> {
        self.catalogue.carriers.iter().find(|carrier| carrier.name == name)
    }

    pub(super) fn plan(&self, name: &str) -> Option<&Plan> {
        self.catalogue.plans.iter().find(|plan| plan.name == name)
    }

    /// The rules of a plan's cards that have none of their own: the plan's, else the fleet's.
    pub(super) fn rules(&self, plan: &str) -> &[Rule] {
        match self.plan(plan) {
            Some(plan) if !plan.rules.is_empty() => &plan.rules,
            _ => &self.catalogue.default_rules,
        }
    }

    /// Why this catalogue cannot follow `old`; cards and ids rely on what must stay.
    pub(super) fn breaks(&self, old: &Self) -> Option<String> {
        if self.seed != old.seed {
            return Some(format!(
                "the deployment is called {:?}; it must stay, ids of records are keyed by it",
                old.catalogue.deployment
            ));
        }
        let gone = old.catalogue.carriers.iter().find(|carrier| self.carrier(&carrier.name).is_none());
        gone.map(|carrier| format!("carrier {:?} is missing: cards refer to it, keep it", carrier.name))
    }
}

pub(super) fn modem_hash() -> u64 {
    FeedName::new(MODEM).hash
}

/// What a shard holds of a carrier.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    /// Place of the carrier in the catalogue.
    carrier: usize,
    /// Hash of its settling feed.
    pub settling: Option<u64>,
    /// Through which day that feed has declared days whole.
    pub complete_through: Day,
    /// Log time of the last declaration.
    pub declared_at: UnixTime,
}

impl Terms {
    /// Of the carrier with this name, with what the shard's feeds have declared.
    pub(super) fn of(index: &CatalogueIndex, name: &str, declared: &[Declared]) -> Option<Self> {
        let carrier = index.catalogue.carriers.iter().position(|carrier| carrier.name == name)?;
        let named = index.catalogue.carriers.get(carrier)?;
        let settling = named.settling_feed.as_ref().map(|feed| FeedName::new(feed).hash);
        let through = declared.iter().find(|declared| Some(declared.feed) == settling);
        Some(Self {
            carrier,
            settling,
            complete_through: through.map_or(Day::MIN, |declared| declared.through),
            declared_at: through.map_or(UnixTime::MIN, |declared| declared.at),
        })
    }

    pub(super) fn carrier<'a>(&self, index: &'a CatalogueIndex) -> &'a Carrier {
        index.catalogue.carriers.get(self.carrier).expect("terms are built from the catalogue in force")
    }
}

/// What a settling feed has declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Declared {
    /// Hash of its name.
    pub feed: u64,
    /// This day and all before are whole.
    pub through: Day,
    /// Log time of the declaration.
    pub at: UnixTime,
}
