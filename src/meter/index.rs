//! The catalogue made ready for folding: feeds by hash, the deployment's seed; and the terms of a shard's carriers.
//!
//! Invariant: everything here is a function of the catalogue in force and of what the shard has been told, so that it is
//! built anew on restore and never written.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::FoldError;
use super::account::Watch;
use crate::limits::DAY_S;
use crate::model::{
    Calendar, Carrier, Catalogue, CounterRules, CreditsPolicy, Day, Feed, FeedName, FeedRole, Plan, Rule,
    RulesPolicy, UnixTime,
};

/// The feed of `usage.modem`: known without being named in the catalogue.
pub(super) const MODEM: &str = "modem";

/// What the catalogue says of a feed.
#[derive(Debug, Clone, Copy)]
struct FeedTerms {
    hash: u64,
    role: FeedRole,
    stale_after_s: i64,
}

impl FeedTerms {
    fn of(feed: &Feed) -> Self {
        let hash = FeedName::new(&feed.name).hash;
        Self { hash, role: feed.role, stale_after_s: feed.stale_after_s() }
    }
}

/// A catalogue in force.
#[derive(Debug, Clone)]
pub(super) struct CatalogueIndex {
    catalogue: Arc<Catalogue>,
    /// Ascending by hash.
    feeds: Vec<FeedTerms>,
    /// Of each plan, in the catalogue's order.
    plan_rules: Vec<Vec<Watch>>,
    default_rules: Vec<Watch>,
    /// Whether any rule of a plan or of the fleet watches cards without packages too.
    pub watches_usage: bool,
    /// Keys the ids of records (`docs/rules.md` C3).
    pub seed: u64,
    /// How long after its end a day accepts records, seconds.
    pub horizon_s: i64,
}

impl CatalogueIndex {
    pub(super) fn new(catalogue: Arc<Catalogue>) -> Result<Self, FoldError> {
        catalogue.check()?;
        let mut feeds: Vec<FeedTerms> = catalogue.feeds.iter().map(FeedTerms::of).collect();
        let modem = modem_hash();
        if feeds.iter().all(|feed| feed.hash != modem) {
            let name = MODEM.to_owned();
            feeds.push(FeedTerms::of(&Feed { name, role: FeedRole::Estimate, stale_after_minutes: None }));
        }
        feeds.sort_unstable_by_key(|feed| feed.hash);
        if !feeds.is_sorted_by(|a, b| a.hash < b.hash) {
            return Err(FoldError::FeedHash);
        }
        let watch = |rules: &[Rule]| -> Vec<Watch> { rules.iter().map(Watch::from).collect() };
        let plan_rules: Vec<_> = catalogue.plans.iter().map(|plan| watch(&plan.rules)).collect();
        let default_rules = watch(&catalogue.default_rules);
        let mut rules = plan_rules.iter().flatten().chain(&default_rules);
        let watches_usage = rules.any(|rule| rule.kind.watches_usage());
        let seed = xxh3_64(catalogue.deployment.as_bytes());
        let horizon_s = i64::from(catalogue.late_horizon_days) * DAY_S;
        Ok(Self { catalogue, feeds, plan_rules, default_rules, watches_usage, seed, horizon_s })
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
            rules_policy: RulesPolicy::Free,
            credits_policy: CreditsPolicy::All,
        };
        Self {
            catalogue: Arc::new(catalogue),
            feeds: Vec::new(),
            plan_rules: Vec::new(),
            default_rules: Vec::new(),
            watches_usage: false,
            seed: 0,
            horizon_s: 0,
        }
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
        self.feed_terms(hash).map(|feed| feed.role)
    }

    pub(super) fn estimates(&self, hash: u64) -> bool {
        self.feed(hash) == Some(FeedRole::Estimate)
    }

    /// How long a feed may be silent before it is taken to be away, seconds.
    pub(super) fn stale_after_s(&self, hash: u64) -> Option<i64> {
        self.feed_terms(hash).map(|feed| feed.stale_after_s)
    }

    fn feed_terms(&self, hash: u64) -> Option<&FeedTerms> {
        let at = self.feeds.binary_search_by_key(&hash, |feed| feed.hash).ok()?;
        self.feeds.get(at)
    }

    pub(super) fn carrier(&self, name: &str) -> Option<&Carrier> {
        self.catalogue.carriers.iter().find(|carrier| carrier.name == name)
    }

    pub(super) fn plan(&self, name: &str) -> Option<&Plan> {
        self.catalogue.plans.iter().find(|plan| plan.name == name)
    }

    /// Whether a plan's cards are watched without packages too.
    pub(super) fn watches(&self, plan: &str) -> bool {
        self.watches_usage && self.rules(plan).iter().any(|rule| rule.kind.watches_usage())
    }

    /// The rules of a plan's cards that have none of their own: the plan's, else the fleet's.
    pub(super) fn rules(&self, plan: &str) -> &[Watch] {
        let mut plans = self.catalogue.plans.iter().zip(&self.plan_rules);
        let rules = plans.find(|(known, _)| known.name == plan).map(|(_, rules)| rules.as_slice());
        rules.filter(|rules| !rules.is_empty()).unwrap_or(&self.default_rules)
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
    /// By which declarations, each of more days than those before.
    declared: Vec<WholeThrough>,
}

/// Days of a carrier that are whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WholeThrough {
    /// This day and all before.
    pub through: Day,
    /// Since when.
    pub at: UnixTime,
}

impl Terms {
    /// Of the carrier with this name, with what the shard's feeds have declared.
    pub(super) fn of(index: &CatalogueIndex, name: &str, declared: &[Declared]) -> Option<Self> {
        let carrier = index.catalogue.carriers.iter().position(|carrier| carrier.name == name)?;
        let named = index.catalogue.carriers.get(carrier)?;
        let settling = named.settling_feed.as_ref().map(|feed| FeedName::new(feed).hash);
        let mut terms = Self { carrier, settling, complete_through: Day::MIN, declared: Vec::new() };
        for said in declared.iter().filter(|declared| Some(declared.feed) == settling) {
            let (through, at) = (said.within(&named.calendar), said.at);
            if through > terms.complete_through {
                terms.complete_through = through;
                terms.declared.push(WholeThrough { through, at });
            }
        }
        Some(terms)
    }

    /// The first declaration of more days than are known: a card that two of them have passed by takes one after the other,
    /// each as of its own second.
    pub(super) fn declared_after(&self, known: Day) -> Option<WholeThrough> {
        self.declared.iter().find(|whole| whole.through > known).copied()
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

impl Declared {
    /// Through which day of a calendar it holds. A feed may settle in several zones: no day is whole that was not over.
    fn within(&self, calendar: &Calendar) -> Day {
        self.through.min(calendar.day_of(self.at).saturating_sub(1))
    }

    /// Whether it says more than others of the same feed, of any carrier's days.
    pub(super) fn says_more(&self, held: &[Self], index: &CatalogueIndex) -> bool {
        let settled = |carrier: &&Carrier| {
            carrier.settling_feed.as_ref().is_some_and(|feed| FeedName::new(feed).hash == self.feed)
        };
        index.catalogue.carriers.iter().filter(settled).any(|carrier| {
            let of_feed = held.iter().filter(|other| other.feed == self.feed);
            let known = of_feed.map(|other| other.within(&carrier.calendar)).max();
            known.is_none_or(|known| known < self.within(&carrier.calendar))
        })
    }
}
