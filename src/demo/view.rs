//! The live view: one screen of text from one scene. No state of its own, so that a scene can be tested as text.

use std::fmt::Write as _;

use crate::ingest::{IngestLedger, IngestOutcome, Source};
use crate::model::{Input, Ledger, Outcome};

/// Events shown.
pub(super) const EVENTS_SHOWN: usize = 10;
const BAR: usize = 40;
/// Columns of the followed card's line without its bar.
const BESIDE_THE_BAR: usize = 50;
/// Where the figures begin.
const INDENT: usize = 12;

/// Everything one screen shows.
#[derive(Debug, Clone, Default)]
pub(super) struct Scene {
    pub(super) cards: u32,
    pub(super) speed: u32,
    /// The fleet's time, as text.
    pub(super) fleet_time: String,
    pub(super) records_per_s: u64,
    pub(super) ledger: Ledger,
    pub(super) ingest: IngestLedger,
    pub(super) alerts: u64,
    pub(super) resolved: u64,
    pub(super) activations: u64,
    pub(super) hero: Hero,
    /// Newest last.
    pub(super) events: Vec<String>,
    pub(super) rollups: String,
    pub(super) url: String,
}

/// The followed card.
#[derive(Debug, Clone, Default)]
pub(super) struct Hero {
    pub(super) iccid: String,
    pub(super) quota: u64,
    pub(super) burnt: u64,
    /// What has happened to it, in order: "50 %", "80 %", "recharge", "resolved".
    pub(super) story: Vec<String>,
}

impl Scene {
    /// The screen's lines, none of them longer than `width`: figures go on in another line, what is only told is cut.
    pub(super) fn lines(&self, width: usize) -> Vec<String> {
        let mut out = vec![cut(&self.title(), width), String::new()];
        for (name, what) in self.figures() {
            out.extend(folded(&format!("  {name:<9} {what}"), width));
        }
        out.push(String::new());
        let [bar, story] = self.hero.lines(width);
        out.extend([cut(&bar, width)].into_iter().chain(folded(&story, width)));
        out.push(String::new());
        out.extend(
            self.events.iter().rev().take(EVENTS_SHOWN).rev().map(|event| cut(&format!("  {event}"), width)),
        );
        out.push(String::new());
        out.extend(self.next_steps().iter().map(|line| cut(line, width)));
        out
    }

    fn title(&self) -> String {
        format!(
            "tidegauge demo · {} cards · {} × · fleet time {} · {} records/s",
            grouped(u64::from(self.cards)),
            self.speed,
            self.fleet_time,
            grouped(self.records_per_s)
        )
    }

