//! Texts with placeholders, and the rules of the place that they stand in.

use bulkhead_config::document::{Item, Show, Value, quote};
use bulkhead_message::is_field_value;

use super::{Builder, within};
use crate::template::{self, Part, Scope, Template};

impl Builder<'_, '_> {
    /// A text with placeholders. `None`: a diagnostic was written.
    pub(super) fn template(&mut self, item: &Item, scope: &mut Scope<'_>) -> Option<Template> {
        let Value::Text(text) = &item.value else { return None };
        match template::parse(text, scope) {
            Ok(template) => Some(template),
            Err(faults) => {
                for fault in faults {
                    let span = within(item, text, fault.offset, fault.width);
                    let found = self.report.error(span, fault.message);
                    found.suggestion = fault.suggestion;
                    found.remedy = fault.remedy;
                }
                None
            }
        }
    }

    /// A path with query. `base` stands before it.
    pub(super) fn path(
        &mut self,
        item: &Item,
        base: &str,
        scope: &mut Scope<'_>,
    ) -> Option<Template> {
        let template = self.template(item, scope)?;
        let text = item.text();
        let fits = |byte: &u8| byte.is_ascii_graphic() && *byte != b'#';
        if !template.texts().all(|text| text.iter().all(fits)) {
            let offset = text.chars().position(|c| !c.is_ascii_graphic() || c == '#').unwrap_or(0);
            self.report
                .error(within(item, text, offset, 1), "a path has visible ASCII only, without `#`")
                .remedy("percent-encode the rest: a space is `%20`");
            return None;
        }
        let mut parts = template.parts().to_vec();
        match parts.first_mut() {
            Some(Part::Text(first)) if first.first() == Some(&b'/') => {
                first.splice(0..0, base.bytes());
            }
            Some(Part::Variable(_)) => {}
            _ => {
                let found =
                    self.report.error(item.span, format!("the path {} has no `/`", quote(text)));
                let after = text.split_once("://").map(|(_, rest)| rest);
                match after {
                    Some(rest) => {
                        let path = rest.find('/').map_or("/", |at| &rest[at..]);
                        found.suggest(path).remedy("the host stands in `targets`");
                    }
                    None => {
                        found.suggest(format!("/{text}"));
                    }
                }
                return None;
            }
        }
        Some(Template::new(parts))
    }

    /// The value of a header field.
    pub(super) fn field_value(&mut self, item: &Item, scope: &mut Scope<'_>) -> Option<Template> {
        let template = self.template(item, scope)?;
        // With a letter at each end, only control characters are wrong.
        let fits = |text: &[u8]| is_field_value(&[b"x", text, b"x"].concat());
        if !template.texts().all(fits) {
            self.report
                .error(item.span, "the value of a header has no control characters")
                .show(Show::UpToKey);
            return None;
        }
        Some(template)
    }
}

/// Bytes from hexadecimal digits; white space is passed over.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16))
        .collect::<Option<_>>()?;
    let pair = |pair: &[u32]| u8::try_from(pair[0] * 16 + pair[1]).ok();
    digits.len().is_multiple_of(2).then(|| digits.chunks(2).map(pair).collect())?
}
