//! Chunks: the bytes of one shard as it was at one offset, cut into parts that fit a message.
//!
//! All parts of a chunk are written in one transaction, and each names the whole: the offset, the number of parts and
//! the checksum of the bytes put together.

use serde::{Deserialize, Serialize};

use super::frame;
use super::key::Key;
use crate::limits::CHUNK_PART_BYTES_MAX;
use crate::log::{Output, Topic};
use crate::model::{LogOffset, UnixTime};

/// What a chunk is of; the same in each of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkInfo {
    pub shard: u16,
    /// The next offset that the shard folds.
    pub offset: LogOffset,
    pub log_time: UnixTime,
    /// Version of the fold that made it.
    pub fold_version: u32,
    /// Catalogue in force at the offset; 0 = none yet.
    pub catalogue: u32,
    pub parts: u16,
    /// crc32c of all parts put together.
    pub checksum: u32,
}

/// One part as it stands in the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub info: ChunkInfo,
    pub part: u16,
    #[serde(with = "bytes")]
    pub bytes: Vec<u8>,
}

/// Bytes as bytes, not as a sequence of numbers: a chunk is most of what a restore reads.
mod bytes {
    use serde::{Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        struct Buffer;
        impl de::Visitor<'_> for Buffer {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
            fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }
        }
        from.deserialize_byte_buf(Buffer)
    }
}

/// Cuts a chunk into messages of the checkpoint partition.
///
/// `parts` and `checksum` of `info` are set here. `parts_before` is how many parts the chunk before had: what is left
/// over of it is deleted.
#[must_use]
pub fn cut(partition: u32, info: ChunkInfo, bytes: &[u8], parts_before: u16) -> (u16, Vec<Output>) {
    let parts = bytes.len().div_ceil(CHUNK_PART_BYTES_MAX).max(1) as u16;
    let info = ChunkInfo { parts, checksum: crc32c::crc32c(bytes), ..info };
    let write = |part: u16| {
        let from = usize::from(part) * CHUNK_PART_BYTES_MAX;
        let upto = bytes.len().min(from + CHUNK_PART_BYTES_MAX);
        let bytes = bytes.get(from..upto).unwrap_or_default().to_vec();
        record(
            partition,
            Key::Part { shard: info.shard, part },
            Some(frame::encode(&Part { info, part, bytes })),
        )
    };
    let delete = |part: u16| record(partition, Key::Part { shard: info.shard, part }, None);
    (parts, (0..parts).map(write).chain((parts..parts_before).map(delete)).collect())
}

/// A message of the checkpoint partition.
#[must_use]
pub fn record(partition: u32, key: Key, value: Option<Vec<u8>>) -> Output {
    Output {
        topic: Topic::Checkpoint,
        partition: Some(partition),
        key: key.to_bytes(),
        value,
        headers: Vec::new(),
        time_ms: None,
    }
}

/// Why the parts of a shard make no chunk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    #[error("shard {shard} has no chunk")]
    Missing { shard: u16 },
    #[error("shard {shard}: part {part} of {parts} is missing, or of another chunk")]
    Part { shard: u16, part: u16, parts: u16 },
    #[error("shard {shard}: the parts together have checksum {computed:08x}, each says {found:08x}")]
    Checksum { shard: u16, found: u32, computed: u32 },
}

/// Puts the parts of one shard together; `parts` by part number.
///
/// # Errors
/// See [`ChunkError`].
pub fn join(shard: u16, parts: &[Option<Part>]) -> Result<(ChunkInfo, Vec<u8>), ChunkError> {
    let info = parts.first().and_then(Option::as_ref).ok_or(ChunkError::Missing { shard })?.info;
    let mut bytes = Vec::new();
    for part in 0..info.parts {
        match parts.get(usize::from(part)) {
            Some(Some(found)) if found.info == info && found.part == part => {
                bytes.extend_from_slice(&found.bytes);
            }
            _ => return Err(ChunkError::Part { shard, part, parts: info.parts }),
        }
    }
    let computed = crc32c::crc32c(&bytes);
    if computed != info.checksum {
        return Err(ChunkError::Checksum { shard, found: info.checksum, computed });
    }
    Ok((info, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(shard: u16) -> ChunkInfo {
        ChunkInfo {
            shard,
            offset: LogOffset(9),
            log_time: 5,
            fold_version: 1,
            catalogue: 2,
            parts: 0,
            checksum: 0,
        }
    }

    fn parts(outputs: &[Output]) -> Vec<Option<Part>> {
        let read = |o: &Output| o.value.as_ref().map(|v| frame::decode(v).unwrap());
        outputs.iter().map(read).collect()
    }

    #[test]
    fn a_chunk_larger_than_a_message_comes_back_whole() {
        let bytes: Vec<u8> = (0..2 * CHUNK_PART_BYTES_MAX + 3).map(|i| (i % 251) as u8).collect();
        let (count, outputs) = cut(3, info(4), &bytes, 0);
        assert_eq!((count, outputs.len()), (3, 3));
        assert!(outputs.iter().all(|o| o.value.as_ref().unwrap().len() < crate::limits::PACK_BYTES_MAX));
        let (back, joined) = join(4, &parts(&outputs)).unwrap();
        assert_eq!((back.offset, joined == bytes), (LogOffset(9), true));
    }

    #[test]
    fn an_empty_shard_is_one_empty_part() {
        let (count, outputs) = cut(0, info(0), &[], 0);
        assert_eq!((count, join(0, &parts(&outputs)).unwrap().1), (1, Vec::new()));
    }

    #[test]
    fn parts_left_over_of_a_larger_chunk_are_deleted() {
        let (_, outputs) = cut(0, info(7), b"x", 3);
        let deleted: Vec<_> =
            outputs.iter().filter(|o| o.value.is_none()).map(|o| Key::parse(&o.key).unwrap()).collect();
        assert_eq!(deleted, [Key::Part { shard: 7, part: 1 }, Key::Part { shard: 7, part: 2 }]);
    }

    #[test]
    fn parts_that_do_not_belong_together_make_no_chunk() {
        let bytes = vec![1u8; CHUNK_PART_BYTES_MAX + 1];
        let good = parts(&cut(0, info(1), &bytes, 0).1);
        let later = parts(&cut(0, ChunkInfo { offset: LogOffset(10), ..info(1) }, &bytes, 0).1);
        let mixed = vec![good[0].clone(), later[1].clone()];
        assert_eq!(join(1, &mixed), Err(ChunkError::Part { shard: 1, part: 1, parts: 2 }));
        assert_eq!(join(1, &good[..1]), Err(ChunkError::Part { shard: 1, part: 1, parts: 2 }));
        assert_eq!(join(1, &[]), Err(ChunkError::Missing { shard: 1 }));
    }
}
