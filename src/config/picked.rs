//! How each setting came to be: flag, variable, line of `renzheng.toml`, or default; kept to be shown.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::environment::Environment;
use super::error::ConfigError;

/// Where the value of a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Origin {
    Flag,
    Variable {
        variable: String,
    },
    File {
        /// `renzheng.toml`, from 1.
        line: usize,
    },
    Default,
}

/// One setting in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SettingLine {
    /// Dotted, as in `renzheng.toml`.
    pub key: String,
    /// What is secret is `***`; nothing where nothing is set and there is no default.
    pub value: Option<String>,
    #[serde(flatten)]
    pub origin: Origin,
}

/// What of a value may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Plain,
    Secret,
    /// All but its password.
    Url,
    /// Its scheme and host alone.
    Place,
}

/// One setting to be picked.
pub(super) struct Wanted<'a> {
    /// Dotted, as in the settings file; also where there is no such key there.
    pub key: &'a str,
    pub variable: Option<&'a str>,
    pub shown: Shown,
    /// As it is shown; nothing where there is none.
    pub default: Option<&'a str>,
}

/// The settings file with its text, so that what cannot be filled in is reported with its line, and what was picked so far.
pub(super) struct Sources<'a> {
    environment: &'a Environment,
    path: PathBuf,
    text: String,
    picked: RefCell<Vec<SettingLine>>,
}

impl<'a> Sources<'a> {
    pub(super) fn new(environment: &'a Environment, path: PathBuf, text: String) -> Self {
        Self { environment, path, text, picked: RefCell::default() }
    }

    /// Everything that was picked, in that order.
    pub(super) fn into_lines(self) -> Vec<SettingLine> {
        self.picked.into_inner()
    }

    /// An error at a key of the settings file.
    pub(super) fn error_at(&self, key: &str, what: impl Into<String>) -> ConfigError {
        ConfigError::at_key(&self.path, &self.text, key, what)
    }

    /// What a flag gives, or else a variable, or else the text of the settings file.
    pub(super) fn pick(
        &self,
        wanted: &Wanted<'_>,
        flag: Option<String>,
        in_file: Option<String>,
    ) -> Result<Option<String>, ConfigError> {
        let variable = wanted.variable.and_then(|variable| Some((variable, self.environment.get(variable)?)));
        let (value, origin) = match (flag, variable, in_file) {
            (Some(value), _, _) => (Some(value), Origin::Flag),
            (None, Some((variable, value)), _) => (Some(value), Origin::Variable { variable: variable.to_owned() }),
            (None, None, Some(text)) => {
                let filled = self.environment.resolve(&text);
                let value = filled.map_err(|error| self.error_at(wanted.key, error.to_string()))?;
                (Some(value), Origin::File { line: self.error_at(wanted.key, "").line.unwrap_or(1) })
            }
            (None, None, None) => (None, Origin::Default),
        };
        let shown = match (&value, wanted.shown) {
            (None, _) => wanted.default.map(str::to_owned),
            (Some(value), Shown::Plain) => Some(value.clone()),
            (Some(_), Shown::Secret) => Some("***".to_owned()),
            (Some(value), Shown::Url) => Some(without_password(value)),
            (Some(value), Shown::Place) => Some(place_of(value)),
        };
        self.picked.borrow_mut().push(SettingLine { key: wanted.key.to_owned(), value: shown, origin });
        Ok(value)
    }

    /// As [`Sources::pick`], read; `accepted` says what would be.
    pub(super) fn pick_read<T>(
        &self,
        wanted: &Wanted<'_>,
        in_file: Option<String>,
        read: impl FnOnce(&str) -> Option<T>,
        accepted: &str,
    ) -> Result<Option<T>, ConfigError> {
        let from_variable = wanted.variable.filter(|variable| self.environment.get(variable).is_some());
        let Some(value) = self.pick(wanted, None, in_file)? else { return Ok(None) };
        let refused = || {
            let what = format!("is not one of {accepted}");
            match from_variable {
                Some(variable) => ConfigError::of_file(Path::new(variable), what),
                None => self.error_at(wanted.key, what),
            }
        };
        read(&value).map(Some).ok_or_else(refused)
    }
}

/// An address whose password cannot be seen.
fn without_password(text: &str) -> String {
    let Ok(mut url) = url::Url::parse(text) else { return "***".to_owned() };
    let hidden = url.password().is_none() || url.set_password(Some("***")).is_ok();
    // of a query only what names a place or a person is shown: anything else may be a token
    let plain = |name: &str| matches!(name, "host" | "port" | "user" | "dbname" | "sslmode" | "tls");
    if hidden && url.query_pairs().all(|(name, _)| plain(&name)) { url.to_string() } else { "***".to_owned() }
}

/// The place an address leads to: what follows may be a token.
fn place_of(text: &str) -> String {
    match url::Url::parse(text) {
        Ok(url) => format!("{}://{}/***", url.scheme(), url.host_str().unwrap_or_default()),
        Err(_) => "***".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (text, shown) in [
            ("postgres://u:s3cret@h/d", "postgres://u:***@h/d"),
            ("postgres:///d?host=/run&user=u", "postgres:///d?host=/run&user=u"),
            ("postgres://h/d?password=s3cret", "***"),
            ("https://h/robot?access_token=s3cret", "***"),
            ("s3cret", "***"),
        ] {
            assert_eq!(without_password(text), shown);
        }
    }
}
