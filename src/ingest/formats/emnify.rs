//! emnify Data Streamer, usage data.
//!
//! Source: emnify product documentation, `docs/services/platform/data-streamer/stream-types.md`
//! (<https://github.com/emnify/product-docs>, commit 16bd335b). The shape of 1NCE's records ([`super::stream`]), but volumes are
//! JSON numbers in MB (`0.219933`, also `3.1e-05`), which are read as decimals: a binary fraction would lose bytes.

use super::{Said, stream};
use crate::codec::json::JsonError;

/// Reads a record as one of `feed`.
pub(super) fn read<'a>(bytes: &'a [u8], feed: &'a str) -> Result<Said<'a>, JsonError> {
    stream::read(bytes, feed)
}
