//! Comma-separated values (RFC 4180): quotes around fields with commas, quotes or line breaks in them.

use super::POOL_COLUMNS_MAX;

/// Reads row by row.
pub(super) struct Rows<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Rows<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { rest: text, line: 0 }
    }

    /// Line in which the last row ended, from 1.
    pub(super) const fn line(&self) -> usize {
        self.line
    }

    /// The next row; empty lines are passed over. `None`: there is none.
    pub(super) fn next_row(&mut self) -> Result<Option<Vec<String>>, String> {
        while let Some(rest) = after_line_end(self.rest) {
            self.line += 1;
            self.rest = rest;
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut row = Vec::new();
        loop {
            if row.len() > POOL_COLUMNS_MAX {
                return Err(format!("line {} has too many fields", self.line + 1));
            }
            let field = match self.rest.strip_prefix('"') {
                Some(rest) => self.quoted(rest)?,
                None => self.plain(),
            };
            row.push(field);
            if let Some(rest) = self.rest.strip_prefix(',') {
                self.rest = rest;
                continue;
            }
            let after = after_line_end(self.rest);
            self.line += 1;
            match after {
                Some(rest) => self.rest = rest,
                None if self.rest.is_empty() => {}
                None => return Err(format!("line {}: text behind a quote", self.line)),
            }
            return Ok(Some(row));
        }
    }

    fn plain(&mut self) -> String {
        let end = self.rest.find([',', '\n']).unwrap_or(self.rest.len());
        let (mut field, mut rest) = self.rest.split_at(end);
        if rest.starts_with('\n') && field.ends_with('\r') {
            field = &field[..field.len() - 1];
            rest = &self.rest[end..];
        }
        self.rest = rest;
        field.to_owned()
    }

    fn quoted(&mut self, mut rest: &'a str) -> Result<String, String> {
        let mut field = String::new();
        let first_line = self.line + 1;
        loop {
            let Some(end) = rest.find('"') else {
                return Err(format!("line {first_line}: a quote is not closed"));
            };
            field.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix('"') {
                Some(after) => {
                    field.push('"');
                    rest = after;
                }
                None => break,
            }
        }
        self.line += field.matches('\n').count();
        self.rest = rest;
        Ok(field)
    }
}

fn after_line_end(text: &str) -> Option<&str> {
    text.strip_prefix("\r\n").or_else(|| text.strip_prefix('\n'))
}
