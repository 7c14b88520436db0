//! Mistakes that a worker can be told to make. They exist so that tests can prove that the auditor catches each of them;
//! no configuration reaches them.

use crate::model::LogOffset;

/// Planted faults; all off by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a fault of its own, and any may be planted with any other"
)]
pub struct Faults {
    /// A commit that is sent again does not carry the same bytes: its first output for the world outside is missing.
    pub alter_sealed_bytes_on_retry: bool,
    /// Outputs for the world outside go without offsets, checkpoint and offsets in a transaction of their own: nothing
    /// fences the outputs, and a crash between the two repeats them.
    pub offsets_outside_transaction: bool,
    /// Ticks say that everything folded has been flushed.
    pub flushed_through_ahead: bool,
    /// A commit without an answer is taken as committed.
    pub trust_unresolved: bool,
    /// Parked state is resumed without a look at the stable offset.
    pub resume_parked_blindly: bool,
    /// After a restore no card counts as dirty.
    pub forget_dirty_on_restore: bool,
    /// Faults of the meter itself.
    pub meter: crate::meter::Faults,
    /// Folding this place panics, as a broken invariant would.
    pub panic_at: Option<(u32, LogOffset)>,
}
