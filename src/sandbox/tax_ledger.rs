//! The tax department's memory: every message with its answer, appended to a file that outlives the process.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::tax_rules::{Accepted, Held, Rejection, judge};

/// The department's answer to a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Answer {
    Accepted {
        receipt: String,
        /// SHA-256 of the accepted body, in hex.
        digest: String,
        message_id: String,
    },
    Rejected {
        #[serde(flatten)]
        rejection: Rejection,
        message_id: String,
    },
}

/// A message as received, and how it was answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    pub message_id: String,
    pub idempotency_key: String,
    /// The body as it came, byte for byte.
    pub body: String,
    pub answer: Answer,
    /// Rejected now, and accepted before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub was_accepted: bool,
    /// Accepted, and taken out of force by nobody's message.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lapsed: bool,
    /// How often it came since the department opened, the first time included; not written down.
    #[serde(skip_deserializing, default)]
    pub times: u32,
}

impl Entry {
    /// SHA-256 of the body that was answered, in hex.
    pub fn digest(&self) -> String {
        match &self.answer {
            Answer::Accepted { digest, .. } => digest.clone(),
            Answer::Rejected { .. } => hex::encode(Sha256::digest(&self.body)),
        }
    }

    pub fn receipt(&self) -> Option<&str> {
        match &self.answer {
            Answer::Accepted { receipt, .. } => Some(receipt),
            Answer::Rejected { .. } => None,
        }
    }
}

/// What is in force for an employer and year.
#[derive(Clone, Debug, Serialize)]
pub struct InForce {
    pub uscc: String,
    pub year: u64,
    pub version: u64,
    pub receipt: String,
    pub digest: String,
    pub message: Value,
}

/// Why a message is refused without being looked at further.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("the body is not a JSON object in UTF-8 with `message_id` and `idempotency_key`")]
    Unreadable,
    #[error("the idempotency key came before with another body")]
    KeyReused,
    #[error("the message id came before with another idempotency key")]
    MessageIdReused,
    #[error("the ledger could not be written")]
    Ledger(#[source] std::io::Error),
}

/// All entries, in the order received, and what follows from them.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    file: File,
    entries: Vec<Entry>,
    by_key: HashMap<String, usize>,
    by_message: HashMap<String, usize>,
    held: BTreeMap<(String, u64), Held>,
    accepted: u64,
    written: u64,
}

