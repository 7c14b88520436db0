//! A BER reader (X.690) over borrowed bytes: tags and lengths, nothing copied, nothing allocated.
//!
//! It never panics and never reads outside its input, whatever the bytes; depth and lengths are bounded by
//! `limits`. Positions are those of the whole file, so that an error can be looked up with a hex viewer.

use crate::limits::BER_DEPTH_MAX;

/// Class and number of a tag, without the constructed bit: the class in the two highest bits, the number, of at most 28, in
/// the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag(u32);

/// The class of context-specific tags.
const CONTEXT: u8 = 2;
const CLASS_AT: u32 = 30;

impl Tag {
    /// A context-specific tag, as nearly all of TS 32.298 are.
    #[inline]
    #[must_use]
    pub const fn context(number: u32) -> Self {
        Self::new(CONTEXT, number)
    }

    #[inline]
    const fn new(class: u8, number: u32) -> Self {
        Self((class as u32) << CLASS_AT | number)
    }

    /// The number, if the tag is context-specific.
    #[inline]
    #[must_use]
    pub fn context_number(self) -> Option<u32> {
        let number = self.0 & !(3 << CLASS_AT);
        (self == Self::context(number)).then_some(number)
    }
}

/// One element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'a> {
    pub tag: Tag,
    pub value: &'a [u8],
    /// Where the value begins in the file.
    pub at: usize,
}

/// What cannot be read, and where in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {problem}")]
pub struct BerError {
    pub at: usize,
    pub problem: BerProblem,
}

/// What is wrong with an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BerProblem {
    #[error("the element ends before its length says")]
    Truncated,
    #[error("a tag number of more than 28 bits")]
    Tag,
    #[error("a length of more than 4 octets")]
    Length,
    #[error("an element of indefinite length has no end")]
    Endless,
    #[error("elements nested deeper than {BER_DEPTH_MAX}")]
    Depth,
}

/// Reads the elements of a value one after another.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    /// Where among them the next element begins.
    next: usize,
    /// Where they begin in the file.
    base: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// Over bytes that begin at position `at` of the file.
    #[must_use]
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, next: 0, base: at, depth: 0 }
    }

    /// Over the elements within an element of this reader.
    ///
    /// # Errors
    /// Too deep.
    #[inline]
    pub fn inside(&self, tlv: &Tlv<'a>) -> Result<Self, BerError> {
        let depth = self.depth + 1;
        if depth > BER_DEPTH_MAX {
            return Err(BerError { at: tlv.at, problem: BerProblem::Depth });
        }
        Ok(Self { bytes: tlv.value, next: 0, base: tlv.at, depth })
    }

    /// Position of the next element in the file.
    #[inline]
    #[must_use]
    pub fn position(&self) -> usize {
        self.base + self.next
    }

    /// The next element; `None` at the end.
    ///
    /// # Errors
    /// An element that cannot be read; the reader stays before it.
    #[allow(
        clippy::inline_always,
        reason = "handed over in memory, elements cost several times what reading them takes"
    )]
    #[inline(always)]
    pub fn element(&mut self) -> Result<Option<Tlv<'a>>, BerError> {
        if let Some((tag, header, value)) = short_form(self.bytes.get(self.next..).unwrap_or_default()) {
            let start = self.next + header;
            self.next = start + value.len();
            return Ok(Some(Tlv { tag, value, at: self.base + start }));
        }
        // Taken apart and put together again, so that an element of either form stays in registers.
        match self.any_element()? {
            Some(Tlv { tag, value, at }) => Ok(Some(Tlv { tag, value, at })),
            None => Ok(None),
        }
    }

    #[cold]
    #[inline(never)]
    fn any_element(&mut self) -> Result<Option<Tlv<'a>>, BerError> {
        let rest = self.bytes.get(self.next..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let (tlv, taken) = element(rest, self.position(), self.depth)?;
        self.next += taken;
        Ok(Some(tlv))
    }
}

