//! Which version a broker runs, which librdkafka does not tell: one ApiVersions request (KIP-511, KIP-584) over a plain
//! socket. A listener with TLS or SASL cannot be asked so.
//!
//! Invariant: what comes is read within its length; anything else is an error, never a panic.

use std::io::{Error, ErrorKind, Read as _, Result, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

/// Levels of the feature `metadata.version`, by the release that brought them (Kafka's `MetadataVersion`).
const RELEASES: [(i16, &str); 13] = [
    (1, "3.0"),
    (2, "3.1"),
    (3, "3.2"),
    (4, "3.3"),
    (8, "3.4"),
    (9, "3.5"),
    (12, "3.6"),
    (15, "3.7"),
    (20, "3.8"),
    (21, "3.9"),
    (22, "4.0"),
    (26, "4.1"),
    (28, "4.2"),
];
const API_VERSIONS: i16 = 18;
const FEATURE: &str = "metadata.version";
/// No answer is longer: a hundred requests and a few features.
const ANSWER_BYTES_MAX: usize = 64 * 1_024;

/// What a broker says of itself. `None`: it has no such feature, as brokers with ZooKeeper have not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BrokerVersion {
    /// The highest level that its software knows.
    pub software: Option<i16>,
    /// The level that the cluster has agreed on.
    pub in_force: Option<i16>,
}

/// The release that brought a level.
#[must_use]
pub fn release(level: i16) -> &'static str {
    RELEASES.iter().rev().find(|(first, _)| *first <= level).map_or("before 3.0", |(_, name)| name)
}

/// Whether later releases may have brought the level too.
#[must_use]
pub fn is_newest_known(level: i16) -> bool {
    RELEASES.last().is_some_and(|(first, _)| level >= *first)
}

/// Asks the broker at `host:port`.
///
/// # Errors
/// Nobody answers there, or not in Kafka's words.
pub fn broker_version(address: &str, wait: Duration) -> Result<BrokerVersion> {
    let to = address.to_socket_addrs()?.next().ok_or_else(|| Error::from(ErrorKind::NotFound))?;
    let mut stream = TcpStream::connect_timeout(&to, wait)?;
    stream.set_read_timeout(Some(wait))?;
    stream.set_write_timeout(Some(wait))?;
    stream.write_all(&request())?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > ANSWER_BYTES_MAX {
        return Err(strange("too long"));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    read(&mut Bytes(&answer))
}

/// ApiVersions, version 3: header 2, then name and version of the client's software.
fn request() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(API_VERSIONS.to_be_bytes());
    body.extend(3_i16.to_be_bytes());
    body.extend(0_i32.to_be_bytes());
    // No client id, no tagged fields.
    body.extend((-1_i16).to_be_bytes());
    body.push(0);
    for text in ["tidegauge", env!("CARGO_PKG_VERSION")] {
        body.push(text.len() as u8 + 1);
        body.extend(text.as_bytes());
    }
    body.push(0);
    let mut request = (body.len() as u32).to_be_bytes().to_vec();
    request.append(&mut body);
    request
}

fn read(bytes: &mut Bytes<'_>) -> Result<BrokerVersion> {
    bytes.take(4)?; // the correlation id
    if bytes.i16()? != 0 {
        return Err(strange("refused"));
    }
    for _ in 0..bytes.count()? {
        bytes.take(6)?;
        bytes.tags(&mut |_, _| Ok(()))?;
    }
    bytes.take(4)?; // throttle time
    let mut version = BrokerVersion::default();
    bytes.tags(&mut |tag, bytes| {
        match tag {
            0 => version.software = feature(bytes, |min_and_max| min_and_max[1])?,
            2 => version.in_force = feature(bytes, |max_and_min| max_and_min[0])?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(version)
}

/// One level of our feature in a list of features.
fn feature(bytes: &mut Bytes<'_>, level: fn([i16; 2]) -> i16) -> Result<Option<i16>> {
    let mut found = None;
    for _ in 0..bytes.count()? {
        let length = bytes.count()?;
        let ours = bytes.take(length)? == FEATURE.as_bytes();
        let levels = [bytes.i16()?, bytes.i16()?];
        bytes.tags(&mut |_, _| Ok(()))?;
        found = found.or(ours.then(|| level(levels)));
    }
    Ok(found)
}

fn strange(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("the answer is not Kafka's: {what}"))
}

/// What is left of an answer.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(|| strange("cut short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn i16(&mut self) -> Result<i16> {
        let taken = self.take(2)?;
        Ok(i16::from_be_bytes([taken[0], taken[1]]))
    }

    /// An unsigned varint of at most 21 bits: nothing here is longer.
    fn varint(&mut self) -> Result<usize> {
        let mut value = 0;
        for shift in [0, 7, 14] {
            let byte = usize::from(self.take(1)?[0]);
            value |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(strange("a number is too long"))
    }

    /// The length of a compact string or array, which is said with one added.
    fn count(&mut self) -> Result<usize> {
        Ok(self.varint()?.saturating_sub(1))
    }

    /// Hands over each tagged field.
    fn tags(&mut self, each: &mut dyn FnMut(usize, &mut Bytes<'_>) -> Result<()>) -> Result<()> {
        for _ in 0..self.varint()? {
            let tag = self.varint()?;
            let length = self.varint()?;
            each(tag, &mut Bytes(self.take(length)?))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As KIP-584 lays it out: one request kind, throttle 0, supported 1..=25, epoch 7, in force 22.
    fn answer() -> Vec<u8> {
        let mut bytes = vec![0, 0, 0, 0, 0, 0];
        bytes.extend([2, 0, 18, 0, 0, 0, 4, 0]);
        bytes.extend([0; 4]);
        let name = |bytes: &mut Vec<u8>| {
            bytes.push(17);
            bytes.extend(b"metadata.version");
        };
        bytes.extend([3, 0, 23, 2]);
        name(&mut bytes);
        bytes.extend([0, 1, 0, 25, 0]);
        bytes.extend([1, 8, 0, 0, 0, 0, 0, 0, 0, 7]);
        bytes.extend([2, 23, 2]);
        name(&mut bytes);
        bytes.extend([0, 22, 0, 22, 0]);
        bytes
    }

    #[test]
    fn an_answer_is_read() {
        let version = read(&mut Bytes(&answer())).unwrap();
        assert_eq!(version, BrokerVersion { software: Some(25), in_force: Some(22) });
    }

    #[test]
    fn an_answer_cut_anywhere_is_an_error() {
        let whole = answer();
        for length in 0..whole.len() {
            assert!(read(&mut Bytes(&whole[..length])).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_level_has_the_release_that_brought_it() {
        for (level, expected) in
            [(0, "before 3.0"), (4, "3.3"), (7, "3.3"), (21, "3.9"), (25, "4.0"), (99, "4.2")]
        {
            assert_eq!(release(level), expected, "{level}");
        }
        assert!(is_newest_known(28) && !is_newest_known(27));
    }
}
