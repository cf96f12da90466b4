//! What is wrong with a configuration file: where it stands, what was found, what would be accepted.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One mistake in a configuration file. Values that could be secrets are never repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    pub file: PathBuf,
    /// From 1.
    pub line: Option<usize>,
    /// Dotted: `source.url`.
    pub key: Option<String>,
    pub what: String,
}

impl ConfigError {
    /// A mistake of the file as a whole.
    pub fn of_file(file: &Path, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, key: None, what: what.into() }
    }

    /// A mistake at a key; the line is that of the key, or of the nearest table above it that exists.
    pub fn at_key(file: &Path, text: &str, key: &str, what: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: find_key(text, key).map(|at| line_of(text, at)),
            key: Some(key.to_owned()),
            what: what.into(),
        }
    }

    /// What the TOML reader found.
    pub(super) fn of_toml(file: &Path, text: &str, error: &toml::de::Error) -> Self {
        let span = error.span();
        Self {
            file: file.to_owned(),
            line: span.as_ref().map(|span| line_of(text, span.start)),
            key: span.and_then(|span| key_at(text, &span)),
            what: error.message().trim().replace('\n', ", "),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(key) = &self.key {
            write!(f, ": `{key}`")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for ConfigError {}

fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).matches('\n').count() + 1
}

/// Where a dotted key begins, or the last part of its path that is there.
fn find_key(text: &str, key: &str) -> Option<usize> {
    let (document, _) = DeTable::parse_recoverable(text);
    let mut table = document.get_ref();
    let mut found = None;
    for part in key.split('.') {
        let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref() == part) else { break };
        found = Some(name.span().start);
        match value.get_ref().as_table() {
            Some(inner) => table = inner,
            None => break,
        }
    }
    found
}

/// The dotted key whose name or value covers a span.
fn key_at(text: &str, span: &Range<usize>) -> Option<String> {
    let (document, _) = DeTable::parse_recoverable(text);
    let path = path_to(document.get_ref(), span)?;
    Some(path.join("."))
}

fn path_to(table: &DeTable<'_>, span: &Range<usize>) -> Option<Vec<String>> {
    table.iter().find_map(|(name, value)| {
        let own = || name.get_ref().to_string();
        if let Some(inner) = inner_table(value)
            && let Some(path) = path_to(inner, span)
        {
            return Some(std::iter::once(own()).chain(path).collect());
        }
        (covers(&name.span(), span) || covers(&value.span(), span)).then(|| vec![own()])
    })
}

fn inner_table<'a, 'i>(value: &'a Spanned<DeValue<'i>>) -> Option<&'a DeTable<'i>> {
    value.get_ref().as_table()
}

fn covers(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}
