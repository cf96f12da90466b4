//! The loops of a serving process, all ended by one token: the ticker, the workers, and whatever else goes on beside them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Schedule;
use crate::errors;
use crate::store::StoreError;

/// How often the clock is looked at.
const TICK: Duration = Duration::from_secs(1);
/// How often workers look for work that nobody told them of.
const LOOK: Duration = Duration::from_secs(3);
/// All loops are over so long after the token is cancelled, or are ended.
const ENDED_WITHIN: Duration = Duration::from_secs(8);

/// A loop ended although nobody stopped it.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("`{0}` ended by itself")]
    Ended(&'static str),
    #[error("a loop failed")]
    Failed(#[source] tokio::task::JoinError),
}

/// Loops that go on until their token is cancelled.
pub struct Loops {
    stop: CancellationToken,
    running: JoinSet<&'static str>,
}

impl Loops {
    pub fn new(stop: CancellationToken) -> Self {
        Self { stop, running: JoinSet::new() }
    }

    /// Runs a further loop, which ends soon after the token is cancelled and not before.
    pub fn run(&mut self, name: &'static str, goes_on: impl Future<Output = ()> + Send + 'static) {
        self.running.spawn(async move {
            goes_on.await;
            name
        });
    }

    /// Runs the ticker and the workers. The first worker leaves backfills alone, so that one is always free for the night's work, unless it
    /// is the only one.
    pub fn run_schedule(&mut self, schedule: &Arc<Schedule>, workers: usize) {
        let (ring, bell) = watch::channel(());
        let stop = || self.stop.clone();
        let listening = keep_listening(schedule.clone(), ring, stop());
        let ticking = keep_ticking(schedule.clone(), stop());
        let working: Vec<_> = (0..workers)
            .map(|number| keep_working(schedule.clone(), number > 0 || workers == 1, bell.clone(), stop()))
            .collect();
        self.run("listener", listening);
        self.run("ticker", ticking);
        for worker in working {
            self.run("worker", worker);
        }
    }

    /// Waits until the token is cancelled and every loop is over. One that ends before ends all.
    pub async fn until_stopped(mut self) -> Result<(), ServeError> {
        let mut outcome = Ok(());
        tokio::select! {
            () = self.stop.cancelled() => {}
            ended = self.running.join_next() => {
                if !self.stop.is_cancelled() {
                    outcome = match ended {
                        Some(Ok(name)) => Err(ServeError::Ended(name)),
                        Some(Err(error)) => Err(ServeError::Failed(error)),
                        None => Ok(()),
                    };
                    self.stop.cancel();
                }
            }
        }
        let ending = async { while self.running.join_next().await.is_some() {} };
        if timeout(ENDED_WITHIN, ending).await.is_err() {
            tracing::warn!("not everything ended in time; what was under way is taken up again when its lease is over");
        }
        outcome
    }
}

/// Looks at the clock until it is stopped.
async fn keep_ticking(schedule: Arc<Schedule>, stop: CancellationToken) {
    let ticking = async {
        loop {
            if let Err(error) = schedule.tick().await {
                tracing::error!(error = errors::chain(&error), "what is due could not be decided");
                sleep(LOOK).await;
            }
            sleep(TICK).await;
        }
    };
    // a tick that is cut off has decided a fire or has not
    stop.run_until_cancelled(ticking).await;
}

/// Works until it is stopped. Whoever rings between two looks is heard at the second.
async fn keep_working(
    schedule: Arc<Schedule>,
    with_backfills: bool,
    mut bell: watch::Receiver<()>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        bell.mark_unchanged();
        match schedule.step(with_backfills, &stop).await {
            Ok(Some(_)) => continue,
            Ok(None) => {}
            Err(error) => tracing::error!(error = errors::chain(&error), "no work could be taken or ended"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            _ = timeout(LOOK, bell.changed()) => {}
        }
    }
}

/// Passes on what the database rings until it is stopped. Without it work begins a little later.
async fn keep_listening(schedule: Arc<Schedule>, ring: watch::Sender<()>, stop: CancellationToken) {
    let listening = async {
        loop {
            let Err(error) = hear(&schedule, &ring).await;
            tracing::warn!(error = errors::chain(&error), "nobody rings for work; it is looked for from time to time");
            sleep(LOOK).await;
        }
    };
    stop.run_until_cancelled(listening).await;
}

async fn hear(schedule: &Schedule, ring: &watch::Sender<()>) -> Result<Infallible, StoreError> {
    let mut bell = schedule.store().listen_for_tasks().await?;
    loop {
        bell.rung().await?;
        ring.send_replace(());
    }
}