/// An element with a tag of up to two octets and a length of up to three, as nearly all are: its tag, the octets of tag and
/// length, and its value. `None`: another, or one that cannot be read.
#[inline]
fn short_form(bytes: &[u8]) -> Option<(Tag, usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let class = first >> 6;
    let (tag, header, rest) = match (first & 0x1F, rest) {
        (0x1F, [number @ 0..=0x7F, rest @ ..]) => (Tag::new(class, u32::from(*number)), 2, rest),
        (0x1F, _) => return None,
        (number, rest) => (Tag::new(class, u32::from(number)), 1, rest),
    };
    let (header, length, rest) = match rest {
        [length @ 0..=0x7F, rest @ ..] => (header + 1, usize::from(*length), rest),
        [0x81, length, rest @ ..] => (header + 2, usize::from(*length), rest),
        [0x82, high, low, rest @ ..] => (header + 3, usize::from(u16::from_be_bytes([*high, *low])), rest),
        _ => return None,
    };
    Some((tag, header, rest.get(..length)?))
}

/// Reads one element, whatever its form; answers with it and the octets that it takes.
fn element(bytes: &[u8], at: usize, depth: usize) -> Result<(Tlv<'_>, usize), BerError> {
    let fail = |problem| BerError { at, problem };
    let (tag, constructed, tag_len) = tag(bytes).map_err(fail)?;
    let (length, length_len) = length(bytes.get(tag_len..).unwrap_or_default()).map_err(fail)?;
    let header = tag_len + length_len;
    let rest = bytes.get(header..).unwrap_or_default();
    let (value, trailer) = match length {
        Some(length) => (rest.get(..length).ok_or(fail(BerProblem::Truncated))?, 0),
        None if constructed => (until_end(rest, at + header, depth + 1)?, 2),
        None => return Err(fail(BerProblem::Length)),
    };
    Ok((Tlv { tag, value, at: at + header }, header + value.len() + trailer))
}

/// The value of an element of indefinite length: up to its end-of-contents octets.
fn until_end(bytes: &[u8], at: usize, depth: usize) -> Result<&[u8], BerError> {
    if depth > BER_DEPTH_MAX {
        return Err(BerError { at, problem: BerProblem::Depth });
    }
    let mut taken = 0;
    loop {
        match bytes.get(taken..) {
            Some([0, 0, ..]) => return Ok(bytes.get(..taken).unwrap_or_default()),
            None | Some([]) => return Err(BerError { at, problem: BerProblem::Endless }),
            Some(rest) => taken += element(rest, at + taken, depth)?.1,
        }
    }
}

/// Tag, constructed bit and octets taken.
fn tag(bytes: &[u8]) -> Result<(Tag, bool, usize), BerProblem> {
    let first = *bytes.first().ok_or(BerProblem::Truncated)?;
    let (class, constructed) = (first >> 6, first & 0x20 != 0);
    if first & 0x1F != 0x1F {
        return Ok((Tag::new(class, u32::from(first & 0x1F)), constructed, 1));
    }
    let mut number = 0u32;
    for taken in 1..=4 {
        let octet = *bytes.get(taken).ok_or(BerProblem::Truncated)?;
        number = number << 7 | u32::from(octet & 0x7F);
        if octet & 0x80 == 0 {
            return Ok((Tag::new(class, number), constructed, taken + 1));
        }
    }
    Err(BerProblem::Tag)
}

