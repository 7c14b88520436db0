//! The frame of every checkpoint value: format, checksum, content.
//!
//! `[format u8][crc32c of the content, u32 little-endian][content: bincode legacy, length-limited]`. What a checksum
//! does not vouch for is never read.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::CHECKPOINT_RECORD_BYTES_MAX;

/// Format of the frame and of the values in it.
const FORMAT: u8 = 1;
const HEADER: usize = 5;

/// Why a value cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("{0} bytes are too few for a checkpoint record")]
    Short(usize),
    #[error("format {0}, this program reads {FORMAT}")]
    Format(u8),
    #[error("checksum {found:08x}, the content has {computed:08x}")]
    Checksum { found: u32, computed: u32 },
    #[error("the content is not what the key says: {0}")]
    Content(String),
}

fn config() -> impl bincode::config::Config {
    bincode::config::legacy().with_limit::<CHECKPOINT_RECORD_BYTES_MAX>()
}

/// Writes a value.
///
/// # Panics
/// When the value is larger than a message may be: its writer bounds it.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let content = bincode::serde::encode_to_vec(value, config())
        .unwrap_or_else(|error| panic!("a checkpoint record within its bounds encodes: {error}"));
    let mut out = Vec::with_capacity(HEADER + content.len());
    out.push(FORMAT);
    out.extend_from_slice(&crc32c::crc32c(&content).to_le_bytes());
    out.extend_from_slice(&content);
    out
}

/// Reads a value.
///
/// # Errors
/// See [`FrameError`].
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameError> {
    let (header, content) = bytes.split_at_checked(HEADER).ok_or(FrameError::Short(bytes.len()))?;
    let [format, a, b, c, d] = *header else { return Err(FrameError::Short(bytes.len())) };
    if format != FORMAT {
        return Err(FrameError::Format(format));
    }
    let (found, computed) = (u32::from_le_bytes([a, b, c, d]), crc32c::crc32c(content));
    if found != computed {
        return Err(FrameError::Checksum { found, computed });
    }
    match bincode::serde::decode_from_slice(content, config()) {
        Ok((value, read)) if read == content.len() => Ok(value),
        Ok((_, read)) => Err(FrameError::Content(format!("{} bytes left over", content.len() - read))),
        Err(error) => Err(FrameError::Content(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::{ChunkInfo, Part, Skip};
    use crate::model::LogOffset;

    #[test]
    fn a_value_reads_back() {
        assert_eq!(decode::<(u32, String)>(&encode(&(7u32, "x".to_owned()))), Ok((7, "x".to_owned())));
    }

    #[test]
    fn any_changed_bit_is_noticed() {
        let good = encode(&(7u32, "x".to_owned()));
        for at in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[at / 8] ^= 1 << (at % 8);
            assert!(decode::<(u32, String)>(&bad).is_err(), "bit {at}");
        }
    }

    #[test]
    fn what_is_too_short_or_too_long_is_refused() {
        let good = encode(&7u32);
        assert_eq!(decode::<u32>(&good[..4]), Err(FrameError::Short(4)));
        assert!(matches!(decode::<u16>(&good), Err(FrameError::Content(_))));
        assert!(matches!(decode::<u64>(&good), Err(FrameError::Content(_))));
    }

    /// Written out by hand from the layout; the checksums by another program. A change of these bytes is a new format.
    #[test]
    fn the_layout_is_the_one_that_stands_in_existing_checkpoints() {
        let skip = Skip { offset: LogOffset(7), reason: "x".to_owned() };
        let offset = 7u64.to_le_bytes();
        let reason = [&1u64.to_le_bytes()[..], b"x"].concat();
        let bytes = [&[1][..], &0x4fc0_1a0f_u32.to_le_bytes(), &offset, &reason].concat();
        assert_eq!(encode(&skip), bytes);
        assert_eq!(decode(&bytes), Ok(skip));

        let info = ChunkInfo {
            shard: 4,
            offset: LogOffset(9),
            log_time: 5,
            fold_version: 1,
            catalogue: 2,
            parts: 1,
            checksum: 0xe2a2_2936,
        };
        let part = Part { info, part: 0, bytes: b"ab".to_vec() };
        let bytes = [
            &[1][..],
            &0x663c_2f84_u32.to_le_bytes(),
            &4u16.to_le_bytes(),
            &9u64.to_le_bytes(),
            &5i64.to_le_bytes(),
            &1u32.to_le_bytes(),
            &2u32.to_le_bytes(),
            &1u16.to_le_bytes(),
            &0xe2a2_2936_u32.to_le_bytes(),
            &0u16.to_le_bytes(),
            &2u64.to_le_bytes(),
            b"ab",
        ]
        .concat();
        assert_eq!(encode(&part), bytes);
        assert_eq!(decode(&bytes), Ok(part));
    }
}
