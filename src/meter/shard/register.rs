//! Cards come and go: a line for a registration, the end of a cancelled card's, and what is answered where there is none.

use super::{Moment, Shard};
use crate::meter::card::{Card, SoldAs};
use crate::meter::command;
use crate::meter::ctx::{Because, Verdict};
use crate::meter::due;
use crate::meter::effects::Effects;
use crate::meter::event_id::event_id;
use crate::meter::life;
use crate::meter::state::CardState;
use crate::meter::table::{Place, Table};
use crate::model::{CardCommand, CommandBody, Event, EventBody, Outcome};

impl Shard {
    /// Names of a registration that will be taken get their numbers.
    pub(super) fn note_names(&mut self, command: &CardCommand, moment: &Moment<'_>) {
        let CommandBody::Register(register) = &command.body else { return };
        if command::check_register(register, moment.index).is_err()
            || command::opening_of(register, moment.index, command.at, moment.now).is_err()
        {
            return;
        }
        let known = self.said.names.len();
        for name in [&register.carrier, &register.plan, &register.channel] {
            let _ = self.said.names.intern(name);
        }
        if self.said.names.len() != known {
            self.renew_terms(moment.index);
        }
    }

    /// Whether a cancelled card has come to its end, though its line may still be there.
    pub(super) fn is_gone(&mut self, place: Place, moment: &Moment<'_>, effects: &mut Effects) -> bool {
        if self.table.get(place).state == CardState::Cancelled {
            self.with(place, moment, effects, due::catch_up);
        }
        life::is_gone(self.table.get(place), moment.now)
    }

    /// A cancelled card's line goes, and with it all that was known of the card.
    pub(super) fn remove(&mut self, place: Place, moment: &Moment<'_>, effects: &mut Effects) {
        let card = self.table.remove(place);
        self.forget(&card, moment, effects);
        let rank = Table::<Card>::rank(place);
        if let Some(sweep) = &mut self.said.sweep {
            // The last card stands here now: a sweep that has passed comes back for it.
            sweep.next = sweep.next.min(rank);
        }
    }

    fn forget(&mut self, card: &Card, moment: &Moment<'_>, effects: &mut Effects) {
        self.timers.moved(card.id, card.due, Card::NO_TIMER);
        self.counts[card.state as usize] -= 1;
        life::leave(card, moment.now, effects);
    }

    /// A line for a card that is being registered, if it can be. `gone`: where one stands that went by the same ICCID; no line
    /// moves while records are folded, whose places have been looked up.
    pub(super) fn new_card(
        &mut self,
        command: &CardCommand,
        gone: Option<Place>,
        moment: &Moment<'_>,
        effects: &mut Effects,
    ) -> Result<Place, Refused> {
        let CommandBody::Register(register) = &command.body else { return Err(Refused::NoSuchCard) };
        command::check_register(register, moment.index).map_err(Refused::Registration)?;
        command::check_time(command.at, moment.now).map_err(Refused::Registration)?;
        command::opening_of(register, moment.index, command.at, moment.now).map_err(Refused::Registration)?;
        let name = |name: &str| {
            let full = || Refused::Registration("the shard has no room for more names".to_owned());
            self.said.names.find(name).ok_or_else(full)
        };
        let sold = SoldAs {
            carrier: name(&register.carrier)?,
            plan: name(&register.plan)?,
            channel: name(&register.channel)?,
        };
        self.counts[CardState::Registered as usize] += 1;
        let new = Card::new(command.card, sold);
        let Some(place) = gone else { return Ok(self.table.insert(new)) };
        let old = std::mem::replace(self.table.get_mut(place), new);
        self.forget(&old, moment, effects);
        Ok(place)
    }
}

/// Why no line can be made for a command.
pub(super) enum Refused {
    NoSuchCard,
    Registration(String),
}

/// A command without a card is answered all the same; nothing remembers it, so a repeat is answered again under its id.
pub(super) fn refuse_unknown(
    command: &CardCommand,
    refused: Refused,
    moment: &Moment<'_>,
    effects: &mut Effects,
) -> Verdict {
    let (verdict, reason) = match refused {
        Refused::NoSuchCard => {
            let reason = "no such card: register it first".to_owned();
            (Verdict::new(Outcome::Unknown, 0, reason.clone()), reason)
        }
        Refused::Registration(reason) => (Verdict::counted(0), reason),
    };
    if let CommandBody::Recharge { order, payment, .. } = &command.body {
        let (order, payment) = (order.clone(), payment.clone());
        let body = EventBody::RechargeRefused { order, payment, reason: reason.clone() };
        effects.events.push(unknown_event(command, body, moment));
    }
    let body = command::answer(&command.id, Err(reason));
    effects.events.push(unknown_event(command, body, moment));
    verdict
}

fn unknown_event(command: &CardCommand, body: EventBody, moment: &Moment<'_>) -> Event {
    let because = Because {
        at: moment.now,
        position: Some(moment.position),
        command: Some(&command.id),
        received_ms: 0,
    };
    Event {
        card: command.card,
        iccid: command.iccid.clone(),
        id: event_id(command.card, 0, &because, &body),
        at: moment.now,
        log_time: moment.now,
        cause: because.position,
        body,
    }
}
