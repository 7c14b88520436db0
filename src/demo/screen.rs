//! Gathers a scene five times a second and paints it; on a pipe it prints events as lines and a summary each second.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::Arc;

use crossterm::{cursor, queue, style, terminal};
use serde_json::Value;

use super::events::{Events, Seen};
use super::fleet::{Fleet, iccid};
use super::run::Options;
use super::story;
use super::view::{EVENTS_SHOWN, Hero, Scene, grouped};
use crate::codec::time;
use crate::log::file::Store;
use crate::model::{CardId, Input};
use crate::shell::{Clocks, Instance};
use crate::stdout::say;
use crate::worker::CardAnswer;

/// Frames between two lines of summary on a pipe.
const SUMMARY_EVERY: u64 = 25;
/// Events printed a frame on a pipe: the rest is counted.
const LINES_PER_FRAME: usize = 3;

/// The screen with what it remembers between frames.
pub(super) struct Screen {
    plain: bool,
    fleet: Fleet,
    events: Events,
    scene: Scene,
    hero: u32,
    latest: VecDeque<String>,
    rate: Rate,
    frames: u64,
    painted: bool,
}

/// Records a second over the last frames.
struct Rate {
    clocks: Clocks,
    samples: VecDeque<(i64, u64)>,
}

impl Rate {
    const WINDOW: usize = 10;

    fn add(&mut self, records: u64) -> u64 {
        let now = self.clocks.steady_ms();
        self.samples.push_back((now, records));
        if self.samples.len() > Self::WINDOW {
            self.samples.pop_front();
        }
        let (first_ms, first) = self.samples.front().copied().unwrap_or((now, records));
        let took = u64::try_from(now - first_ms).unwrap_or(0);
        records.saturating_sub(first).saturating_mul(1_000).checked_div(took).unwrap_or(0)
    }
}

impl Screen {
    pub(super) fn new(options: &Options, fleet: Fleet, store: Arc<Store>, url: String) -> Self {
        let scene = Scene { cards: fleet.cards, speed: options.speed, url, ..Scene::default() };
        Self {
            plain: options.plain,
            fleet,
            events: Events::follow(store),
            scene,
            hero: u32::MAX,
            latest: VecDeque::new(),
            rate: Rate { clocks: Clocks::start(), samples: VecDeque::new() },
            frames: 0,
            painted: false,
        }
    }

    /// One frame.
    pub(super) async fn frame(
        &mut self,
        instance: &Instance,
        rollups: String,
        step: u64,
    ) -> anyhow::Result<()> {
        let seen = self.events.next()?;
        self.turn(step);
        self.take_up(&seen);
        self.scene.rollups = rollups;
        self.scene.fleet_time = time::text(self.fleet.time(step));
        self.scene.ledger = instance.board.ledger();
        self.scene.ingest = instance.board.ingest_ledger();
        self.scene.records_per_s =
            self.rate.add(Input::ALL.into_iter().map(|input| self.scene.ledger.folded(input)).sum());
        self.ask(instance).await;
        if self.plain {
            self.print(&seen);
        } else {
            self.paint()?;
        }
        self.frames += 1;
        Ok(())
    }

    /// The next card has its turn.
    fn turn(&mut self, step: u64) {
        let hero = story::hero(step);
        if hero != self.hero {
            self.hero = hero;
            self.scene.hero = Hero { iccid: iccid(hero), ..Hero::default() };
        }
    }

    fn take_up(&mut self, seen: &[Seen]) {
        for event in seen {
            match event.kind.as_str() {
                "alert.fired" => self.scene.alerts += 1,
                "alert.resolved" => self.scene.resolved += 1,
                "package.activated" => self.scene.activations += 1,
                _ => {}
            }
            if event.iccid.starts_with(&self.scene.hero.iccid) {
                self.scene.hero.story.push(chapter(event));
            }
            self.latest.push_back(event.line());
        }
        while self.latest.len() > EVENTS_SHOWN {
            self.latest.pop_front();
        }
        self.scene.events = self.latest.iter().cloned().collect();
    }

    /// The followed card as any client sees it.
    async fn ask(&mut self, instance: &Instance) {
        let Ok(card) = CardId::parse(&self.scene.hero.iccid) else { return };
        if let Ok(CardAnswer::Known(answer)) = instance.workers.card(card).await
            && let Ok(answer) = serde_json::to_value(answer)
        {
            let number = |pointer: &str| answer.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
            self.scene.hero.quota = number("/view/account/quota");
            self.scene.hero.burnt = number("/view/account/burnt");
        }
    }

    fn paint(&mut self) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if !self.painted {
            queue!(out, terminal::EnterAlternateScreen, cursor::Hide)?;
            self.painted = true;
        }
        let width = usize::from(terminal::size().map_or(120, |(columns, _)| columns));
        queue!(out, cursor::MoveTo(0, 0))?;
        for line in self.scene.lines(width) {
            queue!(
                out,
                terminal::Clear(terminal::ClearType::CurrentLine),
                style::Print(line),
                cursor::MoveToNextLine(1)
            )?;
        }
        queue!(out, terminal::Clear(terminal::ClearType::FromCursorDown))?;
        Ok(out.flush()?)
    }

    fn print(&self, seen: &[Seen]) {
        let followed = seen.iter().filter(|event| event.iccid.starts_with(&self.scene.hero.iccid));
        let others = seen.iter().filter(|event| !event.iccid.starts_with(&self.scene.hero.iccid));
        for event in followed.chain(others.take(LINES_PER_FRAME)) {
            say!("{}", event.line());
        }
        if self.frames == 0 {
            self.scene.next_steps().iter().for_each(|line| say!("{line}"));
        }
        if self.frames.is_multiple_of(SUMMARY_EVERY) {
            self.scene.figures().iter().for_each(|(name, what)| say!("  {name:<9} {what}"));
            say!("  {} records/s", grouped(self.scene.records_per_s));
        }
    }

    /// Gives the terminal back, with the last scene on it.
    pub(super) fn close(&mut self) {
        if self.painted {
            let mut out = std::io::stdout().lock();
            // A terminal that has gone needs nothing given back.
            drop(queue!(out, cursor::Show, terminal::LeaveAlternateScreen));
            drop(out.flush());
            self.scene.lines(usize::MAX).iter().for_each(|line| say!("{line}"));
        }
    }
}

/// An event in two words.
fn chapter(event: &Seen) -> String {
    match event.kind.as_str() {
        "alert.fired" => format!("{} fired", event.what),
        "alert.resolved" => format!("{} resolved", event.what),
        "package.activated" => "package active".to_owned(),
        other => other.to_owned(),
    }
}
