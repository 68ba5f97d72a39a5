//! The requests of a [`Plan`], written and checked for one generator thread.

use std::sync::Arc;

use bulkhead_load::{Answer, Mismatch, Next, Random, Request, Workload};

use crate::expectation::JsonBody;
use crate::journeys::Journeys;
use crate::plan::{Body, Journey, Plan, Step};
use crate::template::{Draws, Extracted, Place};

/// Keys of requests of which nothing is remembered have this bit; the rest is their number.
const STATELESS: u64 = 1 << 63;

/// Signed tokens, by pool and number.
#[derive(Clone, Default)]
pub struct Tokens(Arc<Vec<Vec<String>>>);

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(Vec::len)).finish()
    }
}

impl Tokens {
    /// Tokens of each pool, in the order of [`crate::Scenario::tokens`].
    pub fn new(pools: Vec<Vec<String>>) -> Self {
        Self(Arc::new(pools))
    }

    /// Number of tokens of a pool.
    pub(crate) fn len(&self, pool: usize) -> usize {
        self.0.get(pool).map_or(0, Vec::len)
    }

    pub(crate) fn get(&self, pool: usize, index: usize) -> &str {
        self.0.get(pool).and_then(|pool| pool.get(index)).map_or("", String::as_str)
    }
}

/// Requests of a plan.
#[derive(Clone, Debug)]
pub struct PlanWorkload {
    plan: Arc<Plan>,
    tokens: Tokens,
    seed: u64,
    journeys: Journeys,
    scratch: Vec<u8>,
}

impl PlanWorkload {
    /// One for a thread. All threads of a run share plan, tokens and seed.
    pub fn new(plan: Arc<Plan>, tokens: Tokens, seed: u64) -> Self {
        Self { plan, tokens, seed, journeys: Journeys::default(), scratch: Vec::new() }
    }

    /// The journey of an arrival.
    fn journey_of(&self, number: u64) -> usize {
        let mut random = Random::numbered(self.seed, number);
        self.plan.journey_at(random.below(self.plan.weight_total()))
    }

    fn write(&mut self, journey: usize, step: usize, key: u64, request: &mut Request) {
        let Self { plan, tokens, seed, journeys, scratch } = self;
        let Some(journey) = plan.journeys.get(journey) else { return };
        let Some(step) = journey.steps.get(step) else { return };
        let (number, extracted) = remembered(journeys, key);
        let draws = draws(plan, journey, tokens, *seed, number, extracted);
        write_step(step, &draws, scratch, request);
        request.class = step.class;
        request.key = key;
    }
}

/// Number of the arrival and the values taken from answers.
fn remembered(journeys: &mut Journeys, key: u64) -> (u64, &Extracted) {
    if key & STATELESS != 0 {
        return (key & !STATELESS, &[]);
    }
    journeys.get(key).map_or((0, &[]), |underway| (underway.number, &underway.extracted))
}

fn draws<'a>(
    plan: &'a Plan,
    journey: &'a Journey,
    tokens: &'a Tokens,
    seed: u64,
    number: u64,
    extracted: &'a Extracted,
) -> Draws<'a> {
    Draws { seed, number, variables: &journey.variables, pools: &plan.pools, tokens, extracted }
}

fn write_step(step: &Step, draws: &Draws<'_>, scratch: &mut Vec<u8>, request: &mut Request) {
    let head = &mut request.head;
    head.set_method(step.method.as_bytes());
    head.scheme = step.scheme;
    scratch.clear();
    step.authority.push(Place::Field, draws, scratch);
    head.set_authority(scratch);
    scratch.clear();
    step.path.push(Place::Path, draws, scratch);
    head.set_target(scratch);
    for field in &step.fields {
        scratch.clear();
        field.value.push(Place::Field, draws, scratch);
        // A drawn value may end in white space, which a field may not.
        let value = scratch.trim_ascii();
        head.fields.push_classified(field.known, &field.name, value, field.sensitive);
    }
    match &step.body {
        Body::Bytes(bytes) => request.body.extend_from_slice(bytes),
        Body::Template(template) => template.push(Place::Plain, draws, &mut request.body),
    }
}

impl Workload for PlanWorkload {
    fn prepare(&mut self, number: u64, request: &mut Request) {
        let index = self.journey_of(number);
        let Some(journey) = self.plan.journeys.get(index) else { return };
        let key = if journey.is_stateless() {
            number | STATELESS
        } else {
            self.journeys.begin(number, index, journey.extracted)
        };
        self.write(index, 0, key, request);
    }

    fn check(&mut self, answer: &Answer<'_>) -> Result<(), Mismatch> {
        let Self { plan, tokens, seed, journeys, scratch } = self;
        let Some((journey, step, _)) = plan.step(answer.class) else { return Ok(()) };
        let mut json = JsonBody::new(answer.body);
        let (number, extracted) = remembered(journeys, answer.key);
        let draws = draws(plan, journey, tokens, *seed, number, extracted);
        step.expect.check(answer, &draws, &mut json, scratch)?;
        if !step.extract.is_empty()
            && let Some(underway) = journeys.get(answer.key)
        {
            for extract in &step.extract {
                let value = extract.take(answer, &mut json)?;
                if let Some(place) = underway.extracted.get_mut(extract.place) {
                    *place = Some(value);
                }
            }
        }
        Ok(())
    }

    fn next(&mut self, answer: &Answer<'_>) -> Option<Next> {
        let (journey, step, number) = self.plan.step(answer.class)?;
        if journey.is_stateless() {
            return None;
        }
        if number + 1 == journey.steps.len() {
            self.journeys.end(answer.key);
            return None;
        }
        self.journeys.get(answer.key)?.step = number + 1;
        Some(Next { after: step.think, key: answer.key })
    }

    fn follow(&mut self, key: u64, request: &mut Request) {
        let Some((journey, step)) = self.journeys.get(key).map(|one| (one.journey, one.step))
        else {
            return;
        };
        self.write(journey, step, key, request);
    }

    fn abandon(&mut self, key: u64) {
        if key & STATELESS == 0 {
            self.journeys.end(key);
        }
    }
}

#[cfg(test)]
mod tests;
