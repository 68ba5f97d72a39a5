//! The engine in a simulated world: injectors that fail, hang, lie and answer late; a journal that
//! loses what it has not confirmed; a lab that dies at any moment. Each seed is one history. A
//! failure names its seed; `BULKHEAD_SEEDS=100000` runs more of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use super::{START, ms, submission};
use crate::*;

/// Injections of a history.
const ORDERS: u64 = 6;
/// Longest answer of a call that hangs.
const HANG_MAX_MS: u64 = 4_000;

struct Flight {
    number: Number,
    call: Call,
    id: ChaosId,
    /// When what it does happens.
    effect: Duration,
    returns: Duration,
    answer: Answer,
    /// What it does to the fault: makes it so, or takes it back.
    does: Option<bool>,
    effected: bool,
}

struct World {
    seed: u64,
    random: Random,
    now: Duration,
    options: EngineOptions,
    engine: Engine,
    flights: Vec<Flight>,
    /// Not yet on disk.
    writing: Vec<(Duration, Record, Option<Number>)>,
    disk: Vec<Record>,
    in_force: BTreeMap<ChaosId, bool>,
    accepted: BTreeSet<ChaosId>,
    stopped: BTreeSet<ChaosId>,
    ended: BTreeMap<ChaosId, State>,
    /// Calls keep their deadlines and taking back works: then the time to live is exact.
    obedient: bool,
    /// No more trouble: everything must come to its end.
    calm: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let options = EngineOptions {
            back_off_jitter: random.unit(),
            concurrent_max: 1 + random.below(ORDERS) as usize,
            forward_calls_max: 1 + random.below(3) as usize,
            backward_calls_max: 1 + random.below(3) as usize,
            retries: random.below(4) as u32,
            back_off_ms: 20 + random.below(180),
            ..EngineOptions::default()
        };
        Self {
            seed,
            now: START,
            engine: Engine::new(options.clone(), seed).unwrap(),
            options,
            flights: Vec::new(),
            writing: Vec::new(),
            disk: Vec::new(),
            in_force: BTreeMap::new(),
            accepted: BTreeSet::new(),
            stopped: BTreeSet::new(),
            ended: BTreeMap::new(),
            obedient: random.below(3) == 0,
            calm: false,
            random,
        }
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.random.below(100) < percent
    }

    fn run(&mut self) {
        for _ in 0..40 {
            match self.random.below(12) {
                0..=4 => self.submit(),
                5 | 6 => self.stop(),
                7 => {
                    let engaged = self.chance(30);
                    self.engine.set_lever(self.now, engaged, "the lever");
                    if engaged {
                        self.stopped.extend(self.engine.live().map(|known| known.order.id));
                    }
                    self.obey();
                }
                8 if !self.obedient => self.die(),
                _ => {}
            }
            let pause = ms(self.random.below(800));
            self.pass(self.now + pause);
        }
        self.calm = true;
        self.engine.set_lever(self.now, false, "");
        self.pass(self.now + Duration::from_secs(120));
        self.check_end();
    }

    fn submit(&mut self) {
        let mut asked = submission(1 + self.random.below(ORDERS));
        asked.time_to_live = ms(200 + asked.seed * 3_000);
        let id = asked.id;
        let lever = self.engine.lever();
        match self.engine.submit(self.now, asked) {
            Ok(Submitted::Accepted) => {
                assert!(!lever, "seed {}: accepted against the lever", self.seed);
                assert!(self.accepted.insert(id), "seed {}: {id} accepted twice", self.seed);
            }
            Ok(Submitted::Known) => assert!(self.accepted.contains(&id)),
            Err(_) => {}
        }
        assert!(self.engine.live().count() <= self.options.concurrent_max);
        self.obey();
    }

    fn stop(&mut self) {
        let id = submission(1 + self.random.below(ORDERS)).id;
        if self.engine.stop(self.now, id, "enough") {
            self.stopped.insert(id);
        }
        self.obey();
    }

    /// The lab is killed: calls in the air have done their work or not, what the journal has not
    /// confirmed is on disk up to some record. Another lab goes on from what is there.
    fn die(&mut self) {
        let kept = self.random.below(self.writing.len() as u64 + 1) as usize;
        for (_, record, _) in std::mem::take(&mut self.writing).into_iter().take(kept) {
            self.disk.push(record);
        }
        for flight in std::mem::take(&mut self.flights) {
            if !flight.effected && self.random.below(2) == 0 {
                self.effect(flight.id, flight.does);
            }
        }
        let text: String = self.disk.iter().map(|record| record.to_line().unwrap()).collect();
        let known = Recovered::read(text.as_bytes()).unwrap();
        // An intent that was not confirmed was told to nobody as accepted.
        let ids: BTreeSet<ChaosId> = known.injections.iter().map(|known| known.order.id).collect();
        self.accepted.retain(|id| ids.contains(id));
        self.stopped.retain(|id| ids.contains(id));
        self.ended.clear();
        for known in &known.injections {
            match known.ended {
                Some((state, _)) => drop(self.ended.insert(known.order.id, state)),
                // What is found is taken back: from now on nothing may be injected.
                None => drop(self.stopped.insert(known.order.id)),
            }
        }
        self.engine = Engine::new(self.options.clone(), self.seed).unwrap();
        self.engine.recover(self.now, known.injections, known.forgotten_ms);
        self.obey();
    }

    /// Carries out what the engine wants.
    fn obey(&mut self) {
        for command in self.engine.commands() {
            match command {
                Command::Write { record, answer } => {
                    let takes = if self.chance(90) { 1 } else { self.random.below(50) };
                    let after = self.writing.last().map_or(self.now, |(at, ..)| *at);
                    let at = after.max(self.now + ms(takes));
                    self.writing.push((at, record, answer));
                }
                Command::Call { number, call, order, deadline, .. } => {
                    self.call(number, call, order.id, deadline);
                }
                Command::Publish(happening) => self.happened(&happening),
            }
        }
    }

    fn happened(&mut self, happening: &Happening) {
        let (id, seed) = (happening.id, self.seed);
        if happening.state == State::Active {
            assert!(self.in_force[&id], "seed {seed}: {id} active, not in force");
        }
        if happening.state.is_terminal() {
            assert!(
                self.ended.insert(id, happening.state).is_none(),
                "seed {seed}: {id} ended twice"
            );
            let left = self.in_force.get(&id).copied().unwrap_or(false);
            assert!(!left, "seed {seed}: {id} ended as {} and is in force", happening.state);
        }
    }

    fn call(&mut self, number: Number, call: Call, id: ChaosId, deadline: Duration) {
        let seed = self.seed;
        let same = |flight: &&Flight| flight.call.is_backward() == call.is_backward();
        let out = self.flights.iter().filter(same).count();
        let most = if call.is_backward() {
            self.options.backward_calls_max
        } else {
            self.options.forward_calls_max
        };
        assert!(out < most, "seed {seed}: more calls than threads");
        let own = self.flights.iter().filter(same).any(|flight| flight.id == id);
        assert!(!own, "seed {seed}: two calls of one direction for {id}");
        if call == Call::Inject {
            assert!(!self.stopped.contains(&id), "seed {seed}: {id} injected after its abort");
            assert!(!self.ended.contains_key(&id), "seed {seed}: {id} injected after its end");
            let ahead = self.disk.iter().any(
                |record| matches!(record, Record::Handle { id: written, .. } if *written == id),
            );
            assert!(ahead, "seed {seed}: {id} injected before its handle was on disk");
        }
        let (answer, does) = self.outcome(call);
        let quick = self.now + ms(self.random.below(30));
        let hangs = !self.calm && !self.obedient && self.chance(15);
        let returns = match (hangs, self.obedient || self.calm) {
            (true, _) => self.now + ms(self.random.below(HANG_MAX_MS)),
            (false, true) => quick.min(deadline),
            (false, false) => quick,
        };
        let effect = if self.chance(50) { self.now } else { returns };
        self.flights.push(Flight {
            number,
            call,
            id,
            effect,
            returns,
            answer,
            does,
            effected: false,
        });
    }

    /// What an injector does and says. Looks are filled in when they answer.
    fn outcome(&mut self, call: Call) -> (Answer, Option<bool>) {
        let trouble = if self.calm { 0 } else { 25 };
        let fails = self.chance(trouble);
        let kind = self.random.below(4);
        match call {
            Call::Prepare if fails => (Answer::Refused("no".to_owned()), None),
            Call::Prepare => (Answer::Prepared(json!({"rules": 1})), None),
            Call::Verify | Call::VerifyReverted => (Answer::Done, None),
            Call::Revert if fails && !self.obedient => match kind {
                0 => (Answer::Done, None),
                1 => (Answer::Unknown("lost".to_owned()), Some(false)),
                _ => (Answer::Transient("busy".to_owned()), None),
            },
            Call::Revert => (Answer::Done, Some(false)),
            Call::Inject if fails => match kind {
                0 => (Answer::Done, None),
                1 => (Answer::Transient("busy".to_owned()), None),
                2 => (Answer::Permanent("no right".to_owned()), None),
                _ => (Answer::Unknown("lost".to_owned()), (self.chance(50)).then_some(true)),
            },
            Call::Inject => (Answer::Done, Some(true)),
        }
    }

    fn effect(&mut self, id: ChaosId, does: Option<bool>) {
        if let Some(does) = does {
            self.in_force.insert(id, does);
            let ended = self.ended.contains_key(&id);
            assert!(!(does && ended), "seed {}: {id} came into force after its end", self.seed);
        }
    }

    /// Everything that happens until then, in order.
    fn pass(&mut self, until: Duration) {
        loop {
            let effects = self.flights.iter().filter(|it| !it.effected).map(|it| it.effect);
            let returns = self.flights.iter().map(|it| it.returns);
            let writes = self.writing.first().map(|(at, ..)| *at);
            let next = effects.chain(returns).chain(writes).chain(self.engine.next_tick()).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            self.due();
            self.check_lives();
        }
        self.now = until;
    }

    fn due(&mut self) {
        let now = self.now;
        for index in 0..self.flights.len() {
            let flight = &mut self.flights[index];
            if !flight.effected && flight.effect <= now {
                flight.effected = true;
                let (id, does) = (flight.id, flight.does);
                self.effect(id, does);
            }
        }
        while let Some(index) = self.flights.iter().position(|flight| flight.returns <= now) {
            let flight = self.flights.swap_remove(index);
            if !flight.effected {
                self.effect(flight.id, flight.does);
            }
            let is = self.in_force.get(&flight.id).copied().unwrap_or(false);
            let answer = match flight.call {
                Call::Verify => Answer::Seen { holds: is, seen: is.to_string(), effect: None },
                Call::VerifyReverted => {
                    Answer::Seen { holds: !is, seen: is.to_string(), effect: None }
                }
                _ => flight.answer,
            };
            self.engine.returned(now, flight.number, answer);
            self.obey();
        }
        while self.writing.first().is_some_and(|(at, ..)| *at <= now) {
            let (_, record, answer) = self.writing.remove(0);
            let fails = !self.calm && answer.is_some() && self.chance(2);
            if !fails {
                self.disk.push(record);
            }
            if let Some(number) = answer {
                let result = if fails { Err("no space left".to_owned()) } else { Ok(()) };
                self.engine.written(now, number, result);
            }
            self.obey();
        }
        self.engine.tick(now);
        self.obey();
    }

    /// No fault outlives its time, where calls keep theirs: what is left of a call that began before,
    /// and taking back, one after the other where threads are few.
    fn check_lives(&self) {
        if !self.obedient {
            return;
        }
        let slack = ms(30) + ms(60) * ORDERS as u32;
        for known in self.engine.live() {
            let id = known.order.id;
            let is = self.in_force.get(&id).copied().unwrap_or(false);
            let late = self.now > known.expires() + slack;
            assert!(!(is && late), "seed {}: {id} outlives its time", self.seed);
        }
    }

    fn check_end(&self) {
        let seed = self.seed;
        assert_eq!(self.engine.live().count(), 0, "seed {seed}: something is alive");
        for id in &self.accepted {
            assert!(self.ended.contains_key(id), "seed {seed}: {id} never ended");
        }
        assert!(self.in_force.values().all(|is| !is), "seed {seed}: something is left behind");
        assert!(self.engine.next_tick().is_none() && self.flights.is_empty(), "seed {seed}");
    }
}

#[test]
fn no_history_leaves_anything_behind() {
    let seeds = std::env::var("BULKHEAD_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    let mut ends = BTreeMap::new();
    for seed in 0..seeds.unwrap_or(10_000) {
        let mut world = World::new(seed);
        world.run();
        for state in world.ended.values() {
            *ends.entry(*state).or_insert(0u32) += 1;
        }
    }
    // The histories are worth something only if they end in every way.
    for state in State::ALL.into_iter().filter(|state| state.is_terminal()) {
        assert!(ends.get(&state).is_some_and(|count| *count > 20), "{state}: {ends:?}");
    }
}
