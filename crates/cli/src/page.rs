//! What the HTML reports are made of: the frame, tiles, cards, numbers that read well, charts.
//!
//! A page is one file that fetches nothing and reads well without its script, in the dark, on a
//! telephone and on paper. Nothing here knows what a report is about.

use std::fmt::Write;

pub(crate) mod chart;
pub(crate) mod lanes;

/// What stands around a report.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    /// Of the window.
    pub(crate) title: &'a str,
    /// `pass`, `fail` or `invalid`: colours the head.
    pub(crate) tone: &'a str,
    /// The results as JSON, for programs.
    pub(crate) json: &'a str,
}

impl Frame<'_> {
    /// The whole page around `body`.
    pub(crate) fn around(&self, body: &str) -> String {
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{}</title>\n<style>\n{}</style>\n<main class=\"{}\">\n{body}</main>\n\
             <script type=\"application/json\" id=\"results\">{}</script>\n\
             <script>\n{}</script>\n</html>\n",
            escape(self.title),
            include_str!("page/style.css"),
            self.tone,
            // `<` stands in texts only, and could end the element early or open a comment.
            self.json.replace('<', "\\u003c"),
            include_str!("page/script.js"),
        )
    }
}

/// Key figures: name, value and a note for each.
pub(crate) fn tiles(page: &mut String, tiles: &[(&str, String, String)]) {
    *page += "<section class=\"tiles\">\n";
    for (name, value, note) in tiles {
        let _ = writeln!(
            page,
            "<div class=\"tile\"><span>{name}</span><b>{value}</b><small>{note}</small></div>"
        );
    }
    *page += "</section>\n";
}

/// A chart with its title and a sentence on how to read it.
pub(crate) fn figure(page: &mut String, title: &str, note: &str, svg: &str) {
    let _ = writeln!(page, "<section class=\"card\"><h2>{title}</h2><p>{note}</p>{svg}</section>");
}

/// Names with their values.
pub(crate) fn facts(page: &mut String, title: &str, rows: &[(&str, String)]) {
    let _ = writeln!(page, "<section class=\"card\"><h2>{title}</h2><dl>");
    for (name, value) in rows {
        let _ = writeln!(page, "<dt>{name}</dt><dd>{}</dd>", escape(value));
    }
    *page += "</dl></section>\n";
}

/// A number to three decimals; a large one to fewer, so that no digit stands there that says nothing.
pub(crate) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        _ if value.fract() == 0.0 => 0,
        ..100.0 => 3,
        ..1_000.0 => 2,
        _ => 1,
    };
    format!("{value:.decimals$}")
}

/// A number with its thousands apart.
pub(crate) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Text as content or attribute of an element.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_as_many_digits_as_say_something() {
        for (value, text) in [
            (0.0, "0"),
            (0.512, "0.512"),
            (1.5, "1.500"),
            (-12.3456, "-12.346"),
            (123.456, "123.46"),
            (1_083.391, "1083.4"),
            (42.0, "42"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn texts_cannot_end_their_element() {
        assert_eq!(escape("<a b=\"c\">&"), "&lt;a b=&quot;c&quot;&gt;&amp;");
        let page = Frame { title: "<", tone: "pass", json: "\"</script>\"" }.around("");
        assert_eq!(page.matches("</script>").count(), 2, "{page}");
    }
}
