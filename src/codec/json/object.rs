//! An object of a command: its fields by name, each fault named by its path.

use serde_json::{Map, Value};

use super::error::JsonError;
use super::field::Field;

/// The fields of an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Object<'a>(&'a Map<String, Value>);

impl<'a> Object<'a> {
    /// The value as an object; `None` if it is none.
    pub(super) fn of(value: &'a Value) -> Option<Self> {
        value.as_object().map(Self)
    }

    /// The object by itself.
    pub(super) fn to_vec(self) -> Vec<u8> {
        serde_json::to_vec(self.0).unwrap_or_default()
    }

    pub(super) fn field(self, field: &'static str) -> Field<'a> {
        self.0.get(field).map_or(Field::Absent, Field::from)
    }

    /// A field that holds an object, read by `read`; faults within are named by their path.
    pub(super) fn object<T>(
        self,
        field: &'static str,
        read: impl FnOnce(Object<'a>) -> Result<T, JsonError>,
    ) -> Result<T, JsonError> {
        match self.0.get(field).and_then(Self::of) {
            Some(object) => read(object).map_err(|error| error.within(field)),
            None => Err(self.field(field).wrong(field, "an object")),
        }
    }

    /// The same, if it is said.
    pub(super) fn optional_object<T>(
        self,
        field: &'static str,
        read: impl FnOnce(Object<'a>) -> Result<T, JsonError>,
    ) -> Result<Option<T>, JsonError> {
        if self.field(field).is_said() { self.object(field, read).map(Some) } else { Ok(None) }
    }

    /// The same of a list.
    pub(super) fn optional_list<T>(
        self,
        field: &'static str,
        read: impl Fn(Object<'a>) -> Result<T, JsonError>,
    ) -> Result<Option<Vec<T>>, JsonError> {
        if self.field(field).is_said() { self.list(field, read).map(Some) } else { Ok(None) }
    }

    /// A field that holds a list of objects, each read by `read`.
    pub(super) fn list<T>(
        self,
        field: &'static str,
        read: impl Fn(Object<'a>) -> Result<T, JsonError>,
    ) -> Result<Vec<T>, JsonError> {
        let Some(Value::Array(items)) = self.0.get(field) else {
            return Err(self.field(field).wrong(field, "a list of objects"));
        };
        let one = |(at, item): (usize, &'a Value)| {
            let place = format!("{field}[{at}]");
            let object = Self::of(item).ok_or_else(|| JsonError::new(place.clone(), "is no object", ""))?;
            read(object).map_err(|error| error.within(&place))
        };
        items.iter().enumerate().map(one).collect()
    }
}
