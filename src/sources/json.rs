//! JSON as it was written: numbers by their lexeme, never through binary floating point.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::page::{CellKind, Page};

/// A JSON object, its values unread, in the order in which they came.
pub struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((Text(name), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    members.push((name, value));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// The text of a JSON string.
fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(raw.get()).ok().map(|Text(text)| text)
}

/// A scalar as text: a string's text, a number's lexeme, `true`, `false`. `None` for null and what is no scalar.
pub fn scalar(raw: &RawValue) -> Option<Cow<'_, str>> {
    match raw.get().as_bytes().first() {
        Some(b'"') => string(raw),
        Some(b'{' | b'[' | b'n') | None => None,
        Some(_) => Some(Cow::Borrowed(raw.get())),
    }
}

/// What stands at a JSON pointer (RFC 6901).
pub fn at_pointer<'a>(document: &'a RawValue, pointer: &str) -> Option<&'a RawValue> {
    let mut value = document;
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        value = match value.get().as_bytes().first() {
            Some(b'{') => {
                let Object(members) = serde_json::from_str(value.get()).ok()?;
                members.into_iter().find(|(name, _)| *name == token)?.1
            }
            Some(b'[') => {
                let elements: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
                elements.get(token.parse::<usize>().ok()?).copied()?
            }
            _ => return None,
        };
    }
    Some(value)
}

/// Appends a record to a page, as a row or among the undecodable.
pub fn push_record(page: &mut Page, row: u64, text: &str) {
    if let Err(why) = push_object(page, row, text) {
        page.push_undecodable(row, why, text.as_bytes());
    }
}

/// More names than this in one page are no table.
const MAX_COLUMNS: usize = 1000;

/// Decodes before it begins the row, so that a bad record leaves no half row.
fn push_object(page: &mut Page, row: u64, text: &str) -> Result<(), &'static str> {
    if !text.trim_start().starts_with('{') {
        return Err("not a JSON object");
    }
    let Object(members) = serde_json::from_str(text).map_err(|_| "not valid JSON")?;
    if page.columns().len().max(members.len()) > MAX_COLUMNS {
        return Err("more than a thousand names");
    }
    let mut cells: Vec<(usize, Cow<'_, str>, CellKind)> = Vec::with_capacity(members.len());
    let mut seen = Vec::with_capacity(members.len());
    for (name, value) in &members {
        if seen.contains(&name.as_ref()) {
            return Err("a JSON object that has a name twice");
        }
        seen.push(name.as_ref());
        let kind = match value.get().as_bytes().first() {
            Some(b'n') => continue,
            Some(b'{' | b'[') => return Err("a value that is an object or an array where a plain one is expected"),
            Some(b'-' | b'0'..=b'9') => CellKind::Number,
            _ => CellKind::Text,
        };
        let text = scalar(value).ok_or("a JSON string that is not valid Unicode")?;
        cells.push((page.column(name), text, kind));
    }
    page.begin_row(row);
    for (column, text, kind) in cells {
        page.set(column, &text, kind);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page_of(records: &[&str]) -> Page {
        let mut page = Page::new(0);
        for (at, record) in records.iter().enumerate() {
            push_record(&mut page, at as u64 + 1, record);
        }
        page
    }

    #[test]
    fn a_number_is_what_was_written() {
        let page = page_of(&[r#"{"a":3500.10,"b":36000019900307123456,"c":1e3,"d":"007","e":true,"f":null,"g":0.1}"#]);
        let cells: Vec<_> = page.raw(0).into_iter().map(|(name, value)| (name, value.text, value.kind)).collect();
        assert_eq!(
            cells,
            [
                ("a", "3500.10", CellKind::Number),
                ("b", "36000019900307123456", CellKind::Number),
                ("c", "1e3", CellKind::Number),
                ("d", "007", CellKind::Text),
                ("e", "true", CellKind::Text),
                ("g", "0.1", CellKind::Number),
            ]
        );
    }

    #[test]
    fn what_is_no_flat_object_is_kept_with_its_reason() {
        let bad = [r#"{"a":{"b":1}}"#, r#"{"a":[1]}"#, r#"{"a":1,"a":2}"#, "[1]", r#"{"a":"#, r#"{"a":"\ud800"}"#, "7"];
        let page = page_of(&bad);
        assert!(page.is_empty());
        assert_eq!(page.undecodable.len(), bad.len());
        assert_eq!(page.undecodable[2].why, "a JSON object that has a name twice");
        assert_eq!(page.undecodable[6].raw, b"7");
    }

    #[test]
    fn a_pointer_finds_what_it_names() {
        let document: &RawValue = serde_json::from_str(r#"{"a/b":{"~":[10,{"x":"y\n"}]}}"#).expect("JSON");
        let found = at_pointer(document, "/a~1b/~0/1/x").and_then(scalar);
        assert_eq!(found.as_deref(), Some("y\n"));
        assert!(at_pointer(document, "/a~1b/none").is_none());
        assert_eq!(at_pointer(document, "").map(RawValue::get), Some(document.get()));
    }
}
