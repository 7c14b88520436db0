//! The calls of librdkafka that the `rdkafka` crate does not offer, behind safe ones: batches, group metadata with its
//! generation, the flush that wakes at once, topic ids.
//!
//! Invariants, and all the unsafe code of the Kafka log is here (and in `granted`) to keep them: what librdkafka hands
//! out is given back exactly once; a queue and the messages taken from it never outlive their client (they are fields
//! of one struct, in the order in which they must end); what is borrowed from a message is borrowed from the
//! [`BatchConsumer`] that owns it.
#![allow(unsafe_code)]

use std::collections::VecDeque;
use std::ffi::{CStr, CString, c_char};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::client::{Client, ClientContext};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};
use rdkafka::topic_partition_list::TopicPartitionList;

/// An error as librdkafka has it: a code to decide by and a text to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(super) struct NativeError {
    pub(super) code: RDKafkaErrorCode,
    pub(super) text: String,
}

/// A consumer whose partitions are read in batches from one queue of our own.
///
/// Rebalances and errors stay on the consumer's own queue, which the owner polls with `consumer().poll(0)`.
pub(super) struct BatchConsumer<C: ConsumerContext> {
    // Fields end in this order: messages, then the queue, then the client. See the module's invariants.
    held: VecDeque<Raw>,
    queue: Queue,
    consumer: BaseConsumer<C>,
    batch: Vec<*mut sys::rd_kafka_message_t>,
}

// SAFETY: librdkafka's handles may be used from any thread, and the raw pointers in `held` and `batch` are reached
// through `&mut self` only. `batch` is empty between calls.
unsafe impl<C: ConsumerContext + Send> Send for BatchConsumer<C> {}

impl<C: ConsumerContext> BatchConsumer<C> {
    /// `batch` is the most messages taken from librdkafka by one call.
    pub(super) fn new(consumer: BaseConsumer<C>, batch: usize) -> Option<Self> {
        // SAFETY: the client is alive; the queue it makes is owned by `Queue` and ends before it.
        let queue = NonNull::new(unsafe { sys::rd_kafka_queue_new(consumer.client().native_ptr()) })?;
        Some(Self { held: VecDeque::new(), queue: Queue(queue), consumer, batch: Vec::with_capacity(batch) })
    }

    pub(super) fn consumer(&self) -> &BaseConsumer<C> {
        &self.consumer
    }

    /// Sends what is fetched of a partition to our queue. To be called before the partition is assigned.
    pub(super) fn forward(&self, topic: &str, partition: u32) -> bool {
        let Ok(topic) = CString::new(topic) else { return false };
        // SAFETY: client and name are alive during the call; the partition's queue is given back by `Queue`.
        let found = NonNull::new(unsafe {
            sys::rd_kafka_queue_get_partition(
                self.consumer.client().native_ptr(),
                topic.as_ptr(),
                partition as i32,
            )
        })
        .map(Queue);
        let Some(found) = found else { return false };
        // SAFETY: both queues are alive; librdkafka counts its own references to them.
        unsafe { sys::rd_kafka_queue_forward(found.0.as_ptr(), self.queue.0.as_ptr()) };
        true
    }

    /// Takes up to `max` messages from librdkafka if none is held, waiting up to `wait_ms` for a first one, and
    /// `gather_ms` for more.
    ///
    /// librdkafka waits for a full batch; so it is asked for one message alone when that is to be waited for.
    pub(super) fn fill(&mut self, max: usize, wait_ms: u64, gather_ms: u64) {
        if !self.held.is_empty() || max == 0 || self.take_from_queue(max, gather_ms) > 0 || wait_ms == 0 {
            return;
        }
        if self.take_from_queue(1, wait_ms) > 0 {
            self.take_from_queue(max - 1, gather_ms);
        }
    }

    fn take_from_queue(&mut self, max: usize, wait_ms: u64) -> usize {
        let max = max.min(self.batch.capacity());
        let wait_ms = i32::try_from(wait_ms).unwrap_or(i32::MAX);
        // SAFETY: `batch` has room for `max` pointers; librdkafka writes the number it returns, and each is a message
        // that is ours to destroy, once, which `Raw` does.
        unsafe {
            let taken = sys::rd_kafka_consume_batch_queue(
                self.queue.0.as_ptr(),
                wait_ms,
                self.batch.as_mut_ptr(),
                max,
            );
            self.batch.set_len(usize::try_from(taken).unwrap_or(0));
        }
        self.held.extend(self.batch.drain(..).filter_map(NonNull::new).map(Raw));
        self.held.len()
    }

