//! The world of a script: a meter, the log that it has folded, and the commands that make the log longer.

use std::collections::BTreeSet;

use tidegauge::codec::canonical;
use tidegauge::codec::pack::{Pack, PackWriter};
use tidegauge::codec::quarantine::Qid;
use tidegauge::limits::SHARDS;
use tidegauge::meter::{Effects, Meter};
use tidegauge::model::{
    Broadcast, BurntBecomes, CardCommand, CardId, CarrierState, Cdr, CommandBody, CounterKind,
    DirectoryEntry, FeedName, LogOffset, Mode, Move, Number, NumberKind, Origin, PackageKind, PackageSpec,
    Payment, Per, PostInto, PostedCdr, Reading, Recipient, Record, Register, Slice, Slices, Tick, UnixTime,
    Validity,
};

use crate::catalogue::{catalogue, day_of, rules};
use crate::opening::opening;
use crate::show;
use crate::words::{Words, Zone};

/// One message of the log.
struct Message {
    time: UnixTime,
    pack: Vec<u8>,
}

/// A meter with its past.
pub(crate) struct World {
    meter: Meter,
    log: Vec<Message>,
    /// A checkpoint of the whole meter before each message.
    checkpoints: Vec<Vec<Vec<u8>>>,
    events: BTreeSet<String>,
    /// What the directory was told since a script asked for it.
    directory: Vec<DirectoryEntry>,
    zone: Zone,
    now: UnixTime,
    commands: u32,
}

type Traced = Result<Vec<String>, String>;

impl World {
    pub(crate) fn new() -> Self {
        let meter = Meter::new(0);
        let checkpoints = vec![chunks(&meter)];
        let (log, events, directory) = (Vec::new(), BTreeSet::new(), Vec::new());
        let zone = Zone("+08:00".to_owned());
        Self { meter, log, checkpoints, events, directory, zone, now: 0, commands: 0 }
    }

    /// Runs a command; answers its trace.
    pub(crate) fn run(&mut self, command: &str) -> Traced {
        let mut words = Words::of(command);
        let verb = words.next()?;
        let trace = match verb.as_str() {
            "zone" => {
                self.zone = Zone(words.next()?);
                Ok(vec![])
            }
            "at" => {
                self.now = self.zone.time(&words.next()?)?;
                Ok(vec![])
            }
            "catalogue" => self.catalogue(&mut words),
            "tick" => self.tick(&mut words),
            "cdr" => self.cdr(&mut words),
            "reading" => self.reading(&mut words),
            "complete" => self.complete(&mut words),
            "view" => self.view(&mut words, show::card),
            "days" => self.view(&mut words, show::days),
            "months" => self.view(&mut words, show::months),
            "quotas" => self.view(&mut words, show::quotas),
            "state" => self.view(&mut words, show::state),
            "packages" => self.view(&mut words, show::packages),
            "rules" => self.view(&mut words, show::rules),
            "ledger" => Ok(show::ledger(&self.meter.ledger())),
            "directory" => Ok(show::directory(&std::mem::take(&mut self.directory), &self.zone)),
            "restart" => {
                self.restart();
                Ok(vec![])
            }
            verb => self.card_command(verb, &mut words),
        }?;
        words.done()?;
        Ok(trace)
    }

    /// Appends one record as one message and folds it.
    fn fold(&mut self, record: &Record<'_>) -> Traced {
        let mut writer = PackWriter::new();
        assert!(writer.push(record), "one record fits into a pack");
        let message = Message { time: self.now, pack: writer.finish() };
        let before = self.meter.ledger();
        let mut effects = Effects::default();
        let offset = LogOffset(self.log.len() as u64);
        let pack = Pack::read(&message.pack).map_err(|error| error.to_string())?;
        self.meter.fold(offset, message.time, &pack, &mut effects).map_err(|error| error.to_string())?;
        self.log.push(message);
        self.checkpoints.push(chunks(&self.meter));
        let ledger = self.meter.ledger();
        assert!(ledger.adds_up(), "the ledger adds up");
        for event in &effects.events {
            assert!(self.events.insert(event.id.clone()), "event id {} is used twice", event.id);
        }
        let mut trace = show::outcomes(&ledger.since(&before), &effects);
        trace.extend(effects.events.iter().map(|event| show::event(event, &self.zone)));
        self.directory.append(&mut effects.directory);
        Ok(trace)
    }

