//! What an insert can fail by, and what follows: try again soon, or keep the rows, try each half minute and shout.
//!
//! Invariant: no failure loses rows. Whether it is worth a quick retry is a question of load only; what cannot heal by
//! itself is told with its code, its table and what to do, until somebody does it.

use std::borrow::Cow;

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It passes by itself: soon again, with growing waits.
    Retry,
    /// It needs somebody: the rows are kept, and tried each [`RETRY_MAX_MS`](crate::limits::RETRY_MAX_MS).
    Keep,
}

/// Why one insert or query did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// ClickHouse's error number, an HTTP status (`http_502`), or `network`, `timeout`, `schema`, `client`: the label of
    /// `tidegauge_rollup_errors_total`.
    pub code: Cow<'static, str>,
    pub verdict: Verdict,
    /// The message as it came, at most `TEXT_BYTES_MAX`.
    pub text: String,
}

/// Longest text of a server that is kept: some quote the whole query.
const TEXT_BYTES_MAX: usize = 1_000;

/// Error numbers of ClickHouse that pass by themselves: 159 timeout, 202 too many queries, 209 socket timeout,
/// 210 network, 241 memory limit, 242 table is read-only (its Keeper is away), 252 too many parts, 319 unknown status of an
/// insert, 999 Keeper.
const PASSING: [u16; 9] = [159, 202, 209, 210, 241, 242, 252, 319, 999];

impl Failure {
    /// Nobody answered, or the answer broke off: whether the rows are there is not known.
    pub fn network(text: impl Into<String>) -> Self {
        Self::new("network", Verdict::Retry, text.into())
    }

    /// No answer in time: whether the rows are there is not known.
    pub fn timeout(text: impl Into<String>) -> Self {
        Self::new("timeout", Verdict::Retry, text.into())
    }

    /// The table is not as the program has it.
    pub fn schema(text: impl Into<String>) -> Self {
        Self::new("schema", Verdict::Keep, text.into())
    }

    /// Our own client could not make or read the message.
    pub fn client(text: impl Into<String>) -> Self {
        Self::new("client", Verdict::Keep, text.into())
    }

    /// An answer that is not 200: `Code: 241. DB::Exception: …` of the server, or `502 Bad Gateway` of what stands before
    /// it.
    pub fn answer(text: impl Into<String>) -> Self {
        let text = text.into();
        if let Some(code) = exception_code(&text) {
            let verdict = if PASSING.contains(&code) { Verdict::Retry } else { Verdict::Keep };
            return Self::new(code.to_string(), verdict, text);
        }
        match http_status(&text) {
            Some(status) => {
                let passing = status >= 500 || matches!(status, 408 | 429);
                let verdict = if passing { Verdict::Retry } else { Verdict::Keep };
                Self::new(format!("http_{status}"), verdict, text)
            }
            None => Self::new("unreadable", Verdict::Keep, text),
        }
    }

    fn new(code: impl Into<Cow<'static, str>>, verdict: Verdict, mut text: String) -> Self {
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        Self { code: code.into(), verdict, text }
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match &*self.code {
            "60" | "81" | "16" | "47" | "schema" => {
                "run `tidegauge migrate` with this version of the program"
            }
            "516" | "192" | "193" | "194" => "check `clickhouse.user` and `clickhouse.password`",
            "497" => "grant the user INSERT and SELECT on the tables",
            "243" => "make room on ClickHouse's disk",
            "252" => "ClickHouse merges more slowly than rows come: look at its disks and merges",
            "241" | "202" => "ClickHouse is overloaded: give it memory, or stop other queries",
            "242" | "999" => "look at ClickHouse's Keeper",
            "network" | "timeout" => "check that ClickHouse runs and can be reached at `clickhouse.url`",
            "http_404" | "unreadable" => "check that `clickhouse.url` is ClickHouse's HTTP port",
            _ => "look at ClickHouse's log",
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}); {}", self.text, self.code, self.advice())
    }
}

/// The number in `Code: 241. DB::Exception: …`, also when the body was lost and only `Code: 241` is left of the header.
fn exception_code(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("Code: ")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).map_or(rest, |end| &rest[..end]);
    digits.parse().ok()
}

/// The number of a status line such as `502 Bad Gateway`, also within the page that a proxy makes of it.
fn http_status(text: &str) -> Option<u16> {
    let is_status = |word: &&str| word.len() == 3 && word.bytes().all(|b| b.is_ascii_digit());
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.take(32).find(is_status)?.parse().ok().filter(|status| (400..600).contains(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_has_its_label_and_verdict() {
        let cases = [
            ("Code: 159. DB::Exception: Timeout exceeded", "159", Verdict::Retry),
            ("Code: 241. DB::Exception: Memory limit (total) exceeded", "241", Verdict::Retry),
            ("Code: 252. DB::Exception: Too many parts (300)", "252", Verdict::Retry),
            ("Code: 242", "242", Verdict::Retry),
            ("Code: 999. Coordination::Exception: Session expired", "999", Verdict::Retry),
            ("Code: 60. DB::Exception: Table t does not exist", "60", Verdict::Keep),
            ("Code: 516. DB::Exception: Authentication failed", "516", Verdict::Keep),
            ("502 Bad Gateway", "http_502", Verdict::Retry),
            ("<html><head><title>503 Service Temporarily Unavailable</title>", "http_503", Verdict::Retry),
            ("429 Too Many Requests", "http_429", Verdict::Retry),
            ("404 Not Found", "http_404", Verdict::Keep),
            ("it is a teapot", "unreadable", Verdict::Keep),
        ];
        for (text, code, verdict) in cases {
            let failure = Failure::answer(text);
            assert_eq!((&*failure.code, failure.verdict), (code, verdict), "{text}");
        }
    }

    #[test]
    fn what_needs_somebody_says_what_to_do() {
        let text = Failure::answer("Code: 60. DB::Exception: Table t does not exist").to_string();
        assert!(text.contains("(60)") && text.contains("tidegauge migrate"), "{text}");
    }

    #[test]
    fn a_long_text_is_cut_between_letters() {
        let failure = Failure::answer(format!("Code: 62. {}", "日".repeat(1_000)));
        assert!(failure.text.len() <= TEXT_BYTES_MAX && failure.text.ends_with('日'));
    }
}
