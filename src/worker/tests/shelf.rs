//! Questions asked while the worker waits, while it folds, and in between.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::cards::{card, with_card};
use super::script::{Beside, Moment};
use super::*;
use crate::limits::SEALED_MAX;

/// A mailbox with a shelf.
#[derive(Default)]
struct Desk {
    left: VecDeque<Request>,
    shelf: Arc<Shelf>,
}

impl Mailbox for Desk {
    fn next(&mut self) -> Option<Request> {
        self.left.pop_front()
    }

    fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    fn shelf(&self) -> Option<&Shelf> {
        Some(&self.shelf)
    }
}

const WAIT_MS: u64 = 5;

/// The offset of the answer and what was used, if it came from the shelf.
fn ask(shelf: &Shelf, clock_ms: i64) -> Option<(u64, u64)> {
    let question = Question { card: card(1), partition: 0, clock_ms };
    match shelf.ask(question, || ()) {
        Asked::Answered(CardAnswer::Known(answer)) => Some((answer.offset.0, answer.view.used)),
        Asked::Answered(other) => panic!("{other:?}"),
        Asked::Left(()) => None,
    }
}

impl Kit {
    /// A step that may wait.
    fn wait(&mut self, desk: &mut Desk) {
        self.worker.step(self.now, WAIT_MS, desk).expect("a step");
    }

    fn beside(&self, happens: impl FnMut(Moment) + 'static) {
        self.broker_mut().beside = Beside(Some(Box::new(happens)));
    }

    /// A message with three records of the card, 30 bytes each.
    fn three(&self, number: u64) -> u64 {
        let ids = [0, 1, 2].map(|n| format!("{number}-{n}"));
        let records = ids.each_ref().map(|id| {
            let Record::Cdr(cdr) = unknown_card(id) else { unreachable!("a CDR") };
            let at = START_MS / 1_000;
            Record::Cdr(Cdr { card: card(1), feed: FeedName::new("settle"), start: at, end: at + 1, ..cdr })
        });
        self.records(&records)
    }
}

#[test]
fn a_question_is_answered_while_the_worker_waits_and_left_for_it_while_it_folds() {
    let (mut kit, mut desk) = (with_card(|_| ()), Desk::default());
    let first = kit.three(0);
    kit.three(1);
    let (seen, shelf, clock_ms) =
        (Rc::<RefCell<Vec<_>>>::default(), Arc::clone(&desk.shelf), kit.now.clock_ms);
    let asked = Rc::clone(&seen);
    kit.beside(move |moment| asked.borrow_mut().push((moment, ask(&shelf, clock_ms))));
    kit.wait(&mut desk);
    let folded = (Moment::Folded, None);
    assert_eq!(*seen.borrow(), [(Moment::Waiting, Some((first, 0))), folded, folded]);
    assert_eq!(ask(&desk.shelf, clock_ms), None, "it has ended its step");
    kit.wait(&mut desk);
    assert_eq!(seen.borrow()[3..], [(Moment::Waiting, Some((first + 2, 180)))]);
}

#[test]
fn a_question_is_answered_while_the_worker_waits_for_a_commit() {
    let (mut kit, mut desk) = (with_card(|settings| settings.seal.records = 3), Desk::default());
    kit.broker_mut().answers.push_back(Answer::Silence);
    let first = kit.three(0);
    for number in 1..=SEALED_MAX as u64 {
        kit.wait(&mut desk);
        kit.three(number);
    }
    kit.wait(&mut desk);
    let (seen, shelf, clock_ms) =
        (Rc::<RefCell<Vec<_>>>::default(), Arc::clone(&desk.shelf), kit.now.clock_ms);
    let asked = Rc::clone(&seen);
    kit.beside(move |moment| asked.borrow_mut().push((moment, ask(&shelf, clock_ms))));
    kit.wait(&mut desk);
    let folded = SEALED_MAX as u64 + 1;
    let answer = Some((first + folded, 90 * folded));
    assert_eq!(*seen.borrow(), [(Moment::Committing, answer), (Moment::Waiting, None)]);
}