    fn catalogue(&mut self, words: &mut Words) -> Traced {
        let json = canonical::to_vec(&catalogue(words)?);
        self.fold(&Record::Catalogue { json: &json })
    }

    fn tick(&mut self, words: &mut Words) -> Traced {
        let flushed_through = match words.take("flushed") {
            None => None,
            Some(text) if text == "all" => Some(LogOffset((self.log.len() as u64).saturating_sub(1))),
            Some(text) => Some(LogOffset(text.parse().map_err(|_| format!("flushed={text}"))?)),
        };
        self.fold(&Record::Tick(Tick { flushed_through }))
    }

    fn cdr(&mut self, words: &mut Words) -> Traced {
        let card = card(words)?;
        let repeat: u32 = words.number("repeat", 1)?;
        let (id, feed) = (words.need("id")?, words.or("feed", "pgw"));
        let start = self.zone.time(&words.need("start")?)?;
        let end = words.take("end").map_or(Ok(start), |end| self.zone.time(&end))?;
        let (mut packed, slices) = (Vec::new(), self.slices(words)?);
        let (up, down) = (words.number("up", 0)?, words.number("down", 0)?);
        let (number, origin) = (number(words)?, origin());
        let feed = FeedName::new(&feed);
        let slices = Slices::pack(&slices, &mut packed);
        let mut trace = vec![];
        for n in 1..=repeat {
            let id = if repeat == 1 { id.clone() } else { format!("{id}-{n}") };
            trace = self.fold(&Record::Cdr(Cdr {
                card,
                feed,
                id: &id,
                start,
                end,
                up,
                down,
                slices,
                number,
                origin,
            }))?;
        }
        Ok(trace)
    }

    /// `slices=2026-08-26T23:58:00:10:20,…`: end, up, down.
    fn slices(&self, words: &mut Words) -> Result<Vec<Slice>, String> {
        let text = words.or("slices", "");
        let slice = |text: &str| {
            let wrong = || format!("{text} is no slice");
            let (rest, down) = text.rsplit_once(':').ok_or_else(wrong)?;
            let (end, up) = rest.rsplit_once(':').ok_or_else(wrong)?;
            let number = |text: &str| text.parse().map_err(|_| wrong());
            Ok(Slice { end: self.zone.time(end)?, up: number(up)?, down: number(down)? })
        };
        text.split(',').filter(|part| !part.is_empty()).map(slice).collect()
    }

    fn reading(&mut self, words: &mut Words) -> Traced {
        let card = card(words)?;
        let (feed, counter) = (words.or("feed", "modem"), words.or("counter", "mm"));
        let (session, at) = (words.or("session", ""), self.zone.time(&words.need("at")?)?);
        self.fold(&Record::Reading(Reading {
            card,
            feed: FeedName::new(&feed),
            imei: words.number("imei", 1)?,
            counter: CounterKind(&counter),
            at,
            tx: words.number("tx", 0)?,
            rx: words.number("rx", 0)?,
            width: words.number("width", 0)?,
            session: &session,
            number: number(words)?,
            origin: origin(),
        }))
    }

    fn complete(&mut self, words: &mut Words) -> Traced {
        let (feed, day) = (words.or("feed", "pgw"), day_of(&words.need("day")?)?);
        let id = format!("complete-{}", self.log.len());
        let json = canonical::to_vec(&Broadcast::FeedComplete { id, feed, day });
        self.fold(&Record::Broadcast { json: &json, origin: origin() })
    }