    /// Topic and partition of the next message taken.
    pub(super) fn place(&self) -> Option<(&str, u32)> {
        self.held.front().map(|raw| (raw.topic(), raw.partition()))
    }

    /// The next message taken, given back to librdkafka when dropped.
    pub(super) fn next(&mut self) -> Option<Fetched<'_>> {
        let raw = self.held.pop_front()?;
        let run_goes_on = self.held.front().is_some_and(|next| next.is_beside(&raw));
        Some(Fetched { raw, run_goes_on, owner: PhantomData })
    }

    /// Gives back messages taken but not yet handed over that are not to be kept.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&str, u32) -> bool) {
        self.held.retain(|raw| keep(raw.topic(), raw.partition()));
    }
}

/// A reference to a librdkafka queue.
struct Queue(NonNull<sys::rd_kafka_queue_t>);

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: the reference came from librdkafka and is given back once, before its client ends.
        unsafe { sys::rd_kafka_queue_destroy(self.0.as_ptr()) };
    }
}

/// A message of ours to destroy.
struct Raw(NonNull<sys::rd_kafka_message_t>);

impl Raw {
    fn get(&self) -> &sys::rd_kafka_message_t {
        // SAFETY: the message is alive until `drop`.
        unsafe { self.0.as_ref() }
    }

    fn topic(&self) -> &str {
        let topic = self.get().rkt;
        if topic.is_null() {
            return "";
        }
        // SAFETY: the message holds a reference to its topic, whose name is a C string that lives as long.
        unsafe { CStr::from_ptr(sys::rd_kafka_topic_name(topic)) }.to_str().unwrap_or("")
    }

    fn partition(&self) -> u32 {
        self.get().partition.max(0) as u32
    }

    /// Whether both are of one partition. Both hold their topic, so that equal pointers are one topic.
    fn is_beside(&self, other: &Self) -> bool {
        self.get().rkt == other.get().rkt && self.get().partition == other.get().partition
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: taken from librdkafka once, destroyed once, before the client ends.
        unsafe { sys::rd_kafka_message_destroy(self.0.as_ptr()) };
    }
}

/// One message, or one partition's error, borrowed from its consumer.
pub(super) struct Fetched<'a> {
    raw: Raw,
    run_goes_on: bool,
    owner: PhantomData<&'a mut ()>,
}

impl Fetched<'_> {
    /// Whether the next message taken is of the same partition.
    pub(super) fn run_goes_on(&self) -> bool {
        self.run_goes_on
    }

    /// `Some` if this is an error in a message's clothes.
    pub(super) fn error(&self) -> Option<NativeError> {
        let code = self.raw.get().err;
        if code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        // SAFETY: the message is alive; the text is a C string that lives as long as it, or for ever.
        let text = unsafe { text_of(sys::rd_kafka_message_errstr(self.raw.0.as_ptr())) };
        Some(NativeError { code: code.into(), text })
    }

    pub(super) fn offset(&self) -> i64 {
        self.raw.get().offset
    }

    pub(super) fn key(&self) -> Option<&[u8]> {
        let message = self.raw.get();
        // SAFETY: key and length are the message's own, alive as long as it.
        unsafe { bytes_of(message.key.cast(), message.key_len) }
    }

    pub(super) fn value(&self) -> Option<&[u8]> {
        let message = self.raw.get();
        // SAFETY: payload and length are the message's own, alive as long as it.
        unsafe { bytes_of(message.payload.cast(), message.len) }
    }

    /// Milliseconds; -1 if the message has no timestamp.
    pub(super) fn time_ms(&self) -> i64 {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive, and `kind` is written during the call only.
        unsafe { sys::rd_kafka_message_timestamp(self.raw.0.as_ptr(), &raw mut kind) }
    }

    /// The headers, in order; those whose name is no UTF-8 are passed over, a null value is empty.
    pub(super) fn headers(&self) -> Vec<(&str, &[u8])> {
        let mut headers = ptr::null_mut();
        // SAFETY: the message is alive; the headers it hands out are its own and live as long.
        let code = unsafe { sys::rd_kafka_message_headers(self.raw.0.as_ptr(), &raw mut headers) };
        if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR || headers.is_null() {
            return Vec::new();
        }
        // SAFETY: `headers` is alive as said, and the index is below the count.
        unsafe { (0..sys::rd_kafka_header_cnt(headers)).filter_map(|at| header(headers, at)).collect() }
    }
}

