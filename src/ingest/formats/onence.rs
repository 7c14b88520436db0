//! 1NCE Data Streamer, usage records.
//!
//! Source: 1NCE developer hub, "Usage Records" (<https://help.1nce.com/dev-hub/docs/usage-records>): at most one record every
//! 15 minutes of a session that used more than 100 kB, one at its close, and one an SMS. Volumes are text in MB:
//! `"volume":{"total":"0.092628","tx":"0.033486","rx":"0.059142"}`. The rest is in [`super::stream`].

use super::{Said, stream};
use crate::codec::json::JsonError;

/// Reads a record as one of `feed`.
pub(super) fn read<'a>(bytes: &'a [u8], feed: &'a str) -> Result<Said<'a>, JsonError> {
    stream::read(bytes, feed)
}
