//! A compiled catalogue → one pack for every partition of the log.

use crate::codec::canonical;
use crate::codec::pack::PackWriter;
use crate::limits::PACK_BYTES_MAX;
use crate::log::{Output, Topic};
use crate::model::{Catalogue, CatalogueError, Record};

/// Why a catalogue cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    #[error(
        "the catalogue has {bytes} bytes as JSON, more than the {PACK_BYTES_MAX} of a message: name fewer plans, or \
         carriers with few changes of the clock"
    )]
    TooLarge { bytes: usize },
}

/// The messages that say a catalogue to every partition. To be sent again until every partition's head shows its
/// version: a version that a partition has is ignored there. `time_ms` is for a deployment with the supplied clock.
///
/// # Errors
/// A catalogue that the fold would refuse, or that fits no pack.
pub fn outputs(
    catalogue: &Catalogue,
    partitions: u32,
    time_ms: Option<i64>,
) -> Result<Vec<Output>, ApplyError> {
    catalogue.check()?;
    let json = canonical::to_vec(catalogue);
    let mut writer = PackWriter::new();
    if !writer.push(&Record::Catalogue { json: &json }) {
        return Err(ApplyError::TooLarge { bytes: json.len() });
    }
    let pack = writer.finish();
    let output = |partition| Output {
        topic: Topic::Log,
        partition: Some(partition),
        key: Vec::new(),
        value: Some(pack.clone()),
        headers: Vec::new(),
        time_ms,
    };
    Ok((0..partitions).map(output).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::pack::Pack;
    use crate::model::{CreditsPolicy, RulesPolicy};

    fn catalogue() -> Catalogue {
        Catalogue {
            version: 1,
            deployment: "test".into(),
            carriers: Vec::new(),
            feeds: Vec::new(),
            plans: Vec::new(),
            default_rules: Vec::new(),
            late_horizon_days: 8,
            own_channels: Vec::new(),
            counters: crate::model::CounterRules::default(),
            rules_policy: RulesPolicy::Free,
            credits_policy: CreditsPolicy::All,
        }
    }

    #[test]
    fn every_partition_gets_the_same_catalogue() {
        let outputs = outputs(&catalogue(), 3, Some(7)).unwrap();
        assert_eq!(outputs.iter().map(|o| o.partition).collect::<Vec<_>>(), [Some(0), Some(1), Some(2)]);
        for output in &outputs {
            assert_eq!((output.topic, output.time_ms), (Topic::Log, Some(7)));
            let pack = Pack::read(output.value.as_deref().unwrap()).unwrap();
            let Record::Catalogue { json } = pack.records().next().unwrap().unwrap() else {
                panic!("another record")
            };
            assert_eq!(canonical::from_slice(json), Ok(catalogue()));
        }
    }

    #[test]
    fn what_the_fold_would_refuse_is_not_sent() {
        let wrong = Catalogue { version: 0, ..catalogue() };
        assert_eq!(outputs(&wrong, 1, None), Err(ApplyError::Catalogue(CatalogueError::VersionZero)));
    }

    #[test]
    fn a_catalogue_that_fits_no_message_is_refused_with_its_size() {
        let large = Catalogue { own_channels: vec!["x".repeat(PACK_BYTES_MAX)], ..catalogue() };
        assert!(
            matches!(outputs(&large, 1, None), Err(ApplyError::TooLarge { bytes }) if bytes > PACK_BYTES_MAX)
        );
    }
}
