//! `renzheng check` and `renzheng policy`: what is configured, and whether it can work.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::connect::{Probe, probes};
use super::context::{Context, settings, usage};
use super::output::Output;
use super::{Common, Ended};
use crate::config::{ConfigError, Environment, Job, SourceSettings, check_jobs, read_jobs};
use crate::domain::access::Action;
use crate::domain::policy::Policy;
use crate::policy;
use crate::verify::policy_diff::{PolicyDifference, policy_difference};

#[derive(Args)]
pub(super) struct CheckArgs {
    /// Also try the database, every source and the tax department
    #[arg(long)]
    connect: bool,
}

#[derive(Subcommand)]
pub(super) enum PolicyCommand {
    /// Print the policy file in use
    Show,
    /// Validate the policy file
    Check,
    /// Tell what results would change if one policy were used instead of another; nothing is written
    Diff {
        /// A policy file, the version of one that was ever used, or `current`
        one: String,
        /// Another
        other: String,
        /// Business year
        #[arg(long)]
        year: i32,
    },
}

#[derive(Serialize)]
struct Checked {
    jobs: usize,
    policy_version: String,
    /// What was tried by `--connect`.
    connected: Vec<Probe>,
}

pub(super) async fn run(common: &Common, args: &CheckArgs, out: Output) -> anyhow::Result<Ended> {
    let (settings, environment) = settings(common)?;
    let policy = policy::load(settings.policy.as_deref())?;
    let (jobs, mut errors) = read_jobs(&settings.jobs_dir);
    errors.extend(check_jobs(&jobs));
    if !args.connect {
        errors.extend(jobs.iter().flat_map(|job| unset_variables(job, &environment)));
    }
    refuse(errors)?;
    let checked = Checked {
        jobs: jobs.len(),
        policy_version: policy.policy.version.clone(),
        connected: if args.connect { probes(&settings, &environment, &jobs).await? } else { Vec::new() },
    };
    out.value(&checked, |checked| {
        let order = format!("{} jobs and policy {} are in order", checked.jobs, checked.policy_version);
        std::iter::once(order).chain(checked.connected.iter().map(Probe::to_string)).collect::<Vec<_>>().join("\n")
    })?;
    match checked.connected.iter().filter(|probe| !probe.ok).count() {
        0 => Ok(Ended::Done),
        failed => Err(anyhow::anyhow!("{failed} of {} cannot be worked with", checked.connected.len())),
    }
}

/// Every placeholder of the job's source that stands for nothing.
pub(super) fn unset_variables(job: &Job, environment: &Environment) -> Vec<ConfigError> {
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

pub(super) async fn policy(common: &Common, command: &PolicyCommand, out: Output) -> anyhow::Result<Ended> {
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
        PolicyCommand::Diff { one, other, year } => {
            let context = Context::open(common, Action::ReadResults).await?;
            let outcome = match context.may(Action::ReadResults, None).await {
                Ok(()) => diff(&context, &reading.policy, one, other, *year, out).await,
                Err(error) => Err(error),
            };
            context.close().await?;
            outcome?;
        }
    }
    Ok(Ended::Done)
}

/// A policy by file, by version, or the one in use.
async fn named_policy(context: &Context, current: &Policy, name: &str) -> anyhow::Result<Policy> {
    if name == "current" {
        return Ok(current.clone());
    }
    let path = std::path::Path::new(name);
    if path.exists() {
        return Ok(policy::load(Some(path))?.policy);
    }
    match context.store.find_policy(name).await? {
        Some(text) => Ok(policy::recall(&text)?),
        None => {
            Err(usage(format!("`{name}` is no file, no version of a policy that was ever used, and not `current`")))
        }
    }
}

async fn diff(
    context: &Context,
    current: &Policy,
    one: &str,
    other: &str,
    year: i32,
    out: Output,
) -> anyhow::Result<()> {
    let one = named_policy(context, current, one).await?;
    let other = named_policy(context, current, other).await?;
    for policy in [&one, &other] {
        if !policy.knows_year(year) {
            return Err(usage(format!("policy {} has no rules for {year}", policy.version)));
        }
    }
    let difference = policy_difference(&context.store, &one, &other, year).await?;
    out.value(&difference, describe_difference)
}

fn describe_difference(difference: &PolicyDifference) -> String {
    let mut lines = vec![format!(
        "{} placements judged: results of {} employers would change",
        difference.placements,
        difference.employers.len()
    )];
    for (uscc, effect) in &difference.employers {
        lines.push(format!(
            "{uscc}: {} → {} months pass, {} → {} weighted",
            effect.passed_before, effect.passed_after, effect.person_months_before, effect.person_months_after
        ));
        for change in difference.changes.iter().filter(|change| change.employer_uscc == *uscc) {
            let check = change.check.map_or_else(|| "month".to_owned(), |check| check.to_string());
            lines.push(format!("    {check}: {} → {} in {} months", change.from, change.to, change.months));
        }
    }
    lines.join("\n")
}
