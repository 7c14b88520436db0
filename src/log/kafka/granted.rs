//! What this client may do, as far as the brokers tell: operations on topics and groups. Of transactional ids they do not.
//!
//! Invariant, as in `ffi`, and the reason for the unsafe code: what librdkafka makes or hands out for a question is given
//! back exactly once, and what an answer points to is read before the answer is.
#![allow(unsafe_code)]

use std::collections::BTreeSet;
use std::ffi::CString;
use std::ptr::NonNull;
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;

use super::config::KafkaConfig;
use super::error::from_native;
use super::ffi::{NativeError, millis, text_of};
use super::group::PlainContext;
use crate::log::{LogError, Topic};

/// Something that the brokers allow or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    Read,
    Write,
    Describe,
    DescribeConfigs,
}

impl Operation {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Describe => "Describe",
            Self::DescribeConfigs => "DescribeConfigs",
        }
    }

    fn of(native: sys::rd_kafka_AclOperation_t) -> Option<Self> {
        use sys::rd_kafka_AclOperation_t as Native;
        match native {
            Native::RD_KAFKA_ACL_OPERATION_READ => Some(Self::Read),
            Native::RD_KAFKA_ACL_OPERATION_WRITE => Some(Self::Write),
            Native::RD_KAFKA_ACL_OPERATION_DESCRIBE => Some(Self::Describe),
            Native::RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS => Some(Self::DescribeConfigs),
            _ => None,
        }
    }
}

/// A group as its coordinator has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupFound {
    pub operations: BTreeSet<Operation>,
    pub members: usize,
}

/// A client that asks what it may do.
pub struct KafkaGranted {
    config: KafkaConfig,
    client: BaseConsumer<PlainContext>,
}

impl KafkaGranted {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// [`LogError::Fatal`] for settings that cannot be right.
    pub fn new(config: &KafkaConfig) -> Result<Self, LogError> {
        let client = config
            .asking()
            .create_with_context(PlainContext)
            .map_err(|e| LogError::Fatal(format!("making a client for {}: {e}", config.brokers)))?;
        Ok(Self { config: config.clone(), client })
    }

    /// What may be done with a topic; `None` if there is no such topic.
    ///
    /// # Errors
    /// As the brokers have them: of a topic that may not even be described they say so.
    pub fn topic(&self, topic: Topic) -> Result<Option<BTreeSet<Operation>>, LogError> {
        let name = self.config.topic_name(topic);
        let doing = format!("asking what may be done with topic {name}");
        match self.describe_topic(&name) {
            Ok(operations) => Ok(Some(operations)),
            Err(error) if error.code == RDKafkaErrorCode::UnknownTopicOrPartition => Ok(None),
            Err(error) => Err(from_native(&doing, &error)),
        }
    }

    /// What may be done with a group, by its whole name, and how many members it has.
    ///
    /// # Errors
    /// As the brokers have them.
    pub fn group(&self, name: &str) -> Result<GroupFound, LogError> {
        let doing = format!("asking what may be done with group {name}");
        self.describe_group(name).map_err(|e| from_native(&doing, &e))
    }

    fn describe_topic(&self, name: &str) -> Result<BTreeSet<Operation>, NativeError> {
        let name = c_string(name)?;
        let mut names = [name.as_ptr()];
        let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        // SAFETY: the name lives through the call, which copies it; the collection is destroyed here, once.
        let event = self.ask(kind, |rk, options, queue| unsafe {
            let topics = sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
            sys::rd_kafka_DescribeTopics(rk, topics, options, queue);
            sys::rd_kafka_TopicCollection_destroy(topics);
        })?;
        // SAFETY: the event is an answer to DescribeTopics and lives to the end of this function.
        unsafe {
            let mut count = 0;
            let result = sys::rd_kafka_event_DescribeTopics_result(event.0.as_ptr());
            let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
            let topic = *first(topics, count)?;
            fine(sys::rd_kafka_TopicDescription_error(topic))?;
            let operations = sys::rd_kafka_TopicDescription_authorized_operations(topic, &raw mut count);
            Ok(operations_of(operations, count))
        }
    }

