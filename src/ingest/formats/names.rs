//! Names of a feed's files: which are of it, who numbered them, and with which number.
//!
//! `CDR_{node}_{number}_*.dat`: `*` is anything, `{number}` digits, `{node}` what stands there, at least a character. The
//! ending of a compression need not be said; where it is, only files that have it are meant.

/// What a name is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern {
    said: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Any,
    Node,
    Number,
}

/// Parts that are not text: each more makes matching longer by the name's length.
const OPEN_PARTS_MAX: usize = 5;

/// Digits of the greatest number.
const DIGITS_MAX: usize = 18;

/// How names of compressed files end.
pub const COMPRESSED: [&str; 2] = ["gz", "zst"];

/// What a name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Named<'a> {
    pub node: &'a str,
    pub number: Option<u64>,
}

impl NamePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(said: &str) -> Result<Self, String> {
        let (mut parts, mut rest) = (Vec::new(), said);
        while !rest.is_empty() {
            let (part, len) = next(rest)?;
            rest = rest.get(len..).unwrap_or_default();
            parts.push(part);
        }
        let count = |part: &Part| parts.iter().filter(|other| *other == part).count();
        if count(&Part::Node) > 1 || count(&Part::Number) > 1 {
            return Err(format!("files {said:?}: {{node}} and {{number}} stand there once at most"));
        }
        let open = parts.iter().filter(|part| !matches!(part, Part::Text(_))).count();
        if said.is_empty() || said.contains('/') || open > OPEN_PARTS_MAX {
            return Err(format!(
                "files {said:?} is no file's name with at most {OPEN_PARTS_MAX} of *, {{node}}, {{number}}"
            ));
        }
        Ok(Self { said: said.to_owned(), parts })
    }

    /// As it was said.
    #[must_use]
    pub fn said(&self) -> &str {
        &self.said
    }

    /// What a file's name says; `None` if the file is not of this feed.
    #[must_use]
    pub fn read<'a>(&self, name: &'a str) -> Option<Named<'a>> {
        let of = |name| matches(&self.parts, name, Named::default());
        let plain = name
            .rsplit_once('.')
            .filter(|(_, ending)| COMPRESSED.iter().any(|known| ending.eq_ignore_ascii_case(known)));
        plain.and_then(|(plain, _)| of(plain)).or_else(|| of(name))
    }
}

fn next(rest: &str) -> Result<(Part, usize), String> {
    for (text, part) in [("*", Part::Any), ("{node}", Part::Node), ("{number}", Part::Number)] {
        if rest.starts_with(text) {
            return Ok((part, text.len()));
        }
    }
    let len = rest.find(['*', '{']).unwrap_or(rest.len());
    if len == 0 {
        return Err(format!("files: {rest:?} begins with a brace that is neither {{node}} nor {{number}}"));
    }
    let text = rest.get(..len).unwrap_or_default().to_owned();
    Ok((Part::Text(text), len))
}

fn matches<'a>(parts: &[Part], name: &'a str, found: Named<'a>) -> Option<Named<'a>> {
    let Some((part, parts)) = parts.split_first() else { return name.is_empty().then_some(found) };
    let ends = |least: usize| (least..=name.len()).filter(|end| name.is_char_boundary(*end));
    match part {
        Part::Text(text) => matches(parts, name.strip_prefix(text.as_str())?, found),
        Part::Any => ends(0).find_map(|end| matches(parts, name.get(end..)?, found)),
        Part::Node => ends(1)
            .find_map(|end| matches(parts, name.get(end..)?, Named { node: name.get(..end)?, ..found })),
        Part::Number => {
            // All digits that stand there, so that a number is never a part of one.
            let len = name.bytes().take_while(u8::is_ascii_digit).count();
            let digits = name.get(..len).filter(|digits| (1..=DIGITS_MAX).contains(&digits.len()))?;
            matches(parts, name.get(len..)?, Named { number: digits.parse().ok(), ..found })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_node_and_number() {
        let cases = [
            ("CDR_{node}_{number}.dat", "CDR_gz-1_000042.dat", Some(("gz-1", Some(42)))),
            ("CDR_{node}_{number}.dat", "CDR_gz_1_000042.dat.gz", Some(("gz_1", Some(42)))),
            ("CDR_{node}_{number}.dat", "CDR__42.dat", None),
            ("*_{number}.csv", "a_b_7.csv.zst", Some(("", Some(7)))),
            ("*_{number}.csv", "a_b_7.csv.bz2", None),
            ("*{number}*", "x12y34", Some(("", Some(12)))),
            ("{number}", "1234567890123456789", None),
            ("*", "anything", Some(("", None))),
            ("CDR_{number}.dat.gz", "CDR_42.dat.gz", Some(("", Some(42)))),
            ("CDR_{number}.dat.gz", "CDR_42.dat", None),
            ("CDR_{number}.dat", "CDR_42.dat.GZ", Some(("", Some(42)))),
            ("*.gz", "a.csv.gz", Some(("", None))),
            ("*.gz", "a.csv.zst", None),
            ("x.ber", "y.ber", None),
        ];
        for (pattern, name, expected) in cases {
            let found = NamePattern::parse(pattern).unwrap().read(name);
            assert_eq!(found.map(|found| (found.node, found.number)), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn patterns_that_mean_nothing_are_refused() {
        for pattern in ["", "a/b", "{nod}", "{number}{number}", "******", "{node}-{node}"] {
            assert!(NamePattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
