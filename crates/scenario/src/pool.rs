//! Values that a scenario brings along: lists, lines and CSV files. Kept in one text, however many.

mod csv;

/// Rows of a pool at most.
pub(crate) const POOL_ROWS_MAX: usize = 1_000_000;
/// Bytes of a pool at most.
pub(crate) const POOL_BYTES_MAX: usize = 64 << 20;
/// Columns of a pool at most.
pub(crate) const POOL_COLUMNS_MAX: usize = 64;

/// Rows of texts with the same columns. Has at least one row and one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pool {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
    text: String,
    /// Where each cell ends, row by row.
    ends: Vec<u32>,
}

impl Pool {
    /// One column of given values.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn values<'v>(
        name: &str,
        values: impl Iterator<Item = &'v str>,
    ) -> Result<Self, String> {
        let columns = vec!["value".to_owned()];
        let mut pool =
            Self { name: name.to_owned(), columns, text: String::new(), ends: Vec::new() };
        for value in values {
            pool.push(value)?;
        }
        pool.complete()
    }

    /// One column: the lines of a file that are not empty.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn lines(name: &str, text: &str) -> Result<Self, String> {
        Self::values(name, text.lines().filter(|line| !line.is_empty()))
    }

    /// The rows of a CSV file (RFC 4180), whose first row names the columns.
    ///
    /// # Errors
    /// What is wrong with it, with the line.
    pub(crate) fn csv(name: &str, text: &str) -> Result<Self, String> {
        let mut rows = csv::Rows::new(text.strip_prefix('\u{feff}').unwrap_or(text));
        let columns = rows.next_row()?.ok_or("the file is empty")?;
        let columns: Vec<String> = columns.into_iter().map(|name| name.trim().to_owned()).collect();
        if columns.len() > POOL_COLUMNS_MAX {
            return Err(format!("more than {POOL_COLUMNS_MAX} columns"));
        }
        if columns.iter().any(String::is_empty) {
            return Err("the first row names the columns, and one of its names is empty".to_owned());
        }
        let mut pool =
            Self { name: name.to_owned(), columns, text: String::new(), ends: Vec::new() };
        while let Some(row) = rows.next_row()? {
            if row.len() != pool.columns.len() {
                return Err(format!(
                    "line {} has {} fields, the first row names {}",
                    rows.line(),
                    row.len(),
                    pool.columns.len()
                ));
            }
            for cell in row {
                pool.push(&cell)?;
            }
        }
        pool.complete()
    }

    /// Number of rows.
    pub(crate) const fn rows(&self) -> usize {
        self.ends.len() / self.columns.len()
    }

    /// The text of a cell; empty if there is none.
    pub(crate) fn cell(&self, row: usize, column: usize) -> &str {
        let cell = row * self.columns.len() + column;
        let end = |cell: usize| self.ends.get(cell).map_or(0, |end| *end as usize);
        let start = cell.checked_sub(1).map_or(0, end);
        self.text.get(start..end(cell)).unwrap_or("")
    }

    fn push(&mut self, cell: &str) -> Result<(), String> {
        if self.ends.len() >= POOL_ROWS_MAX * self.columns.len() {
            return Err(format!("more than {POOL_ROWS_MAX} rows"));
        }
        if self.text.len() + cell.len() > POOL_BYTES_MAX {
            return Err(format!("larger than {} MiB", POOL_BYTES_MAX >> 20));
        }
        self.text.push_str(cell);
        self.ends.push(self.text.len() as u32);
        Ok(())
    }

    fn complete(self) -> Result<Self, String> {
        if self.ends.is_empty() { Err("there are no values in it".to_owned()) } else { Ok(self) }
    }
}

#[cfg(test)]
mod tests;