    fn describe_group(&self, name: &str) -> Result<GroupFound, NativeError> {
        let name = c_string(name)?;
        let mut names = [name.as_ptr()];
        let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
        // SAFETY: the name lives through the call, which copies it.
        let event = self.ask(kind, |rk, options, queue| unsafe {
            sys::rd_kafka_DescribeConsumerGroups(rk, names.as_mut_ptr(), names.len(), options, queue);
        })?;
        // SAFETY: the event is an answer to DescribeConsumerGroups and lives to the end of this function.
        unsafe {
            let mut count = 0;
            let result = sys::rd_kafka_event_DescribeConsumerGroups_result(event.0.as_ptr());
            let groups = sys::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
            let group = *first(groups.cast_const(), count)?;
            fine(sys::rd_kafka_ConsumerGroupDescription_error(group))?;
            let members = sys::rd_kafka_ConsumerGroupDescription_member_count(group);
            let operations =
                sys::rd_kafka_ConsumerGroupDescription_authorized_operations(group, &raw mut count);
            Ok(GroupFound { operations: operations_of(operations, count), members })
        }
    }

    /// Puts a question to the brokers and waits for the answer.
    fn ask(
        &self,
        kind: sys::rd_kafka_admin_op_t,
        call: impl FnOnce(*mut sys::rd_kafka_t, *const sys::rd_kafka_AdminOptions_t, *mut sys::rd_kafka_queue_t),
    ) -> Result<Event, NativeError> {
        let wait = millis(self.config.timeouts.request);
        // SAFETY: client and options live through the calls; queue, options and errors made here are given back here, once;
        // the event is given back by `Event`.
        unsafe {
            let rk = self.client.client().native_ptr();
            let queue = sys::rd_kafka_queue_new(rk);
            let options = sys::rd_kafka_AdminOptions_new(rk, kind);
            let mut text = [0; 128];
            sys::rd_kafka_AdminOptions_set_request_timeout(options, wait, text.as_mut_ptr(), text.len());
            let error = sys::rd_kafka_AdminOptions_set_include_authorized_operations(options, 1);
            if !error.is_null() {
                sys::rd_kafka_error_destroy(error);
            }
            call(rk, options, queue);
            let event = sys::rd_kafka_queue_poll(queue, wait.saturating_add(1_000));
            sys::rd_kafka_AdminOptions_destroy(options);
            sys::rd_kafka_queue_destroy(queue);
            let event = Event(NonNull::new(event).ok_or_else(|| NativeError {
                code: RDKafkaErrorCode::OperationTimedOut,
                text: format!("no answer in {:?}", Duration::from_millis(wait.max(0).unsigned_abs().into())),
            })?);
            let code = sys::rd_kafka_event_error(event.0.as_ptr());
            if code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return Ok(event);
            }
            let text = text_of(sys::rd_kafka_event_error_string(event.0.as_ptr()));
            Err(NativeError { code: code.into(), text })
        }
    }
}

/// An answer of librdkafka's, ours to give back.
struct Event(NonNull<sys::rd_kafka_event_t>);

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: ours, given back once.
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) };
    }
}

fn c_string(name: &str) -> Result<CString, NativeError> {
    CString::new(name).map_err(|e| NativeError { code: RDKafkaErrorCode::InvalidTopic, text: e.to_string() })
}

fn first<T>(found: *const T, count: usize) -> Result<*const T, NativeError> {
    if found.is_null() || count == 0 {
        return Err(NativeError { code: RDKafkaErrorCode::Unknown, text: "an empty answer".to_owned() });
    }
    Ok(found)
}

/// SAFETY, for callers: `error` must be alive or null; it stays the answer's own.
unsafe fn fine(error: *const sys::rd_kafka_error_t) -> Result<(), NativeError> {
    // SAFETY: as the caller says; a null error is none.
    unsafe {
        let code = sys::rd_kafka_error_code(error);
        if code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Ok(());
        }
        Err(NativeError { code: code.into(), text: text_of(sys::rd_kafka_error_string(error)) })
    }
}

/// SAFETY, for callers: `count` operations must be alive behind `found`, or it be null.
unsafe fn operations_of(found: *const sys::rd_kafka_AclOperation_t, count: usize) -> BTreeSet<Operation> {
    if found.is_null() {
        return BTreeSet::new();
    }
    // SAFETY: as the caller says.
    let found = unsafe { std::slice::from_raw_parts(found, count) };
    found.iter().filter_map(|native| Operation::of(*native)).collect()
}
