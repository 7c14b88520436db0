//! A place in the events that is ahead of what was heard here: another instance has heard more, or the place is none.
//!
//! Invariant: nobody is told that a place is none unless the log says so: who begins without it loses events.

use std::time::Duration;

use super::live::Live;
use super::problem::Problem;
use crate::limits::EVENTS_PLACES_BEHIND_MS;
use crate::log::{LogError, Places, TopicPartition};
use crate::model::LogOffset;

/// Between two looks at what was heard here.
const LOOK_EVERY_MS: u64 = 50;

/// Waits a moment until this instance has heard as much.
///
/// # Errors
/// [`Problem::NotReady`]: it has not, but there is as much. [`Problem::Cursor`]: there is not.
pub(super) async fn heard(live: &Live, places: &Places) -> Result<(), Problem> {
    for _ in 0..EVENTS_PLACES_BEHIND_MS / LOOK_EVERY_MS {
        if ahead(live, places).is_empty() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(LOOK_EVERY_MS)).await;
    }
    let ahead = ahead(live, places);
    if ahead.is_empty() {
        return Ok(());
    }
    let patience = Duration::from_millis(EVENTS_PLACES_BEHIND_MS);
    let asked = tokio::time::timeout(patience, are_there(live, ahead)).await;
    match asked {
        Ok(Some(false)) => Err(Problem::Cursor),
        _ => Err(Problem::NotReady(
            "this instance has not heard so many events yet: come again with the same Last-Event-ID"
                .to_owned(),
        )),
    }
}

/// Those of the places that were not reached here.
fn ahead(live: &Live, places: &Places) -> Places {
    let now = live.events.places();
    let reached = |at: &TopicPartition, place: &LogOffset| now.get(at).is_some_and(|now| now >= place);
    places.iter().filter(|(at, place)| !reached(at, place)).map(|(at, place)| (*at, *place)).collect()
}

/// Whether the log has what comes before each of the places; `None` if it cannot be asked just now.
async fn are_there(live: &Live, places: Places) -> Option<bool> {
    // Offsets are signed on the wire.
    if places.values().any(|place| i64::try_from(place.0).is_err()) {
        return Some(false);
    }
    let permit = live.events.replay()?;
    let reader = live.reader.clone();
    let ask = move || -> Result<bool, LogError> {
        let _until_asked = permit;
        let mut reader = reader()?;
        for (at, place) in places {
            let last = LogOffset(place.0.saturating_sub(1));
            match reader.read(at, (last, place), &mut |_| false) {
                // What came before the first that is kept was there.
                Err(LogError::OutOfRange { .. }) if place <= reader.begins(at)? => {}
                Err(LogError::OutOfRange { .. }) => return Ok(false),
                read => read?,
            }
        }
        Ok(true)
    };
    let asked = tokio::task::spawn_blocking(ask).await.ok()?;
    asked.inspect_err(|error| tracing::warn!(%error, "the end of the events cannot be asked for")).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::log::file::{FileReplay, Store};
    use crate::log::{Output, Topic};
    use crate::shell::Events;

    const AT: TopicPartition = TopicPartition { topic: Topic::Alerts, partition: 0 };

    fn places(place: u64) -> Places {
        BTreeMap::from([(AT, LogOffset(place))])
    }

    #[tokio::test]
    async fn a_place_that_this_instance_has_not_reached_is_told_from_one_that_is_none() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(directory.path(), 1, Arc::new(|| 0)).expect("a log");
        let event = |_| Output {
            topic: AT.topic,
            partition: Some(AT.partition),
            key: b"8986001234567890123".to_vec(),
            value: Some(b"{}".to_vec()),
            headers: Vec::new(),
            time_ms: None,
        };
        store.append((0..5).map(event).collect(), &[]).expect("appended");
        // The log holds five, of which two were heard here.
        let events = Arc::new(Events::default());
        events.begin(places(2));
        let reader: super::super::live::Reader = Arc::new(move || {
            Ok::<Box<dyn crate::log::Replay>, LogError>(Box::new(FileReplay(store.clone())))
        });
        let live = Live { events: Arc::clone(&events), reader };
        assert!(heard(&live, &places(2)).await.is_ok());
        let (behind, end) = (places(3), places(5));
        let (past, wild) = (places(6), places(u64::MAX));
        let (behind, end, past, wild) =
            tokio::join!(heard(&live, &behind), heard(&live, &end), heard(&live, &past), heard(&live, &wild));
        assert!(matches!(behind, Err(Problem::NotReady(_))), "{behind:?}");
        assert!(matches!(end, Err(Problem::NotReady(_))), "{end:?}");
        assert!(matches!(past, Err(Problem::Cursor)), "{past:?}");
        assert!(matches!(wild, Err(Problem::Cursor)), "{wild:?}");
        // It catches up while the client waits.
        let place = places(5);
        let (heard, ()) = tokio::join!(heard(&live, &place), async { events.begin(places(5)) });
        assert!(heard.is_ok(), "{heard:?}");
    }
}
