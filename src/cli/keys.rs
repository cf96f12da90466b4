//! `renzheng keys`: the keys of personal data.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;

use super::context::{refuse_strangers, settings};
use super::output::Output;
use super::{Common, Ended};
use crate::crypto::Keys;

#[derive(Subcommand)]
pub(super) enum KeysCommand {
    /// Make a key file for a new database; an existing file is never overwritten
    Generate {
        /// Where [default: the key file of the settings]
        file: Option<PathBuf>,
    },
    /// Copy the key file in use; the copy belongs apart from the database
    Backup {
        /// Where
        file: PathBuf,
    },
}

pub(super) async fn run(common: &Common, command: &KeysCommand, out: Output) -> anyhow::Result<Ended> {
    refuse_strangers(common).await?;
    let (settings, _) = settings(common)?;
    let made = match command {
        KeysCommand::Generate { file } => {
            let file = file.clone().unwrap_or_else(|| settings.key_file.clone());
            if let Some(folder) = file.parent() {
                std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            }
            Keys::generate()?.create_file(&file).with_context(|| format!("cannot make {}", file.display()))?;
            file
        }
        KeysCommand::Backup { file } => {
            let keys = match &settings.keys {
                Some(keys) => Keys::parse(keys.reveal()).context("RENZHENG_KEYS")?,
                None => Keys::read_file(&settings.key_file)
                    .with_context(|| format!("cannot read {}", settings.key_file.display()))?,
            };
            keys.create_file(file).with_context(|| format!("cannot make {}", file.display()))?;
            file.clone()
        }
    };
    let value = serde_json::json!({ "file": made });
    out.value(&value, |_| format!("wrote {}", made.display()))?;
    Ok(Ended::Done)
}
