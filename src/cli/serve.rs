//! `renzheng serve`: everything that goes on by itself, until somebody stops it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::check::unset_variables;
use super::context::Context;
use super::{Common, Ended};
use crate::config::{AlertSettings, TaxMode};
use crate::declare::evidence::Scanner;
use crate::domain::access::Action;
use crate::notify::{self, Installation};
use crate::schedule::Schedule;
use crate::schedule::serve::Loops;
use crate::store::Store;
use crate::web::{self, Site};
use crate::{clock, errors};

#[derive(Args)]
pub(super) struct ServeArgs {
    /// Tasks that this process works on at once; the first of several leaves backfills alone
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=8))]
    workers: u8,
    /// Where the API, health and metrics are answered over HTTP [default: as set, 127.0.0.1:7360]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

pub(super) async fn run(common: &Common, args: &ServeArgs) -> anyhow::Result<Ended> {
    // from the very first on: a signal that comes while the database is opened counts too
    let stop = CancellationToken::new();
    let stopping = tokio::spawn(until_signalled(stop.clone()));
    let context = Context::open(common, Action::Operate).await?;
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
    // a source that cannot be asked yet keeps nobody from the rest
    for unset in jobs.iter().flat_map(|job| unset_variables(job, &context.environment)) {
        eprintln!("renzheng: {unset}; until it is set and `serve` starts anew, runs of this job fail");
    }
    let settings = &context.settings;
    let address = args.listen.unwrap_or(settings.listen);
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen at {address}; `--listen` or RENZHENG_LISTEN names another place"))?;
    eprintln!("the API, health and metrics at http://{}", listener.local_addr()?);
    let (store, environment) = (context.store.clone(), context.environment.clone());
    let reading = context.policy()?;
    let schedule = Schedule::new(
        store.clone(),
        jobs,
        environment,
        reading.clone(),
        settings.tax.clone(),
        settings.retention.clone(),
    );
    let schedule = Arc::new(
        schedule
            .of_folder(&settings.jobs_dir)
            .telling(settings.alerts.clone())
            .handing_over_by(settings.tax_mode)
            .sending_events(settings.events),
    );
    let mut loops = Loops::new(stop.clone());
    loops.run_schedule(&schedule, args.workers.into());
    let tax_is_set = settings.tax.is_some() || settings.tax_mode != TaxMode::Push;
    loops.run("alerts", keep_watching(schedule, settings.alerts.clone(), tax_is_set, stop.clone()));
    loops.run("seals", keep_sealing(store.clone(), stop.clone()));
    loops.run("messages", keep_delivering(store.clone(), settings.alerts.clone(), stop.clone()));
    let site = Site::new(store, reading)
        .handing_over_by(settings.tax_mode)
        .allowing_loopback(settings.events.allow_loopback)
        .behind(&settings.trusted_proxies)
        .scanning_by(settings.clamd.as_ref().map(Scanner::new));
    loops.run("http", async move {
        if let Err(error) = web::serve(listener, site, stop.cancelled_owned()).await {
            tracing::error!(error = errors::chain(&error), "nothing is answered over HTTP any more");
        }
    });
    loops.until_stopped().await?;
    Ok(Ended::Done)
}

/// How often it is looked whether something is wrong.
const LOOK: Duration = Duration::from_secs(30);
/// How often messages are looked for that are due.
const SEND: Duration = Duration::from_secs(5);

/// How often the audit log is sealed.
const SEAL: Duration = Duration::from_secs(10);

/// Seals the audit log until it is stopped.
async fn keep_sealing(store: Store, stop: CancellationToken) {
    let sealing = async {
        loop {
            if let Err(error) = store.seal_audit().await {
                tracing::error!(error = errors::chain(&error), "the audit log was not sealed");
            }
            tokio::time::sleep(SEAL).await;
        }
    };
    stop.run_until_cancelled(sealing).await;
}

/// Looks for what is wrong until it is stopped.
async fn keep_watching(schedule: Arc<Schedule>, alerts: AlertSettings, tax_is_set: bool, stop: CancellationToken) {
    let watching = async {
        loop {
            let known = schedule.known();
            let broken_jobs = known.broken.as_deref();
            let installation = Installation { jobs: &known.jobs, alerts: &alerts, tax_is_set, broken_jobs };
            if let Err(error) = notify::watch(schedule.store(), &installation, clock::system_now()).await {
                tracing::error!(error = errors::chain(&error), "alerts were not looked for");
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    stop.run_until_cancelled(watching).await;
}

/// Tells people until it is stopped, apart from the looking: a target may be slow. A message that is cut off is sent again.
async fn keep_delivering(store: Store, settings: AlertSettings, stop: CancellationToken) {
    let delivering = async {
        loop {
            if let Err(error) = notify::deliver(&store, &settings).await {
                tracing::error!(error = errors::chain(&error), "messages were not sent");
            }
            tokio::time::sleep(SEND).await;
        }
    };
    stop.run_until_cancelled(delivering).await;
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
