//! Labels that stand on every figure: the target, and what the user adds.

use anyhow::{Context, ensure};

/// Names that figures use themselves.
const OWN: [&str; 6] = ["class", "job", "le", "outcome", "quantile", "target"];

/// Names and values, the target's first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Labels(Vec<(String, String)>);

impl Labels {
    /// Of the target, with more as `name=value`.
    ///
    /// # Errors
    /// If one has no `=`, or a name that receivers refuse or that has a meaning already.
    pub(crate) fn parse(target: &str, more: &[String]) -> anyhow::Result<Self> {
        let mut labels = vec![("target".to_owned(), target.to_owned())];
        for text in more {
            let (name, value) =
                text.split_once('=').with_context(|| format!("label `{text}` has no `=`"))?;
            let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
            ensure!(
                name.bytes().next().is_some_and(letter)
                    && name.bytes().all(|byte| letter(byte) || byte.is_ascii_digit())
                    && !name.starts_with("__"),
                "label `{text}`: a name is made of letters, digits and `_`, and begins with no digit"
            );
            ensure!(
                !OWN.contains(&name) && labels.iter().all(|(other, _)| other != name),
                "label `{name}` is there already"
            );
            labels.push((name.to_owned(), value.to_owned()));
        }
        Ok(Self(labels))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::Labels;

    #[test]
    fn names_that_receivers_refuse_are_refused() {
        let parse = |text: &str| Labels::parse("t", &[text.to_owned()]);
        let labels = parse("zone=a=b").unwrap();
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("target", "t"), ("zone", "a=b")]);
        for bad in ["zone", "=a", "1a=b", "a-b=c", "__name__=x", "le=1", "target=x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(Labels::parse("t", &["a=1".to_owned(), "a=2".to_owned()]).is_err());
    }
}
