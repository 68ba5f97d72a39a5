//! `data`.

use bulkhead_config::document::Item;

use super::Builder;
use crate::pool::{POOL_BYTES_MAX, Pool};

impl Builder<'_, '_> {
    pub(super) fn pools(&mut self, items: &[(Item, Item)]) -> Vec<Pool> {
        items.iter().filter_map(|(name, item)| self.pool(name.text(), item)).collect()
    }

    fn pool(&mut self, name: &str, item: &Item) -> Option<Pool> {
        let table = item.table()?;
        let (item, pool) = if let Some(item) = table.get("csv") {
            (item, Pool::csv(name, &self.read_text(item, POOL_BYTES_MAX)?))
        } else if let Some(item) = table.get("lines") {
            (item, Pool::lines(name, &self.read_text(item, POOL_BYTES_MAX)?))
        } else {
            let values = table.list("values");
            (table.get("values")?, Pool::values(name, values.iter().map(Item::text)))
        };
        match pool {
            Ok(pool) => Some(pool),
            Err(reason) => {
                self.report.error(item.span, format!("`data.{name}`: {reason}"));
                None
            }
        }
    }
}
