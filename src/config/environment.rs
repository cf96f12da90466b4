//! The environment, and the placeholders in configuration that stand for it: `${NAME}` and `${file:/path}`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// A text that must not be seen: passwords, tokens, keys. `Debug` and `Display` hide it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the peer that asks for it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// A placeholder that stands for nothing.
#[derive(Debug, thiserror::Error)]
pub enum UnsetVariable {
    #[error("the variable `{0}` is not set")]
    Unset(String),
    #[error("the file `{path}` that a placeholder names cannot be read")]
    File { path: PathBuf, source: std::io::Error },
    #[error("a placeholder without end: accepted are `${{NAME}}` and `${{file:/path}}`")]
    Malformed,
}

/// Where variables come from: what was given in the process first, then the process environment.
#[derive(Clone, Default)]
pub struct Environment {
    overrides: BTreeMap<String, String>,
    closed: bool,
}

impl fmt::Debug for Environment {
    /// Names only: values are often secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.overrides.keys()).finish()
    }
}

impl Environment {
    /// The process environment.
    pub fn process() -> Self {
        Self::default()
    }

    /// These variables and no others.
    pub fn only<K: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (K, V)>) -> Self {
        let overrides = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { overrides, closed: true }
    }

    /// The same with one more variable, which goes before the process environment.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.overrides.insert(name.into(), value.into());
        self
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    fn read(&self, name: &str) -> Option<String> {
        let given = self.overrides.get(name).cloned();
        given.or_else(|| if self.closed { None } else { std::env::var(name).ok() })
    }

    /// The value of a variable; an empty one counts as unset.
    pub fn get(&self, name: &str) -> Option<String> {
        self.read(name).filter(|value| !value.is_empty())
    }

    /// Whether the variable is there and says nothing.
    pub fn is_empty(&self, name: &str) -> bool {
        self.read(name).is_some_and(|value| value.is_empty())
    }

    /// The text with its placeholders filled in. A file's trailing line ends are dropped. What is filled in is not
    /// read again for placeholders.
    pub fn resolve(&self, text: &str) -> Result<String, UnsetVariable> {
        let mut resolved = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or(UnsetVariable::Malformed)?;
            resolved.push_str(before);
            if let Some(path) = name.strip_prefix("file:") {
                let content = std::fs::read_to_string(path)
                    .map_err(|source| UnsetVariable::File { path: PathBuf::from(path), source })?;
                resolved.push_str(content.trim_end_matches(['\n', '\r']));
            } else {
                resolved.push_str(&self.get(name).ok_or_else(|| UnsetVariable::Unset(name.to_owned()))?);
            }
            rest = after;
        }
        resolved.push_str(rest);
        Ok(resolved)
    }
}

/// Whether every `${` of a text has its end and a name that a variable or file can have.
pub fn placeholders_are_well_formed(text: &str) -> bool {
    text.split("${").skip(1).all(|after| {
        after.split_once('}').is_some_and(|(name, _)| match name.strip_prefix("file:") {
            Some(path) => !path.is_empty(),
            None => {
                name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            }
        })
    })
}

/// The name of the user of the operating system who runs the program: the actor where no token says otherwise.
pub fn system_user() -> String {
    let uid = nix::unistd::Uid::current();
    let user = nix::unistd::User::from_uid(uid).ok().flatten();
    user.map_or_else(|| format!("uid {uid}"), |user| user.name)
}

/// The name of this machine, as it knows itself.
pub fn machine_name() -> String {
    nix::unistd::gethostname().map_or_else(|_| "this machine".to_owned(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_in_once() {
        let environment = Environment::only([("HOST", "agency"), ("ODD", "${HOST}")]);
        assert_eq!(
            environment.resolve("http://${HOST}/v1?x=${ODD}").expect("both are set"),
            "http://agency/v1?x=${HOST}"
        );
        assert_eq!(environment.resolve("plain $HOST {}").expect("no placeholder"), "plain $HOST {}");
    }

    #[test]
    fn an_unset_variable_is_named() {
        let environment = Environment::only([("EMPTY", "")]);
        for text in ["${MISSING}", "${EMPTY}"] {
            let error = environment.resolve(text).expect_err("not set").to_string();
            assert_eq!(error, format!("the variable `{}` is not set", &text[2..text.len() - 1]));
        }
        assert!(matches!(environment.resolve("${OPEN"), Err(UnsetVariable::Malformed)));
    }

    #[test]
    fn a_file_placeholder_gives_the_file_without_its_line_end() {
        let path = std::env::temp_dir().join(format!("renzheng-secret-{}", std::process::id()));
        std::fs::write(&path, "s3cret\n").expect("written");
        let resolved = Environment::process().resolve(&format!("<${{file:{}}}>", path.display()));
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(resolved.expect("readable"), "<s3cret>");
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new("s3cret");
        assert_eq!(format!("{secret} {secret:?}"), "(hidden) (hidden)");
    }
}
