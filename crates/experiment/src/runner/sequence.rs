//! The activities of the method or of the roll-backs: one after the other, save those in the background.

use super::Context;
use super::activity::Course;
use crate::journal::Record;
use crate::model::Step;

#[derive(Debug)]
pub(super) struct Sequence {
    steps: std::vec::IntoIter<Step>,
    current: Option<Running>,
    background: Vec<Running>,
    /// In the order in which they were begun.
    records: Vec<Option<Record>>,
}

#[derive(Debug)]
struct Running {
    course: Course,
    /// Its record's place; given when it has one, so that a pause does not hold a place.
    place: Option<usize>,
}

impl Sequence {
    pub(super) fn new(steps: Vec<Step>) -> Self {
        Self {
            steps: steps.into_iter(),
            current: None,
            background: Vec::new(),
            records: Vec::new(),
        }
    }

    /// Goes on; the records once all is over. With `stop` no further activity is begun.
    pub(super) fn advance(&mut self, context: &mut Context, stop: bool) -> Option<Vec<Record>> {
        for running in &mut self.background {
            running.advance(context, &mut self.records);
        }
        self.background.retain(|running| !running.course.is_done());
        loop {
            if let Some(current) = &mut self.current {
                current.advance(context, &mut self.records);
                if !current.course.is_done() {
                    return None;
                }
                self.current = None;
            }
            let step = if stop { None } else { self.steps.next() };
            let Some(step) = step else { break };
            let mut running =
                Running { course: Course::begin(&step.activity, context), place: None };
            if step.background {
                running.advance(context, &mut self.records);
                self.background.push(running);
            } else {
                self.current = Some(running);
            }
        }
        self.background.retain(|running| !running.course.is_done());
        let over = self.background.is_empty();
        over.then(|| std::mem::take(&mut self.records).into_iter().flatten().collect())
    }
}

impl Running {
    fn advance(&mut self, context: &mut Context, records: &mut Vec<Option<Record>>) {
        self.course.advance(context);
        if self.course.record.is_some() && self.place.is_none() {
            self.place = Some(records.len());
            records.push(None);
        }
        if let (true, Some(place)) = (self.course.is_done(), self.place)
            && let Some(slot) = records.get_mut(place)
        {
            *slot = self.course.record.take();
        }
    }
}
