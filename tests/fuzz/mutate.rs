//! Seeded mutations: bits, octets, ranges, parts of other inputs, and what BER and text are known to stumble over.

/// Makes one damaged input after another.
pub struct Mutator {
    state: u64,
    is_binary: bool,
    buffer: Vec<u8>,
}

/// Octets that lengths, tags, BCD and text have their edges at.
const EDGES: [u8; 16] =
    [0x00, 0x01, 0x7F, 0x80, 0x81, 0x84, 0x85, 0xFF, 0x9F, 0xA0, 0xBF, 0x13, b'"', b'{', b'\\', b'9'];

/// What text stumbles over.
const WORDS: [&[u8]; 14] = [
    b"null",
    b"-1",
    b"1e308",
    b"0.0000001",
    b"18446744073709551616",
    b"\"\"",
    b"{}",
    b"[[[[",
    b"\xEF\xBB\xBF",
    b"2026-13-01T00:00:00Z",
    b"2026-02-30T24:60:60Z",
    b"\\ud800",
    b"\r\n",
    b",",
];

/// The longest input: whole files are cut to a window of it.
const BYTES_MAX: usize = 8 * 1_024;

impl Mutator {
    pub fn new(seed: u64, is_binary: bool) -> Self {
        Self { state: seed, is_binary, buffer: Vec::new() }
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below a bound, which is not 0.
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn edge(&mut self) -> u8 {
        EDGES[self.below(EDGES.len())]
    }

    /// One of the inputs with a few things in it changed.
    pub fn mutated(&mut self, seeds: &[Vec<u8>]) -> &[u8] {
        let mut input = std::mem::take(&mut self.buffer);
        input.clear();
        let whole = &seeds[self.below(seeds.len())];
        // Mostly the beginning, where headers are; else any window.
        let from = if self.below(4) == 0 { self.below(whole.len()) } else { 0 };
        input.extend(whole[from..].iter().take(BYTES_MAX));
        for _ in 0..=self.below(4) {
            self.change(&mut input, seeds);
        }
        input.truncate(2 * BYTES_MAX);
        self.buffer = input;
        &self.buffer
    }

    fn change(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        match self.below(12) {
            0 => input.truncate(at),
            1 => insert(input, at, &[self.edge()]),
            2 => {
                let end = (at + 1 + self.below(16)).min(input.len());
                input.drain(at.min(end)..end);
            }
            3 => {
                let other = &seeds[self.below(seeds.len())];
                let from = self.below(other.len());
                let part: Vec<u8> = other[from..].iter().take(1 + self.below(200)).copied().collect();
                insert(input, at, &part);
            }
            4 => {
                let part: Vec<u8> = input[at..].iter().take(1 + self.below(64)).copied().collect();
                let to = self.below(input.len() + 1);
                insert(input, to, &part);
            }
            5 if self.is_binary => self.bomb(input, at),
            6 | 7 if self.is_binary => self.lie(input),
            5..=7 => {
                let word = WORDS[self.below(WORDS.len())];
                insert(input, at, word);
            }
            8 => self.set(input, at, |octet, with| octet ^ (1 << (with % 8))),
            9 => self.set(input, at, u8::wrapping_add),
            10 => self.set(input, at, |_, with| with),
            _ => {
                let edge = self.edge();
                self.set(input, at, |_, _| edge);
            }
        }
    }

    fn set(&mut self, input: &mut [u8], at: usize, change: impl Fn(u8, u8) -> u8) {
        let with = self.next() as u8;
        if let Some(octet) = input.get_mut(at) {
            *octet = change(*octet, with);
        }
    }

    /// Nesting without end, of definite or indefinite lengths.
    fn bomb(&mut self, input: &mut Vec<u8>, at: usize) {
        let depth = 1 + self.below(40);
        let level: &[u8] = if self.below(2) == 0 { &[0xA1, 0x80] } else { &[0xBF, 0x22, 0x7F] };
        insert(input, at, &level.repeat(depth));
    }

    /// A length that is not so: behind a context tag, where one is found from here on.
    fn lie(&mut self, input: &mut Vec<u8>) {
        let from = self.below(input.len());
        let tag = input.iter().skip(from).position(|octet| octet & 0xC0 == 0x80).map(|at| from + at);
        let Some(length) = tag.map(|at| at + 1).filter(|at| *at < input.len()) else { return };
        match self.below(6) {
            // A figure of eight octets in the place of those that stand there.
            5 => {
                input[length] = 8;
                input.iter_mut().skip(length + 1).take(8).for_each(|octet| *octet = 0x69);
            }
            0 => input[length] = 0x80,
            1 => input[length] = input[length].wrapping_add(1),
            2 => input[length] = input[length].wrapping_sub(1),
            3 => {
                input[length] = 0x84;
                insert(input, length + 1, &[0xFF; 4]);
            }
            _ => input[length] = 0,
        }
    }
}

fn insert(input: &mut Vec<u8>, at: usize, part: &[u8]) {
    let at = at.min(input.len());
    input.splice(at..at, part.iter().copied());
}
