//! The words of a command: its verb, its plain arguments, and `key=value` pairs; times in the script's zone.

use tidegauge::codec::time;
use tidegauge::model::UnixTime;

/// A command taken apart. What is not asked for is an error: a misspelt key must not pass for a default.
pub(crate) struct Words {
    plain: Vec<String>,
    pairs: Vec<(String, String)>,
}

impl Words {
    pub(crate) fn of(command: &str) -> Self {
        let mut words = Self { plain: Vec::new(), pairs: Vec::new() };
        for word in command.split_whitespace() {
            match word.split_once('=') {
                Some((key, value)) => words.pairs.push((key.to_owned(), value.to_owned())),
                None => words.plain.push(word.to_owned()),
            }
        }
        words.plain.reverse();
        words
    }

    /// The next plain argument.
    pub(crate) fn next(&mut self) -> Result<String, String> {
        self.plain.pop().ok_or_else(|| "an argument is missing".to_owned())
    }

    pub(crate) fn rest(&mut self) -> Vec<String> {
        let mut rest = std::mem::take(&mut self.plain);
        rest.reverse();
        rest
    }

    pub(crate) fn take(&mut self, key: &str) -> Option<String> {
        let at = self.pairs.iter().position(|(held, _)| held == key)?;
        Some(self.pairs.remove(at).1)
    }

    pub(crate) fn or(&mut self, key: &str, default: &str) -> String {
        self.take(key).unwrap_or_else(|| default.to_owned())
    }

    pub(crate) fn need(&mut self, key: &str) -> Result<String, String> {
        self.take(key).ok_or_else(|| format!("{key}= is missing"))
    }

    pub(crate) fn number<T: std::str::FromStr>(&mut self, key: &str, default: T) -> Result<T, String> {
        match self.take(key) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| format!("{key}={text} is no number")),
        }
    }

    pub(crate) fn optional<T: std::str::FromStr>(&mut self, key: &str) -> Result<Option<T>, String> {
        let said = self.take(key);
        said.map(|text| text.parse().map_err(|_| format!("{key}={text} is no number"))).transpose()
    }

    pub(crate) fn done(self) -> Result<(), String> {
        match (self.plain.first(), self.pairs.first()) {
            (None, None) => Ok(()),
            (Some(word), _) => Err(format!("{word:?} is one argument too many")),
            (_, Some((key, _))) => Err(format!("{key}= is not known here")),
        }
    }
}

/// The zone in which a script says and shows times.
#[derive(Debug, Clone)]
pub(crate) struct Zone(pub(crate) String);

impl Zone {
    /// `2026-08-26T23:55:00`, or the same with an offset of its own.
    pub(crate) fn time(&self, text: &str) -> Result<UnixTime, String> {
        let said = if text.len() == 19 { format!("{text}{}", self.0) } else { text.to_owned() };
        time::parse(&said).ok_or_else(|| format!("{text} is no time"))
    }

    pub(crate) fn show(&self, at: UnixTime) -> String {
        let offset = -time::parse(&format!("1970-01-01T00:00:00{}", self.0)).expect("a zone like +08:00");
        let local = time::text(at + offset);
        local.trim_end_matches('Z').to_owned()
    }
}
