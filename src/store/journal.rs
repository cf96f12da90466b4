//! What a run says while it goes on: the stages it enters and the lines it logs, kept in its record.
//!
//! The lines belong to the task that runs it. Our own log lines are kept, which hold no personal data; those of other crates may, and
//! are not. At most [`MOST_LINES`] are kept of a run.

use std::convert::Infallible;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::runs::Started;
use super::{Store, StoreError};

/// Lines that are kept of one run, besides its stages.
pub const MOST_LINES: usize = 1000;
/// Signs of a line; what is longer is cut.
const LONGEST_LINE: usize = 500;
/// So often what was said is stored while the run goes on.
const STORED_EVERY: Duration = Duration::from_millis(500);
/// So often, in these steps, a run says that it goes on.
const ALIVE_EVERY: u32 = 20;

tokio::task_local! {
    static LINES: Lines;
}

/// One line of a run.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RunLogLine {
    /// From 1.
    pub line_number: i32,
    pub at: DateTime<Utc>,
    /// `stage`, `info`, `warn` or `error`.
    pub level: String,
    /// Of level `stage`: the stage's name.
    pub text: String,
}

/// The lines of one run that are not stored yet.
#[derive(Clone)]
struct Lines(Arc<Mutex<Kept>>);

struct Kept {
    /// Business time when it began, and since then.
    at: DateTime<Utc>,
    began: Instant,
    next: i32,
    logged: usize,
    beyond: u64,
    waiting: Vec<RunLogLine>,
}

impl Lines {
    fn of(run: &Started) -> Self {
        let (at, began) = (run.at, Instant::now());
        Self(Arc::new(Mutex::new(Kept { at, began, next: 1, logged: 0, beyond: 0, waiting: Vec::new() })))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self, level: &str, text: &str) {
        let mut kept = self.kept();
        if kept.logged >= MOST_LINES {
            kept.beyond += 1;
        } else {
            kept.logged += 1;
            kept.push(level, text);
        }
    }
}

impl Kept {
    fn push(&mut self, level: &str, text: &str) {
        let since = TimeDelta::from_std(self.began.elapsed()).unwrap_or_default();
        let text = text.chars().take(LONGEST_LINE).collect();
        self.waiting.push(RunLogLine { line_number: self.next, at: self.at + since, level: level.to_owned(), text });
        self.next += 1;
    }
}

/// The run that this task works for enters a stage. Without a run nothing happens.
pub fn stage(name: &str) {
    // who runs without a record (a comparison) has no stages to keep
    let _no_run = LINES.try_with(|lines| lines.kept().push("stage", name));
}

/// Keeps our own log lines, from `info` up, for the run in whose task they are said.
pub struct RunLines;

impl<S: Subscriber> Layer<S> for RunLines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            _ => return,
        };
        if event.metadata().target().split("::").next() != Some(env!("CARGO_CRATE_NAME")) {
            return;
        }
        // said outside a run
        let _no_run = LINES.try_with(|lines| {
            let mut text = Text::default();
            event.record(&mut text);
            lines.log(level, &format!("{}{}", text.message, text.fields));
        });
    }
}

/// An event as one line: the message, then ` field=value`.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn add(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // text grows without failing
        let _written = if field.name() == "message" {
            self.message.write_fmt(value)
        } else {
            write!(self.fields, " {}={value}", field.name())
        };
    }
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"));
    }
}

impl Store {
    /// Does the work of a run: what it says is kept, also if it is cut off, and the run's record shows that it goes on.
    pub async fn journal<T>(&self, run: &Started, work: impl Future<Output = T>) -> T {
        let lines = Lines::of(run);
        tell(self.keep_run_alive(run).await);
        let outcome = tokio::select! {
            outcome = LINES.scope(lines.clone(), work) => outcome,
            never = self.keep_lines(run, &lines) => match never {},
        };
        let beyond = lines.kept().beyond;
        if beyond > 0 {
            lines.kept().push("warn", &format!("{beyond} further lines were not kept"));
        }
        tell(self.save_run_lines(run, &lines).await);
        outcome
    }

    async fn keep_lines(&self, run: &Started, lines: &Lines) -> Infallible {
        let mut steps = tokio::time::interval(STORED_EVERY);
        let mut step = 1_u32;
        loop {
            steps.tick().await;
            if step.is_multiple_of(ALIVE_EVERY) {
                tell(self.keep_run_alive(run).await);
            }
            step = step.wrapping_add(1);
            tell(self.save_run_lines(run, lines).await);
        }
    }

    /// Stores what waits. What is stored twice, since the first time was cut off after it, is stored once.
    async fn save_run_lines(&self, run: &Started, lines: &Lines) -> Result<(), StoreError> {
        let waiting = lines.kept().waiting.clone();
        let Some(last) = waiting.last().map(|line| line.line_number) else { return Ok(()) };
        let (mut numbers, mut ats, mut levels, mut texts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for line in waiting {
            numbers.push(line.line_number);
            ats.push(line.at);
            levels.push(line.level);
            texts.push(line.text);
        }
        sqlx::query!(
            "insert into run_line (run_number, line_number, at, level, text)
             select $1, * from unnest($2::integer[], $3::timestamptz[], $4::text[], $5::text[])
             on conflict (run_number, line_number) do nothing",
            run.number,
            &numbers,
            &ats,
            &levels,
            &texts
        )
        .execute(&self.pool)
        .await?;
        lines.kept().waiting.retain(|line| line.line_number > last);
        Ok(())
    }

    /// What a run said after a line, in order.
    pub async fn list_run_lines(&self, run_number: i32, after: i32) -> Result<Vec<RunLogLine>, StoreError> {
        Ok(sqlx::query_as!(
            RunLogLine,
            "select line_number, at, level, text from run_line
             where run_number = $1 and line_number > $2 order by line_number",
            run_number,
            after
        )
        .fetch_all(&self.pool)
        .await?)
    }
}

/// A run does not fail because its lines cannot be kept.
fn tell(kept: Result<(), StoreError>) {
    if let Err(error) = kept {
        tracing::warn!(error = &error as &dyn std::error::Error, "what the run said could not be kept");
    }
}
