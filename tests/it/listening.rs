//! What tests hear of the program's own log: of a process there is one listener, whichever test is first.

use std::cell::Cell;
use std::sync::Once;

use renzheng::store::journal::RunLines;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

thread_local! {
    static STATEMENTS: Cell<usize> = const { Cell::new(0) };
}

/// Counts the statements that reach the database on each thread.
struct Statements;

impl<S: tracing::Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            STATEMENTS.set(STATEMENTS.get() + 1);
        }
    }
}

/// From here on lines of runs are kept, and statements counted.
pub fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // the program's own start in another test of this process may have been first
        drop(tracing_subscriber::registry().with(RunLines).with(Statements).try_init());
    });
}

/// Statements of this thread so far.
pub fn statements() -> usize {
    STATEMENTS.get()
}
