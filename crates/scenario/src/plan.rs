//! The compiled requests of a run: what each thread's workload reads and never changes.

use std::sync::Arc;

use bulkhead_config::Diagnostic;
use bulkhead_load::Class;
use bulkhead_message::{Known, Scheme};

use crate::expectation::Expectation;
use crate::extract::Extract;
use crate::pool::Pool;
use crate::settings::{LoadSettings, TargetSettings, TokenSettings};
use crate::template::{Template, Variable};

/// A scenario, parsed and compiled. Names are not resolved and tokens not signed yet.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it says of itself; may be empty.
    pub description: String,
    /// Servers, in the order of the indices of [`Class::target`].
    pub targets: Vec<TargetSettings>,
    /// When requests are sent; `None`: whoever calls decides.
    pub load: Option<LoadSettings>,
    /// Pools of tokens to be signed, in the order that [`crate::Tokens`] wants.
    pub tokens: Vec<TokenSettings>,
    /// Conditions on the results, as texts that `check_assertion` took.
    pub assertions: Vec<String>,
    /// The requests.
    pub plan: Arc<Plan>,
    /// What is odd about the scenario.
    pub warnings: Vec<Diagnostic>,
}

/// The requests of a run, compiled.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub(crate) journeys: Vec<Journey>,
    /// Sums of the weights up to and with each journey.
    pub(crate) weights: Vec<u64>,
    /// Of each class, the journey and the step.
    pub(crate) places: Vec<(usize, usize)>,
    pub(crate) classes: Vec<Class>,
    pub(crate) pools: Vec<Pool>,
}

/// One request, or several of which each waits for the answer to the one before.
#[derive(Clone, Debug)]
pub(crate) struct Journey {
    pub(crate) variables: Vec<Variable>,
    /// Values that are taken from answers.
    pub(crate) extracted: usize,
    /// At least one.
    pub(crate) steps: Vec<Step>,
}

/// One request of a journey.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) class: usize,
    pub(crate) method: String,
    pub(crate) scheme: Scheme,
    pub(crate) authority: Template,
    pub(crate) path: Template,
    pub(crate) fields: Vec<Field>,
    pub(crate) body: Body,
    pub(crate) expect: Expectation,
    pub(crate) extract: Vec<Extract>,
    /// Time from the answer to the next step.
    pub(crate) think: std::time::Duration,
}

/// A header field of a request.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) known: Known,
    /// Lower case.
    pub(crate) name: Vec<u8>,
    pub(crate) value: Template,
    /// Never to be put into a compression table.
    pub(crate) sensitive: bool,
}

/// The body of a request.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Template(Template),
    /// From a file: sent as it is.
    Bytes(Arc<[u8]>),
}

impl Field {
    pub(crate) fn new(name: &str, value: Template) -> Self {
        let name = name.to_ascii_lowercase();
        let known = Known::of(name.as_bytes());
        // As careful clients do it (RFC 7541 §7.1.3).
        let sensitive = matches!(known, Known::Authorization) || name == "cookie";
        Self { known, name: name.into_bytes(), value, sensitive }
    }
}

impl Plan {
    /// The classes that requests are counted under: one for each request, and one for each step of a
    /// journey, called `journey/step`.
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// Adds a journey whose steps get classes of these names and targets.
    pub(crate) fn push(&mut self, weight: u64, mut journey: Journey, classes: Vec<Class>) {
        for (number, (step, class)) in journey.steps.iter_mut().zip(classes).enumerate() {
            step.class = self.classes.len();
            self.places.push((self.journeys.len(), number));
            self.classes.push(class);
        }
        let sum = self.weights.last().copied().unwrap_or(0);
        self.weights.push(sum + weight);
        self.journeys.push(journey);
    }

    /// The journey that a number in `0..total weight` falls on.
    pub(crate) fn journey_at(&self, place: u64) -> usize {
        self.weights.partition_point(|sum| *sum <= place)
    }

    pub(crate) fn weight_total(&self) -> u64 {
        self.weights.last().copied().unwrap_or(0)
    }

    /// Journey and step of a class.
    pub(crate) fn step(&self, class: usize) -> Option<(&Journey, &Step, usize)> {
        let &(journey, step) = self.places.get(class)?;
        let journey = self.journeys.get(journey)?;
        Some((journey, journey.steps.get(step)?, step))
    }
}

impl Journey {
    /// Whether nothing has to be remembered between its request and its answer.
    pub(crate) fn is_stateless(&self) -> bool {
        self.steps.len() == 1
    }
}
