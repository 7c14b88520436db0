//! A second or none, in half of what an `Option` takes: there are two for each card with packages.
//!
//! Invariant: encoded, it is as an `Option`.

use serde::{Deserialize, Serialize};

use crate::model::UnixTime;

/// A second; none is one that no calendar reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Option<UnixTime>", into = "Option<UnixTime>")]
pub(super) struct MaybeTime(UnixTime);

impl MaybeTime {
    const NONE: UnixTime = UnixTime::MIN;

    pub(super) fn get(self) -> Option<UnixTime> {
        (self.0 != Self::NONE).then_some(self.0)
    }
}

impl Default for MaybeTime {
    fn default() -> Self {
        Self(Self::NONE)
    }
}

impl From<Option<UnixTime>> for MaybeTime {
    fn from(time: Option<UnixTime>) -> Self {
        Self(time.unwrap_or(Self::NONE))
    }
}

impl From<MaybeTime> for Option<UnixTime> {
    fn from(time: MaybeTime) -> Self {
        time.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_an_option_is() {
        let bytes = |value| bincode::serde::encode_to_vec(value, bincode::config::standard()).unwrap();
        for time in [None, Some(0), Some(-1), Some(UnixTime::MAX)] {
            let held = MaybeTime::from(time);
            assert_eq!(held.get(), time);
            let written = bincode::serde::encode_to_vec(held, bincode::config::standard()).unwrap();
            assert_eq!(written, bytes(time));
        }
        assert_eq!(MaybeTime::default().get(), None);
    }
}