    fn card_command(&mut self, verb: &str, words: &mut Words) -> Traced {
        let card = card(words)?;
        self.commands += 1;
        let id = words.or("id", &format!("c{}", self.commands));
        let at = words.take("said").map_or(Ok(self.now), |at| self.zone.time(&at))?;
        let reason = words.take("reason");
        let body = match verb {
            "register" => CommandBody::Register(Box::new(register(words, &self.zone)?)),
            "suspend" => CommandBody::Suspend { reason },
            "resume" => CommandBody::Resume,
            "cancel" => CommandBody::Cancel { reason },
            "confirm" => CommandBody::Confirm { state: carrier_state(&words.next()?)? },
            "void" => CommandBody::Void {
                order: words.need("order")?,
                reference: words.or("reference", "refund"),
                burnt: one(
                    words,
                    "burnt",
                    &[("overage", BurntBecomes::Overage), ("waived", BurntBecomes::Waived)],
                )?,
            },
            "recharge" => self.recharge(words)?,
            "set" => CommandBody::RulesSet { rules: rules(&words.rest().join(","))? },
            "recipients" => CommandBody::RecipientsSet { recipients: recipients(&words.rest())? },
            "adjust" => CommandBody::UsageAdjust {
                reference: words.need("reference")?,
                bytes: words.number("bytes", 0)?,
                day: words.take("day").map(|day| day_of(&day)).transpose()?,
                reason,
            },
            "post" => self.post(card, words)?,
            "add-credits" => CommandBody::CreditsAdd { credits: words.number("credits", 0)?, payment: None },
            "move-credits" => CommandBody::CreditsMove {
                reference: words.need("reference")?,
                credits: words.number("credits", 0)?,
                other: match (words.take("to"), words.take("from")) {
                    (Some(there), None) => Move::To(iccid(&there)?),
                    (None, Some(there)) => Move::From(iccid(&there)?),
                    _ => return Err("one of to and from".to_owned()),
                },
            },
            "return-credit" => CommandBody::CreditsReturn {
                reference: format!("{card}/alert.fired/{}", words.need("alert")?),
                recipient: recipients(&words.rest())?.pop().ok_or("a recipient is missing")?,
            },
            "unsupported" => CommandBody::Unsupported { name: words.next()? },
            verb => return Err(format!("{verb} is no command of scripts")),
        };
        let command = CardCommand { id, card, iccid: card.to_string(), at, body };
        let json = canonical::to_vec(&command);
        self.fold(&Record::Command { card, json: &json, origin: origin() })
    }

    /// The command of an operator who posts a record that was set aside, now unless said.
    fn post(&self, card: CardId, words: &mut Words) -> Result<CommandBody, String> {
        let start = self.zone.time(&words.need("start")?)?;
        let (feed, id, up) = (words.or("feed", "pgw"), words.need("record")?, words.number("up", 0)?);
        let set_aside = words.take("set_aside").map_or(Ok(self.now), |at| self.zone.time(&at))?;
        let into = one(words, "into", &[("open", PostInto::Open), ("original", PostInto::Original)])?;
        let record = PostedCdr { feed, id, start, end: start, up, down: 0, slices: vec![] };
        let (feed, slices) = (FeedName::new(&record.feed), Slices::default());
        let cdr = Cdr {
            card,
            feed,
            id: &record.id,
            start,
            end: start,
            up,
            down: 0,
            slices,
            number: None,
            origin: origin(),
        };
        let reference = words.or("reference", &Qid::of(&Record::Cdr(cdr)).to_string());
        Ok(CommandBody::RecordPost { reference, quarantined_at: set_aside, record: Box::new(record), into })
    }

    fn recharge(&self, words: &mut Words) -> Result<CommandBody, String> {
        let order = words.need("order")?;
        let paid_at = words.take("paid").map_or(Ok(self.now), |at| self.zone.time(&at))?;
        let quota = match words.need("quota")?.as_str() {
            "unlimited" => None,
            text => Some(text.parse().map_err(|_| format!("quota={text}"))?),
        };
        let package = PackageSpec {
            kind: one(words, "kind", &[("base", PackageKind::Base), ("booster", PackageKind::Booster)])?,
            quota,
            validity: validity(&words.or("validity", "1-month"))?,
            per: one(words, "per", &[("validity", Per::Validity), ("cycle", Per::Cycle)])?,
            priority: words.number("priority", 10)?,
            pays_overage: words.take("pays").is_some_and(|what| what == "overage"),
        };
        let modes =
            [("immediate", Mode::Immediate), ("renewal", Mode::Renewal), ("next_cycle", Mode::NextCycle)];
        let (mode, channel) = (one(words, "mode", &modes)?, words.or("channel", "shop"));
        let payment = Payment { provider: "pay".to_owned(), reference: format!("ref-{order}"), paid_at };
        Ok(CommandBody::Recharge { order, channel, payment, package, mode })
    }

    fn view(&mut self, words: &mut Words, shown: show::View) -> Traced {
        let view = self.meter.card(card(words)?);
        Ok(view.map_or_else(|| vec!["no such card".to_owned()], |view| shown(&view, &self.zone)))
    }

    /// The meter dies and comes back from its chunks.
    fn restart(&mut self) {
        self.meter = self.restored(self.log.len());
    }

    /// A meter as it was before a message.
    fn restored(&self, before: usize) -> Meter {
        let chunks: Vec<&[u8]> = self.checkpoints[before].iter().map(Vec::as_slice).collect();
        Meter::restore(0, self.meter.head().catalogues, &chunks).expect("chunks that were just written")
    }

