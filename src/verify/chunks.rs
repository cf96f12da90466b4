//! The chunks of a verification on their way: while one is judged, the next is read and the one before is written.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::judging::{Chunk, EmployerYears, YearRules};
use super::{Stages, Summary, VerifyError, WhyChunk, changed_rows, gone};
use crate::store::Store;
use crate::store::facts::{Persons, Scope};
use crate::store::results::{Changes, YearRow};
use crate::store::runs::Started;

/// Chunks that are read at the same time.
const READ_AT_ONCE: usize = 2;

/// Read, and not judged yet.
struct Loaded {
    chunk: Chunk,
    stored: Vec<YearRow>,
    why: WhyChunk,
}

/// Judged, and not written yet.
struct Written {
    changed: Changes,
    /// Placements judged so far.
    placements: u64,
}

/// Judges the chunks and writes the rows that differ. `tell`: the summary lists what changed. `progress` hears how many placements are done.
pub(super) async fn run_chunks(
    store: &Store,
    rules: YearRules,
    chunks: Vec<(Persons, WhyChunk)>,
    run: &Started,
    tell: bool,
    summary: Summary,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Summary, VerifyError> {
    let (year, seq) = (rules.year, rules.point.seq);
    let (to_judge, loaded) = mpsc::channel(1);
    let (to_write, judged) = mpsc::channel(1);
    let (read, (mut summary, judged_for), written) = tokio::try_join!(
        read_chunks(store, year, seq, chunks, to_judge),
        judge_chunks(store, Arc::new(rules), loaded, run.number, tell, summary, to_write),
        write_chunks(store, year, seq, run.number, judged, progress),
    )?;
    let ms = |time: Duration| time.as_millis() as u64;
    summary.stages = Stages { read_ms: ms(read), judge_ms: ms(judged_for), write_ms: ms(written) };
    Ok(summary)
}

/// Reads ahead, so many chunks at a time: a COPY keeps no more than one core of the database busy. Ends early if nobody judges any more,
/// which then is the error that is told.
async fn read_chunks(
    store: &Store,
    year: i32,
    seq: i64,
    chunks: Vec<(Persons, WhyChunk)>,
    to_judge: mpsc::Sender<Loaded>,
) -> Result<Duration, VerifyError> {
    let mut took = Duration::ZERO;
    let mut reading = stream::iter(chunks)
        .map(|(persons, why)| {
            let store = store.clone();
            // on a thread of its own: what comes is decoded as it comes
            let loading = tokio::spawn(async move { load(&store, Scope { year, seq, persons }, why).await });
            // it ends with the verification, however that ends
            AbortOnDropHandle::new(loading)
        })
        .buffered(READ_AT_ONCE);
    loop {
        let began = Instant::now();
        let Some(loaded) = reading.next().await else { break };
        let loaded = loaded.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
        took += began.elapsed();
        if to_judge.send(loaded).await.is_err() {
            break;
        }
    }
    Ok(took)
}

async fn load(store: &Store, scope: Scope, why: WhyChunk) -> Result<Loaded, VerifyError> {
    let (chunk, stored) = tokio::try_join!(async { Ok::<_, VerifyError>(Chunk::read(store, &scope).await?) }, async {
        Ok(store.year_rows(&scope).await?)
    },)?;
    Ok(Loaded { chunk, stored, why })
}

async fn judge_chunks(
    store: &Store,
    rules: Arc<YearRules>,
    mut loaded: mpsc::Receiver<Loaded>,
    run: i32,
    tell: bool,
    mut summary: Summary,
    to_write: mpsc::Sender<Written>,
) -> Result<(Summary, Duration), VerifyError> {
    let (mut took, mut employers) = (Duration::ZERO, EmployerYears::default());
    while let Some(Loaded { chunk, stored, why }) = loaded.recv().await {
        let began = Instant::now();
        let rules = Arc::clone(&rules);
        rules.meet(store, &chunk, &mut employers).await?;
        employers.add_unjudged(&chunk, &mut summary.without_wage_class);
        let judging = tokio::task::spawn_blocking(move || {
            let years = rules.judge(&chunk, &employers);
            let gone = gone(&chunk.gathered.placements, &stored);
            summary.removed_placements += gone.len() as u64;
            let rows = changed_rows(&years, &stored, &why, run, tell, &mut summary);
            (summary, employers, Changes { rows, gone })
        });
        let changed;
        (summary, employers, changed) =
            judging.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        took += began.elapsed();
        if to_write.send(Written { changed, placements: summary.placements }).await.is_err() {
            break;
        }
    }
    Ok((summary, took))
}

async fn write_chunks(
    store: &Store,
    year: i32,
    seq: i64,
    run: i32,
    mut judged: mpsc::Receiver<Written>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Duration, VerifyError> {
    let mut took = Duration::ZERO;
    while let Some(Written { changed, placements }) = judged.recv().await {
        let began = Instant::now();
        store.save_year_rows(year, seq, run, &changed).await?;
        took += began.elapsed();
        progress(placements);
    }
    Ok(took)
}