#[test]
fn what_the_shelf_answers_is_stale_by_the_askers_clock() {
    let (mut kit, mut desk) = (with_card(|_| ()), Desk::default());
    let (seen, shelf, clock_ms) =
        (Rc::<RefCell<Vec<_>>>::default(), Arc::clone(&desk.shelf), kit.now.clock_ms);
    let asked = Rc::clone(&seen);
    kit.beside(move |_| {
        for clock_ms in [clock_ms, clock_ms + 60_000] {
            let question = Question { card: card(1), partition: 0, clock_ms };
            if let Asked::Answered(CardAnswer::Known(answer)) = shelf.ask(question, || ()) {
                asked.borrow_mut().push(answer.stale);
            }
        }
    });
    kit.wait(&mut desk);
    assert_eq!(*seen.borrow(), [false, true]);
}

#[test]
fn a_worker_does_not_wait_while_a_question_is_left_for_it() {
    let (mut kit, mut desk) = (with_card(|_| ()), Desk::default());
    kit.wait(&mut desk);
    assert_eq!(kit.broker().wait_ms, WAIT_MS);
    let (tell, told) = std::sync::mpsc::channel();
    let reply = Box::new(move |answer| tell.send(answer).expect("heard"));
    desk.left.push_back(Request::Card { card: card(1), reply });
    let (shelf, clock_ms) = (Arc::clone(&desk.shelf), kit.now.clock_ms);
    kit.beside(move |_| assert_eq!(ask(&shelf, clock_ms), None, "the worker has them in hand"));
    kit.wait(&mut desk);
    assert_eq!(kit.broker().wait_ms, 0);
    assert!(matches!(told.try_recv(), Ok(CardAnswer::Known(_))));
}

#[test]
fn whatever_ends_a_wait_nothing_stays_on_the_shelf() {
    let (mut kit, mut desk) = (with_card(|_| ()), Desk::default());
    let (shelf, clock_ms) = (Arc::clone(&desk.shelf), kit.now.clock_ms);
    let waited = Rc::<RefCell<bool>>::default();
    let waits = Rc::clone(&waited);
    kit.beside(move |_| {
        *waits.borrow_mut() = ask(&shelf, clock_ms).is_some();
        panic!("in the middle of a wait");
    });
    assert!(catch_unwind(AssertUnwindSafe(|| kit.wait(&mut desk))).is_err() && *waited.borrow());
    assert_eq!(ask(&desk.shelf, clock_ms), None);
    kit.broker_mut().beside = Beside::default();
    assert!(matches!(kit.worker.card(card(1)), CardAnswer::Known(_)));
}

#[test]
fn an_answer_is_as_of_one_place_in_the_log_whoever_asks_whenever() {
    const MESSAGES: u64 = 200;
    let (mut kit, mut desk) = (with_card(|_| ()), Desk::default());
    let (shelf, clock_ms) = (Arc::clone(&desk.shelf), kit.now.clock_ms);
    let (answered, done) = (Arc::<AtomicU64>::default(), AtomicBool::new(false));
    let heard = Arc::clone(&answered);
    // Each wait lasts until somebody was answered in it.
    kit.beside(move |moment| {
        let before = heard.load(Ordering::Relaxed);
        while moment == Moment::Waiting && heard.load(Ordering::Relaxed) == before {
            std::thread::yield_now();
        }
    });
    let first = kit.three(0);
    let answers = std::thread::scope(|scope| {
        let asker = scope.spawn(|| {
            let mut answers = vec![(first, 0)];
            while !done.load(Ordering::Relaxed) {
                if let Some(answer) = ask(&shelf, clock_ms) {
                    answers.push(answer);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            }
            answers
        });
        for number in 1..=MESSAGES + 1 {
            kit.wait(&mut desk);
            kit.three(number);
        }
        done.store(true, Ordering::Relaxed);
        asker.join().expect("every answer is of the card")
    });
    assert!(answers.is_sorted() && answers.last() == Some(&(first + MESSAGES, 90 * MESSAGES)));
    assert!(answers.iter().all(|(offset, used)| *used == 90 * (offset - first)), "{answers:?}");
}
