//! What was found: one line of the table, one object of the JSON.

use std::fmt::Write as _;

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    Ok,
    /// It runs, and will hurt.
    Warning,
    /// A guarantee does not hold, or a part does not run.
    Error,
    /// Kafka or ClickHouse does not answer: nothing can be said of what lies behind.
    #[serde(rename = "error")]
    Away,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    /// The family.
    pub(super) check: &'static str,
    /// Where: a key, a topic, a broker, a table.
    pub(super) subject: String,
    #[serde(rename = "finding")]
    pub(super) what: String,
    /// What to do; never missing but where all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fix: Option<String>,
}

/// The findings of one family.
pub(super) struct Findings {
    check: &'static str,
    found: Vec<Finding>,
}

impl Findings {
    pub(super) fn of(check: &'static str) -> Self {
        Self { check, found: Vec::new() }
    }

    pub(super) fn ok(&mut self, subject: impl Into<String>, what: impl Into<String>) {
        self.push(Level::Ok, subject.into(), what.into(), None);
    }

    pub(super) fn warning(
        &mut self,
        subject: impl Into<String>,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.push(Level::Warning, subject.into(), what.into(), Some(fix.into()));
    }

    pub(super) fn error(
        &mut self,
        subject: impl Into<String>,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.push(Level::Error, subject.into(), what.into(), Some(fix.into()));
    }

    pub(super) fn away(
        &mut self,
        subject: impl Into<String>,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.push(Level::Away, subject.into(), what.into(), Some(fix.into()));
    }

    /// Whether nothing was found that needs anybody.
    pub(super) fn clean(&self) -> bool {
        self.found.iter().all(|finding| finding.level == Level::Ok)
    }

    pub(super) fn done(self) -> Vec<Finding> {
        self.found
    }

    fn push(&mut self, level: Level, subject: String, what: String, fix: Option<String>) {
        self.found.push(Finding { level, check: self.check, subject, what, fix });
    }
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "WARNING",
            Self::Error | Self::Away => "ERROR",
        }
    }
}

/// Columns for people; what to do stands under its finding.
pub(super) fn table(findings: &[Finding]) -> String {
    let width = |of: fn(&Finding) -> usize| findings.iter().map(of).max().unwrap_or(0);
    let (check, subject) = (width(|f| f.check.len()), width(|f| f.subject.chars().count()));
    let mut text = String::new();
    for f in findings {
        let level = f.level.word();
        writeln!(text, "{level:<7}  {:<check$}  {:<subject$}  {}", f.check, f.subject, f.what)
            .expect("a string takes it");
        if let Some(fix) = &f.fix {
            writeln!(text, "{:9}{:check$}  fix: {fix}", "", "").expect("a string takes it");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_has_its_fix_under_it() {
        let mut findings = Findings::of("topics");
        findings.ok("usage.cdr", "as it should be");
        findings.error("log", "missing", "make it");
        assert!(!findings.clean());
        let expected = "ok       topics  usage.cdr  as it should be\nERROR    topics  log        missing\n                 fix: make it\n";
        assert_eq!(table(&findings.done()), expected);
    }
}
