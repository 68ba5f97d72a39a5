//! What an experiment has shown. Four questions are answered apart, as one that fails says nothing about
//! the others: did the hypothesis hold, did the faults take hold, are they gone, and did everything else
//! work. Too little data is never a pass.

use serde::{Deserialize, Serialize};

/// An answer to one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yes.
    Held,
    /// No.
    Deviated,
    /// There is too little to say so.
    TooLittleData,
    /// It was not asked.
    NotAsked,
}

/// All four.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Did what was to stay steady stay so?
    pub hypothesis: Answer,
    /// Did every action succeed, and was every fault seen in force?
    pub injection: Answer,
    /// Did every roll-back succeed, and was every fault seen gone?
    pub revert: Answer,
    /// Did the run come to its end, and every probe of the method answer?
    pub infrastructure: Answer,
    /// Why, for people; in the order in which it was found out.
    pub reasons: Vec<String>,
}

impl Verdict {
    /// Exit status, gravest first: 3 something may be left behind, 4 the run itself failed or showed
    /// nothing, 2 a fault did not take hold, 1 the hypothesis did not hold, 0 it held.
    pub fn exit_status(&self) -> u8 {
        let bad = |answer| matches!(answer, Answer::Deviated | Answer::TooLittleData);
        if bad(self.revert) {
            return 3;
        }
        if bad(self.infrastructure) {
            return 4;
        }
        if bad(self.injection) {
            return 2;
        }
        match self.hypothesis {
            Answer::Held => 0,
            Answer::Deviated => 1,
            Answer::TooLittleData => 4,
            Answer::NotAsked if self.injection == Answer::NotAsked => 4,
            Answer::NotAsked => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Answer::{Deviated, Held, NotAsked, TooLittleData};
    use super::{Answer, Verdict};

    #[test]
    fn the_gravest_answer_is_the_exit_status() {
        let status = |hypothesis: Answer, injection, revert, infrastructure| {
            let reasons = Vec::new();
            Verdict { hypothesis, injection, revert, infrastructure, reasons }.exit_status()
        };
        assert_eq!(status(Held, Held, Held, Held), 0);
        assert_eq!(status(Deviated, Held, Held, Held), 1);
        assert_eq!(status(Deviated, Deviated, Held, Held), 2);
        assert_eq!(status(Deviated, Deviated, Deviated, Deviated), 3);
        assert_eq!(status(Deviated, Deviated, Held, Deviated), 4);
        assert_eq!(status(TooLittleData, Held, Held, Held), 4);
        assert_eq!(status(NotAsked, Held, NotAsked, Held), 0);
        assert_eq!(status(NotAsked, NotAsked, NotAsked, Held), 4);
    }
}
