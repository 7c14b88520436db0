//! The contract of the log, on the logs that need no broker: the simulated brokers, and a directory.
#![allow(clippy::unwrap_used, reason = "a test that meets an error fails")]

mod log_contract;

use log_contract::Deployment;

/// Simulated brokers without faults.
mod simulated {
    use tidegauge::log::sim::{FaultRates, Setup, Sim, SimWorkerLog, Trace};
    use tidegauge::log::{Topic, TopicPartition};

    use super::{Deployment, log_contract};

    struct Simulated(Sim);

    impl Simulated {
        fn new() -> Self {
            Self(Sim::new(Setup::quiet(1_000_000, 2), 7, Trace::default()))
        }
    }

    impl Deployment for Simulated {
        type Log = SimWorkerLog;

        fn open(&self, instance: &str) -> SimWorkerLog {
            self.0.worker(instance, FaultRates::none())
        }

        fn append(&self, partition: u32, values: &[&str]) {
            for value in values {
                self.0
                    .produce(TopicPartition { topic: Topic::Log, partition }, None, value.as_bytes())
                    .unwrap();
            }
        }

        fn pass(&self) {
            self.0.advance(10);
        }
    }

    macro_rules! on_simulated_brokers {
        ($behaviour:ident) => {
            #[test]
            fn $behaviour() {
                log_contract::$behaviour(&Simulated::new());
            }
        };
    }

    crate::for_each_behaviour!(on_simulated_brokers);
}

/// The log in a directory.
#[cfg(feature = "full")]
mod file {
    use std::sync::Arc;

    use tidegauge::log::file::{FileWorkerLog, Member, Store};
    use tidegauge::log::{Output, Topic};

    use super::{Deployment, log_contract};

    struct Directory {
        store: Arc<Store>,
        _directory: tempfile::TempDir,
    }

    impl Directory {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let store = Store::open(directory.path(), 2, Arc::new(|| 1_000_000)).unwrap();
            Self { store, _directory: directory }
        }
    }

    impl Deployment for Directory {
        type Log = FileWorkerLog;

        fn open(&self, _instance: &str) -> FileWorkerLog {
            FileWorkerLog::new(Arc::clone(&self.store), Member::ONLY)
        }

        fn append(&self, partition: u32, values: &[&str]) {
            let output = |value: &&str| Output {
                topic: Topic::Log,
                partition: Some(partition),
                key: Vec::new(),
                value: Some(value.as_bytes().to_vec()),
                headers: Vec::new(),
                time_ms: None,
            };
            self.store.append(values.iter().map(output).collect(), &[]).unwrap();
        }
    }

    macro_rules! in_a_directory {
        ($behaviour:ident) => {
            #[test]
            fn $behaviour() {
                log_contract::$behaviour(&Directory::new());
            }
        };
    }

    crate::for_each_behaviour!(in_a_directory);
}
