//! Charts as inline SVG: lines, areas and points over two axes, each linear or logarithmic, with
//! marks across. Drawn twice, for wide and for narrow windows; the style sheet shows one of them.
//!
//! Never a percentile of a percentile: what is drawn is what was given.

use std::fmt::Write;

use super::escape;

mod axis;
mod draw;

pub(crate) use axis::Axis;

/// How the values of a series are drawn.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// Joined.
    Line,
    /// Joined, and filled down to these values.
    Area(Vec<f64>),
    /// Each for itself.
    Points,
}

/// A named line, area or cloud.
#[derive(Clone, Debug)]
pub(crate) struct Series<'a> {
    /// In the legend.
    pub(crate) name: &'a str,
    /// A colour variable of the style sheet, without its dashes.
    pub(crate) colour: &'a str,
    /// Pairs of x and y.
    pub(crate) points: Vec<(f64, f64)>,
    pub(crate) shape: Shape,
}

/// Something that happened at `x`: a dashed line across.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) x: f64,
    /// Told when the pointer rests on it.
    pub(crate) title: String,
    /// Written above it; may be empty.
    pub(crate) label: String,
}

/// A stretch of time in which something was so: shaded behind the lines.
#[derive(Clone, Debug)]
pub(crate) struct Band {
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// Told when the pointer rests on it.
    pub(crate) title: String,
}

/// What is told of the place under the pointer: a head line and more.
#[derive(Clone, Debug)]
pub(crate) struct Tip {
    pub(crate) x: f64,
    pub(crate) lines: Vec<String>,
}

/// One chart.
#[derive(Clone, Debug)]
pub(crate) struct Chart<'a> {
    /// What it shows, for those who cannot see it.
    pub(crate) label: &'a str,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series<'a>>,
    pub(crate) marks: Vec<Mark>,
    /// Legend of the marks.
    pub(crate) marks_name: Option<&'a str>,
    pub(crate) bands: Vec<Band>,
    /// Legend of the bands.
    pub(crate) bands_name: Option<&'a str>,
    pub(crate) tips: Vec<Tip>,
}

/// Measures of a drawing, in units of its view box.
#[derive(Clone, Copy, Debug)]
struct Canvas {
    class: &'static str,
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    /// Ticks of the horizontal axis, at most.
    ticks_max: usize,
}

const WIDE: Canvas = Canvas {
    class: "wide",
    width: 1000.0,
    height: 260.0,
    left: 62.0,
    right: 990.0,
    top: 26.0,
    bottom: 222.0,
    ticks_max: 11,
};
const NARROW: Canvas = Canvas {
    class: "narrow",
    width: 420.0,
    height: 260.0,
    left: 54.0,
    right: 412.0,
    top: 26.0,
    bottom: 218.0,
    ticks_max: 6,
};

impl Chart<'_> {
    /// The chart as HTML, with its legend.
    pub(crate) fn html(&self) -> String {
        let mut html = self.legend();
        let tips: Vec<serde_json::Value> = self
            .tips
            .iter()
            .map(|tip| {
                // Four digits place the pointer to a tenth of a pixel.
                let at = (self.x.share(tip.x) * 10_000.0).round() / 10_000.0;
                let lines = tip.lines.iter().map(|line| serde_json::Value::from(line.as_str()));
                std::iter::once(serde_json::Value::from(at)).chain(lines).collect()
            })
            .collect();
        let _ = write!(
            html,
            "<div class=\"chart\" data-tips=\"{}\">",
            escape(&serde_json::Value::from(tips).to_string())
        );
        for canvas in [&WIDE, &NARROW] {
            draw::svg(&mut html, self, canvas);
        }
        html + "<div class=\"tip\"></div></div>"
    }

    fn legend(&self) -> String {
        let mut html = "<div class=\"legend\">".to_owned();
        for Series { name, colour, shape, .. } in &self.series {
            let class = if matches!(shape, Shape::Points) { " class=\"dot\"" } else { "" };
            let name = escape(name);
            let _ = write!(
                html,
                "<span><i{class} style=\"background:var(--{colour})\"></i>{name}</span>"
            );
        }
        if let Some(name) = self.bands_name {
            let name = escape(name);
            let _ = write!(html, "<span><i class=\"band\"></i>{name}</span>");
        }
        if let Some(name) = self.marks_name {
            let _ = write!(html, "<span><i class=\"mark\"></i>{name}</span>");
        }
        html + "</div>"
    }
}

#[cfg(test)]
mod tests;
