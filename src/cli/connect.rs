//! `renzheng check --connect`: whether what is configured can be worked with, found out without changing anything.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::check::unset_variables;
use super::context::{DATABASE, has_database, load_keys, start_server};
use crate::clock;
use crate::config::{Environment, Job, Settings};
use crate::crypto::Keys;
use crate::errors;
use crate::push;
use crate::sources::Source;
use crate::store::Store;

/// One thing that was tried.
#[derive(Debug, Serialize)]
pub(super) struct Probe {
    what: String,
    pub(super) ok: bool,
    /// What was found, or what to do.
    text: String,
}

impl Probe {
    fn ok(what: impl Into<String>, text: impl Into<String>) -> Self {
        Self { what: what.into(), ok: true, text: text.into() }
    }

    fn failed(what: impl Into<String>, text: impl Into<String>) -> Self {
        Self { what: what.into(), ok: false, text: text.into() }
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:6}  {}: {}", if self.ok { "ok" } else { "failed" }, self.what, self.text)
    }
}

/// Whoever says nothing for so long cannot be worked with.
const PATIENCE: Duration = Duration::from_secs(15);

/// Tries the database, every source, and the tax department.
pub(super) async fn probes(settings: &Settings, environment: &Environment, jobs: &[Job]) -> anyhow::Result<Vec<Probe>> {
    let now = clock::system_now();
    let mut probes = database(settings, environment).await?;
    for job in jobs.iter().filter(|job| job.source_settings().is_some()) {
        let what = format!("source of {}", job.name);
        let unset = unset_variables(job, environment);
        if !unset.is_empty() {
            probes.extend(unset.iter().map(|error| Probe::failed(what.as_str(), errors::chain(error))));
            continue;
        }
        probes.push(match tokio::time::timeout(PATIENCE, Source::probe(job, environment, now)).await {
            Ok(Ok(text)) => Probe::ok(what, text),
            Ok(Err(error)) => {
                Probe::failed(what, errors::chain(&error).replacen(&format!("source of job `{}`: ", job.name), "", 1))
            }
            Err(_) => Probe::failed(what, format!("says nothing within {} s; look at its address", PATIENCE.as_secs())),
        });
    }
    probes.push(tax_department(settings, now).await);
    Ok(probes)
}

async fn database(settings: &Settings, environment: &Environment) -> anyhow::Result<Vec<Probe>> {
    if let Some(url) = &settings.database_url {
        return Ok(match load_keys(settings, false) {
            Ok(keys) => inspect(url.reveal(), &keys).await,
            Err(error) => vec![Probe::failed("keys", errors::chain(error.as_ref()))],
        });
    }
    let server = match start_server(settings, environment).await {
        Ok(server) => server,
        Err(error) => return Ok(vec![Probe::failed("database", errors::chain(error.as_ref()))]),
    };
    let probes = if has_database(&server.url("postgres")).await? {
        match load_keys(settings, false) {
            Ok(keys) => inspect(&server.url(DATABASE), &keys).await,
            Err(error) => vec![Probe::failed("keys", errors::chain(error.as_ref()))],
        }
    } else {
        vec![Probe::ok("database", "the private server runs; the first command that needs its database makes it")]
    };
    tokio::task::spawn_blocking(move || server.stop()).await??;
    Ok(probes)
}

async fn inspect(url: &str, keys: &Keys) -> Vec<Probe> {
    let findings = Store::inspect(url, keys).await;
    let probe = |what: &str, ok, text| Probe { what: what.to_owned(), ok, text };
    findings.into_iter().map(|finding| probe(finding.aspect.as_str(), finding.ok, finding.text)).collect()
}

async fn tax_department(settings: &Settings, now: DateTime<Utc>) -> Probe {
    const WHAT: &str = "tax department";
    let Some(tax) = &settings.tax else { return Probe::ok(WHAT, "is not set: nothing is handed over") };
    let client = match push::Client::new(tax) {
        Ok(client) => client,
        Err(error) => return Probe::failed(WHAT, errors::chain(&error)),
    };
    match tokio::time::timeout(PATIENCE, client.probe(now)).await {
        Ok(Ok(())) => Probe::ok(WHAT, "answers, and knows our key"),
        Ok(Err(what)) => Probe::failed(WHAT, what),
        Err(_) => Probe::failed(WHAT, format!("says nothing within {} s; look at its address", PATIENCE.as_secs())),
    }
}
