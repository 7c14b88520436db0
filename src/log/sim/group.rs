//! The group coordinator: static members, cooperative-sticky assignment, generations, sessions, offsets.
//!
//! As the classic protocol has it: a rebalance waits until every live member has joined; partitions that move are taken
//! away in one generation and given in the next; a static member that comes back within its session gets its partitions
//! without a rebalance; the coordinator checks the generation of a commit and never who owns the partition.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::rng::Rng;
use crate::log::{Committed, Generation, TopicPartition};

/// What a member has to be told, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notice {
    Assigned { generation: Generation, partitions: Vec<TopicPartition> },
    Revoked { generation: Generation, partitions: Vec<TopicPartition> },
}

/// A member as the coordinator sees it, under its instance id.
#[derive(Debug)]
struct Member {
    /// Which process runs under the instance id; an older one is fenced.
    incarnation: u64,
    seen_ms: i64,
    owned: BTreeSet<TopicPartition>,
    /// Told to give back, and not yet given back.
    leaving: BTreeSet<TopicPartition>,
    joined: bool,
    notices: VecDeque<Notice>,
    /// A notice was handed over and has not been answered.
    busy: bool,
}

/// Why a member's call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Another process runs under this instance id.
    Fenced,
    /// The session has expired: join anew.
    Unknown,
    /// The commit is of another generation.
    Generation,
}

/// One consumer group.
#[derive(Debug)]
pub(super) struct Group {
    partitions: Vec<TopicPartition>,
    session_ms: i64,
    generation: u64,
    /// A rebalance is under way since then.
    joining_since_ms: Option<i64>,
    members: BTreeMap<String, Member>,
    incarnations: u64,
    committed: BTreeMap<TopicPartition, Committed>,
    /// Offsets of open transactions, by writer.
    pending: BTreeMap<u64, Vec<(TopicPartition, Committed)>>,
    /// Whom each partition is meant for.
    target: BTreeMap<TopicPartition, String>,
}

impl Group {
    pub(super) fn new(partitions: Vec<TopicPartition>, session_ms: i64) -> Self {
        Self {
            partitions,
            session_ms,
            generation: 0,
            joining_since_ms: None,
            members: BTreeMap::new(),
            incarnations: 0,
            committed: BTreeMap::new(),
            pending: BTreeMap::new(),
            target: BTreeMap::new(),
        }
    }

    /// A process joins under an instance id; the one before it is fenced.
    pub(super) fn join(&mut self, instance: &str, now_ms: i64) -> u64 {
        self.incarnations += 1;
        let incarnation = self.incarnations;
        let mut member = Member {
            incarnation,
            seen_ms: now_ms,
            owned: BTreeSet::new(),
            leaving: BTreeSet::new(),
            joined: false,
            notices: VecDeque::new(),
            busy: false,
        };
        let before = self.members.remove(instance);
        match before {
            Some(old) if self.joining_since_ms.is_none() && old.leaving.is_empty() => {
                let generation = Generation(self.generation);
                member.owned = old.owned;
                let partitions = member.owned.iter().copied().collect();
                member.notices.push_back(Notice::Assigned { generation, partitions });
            }
            _ => self.rebalance(now_ms),
        }
        self.members.insert(instance.to_owned(), member);
        incarnation
    }

    /// Begins a rebalance, if none is under way.
    pub(super) fn rebalance(&mut self, now_ms: i64) {
        self.joining_since_ms.get_or_insert(now_ms);
        self.members.values_mut().for_each(|m| m.joined = false);
    }

    /// A member's process runs: its session goes on.
    pub(super) fn heartbeat(&mut self, instance: &str, incarnation: u64, now_ms: i64) -> Result<(), Refusal> {
        self.member(instance, incarnation)?.seen_ms = now_ms;
        Ok(())
    }

    /// A member polls: it joins a rebalance under way, and hears what has changed for it.
    pub(super) fn poll(
        &mut self,
        instance: &str,
        incarnation: u64,
        now_ms: i64,
    ) -> Result<Option<Notice>, Refusal> {
        let joining = self.joining_since_ms.is_some();
        let member = self.member(instance, incarnation)?;
        member.seen_ms = now_ms;
        if member.busy {
            return Ok(None);
        }
        if let Some(notice) = member.notices.pop_front() {
            member.busy = true;
            return Ok(Some(notice));
        }
        if joining {
            member.joined = true;
            self.finish_if_all_joined();
        }
        Ok(None)
    }

