//! A node that was checked against its shape: what the model is built from.
//!
//! A wrong node becomes [`Value::Invalid`] after its diagnostic was written, so that the rest of
//! the file is still checked; every getter gives a neutral value for it.

use std::time::Duration;

use bulkhead_message::{Address, Network};

use crate::diagnostic::Span;
use crate::model::EndpointAddress;

/// A checked value with its place.
#[derive(Clone, Debug)]
pub struct Item {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub value: Value,
}

/// A checked value.
#[derive(Clone, Debug)]
pub enum Value {
    /// A diagnostic was written about it.
    Invalid,
    /// `off`.
    Off,
    /// Text.
    Text(String),
    /// Whole numbers, bytes, percent.
    Integer(u64),
    /// Decimal numbers.
    Decimal(f64),
    /// A truth value.
    Bool(bool),
    /// A duration.
    Duration(Duration),
    /// A network.
    Network(Network),
    /// IP address and port, or a Unix socket.
    Address(Address),
    /// Address or name, and port.
    Endpoint(EndpointAddress),
    /// A mapping of any content, as JSON text.
    Json(String),
    /// A list.
    List(Vec<Item>),
    /// A mapping with free keys.
    Map(Vec<(Item, Item)>),
    /// A mapping with known keys.
    Table(TableValue),
}

/// A checked mapping with known keys. Keys that were left out have their default in it.
#[derive(Clone, Debug, Default)]
pub struct TableValue {
    pub(crate) entries: Vec<(&'static str, Item)>,
    /// It had keys that the format does not know, so that what is missing may have been meant.
    pub(crate) unknown_keys: bool,
}

impl Item {
    /// The text, or the empty text.
    pub fn text(&self) -> &str {
        if let Value::Text(text) = &self.value { text } else { "" }
    }

    /// The number, or 0. Shapes keep numbers in the range of the type that they go to.
    pub fn number<N: TryFrom<u64> + Default>(&self) -> N {
        if let Value::Integer(number) = self.value {
            N::try_from(number).unwrap_or_default()
        } else {
            N::default()
        }
    }

    /// The table, or none.
    pub fn table(&self) -> Option<&TableValue> {
        if let Value::Table(table) = &self.value { Some(table) } else { None }
    }
}

impl TableValue {
    /// The item of a key that was given or has a default.
    pub fn get(&self, key: &str) -> Option<&Item> {
        self.entries.iter().find(|(name, _)| *name == key).map(|(_, item)| item)
    }

    /// Text of a key.
    pub fn text(&self, key: &str) -> Option<&str> {
        match &self.get(key)?.value {
            Value::Text(text) | Value::Json(text) => Some(text),
            _ => None,
        }
    }

    /// Text of a key, owned.
    pub fn string(&self, key: &str) -> Option<String> {
        self.text(key).map(str::to_owned)
    }

    /// Number of a key; `None` also for `off`.
    pub fn number<N: TryFrom<u64> + Default>(&self, key: &str) -> Option<N> {
        let item = self.get(key)?;
        matches!(item.value, Value::Integer(_)).then(|| item.number())
    }

    /// Decimal number of a key.
    pub fn decimal(&self, key: &str) -> Option<f64> {
        if let Value::Decimal(number) = self.get(key)?.value { Some(number) } else { None }
    }

    /// Duration of a key; `None` also for `off`.
    pub fn duration(&self, key: &str) -> Option<Duration> {
        if let Value::Duration(duration) = self.get(key)?.value { Some(duration) } else { None }
    }

    /// Whether a key is given and true.
    pub fn flag(&self, key: &str) -> bool {
        matches!(self.get(key), Some(Item { value: Value::Bool(true), .. }))
    }

    /// Address of a key.
    pub fn address(&self, key: &str) -> Option<Address> {
        if let Value::Address(address) = &self.get(key)?.value {
            Some(address.clone())
        } else {
            None
        }
    }

    /// Table of a key; `None` also for `off`.
    pub fn table(&self, key: &str) -> Option<&Self> {
        self.get(key)?.table()
    }

    /// Items of a key; none if it is left out.
    pub fn list(&self, key: &str) -> &[Item] {
        match self.get(key) {
            Some(Item { value: Value::List(items), .. }) => items,
            _ => &[],
        }
    }

    /// Texts of a key's list.
    pub fn strings(&self, key: &str) -> Vec<String> {
        self.list(key).iter().map(|item| item.text().to_owned()).collect()
    }

    /// Networks of a key's list.
    pub fn networks(&self, key: &str) -> Vec<Network> {
        let items = self.list(key).iter();
        items
            .filter_map(|item| match item.value {
                Value::Network(network) => Some(network),
                _ => None,
            })
            .collect()
    }

    /// Entries of a key's mapping; none if it is left out.
    pub fn map(&self, key: &str) -> &[(Item, Item)] {
        match self.get(key) {
            Some(Item { value: Value::Map(entries), .. }) => entries,
            _ => &[],
        }
    }

    /// Entries of a key's mapping as texts.
    pub fn pairs(&self, key: &str) -> Vec<(String, String)> {
        let text = |item: &Item| item.text().to_owned();
        self.map(key).iter().map(|(name, value)| (text(name), text(value))).collect()
    }

    /// Whether a key is left out, as far as one can tell: neither wrong nor misspelled.
    pub fn lacks(&self, key: &str) -> bool {
        !self.unknown_keys
            && match self.get(key).map(|item| &item.value) {
                None => true,
                Some(Value::List(items)) => items.is_empty(),
                Some(_) => false,
            }
    }

    /// The entries, in the order of the file, defaults last.
    pub fn entries(&self) -> &[(&'static str, Item)] {
        &self.entries
    }
}