/// One header.
///
/// SAFETY, for callers: `headers` must be alive for `'a`.
unsafe fn header<'a>(headers: *const sys::rd_kafka_headers_t, at: usize) -> Option<(&'a str, &'a [u8])> {
    let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
    // SAFETY: the caller keeps `headers` alive; the three are written during the call only, and name and value point into
    // the headers.
    unsafe {
        let code = sys::rd_kafka_header_get_all(headers, at, &raw mut name, &raw mut value, &raw mut size);
        if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR || name.is_null() {
            return None;
        }
        let name = CStr::from_ptr(name).to_str().ok()?;
        Some((name, bytes_of(value.cast(), size).unwrap_or_default()))
    }
}

/// SAFETY, for callers: `size` bytes from `at` on must be alive for `'a`, or `at` null.
unsafe fn bytes_of<'a>(at: *const u8, size: usize) -> Option<&'a [u8]> {
    // SAFETY: as the caller says.
    (!at.is_null()).then(|| unsafe { std::slice::from_raw_parts(at, size) })
}

/// SAFETY, for callers: `text` must be a C string, or null.
pub(super) unsafe fn text_of(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as the caller says.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// A group membership as it was when this was taken: the fence that goes with every transaction.
pub(super) struct GroupMetadata(NonNull<sys::rd_kafka_consumer_group_metadata_t>);

// SAFETY: written by librdkafka before we see it, only read afterwards.
unsafe impl Send for GroupMetadata {}
// SAFETY: as above.
unsafe impl Sync for GroupMetadata {}

impl GroupMetadata {
    /// Takes it from a group member now. The place to do so is the rebalance callback.
    pub(super) fn take<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> Option<Self> {
        // SAFETY: the client is alive; what is returned is a copy that is ours.
        NonNull::new(unsafe { sys::rd_kafka_consumer_group_metadata(consumer.client().native_ptr()) })
            .map(Self)
    }

    /// Below 0 while the member belongs to no generation: such metadata must not be used, it would not fence.
    pub(super) fn generation(&self) -> i32 {
        // SAFETY: alive until `drop`.
        unsafe { sys::rd_kafka_consumer_group_metadata_generation_id(self.0.as_ptr()) }
    }
}

impl Drop for GroupMetadata {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { sys::rd_kafka_consumer_group_metadata_destroy(self.0.as_ptr()) };
    }
}

/// The end of a partition as the brokers' last answer to a fetch had it; nothing is asked.
pub(super) fn high_watermark<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partition: u32,
) -> Option<u64> {
    let topic = CString::new(topic).ok()?;
    let (mut low, mut high) = (-1, -1);
    // SAFETY: client and name are alive during the call, and the two numbers are written during it only.
    let code = unsafe {
        sys::rd_kafka_get_watermark_offsets(
            consumer.client().native_ptr(),
            topic.as_ptr(),
            partition as i32,
            &raw mut low,
            &raw mut high,
        )
    };
    if code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR { u64::try_from(high).ok() } else { None }
}

/// Adds offsets to the open transaction, fenced by `metadata`.
pub(super) fn send_offsets<C: ProducerContext>(
    producer: &BaseProducer<C>,
    offsets: &TopicPartitionList,
    metadata: &GroupMetadata,
    wait: Duration,
) -> Result<(), NativeError> {
    // SAFETY: all three are alive during the call, which copies what it keeps; the error is ours to destroy, once.
    unsafe {
        let error = sys::rd_kafka_send_offsets_to_transaction(
            producer.client().native_ptr(),
            offsets.ptr(),
            metadata.0.as_ptr(),
            millis(wait),
        );
        if error.is_null() {
            return Ok(());
        }
        let code = sys::rd_kafka_error_code(error).into();
        let text = text_of(sys::rd_kafka_error_string(error));
        sys::rd_kafka_error_destroy(error);
        Err(NativeError { code, text })
    }
}

