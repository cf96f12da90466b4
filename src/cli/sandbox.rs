//! `renzheng sandbox`: the agencies and the tax department on loopback, until stopped.

use std::net::SocketAddr;

use chrono::{Datelike, NaiveDate};
use clap::Args;

use super::context::{Context, usage};
use super::output::Output;
use super::{Common, Ended};
use crate::domain::access::Action;
use crate::sandbox::tax_faults::Plan;
use crate::sandbox::{Options, Sandbox, province::Spec, start};

#[derive(Args)]
pub(super) struct SandboxArgs {
    /// How many placements the province has, about
    #[arg(long, default_value_t = 2000)]
    persons: u32,
    /// The same seed gives the same province
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Business year of the placements [default: last year by the business clock]
    #[arg(long)]
    year: Option<i32>,
    /// First port of three; 0 takes free ones
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// What goes wrong at the tax department: a file (TOML or JSON), or `seed:N`
    #[arg(long, value_name = "FILE")]
    faults: Option<String>,
}

/// What the sandbox is to be.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) persons: u32,
    pub(super) seed: u64,
    pub(super) year: i32,
    pub(super) today: NaiveDate,
    pub(super) port: u16,
    pub(super) faults: Plan,
}

/// Starts it beside the context's database, its files under the data directory.
pub(super) async fn start_beside(context: &Context, wanted: Wanted) -> anyhow::Result<Sandbox> {
    let Wanted { persons, seed, year, today, port, faults } = wanted;
    start(Options {
        spec: Spec { persons, seed, year, today },
        directory: context.settings.data_dir.join("sandbox"),
        database_url: context.database_url.clone(),
        listen: SocketAddr::from(([127, 0, 0, 1], port)),
        // the business clock may be set: the tax department takes any time
        tolerance: None,
        faults,
    })
    .await
}

pub(super) async fn run(common: &Common, args: &SandboxArgs, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::Operate).await?;
    let outcome = serve(&context, args, out).await;
    context.close().await?;
    outcome
}

async fn serve(context: &Context, args: &SandboxArgs, out: Output) -> anyhow::Result<Ended> {
    let today = context.store.today().await?;
    let faults = args
        .faults
        .as_deref()
        .map(Plan::read)
        .transpose()
        .map_err(|error| usage(format!("{error:#}")))?
        .unwrap_or_default();
    let wanted = Wanted {
        persons: args.persons,
        seed: args.seed,
        year: args.year.unwrap_or(today.year() - 1),
        today,
        port: args.port,
        faults,
    };
    let sandbox = start_beside(context, wanted).await?;
    print_variables(&sandbox, out)?;
    eprintln!("imports are in {}; stop with Ctrl-C", sandbox.imports.display());
    tokio::signal::ctrl_c().await?;
    sandbox.stop().await?;
    Ok(Ended::Done)
}

/// The variables that the jobs and the push need, to be read by a shell or as JSON.
pub(super) fn print_variables(sandbox: &Sandbox, out: Output) -> anyhow::Result<()> {
    if out.is_json() {
        return out.json(&sandbox.variables);
    }
    for (name, value) in &sandbox.variables {
        out.line(format!("export {name}='{value}'"))?;
    }
    Ok(())
}