    /// What has been counted, by name.
    pub(super) fn figures(&self) -> [(&'static str, String); 5] {
        let events = format!(
            "{} alerts fired, {} resolved, {} packages activated",
            grouped(self.alerts),
            grouped(self.resolved),
            grouped(self.activations)
        );
        [
            ("metered", metered(&self.ledger)),
            ("ingested", ingested(&self.ingest)),
            ("", "(parked: its card is not registered yet; counted once it is, within 24 h)".to_owned()),
            ("events", events),
            ("rollups", self.rollups.clone()),
        ]
    }

    /// Lines to copy.
    pub(super) fn next_steps(&self) -> [String; 3] {
        [
            format!("  curl -s {}/v1/cards/{}", self.url, self.hero.iccid),
            format!("  curl -s {}/metrics | grep tidegauge_records_total", self.url),
            "  Ctrl-C ends it; started again it goes on from here.".to_owned(),
        ]
    }
}

impl Hero {
    fn lines(&self, width: usize) -> [String; 2] {
        let bar = BAR.min(width.saturating_sub(BESIDE_THE_BAR));
        let percent =
            (u128::from(self.burnt) * 100).checked_div(u128::from(self.quota)).unwrap_or(0).min(100);
        let full = usize::try_from(percent).unwrap_or(0) * bar / 100;
        [
            format!(
                "  card {}  [{}{}] {percent:>3} % of {} MiB",
                self.iccid,
                "█".repeat(full),
                "░".repeat(bar - full),
                self.quota >> 20
            ),
            format!("       {}", self.story.join("  →  ")),
        ]
    }
}

/// A line that is too long ends with a sign that it goes on.
fn cut(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// A line that is too long goes on in the next, between two words, where the figures begin.
fn folded(line: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = line.to_owned();
    while rest.chars().count() > width {
        let fits: String = rest.chars().take(width.saturating_add(1)).collect();
        let Some(at) = fits.rfind(' ').filter(|at| *at > INDENT) else { break };
        lines.push(rest[..at].trim_end().to_owned());
        rest = format!("{:INDENT$}{}", "", rest[at..].trim_start());
    }
    lines.push(cut(&rest, width));
    lines
}

/// The meter's ledger as a sum that can be checked by eye.
fn metered(ledger: &Ledger) -> String {
    let of = |outcome| Input::ALL.into_iter().map(|input| ledger.records(input, outcome)).sum::<u64>();
    let folded: u64 = Input::ALL.into_iter().map(|input| ledger.folded(input)).sum();
    let mut text = String::new();
    for outcome in Outcome::ALL {
        let plus = if text.is_empty() { "" } else { " + " };
        let _ = write!(text, "{plus}{} {}", grouped(of(outcome)), outcome.name());
    }
    let _ = write!(text, " = {} folded", grouped(folded));
    text
}

fn ingested(ledger: &IngestLedger) -> String {
    let of = |outcome| Source::ALL.into_iter().map(|source| ledger.records(source, outcome)).sum::<u64>();
    let read: u64 = Source::ALL.into_iter().map(|source| ledger.read(source)).sum();
    let parts: Vec<String> = IngestOutcome::ALL
        .into_iter()
        .map(|o| format!("{} {}", grouped(of(o)), o.name().replace('_', " ")))
        .collect();
    format!("{} = {} read", parts.join(" + "), grouped(read))
}

/// 1234567 → "1,234,567".
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn outcomes_are_shown_as_a_sum() {
        let mut scene = Scene::default();
        scene.ledger.add(Input::Cdr, Outcome::Counted, 10);
        scene.ledger.add(Input::Cdr, Outcome::Duplicate, 10);
        let text = scene.lines(usize::MAX).join("\n");
        assert!(text.contains("1 counted + 1 duplicate + 0 conflict"), "{text}");
        assert!(text.contains("= 2 folded"), "{text}");
    }

    #[test]
    fn nothing_is_wider_than_the_screen_and_no_figure_is_lost() {
        let mut scene = Scene { rollups: "written".to_owned(), ..Scene::default() };
        scene.ledger.add(Input::Cdr, Outcome::Counted, 10);
        scene.events = vec!["e".repeat(200)];
        scene.hero = Hero {
            iccid: "8999990000000000000".to_owned(),
            quota: 500 << 20,
            burnt: 250 << 20,
            story: Vec::new(),
        };
        let (wide, narrow) = (scene.lines(usize::MAX), scene.lines(60));
        assert!(narrow.iter().all(|line| line.chars().count() <= 60), "{narrow:#?}");
        let figures = |lines: &[String]| {
            let from = lines.iter().position(|line| line.starts_with("  metered")).expect("figures");
            lines[from..]
                .iter()
                .take_while(|line| !line.is_empty())
                .flat_map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        assert_eq!(figures(&narrow), figures(&wide));
        assert!(narrow.iter().any(|line| line.ends_with('…')), "{narrow:#?}");
        assert!(narrow.iter().any(|line| line.ends_with(" 50 % of 500 MiB")), "{narrow:#?}");
    }

    #[test]
    fn a_word_longer_than_the_line_is_cut() {
        assert_eq!(folded("  metered   1234567890", 16), ["  metered   123…"]);
        assert_eq!(folded("  metered   12 + 34", 16), ["  metered   12 +", "            34"]);
    }

    #[test]
    fn the_followed_card_shows_how_much_is_burnt() {
        let hero = Hero {
            iccid: "8".to_owned(),
            quota: 500 << 20,
            burnt: 250 << 20,
            story: vec!["50 %".to_owned()],
        };
        let [bar, story] = hero.lines(usize::MAX);
        assert!(bar.contains(" 50 % of 500 MiB") && bar.matches('█').count() == BAR / 2, "{bar}");
        assert!(story.contains("50 %"));
    }
}
