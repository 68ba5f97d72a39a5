//! A checked experiment.

use serde_json::{Map, Value};

use crate::extension::Extension;

/// An experiment that can be run.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    /// What it is called; may hold placeholders.
    pub title: String,
    /// Ours: seed, time to live, blast radius, what aborts it.
    pub extension: Extension,
    /// When the hypothesis is looked at, if the file says so.
    pub hypothesis_strategy: Option<HypothesisStrategy>,
    /// When roll-backs are played, if the file says so.
    pub rollback_strategy: Option<RollbackStrategy>,
    /// With sources of values, not values.
    pub(crate) configuration: Map<String, Value>,
    pub(crate) secrets: Map<String, Value>,
    /// Empty: there is no hypothesis.
    pub(crate) probes: Vec<Step>,
    pub(crate) method: Vec<Step>,
    pub(crate) rollbacks: Vec<Step>,
    /// As it stood in the file, for the journal.
    pub(crate) raw: Value,
}

impl Experiment {
    /// Whether an activity asks something of the lab.
    pub fn asks_lab(&self) -> bool {
        let steps = self.probes.iter().chain(&self.method).chain(&self.rollbacks);
        let kind = |step: &Step| {
            step.activity.provider.get("type").and_then(Value::as_str) == Some("python")
        };
        steps.into_iter().any(kind)
    }
}

/// When the steady-state hypothesis is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HypothesisStrategy {
    /// Before and after the method.
    #[default]
    Default,
    /// Before the method.
    BeforeMethodOnly,
    /// After the method.
    AfterMethodOnly,
    /// Again and again during the method.
    DuringMethodOnly,
    /// Before, during and after the method.
    Continuously,
    /// Never.
    Skip,
}

impl HypothesisStrategy {
    pub(crate) const NAMES: [&str; 6] = [
        "default",
        "before-method-only",
        "after-method-only",
        "during-method-only",
        "continuously",
        "skip",
    ];

    /// By its name in Chaos Toolkit, also by the misspelled one that it takes.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "default" => Self::Default,
            "before-method-only" => Self::BeforeMethodOnly,
            "after-method-only" => Self::AfterMethodOnly,
            "during-method-only" => Self::DuringMethodOnly,
            "continuously" | "continously" => Self::Continuously,
            "skip" => Self::Skip,
            _ => return None,
        })
    }

    pub(crate) const fn before(self) -> bool {
        matches!(self, Self::Default | Self::BeforeMethodOnly | Self::Continuously)
    }

    pub(crate) const fn during(self) -> bool {
        matches!(self, Self::DuringMethodOnly | Self::Continuously)
    }

    pub(crate) const fn after(self) -> bool {
        matches!(self, Self::Default | Self::AfterMethodOnly | Self::Continuously)
    }
}

/// When roll-backs are played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RollbackStrategy {
    /// Chaos Toolkit's own default: unless the experiment failed or was interrupted.
    UnlessFailed,
    /// Whatever happened: what is played if nothing else is said.
    #[default]
    Always,
    /// Never. Faults of the lab are taken back all the same.
    Never,
    /// If the experiment deviated.
    Deviated,
}

impl RollbackStrategy {
    pub(crate) const NAMES: [&str; 4] = ["default", "always", "never", "deviated"];

    /// By its name in Chaos Toolkit.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "default" => Self::UnlessFailed,
            "always" => Self::Always,
            "never" => Self::Never,
            "deviated" => Self::Deviated,
            _ => return None,
        })
    }
}

/// What is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dry {
    /// Probes.
    Probes,
    /// Actions.
    Actions,
    /// Neither probes nor actions.
    Activities,
    /// Pauses.
    Pause,
}

impl Dry {
    /// By its name in Chaos Toolkit.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "probes" => Self::Probes,
            "actions" => Self::Actions,
            "activities" => Self::Activities,
            "pause" => Self::Pause,
            _ => return None,
        })
    }

    /// Its name in Chaos Toolkit.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Probes => "probes",
            Self::Actions => "actions",
            Self::Activities => "activities",
            Self::Pause => "pause",
        }
    }
}

/// One step of hypothesis, method or roll-backs; references are resolved.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) activity: Activity,
    /// The next step does not wait for it.
    pub(crate) background: bool,
    /// Only of the hypothesis.
    pub(crate) tolerance: Option<Value>,
}

/// A probe or an action.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Activity {
    pub(crate) is_action: bool,
    pub(crate) name: String,
    /// A mapping with a `type`.
    pub(crate) provider: Value,
    /// Empty if there are none.
    pub(crate) pauses: Value,
    pub(crate) dry: Option<Dry>,
    /// As it stood in the file, for the journal.
    pub(crate) raw: Value,
}