    /// A member has dealt with the notice it was handed.
    pub(super) fn answered(&mut self, instance: &str, incarnation: u64, now_ms: i64) {
        let Ok(member) = self.member(instance, incarnation) else { return };
        member.busy = false;
        if !member.leaving.is_empty() {
            let leaving = std::mem::take(&mut member.leaving);
            member.owned.retain(|p| !leaving.contains(p));
            self.rebalance(now_ms);
        }
    }

    /// Time that does not count.
    pub(super) fn leap(&mut self, by_ms: i64) {
        self.members.values_mut().for_each(|member| member.seen_ms += by_ms);
        self.joining_since_ms = self.joining_since_ms.map(|since| since + by_ms);
    }

    /// Drops members whose session has expired, or who hold up a rebalance for too long. Answers their names.
    pub(super) fn expire(&mut self, now_ms: i64) -> Vec<String> {
        let (session, since) = (self.session_ms, self.joining_since_ms);
        let gone = |m: &Member| {
            let silent = now_ms - m.seen_ms > session;
            let late = since.is_some_and(|since| !m.joined && now_ms - since > 10 * session);
            silent || late
        };
        let names: Vec<_> =
            self.members.iter().filter(|(_, m)| gone(m)).map(|(name, _)| name.clone()).collect();
        for name in &names {
            self.members.remove(name);
        }
        if !names.is_empty() {
            // Those that are left begin anew: a rebalance does not hold its past against them.
            self.joining_since_ms = None;
            self.rebalance(now_ms);
        }
        self.finish_if_all_joined();
        names
    }

    fn finish_if_all_joined(&mut self) {
        if self.joining_since_ms.is_none()
            || self.members.is_empty()
            || self.members.values().any(|m| !m.joined)
        {
            return;
        }
        self.joining_since_ms = None;
        self.generation += 1;
        self.assign();
    }

    /// Everyone gives back what is not meant for it, and gets of what nobody holds.
    fn assign(&mut self) {
        if !self.is_balanced() {
            self.target = self.sticky();
        }
        let held: BTreeSet<_> = self.members.values().flat_map(|m| m.owned.iter().copied()).collect();
        let generation = Generation(self.generation);
        for (name, member) in &mut self.members {
            let mine = |p: &TopicPartition| self.target.get(p) == Some(name);
            let surplus: Vec<_> = member.owned.iter().copied().filter(|p| !mine(p)).collect();
            let gets: Vec<_> =
                self.partitions.iter().copied().filter(|p| mine(p) && !held.contains(p)).collect();
            member.owned.extend(&gets);
            member.leaving = surplus.iter().copied().collect();
            if !surplus.is_empty() {
                member.notices.push_back(Notice::Revoked { generation, partitions: surplus });
            }
            member.notices.push_back(Notice::Assigned { generation, partitions: gets });
        }
    }

    /// Whether every partition is meant for a member, and none for more than its share.
    fn is_balanced(&self) -> bool {
        let share = self.partitions.len().div_ceil(self.members.len().max(1));
        let meant = |name: &String| self.target.values().filter(|target| *target == name).count();
        self.target.len() == self.partitions.len()
            && self.target.values().all(|name| self.members.contains_key(name))
            && self
                .members
                .keys()
                .all(|name| (self.partitions.len() / self.members.len()..=share).contains(&meant(name)))
    }

    /// Everyone keeps what it owns up to its share; what is more, and what nobody owns, goes to those with least.
    fn sticky(&self) -> BTreeMap<TopicPartition, String> {
        let (least, mut extra) =
            (self.partitions.len() / self.members.len(), self.partitions.len() % self.members.len());
        let mut target = BTreeMap::new();
        let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
        for (name, member) in &self.members {
            let one_more = usize::from(extra > 0 && member.owned.len() > least);
            extra -= one_more;
            let kept = member.owned.iter().take(least + one_more);
            target.extend(kept.map(|partition| (*partition, name.clone())));
            counts.insert(name, member.owned.len().min(least + one_more));
        }
        for partition in &self.partitions {
            if !target.contains_key(partition)
                && let Some((name, count)) = counts.iter_mut().min_by_key(|(_, count)| **count)
            {
                *count += 1;
                target.insert(*partition, (*name).clone());
            }
        }
        target
    }

    /// Partitions move for no reason, as an assignor may have it.
    pub(super) fn shuffle(&mut self, rng: &mut Rng, now_ms: i64) {
        let mut names: Vec<_> = self.members.keys().cloned().collect();
        rng.shuffle(&mut names);
        if !names.is_empty() {
            let round = self.partitions.iter().copied().zip(names.iter().cycle().cloned());
            self.target = round.collect();
        }
        self.rebalance(now_ms);
    }

