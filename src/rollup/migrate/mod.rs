//! The tables of `schemas/clickhouse/`, brought to the state that this program knows.
//!
//! Invariants: in order, each once, an applied one never edited ([`plan()`]). ClickHouse has no transactions for this, so
//! every statement can be repeated: a run that was killed anywhere is finished by the next, and two at once end alike.

mod plan;
mod statements;

#[cfg(feature = "full")]
mod apply;

#[cfg(feature = "full")]
pub use apply::{Applied, MigrateError, migrate, pending};
pub use plan::{MIGRATIONS, Migration, PlanError, Recorded, plan};
pub use statements::statements;
