//! Stretches of time in lanes, one below the other: what was so when.

use std::fmt::Write;

use super::escape;

/// What a stretch is, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// At work.
    Work,
    /// A fault in force.
    Fault,
    /// Gone.
    Gone,
}

impl Tone {
    const fn class(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Fault => "fault",
            Self::Gone => "gone",
        }
    }
}

/// A stretch of a lane, in seconds.
#[derive(Clone, Debug)]
pub(crate) struct Stretch {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) tone: Tone,
    /// Written in it; may be empty.
    pub(crate) label: String,
    /// Told when the pointer rests on it.
    pub(crate) title: String,
}

/// A lane with its name.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) name: String,
    pub(crate) stretches: Vec<Stretch>,
}

/// The lanes as HTML, over so many seconds.
pub(crate) fn html(lanes: &[Lane], seconds: f64) -> String {
    let percent = |second: f64| 100.0 * (second / seconds.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
    let mut html = String::new();
    for Lane { name, stretches } in lanes {
        let name = escape(name);
        let _ = write!(html, "<div class=\"lane\"><span title=\"{name}\">{name}</span><div>");
        for Stretch { from, to, tone, label, title } in stretches {
            let (left, right) = (percent(*from), percent(*to));
            let _ = write!(
                html,
                "<i class=\"{}\" style=\"left:{left:.2}%;width:{:.2}%\" title=\"{}\">{}</i>",
                tone.class(),
                (right - left).max(0.0),
                escape(title),
                escape(label)
            );
        }
        html += "</div></div>\n";
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_stand_where_they_were() {
        let stretch = |from, to| Stretch {
            from,
            to,
            tone: Tone::Fault,
            label: "<slow>".to_owned(),
            title: String::new(),
        };
        let lanes = [Lane {
            name: "a".to_owned(),
            stretches: vec![stretch(5.0, 10.0), stretch(18.0, 40.0)],
        }];
        let html = html(&lanes, 20.0);
        for part in [
            "left:25.00%;width:25.00%",
            "left:90.00%;width:10.00%",
            "&lt;slow&gt;",
            "class=\"fault\"",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(super::html(&lanes, 0.0).contains("left:100.00%;width:0.00%"));
    }
}
