//! PURE: state × record × log time → state × effects. (in the making)

mod effects;
mod rows;
mod state;

pub use effects::{CatalogueConflict, DirectoryEntry, DirectoryKey, Effects, OwnedRecord, Quarantined};
pub use rows::{DayRow, MonthRow, Rows};
pub use state::CardState;

mod account;
