//! Policy files: the dated rules of a province, read and checked.

mod file;

use std::path::{Path, PathBuf};

use crate::domain::policy::Policy;
use file::Text;

/// Jiangxi's rules, part of the program.
pub const BUILT_IN: &str = include_str!("jiangxi.toml");

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error("cannot read the policy file {}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// Not TOML, an unknown key, an impossible value, an overlap or a gap. Line and column count from 1.
    #[error("{file}:{line}:{column}: {found}")]
    Refused { file: String, line: usize, column: usize, found: String },
}

/// The policy that holds where the settings name no file.
pub fn built_in() -> Result<Policy, PolicyError> {
    named("built-in jiangxi.toml", BUILT_IN)
}

/// A policy with the text it was read from, which the database keeps.
#[derive(Clone, Debug)]
pub struct Reading {
    pub policy: Policy,
    pub text: String,
}

/// The policy of this file, or the built-in one.
pub fn load(path: Option<&Path>) -> Result<Reading, PolicyError> {
    let (name, text) = match path {
        None => ("built-in jiangxi.toml".to_owned(), BUILT_IN.to_owned()),
        Some(path) => {
            let unreadable = |source| PolicyError::Unreadable { path: path.to_path_buf(), source };
            (path.display().to_string(), std::fs::read_to_string(path).map_err(unreadable)?)
        }
    };
    Ok(Reading { policy: named(&name, &text)?, text })
}

/// A policy from the text of a file.
pub fn parse(text: &str) -> Result<Policy, PolicyError> {
    named("policy", text)
}

/// A version that was used, from the text that the database keeps: readable by what was demanded when it came into use.
pub fn recall(text: &str) -> Result<Policy, PolicyError> {
    read("policy", text, Text::Kept)
}

fn named(file: &str, text: &str) -> Result<Policy, PolicyError> {
    read(file, text, Text::File)
}

fn read(file: &str, text: &str, which: Text) -> Result<Policy, PolicyError> {
    file::parse(text, which).map_err(|fault| PolicyError::Refused {
        file: file.to_owned(),
        line: fault.line,
        column: fault.column,
        found: fault.found,
    })
}

#[cfg(test)]
mod tests;
