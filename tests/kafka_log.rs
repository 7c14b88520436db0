//! The log on a real Apache Kafka keeps the contract of the log, and exactly once holds through its failures.
#![cfg(feature = "full")]

mod log_contract;
mod support;

mod kafka_log {
    pub(crate) mod exactly_once;
    pub(crate) mod ingest;
    pub(crate) mod leaving;
    pub(crate) mod replay;
    pub(crate) mod topics;
    pub(crate) mod transactions;
}

use log_contract::Deployment;
use support::Cluster;
use tidegauge::log::Topic;
use tidegauge::log::kafka::KafkaWorkerLog;

impl Deployment for Cluster {
    type Log = KafkaWorkerLog;

    fn open(&self, instance: &str) -> KafkaWorkerLog {
        KafkaWorkerLog::open(self.config("meter", instance)).expect("the broker is there")
    }

    fn append(&self, partition: u32, values: &[&str]) {
        Self::append(self, Topic::Log, partition, values);
    }
}

macro_rules! on_kafka {
    ($behaviour:ident) => {
        #[test]
        fn $behaviour() {
            log_contract::$behaviour(&Cluster::make(stringify!($behaviour), 2));
        }
    };
}

for_each_behaviour!(on_kafka);
