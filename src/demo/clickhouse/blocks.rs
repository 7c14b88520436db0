//! ClickHouse's compressed blocks, as `decompress=1` announces them in a request's body: bytes in, rows' bytes out.
//!
//! Invariant: nothing leaves that is not whole and proved. A block is given out only when all of it is there, its
//! checksum matches and it unpacks to exactly the length it states; a body that ends within a block is an error.
//!
//! | bytes | what |
//! |---|---|
//! | 16 | CityHash 1.0.2, 128 bits, over all that follows; the high half first, each half little-endian |
//! | 1 | method: 0x82 LZ4, 0x02 none |
//! | 4 | length of the block from the method byte on, little-endian |
//! | 4 | length of the data when unpacked, little-endian |
//! | rest | the data |

use bytes::{Buf, Bytes, BytesMut};

/// A larger block is refused before it is buffered: clients send 256 KiB, the server's own limit is 1 GiB.
const BLOCK_BYTES_MAX: usize = 64 << 20;
const CHECKSUM_BYTES: usize = 16;
const HEADER_BYTES: usize = 9;
const METHOD_LZ4: u8 = 0x82;
const METHOD_NONE: u8 = 0x02;

/// What is wrong with a body of compressed blocks.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum BlockError {
    #[error("block {block}: the checksum does not match, the data were damaged under way")]
    Checksum { block: u64 },
    #[error("block {block}: method {method:#04x} is not offered here, only LZ4 (0x82) and none (0x02)")]
    Method { block: u64, method: u8 },
    #[error("block {block}: impossible length {packed} packed, {unpacked} unpacked")]
    Length { block: u64, packed: usize, unpacked: usize },
    #[error("block {block}: LZ4 does not unpack: {reason}")]
    Lz4 { block: u64, reason: String },
    #[error("the body ends within block {block}, after {bytes} bytes of it")]
    Cut { block: u64, bytes: usize },
}

/// Unpacks a body that comes in parts of any size.
#[derive(Default)]
pub(super) struct Blocks {
    input: BytesMut,
    /// Blocks given out; the next one's number in messages.
    given: u64,
}

impl Blocks {
    /// Takes the next part of the body.
    pub(super) fn push(&mut self, part: &[u8]) {
        self.input.extend_from_slice(part);
    }

    /// The next whole block's data, if it is there. Call until `None` after each [`Blocks::push`].
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, BlockError> {
        let block = self.given;
        let Some(header) = Header::read(&self.input) else { return Ok(None) };
        header.check(block)?;
        if self.input.len() < CHECKSUM_BYTES + header.packed {
            return Ok(None);
        }
        let checksum = self.input.get_u128_le();
        let body = self.input.split_to(header.packed).freeze();
        if cityhash_rs::cityhash_102_128(&body).rotate_right(64) != checksum {
            return Err(BlockError::Checksum { block });
        }
        self.given += 1;
        header.unpack(block, body.slice(HEADER_BYTES..)).map(Some)
    }

    /// The body has ended: it must have done so between two blocks.
    pub(super) fn end(&self) -> Result<(), BlockError> {
        if self.input.is_empty() {
            return Ok(());
        }
        Err(BlockError::Cut { block: self.given, bytes: self.input.len() })
    }
}

struct Header {
    method: u8,
    /// Method byte, both lengths and the packed data.
    packed: usize,
    unpacked: usize,
}

impl Header {
    fn read(input: &[u8]) -> Option<Self> {
        let mut header = input.get(CHECKSUM_BYTES..CHECKSUM_BYTES + HEADER_BYTES)?;
        Some(Self {
            method: header.get_u8(),
            packed: header.get_u32_le() as usize,
            unpacked: header.get_u32_le() as usize,
        })
    }

    fn check(&self, block: u64) -> Result<(), BlockError> {
        let (packed, unpacked) = (self.packed, self.unpacked);
        if !(HEADER_BYTES..=BLOCK_BYTES_MAX).contains(&packed) || unpacked > BLOCK_BYTES_MAX {
            return Err(BlockError::Length { block, packed, unpacked });
        }
        match self.method {
            METHOD_LZ4 | METHOD_NONE => Ok(()),
            method => Err(BlockError::Method { block, method }),
        }
    }

    fn unpack(&self, block: u64, data: Bytes) -> Result<Bytes, BlockError> {
        let data = if self.method == METHOD_NONE {
            data
        } else {
            lz4_flex::block::decompress(&data, self.unpacked)
                .map_err(|error| BlockError::Lz4 { block, reason: error.to_string() })?
                .into()
        };
        if data.len() != self.unpacked {
            return Err(BlockError::Length { block, packed: self.packed, unpacked: self.unpacked });
        }
        Ok(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block written by hand from the table above.
    fn block(method: u8, packed: &[u8], unpacked: u32) -> Vec<u8> {
        let mut body = vec![method];
        body.extend_from_slice(&(packed.len() as u32 + 9).to_le_bytes());
        body.extend_from_slice(&unpacked.to_le_bytes());
        body.extend_from_slice(packed);
        let hash = cityhash_rs::cityhash_102_128(&body);
        let mut block = ((hash >> 64) as u64).to_le_bytes().to_vec();
        block.extend_from_slice(&(hash as u64).to_le_bytes());
        block.extend_from_slice(&body);
        block
    }

    /// "tide" eight times as LZ4, by hand: four literals, 23 bytes more from four back, the last five as literals.
    const TIDES: &[u8] = b"\x4ftide\x04\x00\x04\x50etide";

    fn read_all(body: &[u8], part_bytes: usize) -> Result<Vec<u8>, BlockError> {
        let (mut blocks, mut data) = (Blocks::default(), Vec::new());
        for part in body.chunks(part_bytes) {
            blocks.push(part);
            while let Some(bytes) = blocks.next()? {
                data.extend_from_slice(&bytes);
            }
        }
        blocks.end().map(|()| data)
    }

    #[test]
    fn blocks_come_out_whole_whatever_the_parts() {
        let body =
            [block(METHOD_LZ4, TIDES, 32), block(METHOD_NONE, b"gauge", 5), block(METHOD_NONE, b"", 0)]
                .concat();
        for part_bytes in [1, 2, 15, 16, 17, 25, 26, body.len()] {
            assert_eq!(read_all(&body, part_bytes).unwrap(), [b"tide".repeat(8), b"gauge".to_vec()].concat());
        }
    }

    #[test]
    fn a_body_cut_anywhere_within_a_block_is_an_error() {
        let body = [block(METHOD_NONE, b"gauge", 5), block(METHOD_NONE, b"tide", 4)].concat();
        for end in 31..body.len() {
            assert_eq!(read_all(&body[..end], 7), Err(BlockError::Cut { block: 1, bytes: end - 30 }));
        }
    }

    #[test]
    fn one_flipped_bit_is_found() {
        let whole = block(METHOD_NONE, b"gauge", 5);
        for bit in 0..8 * whole.len() {
            let mut body = whole.clone();
            body[bit / 8] ^= 1 << (bit % 8);
            assert!(read_all(&body, 64).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn what_is_not_offered_is_refused_by_name() {
        let cases = [
            (block(0x90, b"zstd", 4), BlockError::Method { block: 0, method: 0x90 }),
            (block(METHOD_NONE, b"abc", 4), BlockError::Length { block: 0, packed: 12, unpacked: 4 }),
            (
                block(METHOD_NONE, b"", u32::MAX),
                BlockError::Length { block: 0, packed: 9, unpacked: 0xffff_ffff },
            ),
        ];
        for (body, error) in cases {
            assert_eq!(read_all(&body, 64), Err(error));
        }
    }
}
