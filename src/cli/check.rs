//! `renzheng check` and `renzheng policy`: what is configured, and whether it can work.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::context::{Context, settings};
use super::output::Output;
use super::{Common, Ended};
use crate::config::{ConfigError, Environment, Job, SourceSettings, check_jobs, read_jobs};
use crate::policy;
use crate::sources::{Source, Start};

#[derive(Args)]
pub(super) struct CheckArgs {
    /// Also open the database and every source
    #[arg(long)]
    connect: bool,
}

#[derive(Subcommand)]
pub(super) enum PolicyCommand {
    /// Print the policy file in use
    Show,
    /// Validate the policy file
    Check,
}

#[derive(Serialize)]
struct Checked {
    jobs: usize,
    policy_version: String,
    connected: Vec<String>,
}

pub(super) async fn run(common: &Common, args: &CheckArgs, out: Output) -> anyhow::Result<Ended> {
    let (settings, environment) = settings(common)?;
    let policy = policy::load(settings.policy.as_deref())?;
    let (jobs, mut errors) = read_jobs(&settings.jobs_dir);
    errors.extend(check_jobs(&jobs));
    errors.extend(jobs.iter().flat_map(|job| unset_variables(job, &environment)));
    refuse(errors)?;
    let mut connected = Vec::new();
    if args.connect {
        let context = Context::open(common).await?;
        connected.push("database".to_owned());
        let mut failure = None;
        for job in jobs.iter().filter(|job| job.source_settings().is_some()) {
            match Source::open(job, &environment, Start::default()).await {
                Ok(_) => connected.push(job.name.clone()),
                Err(error) => failure = Some(error),
            }
        }
        context.close().await?;
        if let Some(error) = failure {
            return Err(error.into());
        }
    }
    let checked = Checked { jobs: jobs.len(), policy_version: policy.policy.version.clone(), connected };
    out.value(&checked, |checked| {
        let connected = if checked.connected.is_empty() {
            String::new()
        } else {
            format!("; opened {}", checked.connected.join(", "))
        };
        format!("{} jobs and policy {} are in order{connected}", checked.jobs, checked.policy_version)
    })?;
    Ok(Ended::Done)
}

/// Every placeholder of the job's source that stands for nothing.
fn unset_variables(job: &Job, environment: &Environment) -> Vec<ConfigError> {
    let texts = job.source_settings().map(SourceSettings::texts).unwrap_or_default();
    texts
        .into_iter()
        .filter_map(|(key, text)| {
            environment.resolve(text).err().map(|error| job.error_at(key, crate::errors::chain(&error)))
        })
        .collect()
}

/// Prints all but the last error and gives that back: every fault is seen in one go.
fn refuse(errors: Vec<ConfigError>) -> anyhow::Result<()> {
    let mut errors = errors.into_iter().peekable();
    while let Some(error) = errors.next() {
        if errors.peek().is_none() {
            return Err(error.into());
        }
        eprintln!("renzheng: {error}");
    }
    Ok(())
}

pub(super) fn policy(common: &Common, command: &PolicyCommand, out: Output) -> anyhow::Result<Ended> {
    let (settings, _) = settings(common)?;
    let reading = policy::load(settings.policy.as_deref())?;
    match command {
        PolicyCommand::Show => out.line(reading.text.trim_end())?,
        PolicyCommand::Check => {
            let named =
                serde_json::json!({ "province": reading.policy.province_name, "version": reading.policy.version });
            out.value(&named, |_| {
                format!("policy of {} is in order, version {}", reading.policy.province_name, reading.policy.version)
            })?;
        }
    }
    Ok(Ended::Done)
}