    /// The bytes of the state as it is now, in short.
    pub(crate) fn fingerprint(&self) -> u32 {
        let now = self.checkpoints.last().expect("the state of now");
        now.iter().fold(0, |sum, chunk| crc32c::crc32c_append(sum, chunk))
    }

    /// Invariant 7: each checkpoint and the rest of the log give the state of now, byte for byte.
    pub(crate) fn replays_from_every_checkpoint(&self) {
        let now = self.checkpoints.last().expect("the state of now");
        let step = (self.log.len() / 40).max(1);
        for from in (0..self.log.len()).step_by(step) {
            let mut meter = self.restored(from);
            for (offset, message) in self.log.iter().enumerate().skip(from) {
                let pack = Pack::read(&message.pack).expect("a pack that was folded");
                let offset = LogOffset(offset as u64);
                meter
                    .fold(offset, message.time, &pack, &mut Effects::default())
                    .expect("a pack that was folded");
            }
            let differs = chunks(&meter).iter().zip(now).position(|(replayed, now)| replayed != now);
            assert_eq!(differs, None, "replayed from offset {from}, this shard is another");
        }
    }
}

fn chunks(meter: &Meter) -> Vec<Vec<u8>> {
    let chunk = |shard| {
        let mut bytes = Vec::new();
        meter.encode_shard(shard, &mut bytes);
        bytes
    };
    (0..SHARDS).map(chunk).collect()
}

fn carrier_state(word: &str) -> Result<CarrierState, String> {
    let all = [CarrierState::Active, CarrierState::Suspended, CarrierState::Cancelled];
    all.into_iter().find(|state| state.name() == word).ok_or_else(|| format!("{word} is no state"))
}

/// `a` stands for a whole ICCID that ends with it.
fn card(words: &mut Words) -> Result<CardId, String> {
    iccid(&words.next()?)
}

/// `sms:+1 voice:+2`
fn recipients(words: &[String]) -> Result<Vec<Recipient>, String> {
    let one = |word: &String| match word.split_once(':') {
        Some(("sms", to)) => Ok(Recipient::Sms(to.to_owned())),
        Some(("voice", to)) => Ok(Recipient::Voice(to.to_owned())),
        _ => Err(format!("{word} is no recipient")),
    };
    words.iter().map(one).collect()
}

fn iccid(name: &str) -> Result<CardId, String> {
    let width = 19usize.saturating_sub(name.len());
    let iccid = if width > 0 { format!("{:0<width$}{name}", "8986") } else { name.to_owned() };
    CardId::parse(&iccid).map_err(|error| error.to_string())
}

fn origin() -> Origin<'static> {
    Origin { source: "golden", partition: 0, offset: 0, received_ms: 0 }
}

fn number(words: &mut Words) -> Result<Option<Number>, String> {
    for (key, kind) in [("imsi", NumberKind::Imsi), ("msisdn", NumberKind::Msisdn)] {
        if let Some(text) = words.take(key) {
            let digits = text.parse().map_err(|_| format!("{key}={text}"))?;
            return Ok(Some(Number { kind, digits }));
        }
    }
    Ok(None)
}

fn register(words: &mut Words, zone: &Zone) -> Result<Register, String> {
    Ok(Register {
        channel: words.or("channel", "shop"),
        carrier: words.or("carrier", "carrier"),
        plan: words.or("plan", "plain"),
        numbers: number(words)?.into_iter().collect(),
        recipients: None,
        opening: opening(words, zone)?,
    })
}

/// One of several words; the first is the default.
fn one<T: Copy>(words: &mut Words, key: &str, of: &[(&str, T)]) -> Result<T, String> {
    let said = words.or(key, of[0].0);
    of.iter().find(|(word, _)| *word == said).map(|(_, value)| *value).ok_or_else(|| format!("{key}={said}"))
}

/// `1-month`, `30-days`, `2-cycles`
fn validity(text: &str) -> Result<Validity, String> {
    let (count, unit) = text.split_once('-').ok_or_else(|| format!("validity={text}"))?;
    let count = count.parse().map_err(|_| format!("validity={text}"))?;
    match unit.trim_end_matches('s') {
        "month" => Ok(Validity::Months(count)),
        "day" => Ok(Validity::Days(count)),
        "cycle" => Ok(Validity::Cycles(count)),
        _ => Err(format!("validity={text}")),
    }
}
