//! What has to hold at the rate that is sought: assertions joined by commas.

use bulkhead_load::LoadReport;

use super::super::assertion::Assertion;

/// One or more assertions, all of which have to hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Objective {
    text: String,
    assertions: Vec<Assertion>,
}

impl Objective {
    /// Reads `p99<5ms,errors<0.1%`. For clap's `value_parser`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let assertions = text
            .split(',')
            .map(|part| Assertion::parse(part.trim()))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { text: text.to_owned(), assertions })
    }

    /// As it was typed.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Those that do not hold. Without anything to judge, none does.
    pub(crate) fn failed(&self, report: &LoadReport) -> Vec<String> {
        self.assertions
            .iter()
            .filter(|assertion| !assertion.holds(report).unwrap_or(false))
            .map(|assertion| assertion.text().to_owned())
            .collect()
    }
}
