//! `renzheng serve`: everything that goes on by itself, until somebody stops it.

use std::sync::Arc;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::{Common, Ended};
use crate::schedule::Schedule;
use crate::schedule::serve::Loops;

#[derive(Args)]
pub(super) struct ServeArgs {
    /// Tasks that this process works on at once; the first of several leaves backfills alone
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    workers: u8,
}

pub(super) async fn run(common: &Common, args: &ServeArgs) -> anyhow::Result<Ended> {
    // from the very first on: a signal that comes while the database is opened counts too
    let stop = CancellationToken::new();
    let stopping = tokio::spawn(until_signalled(stop.clone()));
    let context = Context::open(common).await?;
    let outcome = serve(&context, args, stop).await;
    stopping.abort();
    context.close().await?;
    outcome
}

async fn serve(context: &Context, args: &ServeArgs, stop: CancellationToken) -> anyhow::Result<Ended> {
    let jobs = context.jobs().await?;
    eprintln!(
        "serving {} jobs with {} workers; Ctrl-C or SIGTERM ends it, and what is under way is handed back",
        jobs.len(),
        args.workers
    );
    let (store, environment) = (context.store.clone(), context.environment.clone());
    let schedule = Arc::new(Schedule::new(store, jobs, environment, context.policy()?, context.settings.tax.clone()));
    let mut loops = Loops::new(stop);
    loops.run_schedule(&schedule, args.workers.into());
    loops.until_stopped().await?;
    Ok(Ended::Done)
}

/// Cancels the token at Ctrl-C or SIGTERM.
async fn until_signalled(stop: CancellationToken) -> anyhow::Result<()> {
    let _stops_even_if_no_signal_can_be_heard = stop.clone().drop_guard();
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminated.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    eprintln!("stopping");
    Ok(())
}
