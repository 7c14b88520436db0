//! Orders that are taken back, and what a cancelled card leaves (`docs/rules.md` P6, S3).

use super::terms::data;
use super::wallet::{LIFE_S, Order, Scene, Voided, Wallet};
use super::watch::Why;
use crate::model::{BurntBecomes, EventBody, UnixTime, VoidData};

impl Wallet {
    /// Whether this very order was taken.
    pub(super) fn has_taken(&self, order: &Order, now: UnixTime) -> bool {
        let held = self.orders.iter().find(|(held, at)| held.id == order.id && *at >= now - LIFE_S);
        held.is_some_and(|(held, _)| held == order)
    }

    /// Takes an order back: `Some(true)` now, `Some(false)` it had been; `None`: it cannot be.
    pub(super) fn void(
        &mut self,
        scene: &Scene<'_>,
        (order, reference, burnt): (&String, &String, BurntBecomes),
        out: &mut Vec<EventBody>,
    ) -> Option<bool> {
        let recent = self.voids.iter().filter(|(_, _, at)| *at >= scene.now - LIFE_S);
        if let Some((_, held, _)) = recent.into_iter().find(|(held, _, _)| held == order) {
            return (held == reference).then_some(false);
        }
        let told = |package, burnt_becomes| {
            let (cause, reference) = ("command".to_owned(), Some(reference.clone()));
            EventBody::PackageVoided(VoidData { package, cause, reference, burnt_becomes })
        };
        let queued = self.queue.iter().position(|(_, held)| held.id == *order);
        let in_force = || self.packages.iter().position(|p| p.order.id == *order && p.covers(scene.at));
        if let Some(at) = queued {
            let (_, held) = self.queue.remove(at);
            out.push(told(data(&held, 0, None), None));
        } else {
            let at = in_force()?;
            let own = self.burn(scene).of(at, &self.packages[at], scene.cycle);
            let begun = self.packages.len();
            let package = &mut self.packages[at];
            out.push(told(data(&package.order, own, Some((package.from, package.to))), Some(burnt)));
            package.expired = true;
            if burnt == BurntBecomes::Overage {
                package.void = Some(Voided { open_from: scene.open_from, begun });
            } else {
                package.until = scene.at;
            }
            self.hand_over(scene, out);
        }
        self.note_edge(scene);
        self.voids.push((order.clone(), reference.clone(), scene.now));
        self.look(scene, Why::Raise, out);
        Some(true)
    }

    /// All that waits is voided, what is in force ends.
    pub(super) fn give_up(&mut self, scene: &Scene<'_>, out: &mut Vec<EventBody>) {
        let burn = self.burn(scene);
        let told = |package, burnt_becomes| {
            let cause = "cancelled".to_owned();
            EventBody::PackageVoided(VoidData { package, cause, reference: None, burnt_becomes })
        };
        for (at, package) in self.packages.iter_mut().enumerate().filter(|(_, p)| !p.expired) {
            let own = burn.of(at, package, scene.cycle);
            let package_data = data(&package.order, own, Some((package.from, package.to)));
            out.push(told(package_data, Some(BurntBecomes::Waived)));
            (package.until, package.expired) = (scene.at, true);
        }
        for (_, order) in self.queue.drain(..) {
            out.push(told(data(&order, 0, None), None));
        }
        self.look(scene, Why::Raise, out);
    }

    /// Whether an order waits or stands with its package.
    pub(super) fn holds(&self, order: &str) -> bool {
        self.queue.iter().any(|(_, held)| held.id == order)
            || self.packages.iter().any(|p| p.order.id == order && !p.expired)
    }
}
