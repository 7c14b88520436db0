//! The words of the trade as types. Everything else is written in them; they know nothing of Kafka or ClickHouse.
//!
//! Units: bytes are `u64`; times are UTC seconds (`UnixTime`), milliseconds only where a name ends in `_ms`.

mod card;
mod catalogue;
mod command;
mod credit;
mod directory;
mod event;
mod opening;
mod outcome;
mod position;
mod record;
mod rule;

pub use card::{CardHash, CardHasher, CardId, CardIdError, partition_of, partition_of_key, shard_of};
pub use catalogue::{
    Calendar, Carrier, Catalogue, CatalogueError, CounterRules, Day, Feed, FeedRole, OffsetFrom, Plan,
    SplitRule,
};
pub use command::{
    Amount, Broadcast, BurntBecomes, CardCommand, CarrierState, CommandBody, Mode, PackageKind, PackageSpec,
    Payment, Per, PostInto, PostedCdr, Register, Validity,
};
pub use credit::{Channel, CreditsPolicy, Delivery, Move, Recipient, Withheld};
pub use directory::{CardName, DirectoryEntry};
pub use event::{AlertData, CounterData, Event, EventBody, Occasion, PackageData, Stream, VoidData};
pub use opening::{OpenedPackage, OpenedState, Opening, Stopped};
pub use outcome::{Input, Ledger, Outcome, Reason};
pub use position::{Clock, LogOffset, Origin, Position, UnixTime};
pub use record::{
    Cdr, CounterKind, FeedName, Number, NumberKind, Reading, Record, Slice, Slices, Tick, TotalOf,
};
pub use rule::{Rule, RuleKind, RulesPolicy, Yes, beyond_presets, rules_problem};
