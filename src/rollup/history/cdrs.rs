//! A pack of the log → the rows of its CDRs in `usage_records`. Readings, commands and ticks are not usage records.

use super::HistoryRows;
use crate::codec::pack::{Pack, PackError};
use crate::log::Message;
use crate::model::{Position, Record};
use crate::rollup::rows::UsageRecord;

/// Adds a row a CDR.
///
/// # Errors
/// Why it is no pack. The meter halts at the same message, so that it is told there too.
pub(super) fn add(rows: &mut HistoryRows, message: &Message<'_>, value: &[u8]) -> Result<(), String> {
    let found = read(message, value).map_err(|e| e.to_string())?;
    rows.usage_records.extend(found);
    Ok(())
}

fn read(message: &Message<'_>, value: &[u8]) -> Result<Vec<UsageRecord>, PackError> {
    let log_time = message.time_ms.div_euclid(1_000);
    let mut found = Vec::new();
    for (index, record) in Pack::read(value)?.records().enumerate() {
        if let Record::Cdr(cdr) = record? {
            let position =
                Position { partition: message.partition, offset: message.offset, index: index as u16 };
            found.push(UsageRecord::new(&cdr, position, log_time));
        }
    }
    Ok(found)
}
