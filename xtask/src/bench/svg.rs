//! The frame of a picture: plain SVG with a ground of its own, so that it can be read on light and dark
//! pages. What is in it draws others.

/// What a picture adds to the style, a rule a line: for light pages, and what is otherwise on dark ones.
pub(crate) struct Style {
    pub(crate) light: &'static str,
    pub(crate) dark: &'static str,
}

/// The whole file: the ground, its title, and `body` on it. Classes that every picture has: `grid`,
/// `axis`, `title`.
pub(crate) fn page(width: f64, height: f64, title: &str, style: &Style, body: &str) -> String {
    let Style { light, dark } = style;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"{title}\">
  <style>
    .ground {{ fill: #ffffff; stroke: #d0d7de; }}
    .grid {{ stroke: #d8dee4; stroke-width: 1; }}
    text {{ font: 14px system-ui, sans-serif; fill: #1f2328; }}
    .title {{ font-size: 16px; font-weight: 600; }}
    .axis {{ fill: #57606a; }}
{light}    @media (prefers-color-scheme: dark) {{
      .ground {{ fill: #0d1117; stroke: #30363d; }}
      .grid {{ stroke: #262c36; }}
      text {{ fill: #e6edf3; }}
      .axis {{ fill: #9198a1; }}
{dark}    }}
  </style>
  <rect class=\"ground\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\"/>
  <text class=\"title\" x=\"24\" y=\"34\">{title}</text>
{body}</svg>
",
        width - 1.0,
        height - 1.0,
    )
}
