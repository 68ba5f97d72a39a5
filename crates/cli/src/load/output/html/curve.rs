//! Any measured points over an axis, and a line fitted to them: latency by rate, rate by connections.

use crate::page::chart::{Axis, Chart, Mark, Series, Shape, Tip};
use crate::page::number;

/// Points, a line, and what the axes are.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Curve {
    pub(crate) title: String,
    /// How to read it.
    pub(crate) note: String,
    /// Text at the end of the horizontal axis, such as `requests/s`.
    pub(crate) x_unit: String,
    /// Text above the vertical axis, such as `ms`.
    pub(crate) y_unit: String,
    /// Whether the vertical axis is logarithmic.
    pub(crate) y_logarithmic: bool,
    /// What the points and the line are called.
    pub(crate) points_name: String,
    pub(crate) line_name: String,
    /// Measured, as x and y.
    pub(crate) points: Vec<(f64, f64)>,
    /// Fitted, ascending by x; may be empty.
    pub(crate) line: Vec<(f64, f64)>,
    /// A place on the horizontal axis worth a dashed line, and its name.
    pub(crate) mark: Option<(f64, String)>,
}

impl Curve {
    /// The chart.
    pub(crate) fn html(&self) -> String {
        let all = || self.points.iter().chain(&self.line);
        let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
        let mark = self.mark.iter().map(|(x, _)| *x);
        let x_max = largest(&mut all().map(|(x, _)| *x).chain(mark));
        let y_max = largest(&mut all().map(|(_, y)| *y));
        let y_min = all().map(|(_, y)| *y).filter(|y| *y > 0.0).fold(1e6, f64::min);
        let y = if self.y_logarithmic {
            Axis::logarithmic(y_min, y_max, &self.y_unit)
        } else {
            Axis::linear(y_max, &self.y_unit, super::charts::axis_number)
        };
        let mut series = Vec::new();
        if !self.line.is_empty() {
            let (name, points) = (self.line_name.as_str(), self.line.clone());
            series.push(Series { name, colour: "soft", points, shape: Shape::Line });
        }
        let (name, points) = (self.points_name.as_str(), self.points.clone());
        series.push(Series { name, colour: "http2", points, shape: Shape::Points });
        let tips = self.points.iter().map(|&(x, y)| Tip {
            x,
            lines: vec![
                format!("{} {}", number(x), self.x_unit),
                format!("{} {}", number(y), self.y_unit),
            ],
        });
        let marks = self.mark.iter().map(|(x, name)| Mark {
            x: *x,
            title: format!("{name}: {} {}", number(*x), self.x_unit),
            label: name.clone(),
        });
        Chart {
            label: &self.title,
            x: Axis::linear(x_max, &self.x_unit, super::charts::axis_number),
            y,
            series,
            marks: marks.collect(),
            marks_name: None,
            bands: Vec::new(),
            bands_name: None,
            tips: tips.collect(),
        }
        .html()
    }
}