    /// Commits offsets of a member at once.
    pub(super) fn commit(
        &mut self,
        who: (&str, u64),
        generation: Generation,
        offsets: &[(TopicPartition, Committed)],
    ) -> Result<(), Refusal> {
        self.check_generation(who, generation)?;
        self.committed.extend(offsets.iter().cloned());
        Ok(())
    }

    /// Notes offsets of an open transaction.
    pub(super) fn commit_in_transaction(
        &mut self,
        who: (&str, u64),
        generation: Generation,
        writer: u64,
        offsets: Vec<(TopicPartition, Committed)>,
    ) -> Result<(), Refusal> {
        self.check_generation(who, generation)?;
        self.pending.entry(writer).or_default().extend(offsets);
        Ok(())
    }

    fn check_generation(&mut self, who: (&str, u64), generation: Generation) -> Result<(), Refusal> {
        self.member(who.0, who.1)?;
        if generation.0 == self.generation { Ok(()) } else { Err(Refusal::Generation) }
    }

    /// The marker of a transaction reaches the group's offsets.
    pub(super) fn end_transaction(&mut self, writer: u64, commit: bool) {
        let pending = self.pending.remove(&writer).unwrap_or_default();
        if commit {
            self.committed.extend(pending);
        }
    }

    /// A partition's committed offset, and whether an open transaction may change it.
    pub(super) fn committed(&self, of: TopicPartition) -> (Option<&Committed>, bool) {
        let unstable = self.pending.values().flatten().any(|(p, _)| *p == of);
        (self.committed.get(&of), unstable)
    }

    fn member(&mut self, instance: &str, incarnation: u64) -> Result<&mut Member, Refusal> {
        match self.members.get_mut(instance) {
            None => Err(Refusal::Unknown),
            Some(member) if member.incarnation == incarnation => Ok(member),
            Some(_) => Err(Refusal::Fenced),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{LogOffset, Topic};

    fn group() -> Group {
        let partitions = (0..4).map(|partition| TopicPartition { topic: Topic::Log, partition }).collect();
        Group::new(partitions, 6_000)
    }

    /// Polls and answers members in turn until nothing happens any more; what each owns then.
    fn settle(group: &mut Group, members: &[(&str, u64)], now_ms: i64) -> Vec<usize> {
        for _ in 0..16 {
            for (name, incarnation) in members {
                if group.poll(name, *incarnation, now_ms).unwrap().is_some() {
                    group.answered(name, *incarnation, now_ms);
                }
            }
        }
        members.iter().map(|(name, _)| group.members[*name].owned.len()).collect()
    }

    #[test]
    fn partitions_spread_over_members_in_two_steps() {
        let mut group = group();
        let a = group.join("a", 0);
        assert_eq!(settle(&mut group, &[("a", a)], 0), [4]);
        let b = group.join("b", 0);
        assert_eq!(settle(&mut group, &[("a", a), ("b", b)], 0), [2, 2]);
        assert_eq!(group.generation, 3, "b joins; a has given two back");
    }

    #[test]
    fn a_static_member_comes_back_without_a_rebalance_and_fences_its_older_self() {
        let mut group = group();
        let (a, b) = (group.join("a", 0), group.join("b", 0));
        settle(&mut group, &[("a", a), ("b", b)], 0);
        let generation = group.generation;
        let again = group.join("a", 1);
        assert_eq!(settle(&mut group, &[("a", again), ("b", b)], 1), [2, 2]);
        assert_eq!(group.generation, generation);
        assert_eq!(group.poll("a", a, 1), Err(Refusal::Fenced));
    }

    #[test]
    fn a_silent_member_loses_its_session_and_its_generation() {
        let mut group = group();
        let (a, b) = (group.join("a", 0), group.join("b", 0));
        settle(&mut group, &[("a", a), ("b", b)], 0);
        let old = Generation(group.generation);
        group.heartbeat("b", b, 6_000).unwrap();
        assert_eq!(group.expire(6_001), ["a"]);
        assert_eq!(settle(&mut group, &[("b", b)], 6_001), [4]);
        let offsets = [(group.partitions[0], Committed { offset: LogOffset(1), metadata: String::new() })];
        assert_eq!(group.commit(("a", a), old, &offsets), Err(Refusal::Unknown));
        assert_eq!(group.commit(("b", b), old, &offsets), Err(Refusal::Generation));
        assert_eq!(group.commit(("b", b), Generation(group.generation), &offsets), Ok(()));
    }
}
