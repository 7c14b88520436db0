//! A decoder that panics on a record costs that record: it becomes a dead letter with the panic's text, and what stands
//! behind it is read. Begun anew, its reader would only meet the same record again, and hold up every other feed.
//!
//! Invariant: what the body touches is written anew before it is read, as decoders' buffers are; nothing that goes into the
//! log is made within.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a decoder does, or what its panic said.
pub(super) fn guarded<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        text.unwrap_or("without a message").to_owned()
    })
}

/// Texts by which tests have a decoder panic: as it cuts, and as it reads.
#[cfg(test)]
pub(crate) const PANICS: [&[u8]; 2] = [b"panic as it cuts", b"panic as it reads"];

#[cfg(test)]
pub(super) fn panic_if_told(bytes: &[u8], told: &[u8]) {
    assert!(!bytes.windows(told.len()).any(|found| found == told), "as told");
}