/// Waits until nothing is in flight any more, and wakes at once when that is so. Answers whether it is.
///
/// The crate's flush looks every 100 ms. This one needs a producer with `delivery.report.only.error=true`: a report that
/// nobody has polled yet counts as in flight.
pub(super) fn drained<C: ProducerContext>(producer: &BaseProducer<C>, wait: Duration) -> bool {
    // SAFETY: the client is alive during the call.
    let code = unsafe { sys::rd_kafka_flush(producer.client().native_ptr(), millis(wait)) };
    code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
}

/// What DescribeTopics answers: the topic's id and its partition count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Description {
    pub(super) id: String,
    pub(super) partitions: u32,
}

/// Asks the brokers for a topic's id, which changes when the topic is deleted and made again.
pub(super) fn describe_topic<C: ClientContext>(
    client: &Client<C>,
    name: &str,
    wait: Duration,
) -> Result<Description, NativeError> {
    let invalid = |text: String| NativeError { code: RDKafkaErrorCode::InvalidTopic, text };
    let name = CString::new(name).map_err(|e| invalid(e.to_string()))?;
    let mut names = [name.as_ptr()];
    // SAFETY: client and name are alive during the calls. What librdkafka makes here, the queue, the collection, the
    // options and the event, is destroyed here, once; what the answer points to is read before the event is destroyed.
    unsafe {
        let rk = client.native_ptr();
        let queue = Queue(
            NonNull::new(sys::rd_kafka_queue_new(rk))
                .ok_or_else(|| invalid("no memory for a queue".to_owned()))?,
        );
        let topics = sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let options =
            sys::rd_kafka_AdminOptions_new(rk, sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
        let mut text = [0; 128];
        sys::rd_kafka_AdminOptions_set_request_timeout(options, millis(wait), text.as_mut_ptr(), text.len());
        sys::rd_kafka_DescribeTopics(rk, topics, options, queue.0.as_ptr());
        let event = sys::rd_kafka_queue_poll(queue.0.as_ptr(), millis(wait).saturating_add(1_000));
        sys::rd_kafka_AdminOptions_destroy(options);
        sys::rd_kafka_TopicCollection_destroy(topics);
        if event.is_null() {
            let text = "no answer to DescribeTopics".to_owned();
            return Err(NativeError { code: RDKafkaErrorCode::OperationTimedOut, text });
        }
        let answer = described(event);
        sys::rd_kafka_event_destroy(event);
        answer
    }
}

/// SAFETY, for callers: `event` must be an answer to DescribeTopics, alive during the call.
unsafe fn described(event: *mut sys::rd_kafka_event_t) -> Result<Description, NativeError> {
    // SAFETY: the event is alive as the caller says, and owns all that is read here; the array's length is checked.
    unsafe {
        let code = sys::rd_kafka_event_error(event);
        if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            let text = text_of(sys::rd_kafka_event_error_string(event));
            return Err(NativeError { code: code.into(), text });
        }
        let mut count = 0;
        let result = sys::rd_kafka_event_DescribeTopics_result(event);
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if topics.is_null() || count == 0 {
            let text = "an empty answer to DescribeTopics".to_owned();
            return Err(NativeError { code: RDKafkaErrorCode::UnknownTopicOrPartition, text });
        }
        let topic = *topics;
        let error = sys::rd_kafka_TopicDescription_error(topic);
        let code = sys::rd_kafka_error_code(error);
        if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            let text = text_of(sys::rd_kafka_error_string(error));
            return Err(NativeError { code: code.into(), text });
        }
        let mut partitions = 0;
        sys::rd_kafka_TopicDescription_partitions(topic, &raw mut partitions);
        let id = text_of(sys::rd_kafka_Uuid_base64str(sys::rd_kafka_TopicDescription_topic_id(topic)));
        Ok(Description { id, partitions: partitions as u32 })
    }
}

pub(super) fn millis(wait: Duration) -> i32 {
    i32::try_from(wait.as_millis()).unwrap_or(i32::MAX)
}