/// Length, `None` if indefinite, and octets taken.
fn length(bytes: &[u8]) -> Result<(Option<usize>, usize), BerProblem> {
    let first = *bytes.first().ok_or(BerProblem::Truncated)?;
    match first {
        0..=0x7F => Ok((Some(usize::from(first)), 1)),
        0x80 => Ok((None, 1)),
        0x81..=0x84 => {
            let count = usize::from(first & 0x7F);
            let octets = bytes.get(1..=count).ok_or(BerProblem::Truncated)?;
            let length = octets.iter().fold(0usize, |sum, octet| sum << 8 | usize::from(*octet));
            Ok((Some(length), 1 + count))
        }
        _ => Err(BerProblem::Length),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn first(bytes: &[u8]) -> Result<Option<Tlv<'_>>, BerError> {
        Reader::new(bytes, 100).element()
    }

    fn problem(bytes: &[u8]) -> BerProblem {
        first(bytes).unwrap_err().problem
    }

    #[test]
    fn tags_and_lengths_are_read_in_short_and_long_form() {
        let cases: [(&[u8], u32, &[u8], usize); 4] = [
            (&[0x83, 0x01, 0xAA], 3, &[0xAA], 102),
            (&[0x9F, 0x1F, 0x02, 1, 2], 31, &[1, 2], 103),
            (&[0xBF, 0x81, 0x48, 0x81, 0x01, 7], 200, &[7], 105),
            (&[0x84, 0x82, 0x00, 0x01, 9, 9, 9], 4, &[9], 104),
        ];
        for (bytes, number, value, at) in cases {
            assert_eq!(first(bytes), Ok(Some(Tlv { tag: Tag::context(number), value, at })), "{bytes:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let cases: [(&[u8], BerProblem); 7] = [
            (&[0x83], BerProblem::Truncated),
            (&[0x83, 2, 1], BerProblem::Truncated),
            (&[0x9F, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0], BerProblem::Tag),
            (&[0x83, 0x85, 0, 0, 0, 0, 0], BerProblem::Length),
            (&[0x83, 0x84, 0xFF, 0xFF, 0xFF, 0xFF], BerProblem::Truncated),
            (&[0xA3, 0x80, 0x81, 0x00], BerProblem::Endless),
            (&[0x83, 0x80, 0x00, 0x00], BerProblem::Length),
        ];
        for (bytes, expected) in cases {
            assert_eq!(problem(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn an_element_of_indefinite_length_ends_at_its_own_end() {
        let bytes = [0xA1, 0x80, 0xA2, 0x80, 0x83, 1, 7, 0, 0, 0x84, 0, 0, 0, 0x85, 0];
        let mut reader = Reader::new(&bytes, 0);
        let outer = reader.element().unwrap().unwrap();
        assert_eq!(outer.value, &bytes[2..11]);
        assert_eq!(reader.element().unwrap().unwrap().tag, Tag::context(5));
    }

    #[test]
    fn nesting_is_bounded() {
        let mut bytes = [0xA1, 0x80].repeat(BER_DEPTH_MAX + 2);
        bytes.extend([0; 2 * (BER_DEPTH_MAX + 2)]);
        assert_eq!(problem(&bytes), BerProblem::Depth);
    }

    fn walk(mut reader: Reader<'_>) -> Result<usize, BerError> {
        let mut elements = 0;
        while let Some(tlv) = reader.element()? {
            elements += 1 + walk(reader.inside(&tlv)?).unwrap_or(0);
        }
        Ok(elements)
    }

    proptest! {
        /// What is read in a short form is what the general way reads.
        #[test]
        fn the_short_form_is_only_shorter(bytes in proptest::collection::vec(any::<u8>(), 0..12), length in 0usize..8) {
            for head in [&[][..], &[0x9F, 0x1F, 0x81, length as u8], &[0xBF, 0x22, 0x82, 0, length as u8]] {
                let bytes = [head, &bytes].concat();
                let long = element(&bytes, 100, 0).ok();
                let short = short_form(&bytes);
                prop_assert!(short.is_none() || long.is_some());
                if let (Some((tag, header, value)), Some((tlv, taken))) = (short, long) {
                    prop_assert_eq!((tag, value, header + value.len()), (tlv.tag, tlv.value, taken));
                }
                let read = Reader::new(&bytes, 100).element();
                prop_assert_eq!(read.ok().flatten(), long.map(|(tlv, _)| tlv));
            }
        }

        #[test]
        fn no_bytes_whatever_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = walk(Reader::new(&bytes, 0));
        }
    }
}