impl Ledger {
    /// Opens the file, or begins it. A last line that a crash cut off is dropped: nobody was told of it.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let attempt = || format!("opening the tax department's ledger {}", path.display());
        let text = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error).with_context(attempt),
        };
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let file = OpenOptions::new().create(true).append(true).open(path).with_context(attempt)?;
        file.set_len(whole as u64).with_context(attempt)?;
        let mut ledger = Self {
            path: path.to_owned(),
            file,
            entries: Vec::new(),
            by_key: HashMap::new(),
            by_message: HashMap::new(),
            held: BTreeMap::new(),
            accepted: 0,
            written: 0,
        };
        for line in text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let entry: Entry = serde_json::from_slice(line).with_context(attempt)?;
            ledger.remember(entry);
        }
        Ok(ledger)
    }

    /// Answers a message: the same key and body gets the same answer; what is new is judged and written down. Whoever tells the answer
    /// forces the file to the disk before.
    pub fn receive(&mut self, body: &[u8]) -> Result<Answer, Refused> {
        let body = std::str::from_utf8(body).map_err(|_| Refused::Unreadable)?;
        let message: Value = serde_json::from_str(body).map_err(|_| Refused::Unreadable)?;
        let (Some(message_id), Some(key)) = (message["message_id"].as_str(), message["idempotency_key"].as_str())
        else {
            return Err(Refused::Unreadable);
        };
        if let Some(known) = self.by_key.get(key).and_then(|place| self.entries.get_mut(*place)) {
            if known.body != body {
                return Err(Refused::KeyReused);
            }
            known.times += 1;
            return Ok(known.answer.clone());
        }
        if self.by_message.contains_key(message_id) {
            return Err(Refused::MessageIdReused);
        }
        let held = |uscc: &str, year: u64| self.held.get(&(uscc.to_owned(), year)).cloned().unwrap_or_default();
        let message_id = message_id.to_owned();
        let answer = match judge(&message, held) {
            Ok(Accepted { year, .. }) => Answer::Accepted {
                receipt: format!("36{year}{:08}", self.accepted + 1),
                digest: hex::encode(Sha256::digest(body)),
                message_id: message_id.clone(),
            },
            Err(rejection) => Answer::Rejected { rejection, message_id: message_id.clone() },
        };
        let entry = Entry {
            message_id,
            idempotency_key: key.to_owned(),
            body: body.to_owned(),
            answer: answer.clone(),
            was_accepted: false,
            lapsed: false,
            times: 1,
        };
        self.append(&entry).map_err(Refused::Ledger)?;
        self.written += 1;
        self.remember(entry);
        Ok(answer)
    }

    /// The answer that a message got.
    pub fn find(&self, message_id: &str) -> Option<&Answer> {
        self.by_message.get(message_id).and_then(|place| self.entries.get(*place)).map(|entry| &entry.answer)
    }

    /// Every message that was answered, in order; one that came again is there once, with its `times`.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What is in force, by employer and year.
    pub fn in_force(&self) -> Vec<InForce> {
        let found = self.held.iter().filter_map(|((uscc, year), held)| {
            let entry = self.entries.get(*self.by_message.get(held.message_id.as_ref()?)?)?;
            let Answer::Accepted { receipt, digest, .. } = &entry.answer else { return None };
            Some(InForce {
                uscc: uscc.clone(),
                year: *year,
                version: held.version,
                receipt: receipt.clone(),
                digest: digest.clone(),
                message: serde_json::from_str(&entry.body).ok()?,
            })
        });
        found.collect()
    }

    /// The message in force, by its id.
    pub fn message_in_force(&self, uscc: &str, year: u64) -> Option<&str> {
        self.held.get(&(uscc.to_owned(), year))?.message_id.as_deref()
    }

    /// Changes what is remembered; everything else follows from it anew.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Vec<Entry>)) -> anyhow::Result<()> {
        change(&mut self.entries);
        let mut text = Vec::new();
        for entry in &self.entries {
            serde_json::to_writer(&mut text, entry)?;
            text.push(b'\n');
        }
        std::fs::write(&self.path, text).context("writing the tax department's ledger anew")?;
        self.file.sync_data()?;
        *self = Self { written: self.written + 1, ..Self::open(&self.path)? };
        Ok(())
    }

    fn append(&mut self, entry: &Entry) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        self.file.write_all(&line)
    }

    /// Another hand on the file, to force it to the disk.
    pub fn file(&self) -> std::io::Result<File> {
        self.file.try_clone()
    }

    /// How many entries were written since it was opened.
    pub fn written(&self) -> u64 {
        self.written
    }

    fn remember(&mut self, entry: Entry) {
        let message: Value = serde_json::from_str(&entry.body).unwrap_or_default();
        let key = (message["uscc"].as_str().unwrap_or_default().to_owned(), message["year"].as_u64().unwrap_or(0));
        let held = self.held.entry(key).or_default();
        let version = message["version"].as_u64().unwrap_or_default();
        let is_accepted = matches!(entry.answer, Answer::Accepted { .. });
        if is_accepted || entry.was_accepted {
            self.accepted += 1;
            let in_force = message["kind"] == "certified" && is_accepted && !entry.lapsed;
            held.message_id = in_force.then(|| entry.message_id.clone());
        }
        if is_accepted {
            held.version = version;
        }
        self.by_key.insert(entry.idempotency_key.clone(), self.entries.len());
        self.by_message.insert(entry.message_id.clone(), self.entries.len());
        self.entries.push(entry);
    }
}
