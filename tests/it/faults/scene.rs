//! One fault from beginning to end: a good yesterday, the fault, what is still in force, the source well again, the state in the end.

use std::path::Path;

use renzheng::config::{Environment, Job, Span};
use renzheng::errors;
use renzheng::ingest::{self, PullError, PullOutcome, Report, decide};
use renzheng::store::runs::RunLine;
use sha2::{Digest, Sha256};

use super::{Case, Ends, How, Row};
use crate::agency::{Agency, Wage, id_number};
use crate::harness::{Harness, Scratch, actor, jobs_of};
use crate::http_agency::{WageAgency, locked};

/// Records a page of the agency.
pub const PAGE: usize = 5;

/// What the source had yesterday.
pub fn yesterday() -> Vec<Wage> {
    (0..25).map(|at| Wage::new(&format!("r{at:02}"), 10, at, &format!("{}", 2000 + at))).collect()
}

/// What it has today: every third record corrected, five new.
pub fn today() -> Vec<Wage> {
    let corrected = |wage: Wage| {
        if wage.person.is_multiple_of(3) {
            Wage::new(&wage.record, 1000, wage.person, &format!("{}.5", 3000 + wage.person))
        } else {
            wage
        }
    };
    let new = (25..30).map(|at| Wage::new(&format!("r{at:02}"), 1000, at, &format!("{}", 2000 + at)));
    yesterday().into_iter().map(corrected).chain(new).collect()
}

/// What must be in force when just these records came: stamp, amount and person of each, sorted.
pub fn model(records: &[Wage]) -> Vec<String> {
    let mut lines: Vec<String> = records
        .iter()
        .map(|wage| {
            let id = id_number(wage.person);
            let born = format!("{}-{}-{}", &id[6..10], &id[10..12], &id[12..14]);
            let fen = renzheng::domain::money::Fen::parse_yuan(&wage.amount).expect("an amount").0;
            format!("{} {fen} {born}", wage.stamp)
        })
        .collect();
    lines.sort();
    lines
}

/// What is in force, as [`model`] says it.
pub async fn in_force(harness: &Harness) -> Vec<String> {
    let mut lines: Vec<String> = sqlx::query_scalar(
        "select concat_ws(' ', extract(epoch from v.updated_at - timestamptz '2026-01-01 00:00:00+08')::bigint, amount_fen, p.born_on)
         from wage v join batch b using (batch_id) join person p using (person_id)
         where b.published_seq is not null and v.superseded_seq is null and not v.deleted",
    )
    .fetch_all(&mut harness.connection().await)
    .await
    .expect("rows");
    lines.sort();
    lines
}

/// What must hold at any moment: every batch and every page accounts for each row it read, a version in force is one of a published
/// batch or of one nobody sees, and no run is left as running.
pub async fn check_books(harness: &Harness, place: &str) {
    let balance = "(c ->> 'read')::bigint <> (c ->> 'new')::bigint + (c ->> 'changed')::bigint + (c ->> 'same')::bigint
                   + (c ->> 'older')::bigint + (c ->> 'refused')::bigint + (c ->> 'dropped')::bigint";
    let wrong: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "select (select count(*) from (select counts as c from batch where counts ? 'read') as b where {balance})
              + (select count(*) from (select counts as c from batch_page) as p where {balance})
              + (select count(*) from run where state = 'running')
              + (select count(*) from (select record_key from wage v join batch b using (batch_id)
                                       where b.published_seq is not null and v.superseded_seq is null
                                       group by 1 having count(*) > 1) as twice)"
    )))
    .fetch_one(&mut harness.connection().await)
    .await
    .expect("a count");
    assert_eq!(wrong, 0, "{place}: the books do not balance");
}

/// Rows and batches that are neither published nor held, once all is over.
pub async fn left_over(harness: &Harness) -> i64 {
    sqlx::query_scalar(
        "select (select count(*) from wage join batch using (batch_id) where published_seq is null and state <> 'held')
              + (select count(*) from batch where state in ('fetching', 'landed', 'checked'))",
    )
    .fetch_one(&mut harness.connection().await)
    .await
    .expect("a count")
}

/// The runs of the job, the last first.
pub async fn runs(agency: &Agency) -> Vec<RunLine> {
    agency.harness.store.list_runs(Some(&agency.job.name), None, 50).await.expect("runs")
}

pub async fn pull(agency: &Agency, environment: &Environment) -> Result<Report, PullError> {
    ingest::pull(&agency.harness.store, &agency.job, environment, None, "test", &|_| ()).await
}

/// One wage job, as its file says.
pub async fn installation(name: &str, job: &str) -> Agency {
    let (harness, scratch) = (Harness::new(name).await, Scratch::new(name));
    let folder = scratch.path().join("jobs");
    std::fs::create_dir_all(&folder).expect("made");
    std::fs::write(folder.join("pull-wage.toml"), job).expect("written");
    let job: Job = jobs_of(&folder).remove(0);
    harness.clock("2026-04-15".parse().expect("a date"), "02:00").await;
    harness.register(std::slice::from_ref(&job)).await;
    Agency { harness, scratch, job }
}

pub fn http_job(case: &Case) -> String {
    format!(
        "kind = \"pull\"\nrecord = \"wage\"\nkeep = \"all\"\ntimeout = \"30s\"\n\
         retry = {{ attempts = 2, backoff = \"1ms\", max_backoff = \"5ms\" }}\n{}\n\
         [source]\ntype = \"http\"\nurl = \"${{AGENCY}}/v1/wages\"\npaging = \"cursor\"\nnext = \"/next\"\ntotals = \"/total\"\n\
         idle_timeout = \"700ms\"\nmax_body = \"64KiB\"\n{}",
        case.keys, case.source
    )
}

fn file_job(folder: &Path, case: &Case) -> String {
    let path = folder.join("*.csv");
    format!(
        "kind = \"pull\"\nrecord = \"wage\"\nkeep = \"all\"\n{}\n[source]\ntype = \"file\"\npath = \"{}\"\nformat = \"csv\"\n{}",
        case.keys,
        path.display(),
        case.source
    )
}

/// Puts down whole files, with the marker that the job waits for.
fn deliver(agency: &Agency, case: &Case, records: Vec<Wage>) {
    agency.deliver(&[records]);
    let file = agency.scratch.path().join("out/page-000.csv");
    if case.source.contains("sha256") {
        let digest = hex::encode(Sha256::digest(std::fs::read(&file).expect("read")));
        std::fs::write(file.with_file_name("page-000.csv.sha256"), format!("{digest}  page-000.csv\n"))
            .expect("written");
    } else if case.source.contains("done_marker") {
        std::fs::write(file.with_file_name("page-000.csv.done"), "").expect("written");
    }
}

/// The way of one fault.
pub async fn walk(row: &Row, number: usize, case: &Case) {
    let place = format!("{}.{number}", row.id);
    let name = place.to_lowercase().replace('.', "_");
    match &case.how {
        How::Alone(walk) => walk().await,
        How::File(put) => {
            let scratch = Scratch::new(&format!("{name}_out"));
            let agency = installation(&name, &file_job(&scratch.path().join("out"), case)).await;
            let agency = Agency { scratch, ..agency };
            deliver(&agency, case, yesterday());
            let environment = Environment::default();
            let first = pull(&agency, &environment).await.expect("yesterday");
            assert_eq!(first.outcome, PullOutcome::Published, "{place}: {:?}", first.why);
            put(&agency.scratch.path().join("out"), &today());
            judge(&place, case, &agency, pull(&agency, &environment).await).await;
            deliver(&agency, case, today());
            recovered(&place, case, &agency, &environment).await;
        }
        How::Nowhere(address) => {
            let nowhere = address();
            let desk = WageAgency::start(yesterday(), PAGE).await;
            let agency = installation(&name, &http_job(case)).await;
            pull(&agency, &desk.environment()).await.expect("yesterday");
            desk.change(|desk| desk.records = today());
            let away = Environment::only([("AGENCY", nowhere.as_str())]);
            judge(&place, case, &agency, pull(&agency, &away).await).await;
            recovered(&place, case, &agency, &desk.environment()).await;
        }
        How::Http { page, times, tamper } => {
            let (page, times, tamper) = (*page, *times, *tamper);
            let pages = by_http(&place, case, move |desk| desk.tamper = Some((page, times, tamper))).await;
            if let (Ends::Failed { kept: true }, Some(page)) = (case.ends, page) {
                assert_eq!(pages.first(), Some(&page), "{place}: it goes on at the page that failed, not before");
            }
        }
        How::Desk(change) => drop(by_http(&place, case, *change).await),
    }
}

/// The way of a fault of the agency itself; the pages it was asked for after it recovered.
async fn by_http(place: &str, case: &Case, change: impl FnOnce(&mut crate::http_agency::Desk)) -> Vec<usize> {
    let desk = WageAgency::start(yesterday(), PAGE).await;
    if case.source.contains("token_url") {
        desk.change(|desk| desk.token = Some(0));
    }
    let mut agency = installation(&place.to_lowercase().replace('.', "_"), &http_job(case)).await;
    let environment = desk.environment();
    pull(&agency, &environment).await.expect("yesterday");
    desk.server.take_asked();
    {
        let mut desk = locked(&desk.desk);
        desk.records = today();
        change(&mut desk);
    }
    let patience = agency.job.timeout;
    if case.says.contains("took longer") {
        agency.job.timeout = Span::parse("2500ms").expect("a span");
    }
    let result = pull(&agency, &environment).await;
    let asked = desk.server.take_asked().len();
    assert!(asked <= 40, "{place}: {asked} requests are no patience but a storm");
    judge(place, case, &agency, result).await;
    agency.job.timeout = patience;
    desk.change(crate::http_agency::Desk::recover);
    recovered(place, case, &agency, &environment).await;
    desk.take_pages()
}

/// How the pull that met the fault ended, and that it left everything as it was.
async fn judge(place: &str, case: &Case, agency: &Agency, result: Result<Report, PullError>) {
    let said = match &result {
        Ok(report) => format!("{:?} {:?} {:?}", report.outcome, report.why, report.notes),
        Err(error) => errors::chain(error),
    };
    let visible = in_force(&agency.harness).await;
    match (case.ends, &result) {
        (Ends::Published, Ok(report)) => {
            assert_eq!(report.outcome, PullOutcome::Published, "{place}: {said}");
            assert_eq!(visible, model(&today()), "{place}");
        }
        (Ends::Refused(number), Ok(report)) => {
            assert_eq!((report.outcome, report.counts.refused), (PullOutcome::Published, number), "{place}: {said}");
            assert_eq!(agency.refused().await.len() as u64, number, "{place}");
            let (before, after) = (model(&yesterday()), model(&today()));
            assert!(visible.iter().all(|line| before.contains(line) || after.contains(line)), "{place}: {visible:?}");
            assert_eq!(visible.iter().filter(|line| after.contains(line)).count() as u64 + number, 30, "{place}");
        }
        (Ends::Held, Ok(report)) => {
            assert_eq!(report.outcome, PullOutcome::Held, "{place}: {said}");
            assert_eq!(visible, model(&yesterday()), "{place}: yesterday's stays in force");
        }
        (Ends::Failed { .. }, Err(error)) => {
            assert_eq!(visible, model(&yesterday()), "{place}: yesterday's stays in force");
            let last = runs(agency).await.remove(0);
            let state = if matches!(error, PullError::Timeout(_)) { "timed_out" } else { "failed" };
            assert_eq!((last.state.as_str(), last.error.as_deref()), (state, Some(said.as_str())), "{place}");
        }
        (ends, _) => panic!("{place}: {ends:?} was expected; it said {said}"),
    }
    assert!(said.contains(case.says), "{place}: it said {said}");
    check_books(&agency.harness, place).await;
}

/// The source is well again: one pull brings the state that an undisturbed one would have brought.
async fn recovered(place: &str, case: &Case, agency: &Agency, environment: &Environment) {
    let report = pull(agency, environment).await.expect(place);
    assert_ne!(report.outcome, PullOutcome::Held, "{place}: {:?}", report.why);
    assert!(report.counts.balance(), "{place}: {:?}", report.counts);
    if let Ends::Failed { kept } = case.ends {
        assert_eq!(report.resumed, kept, "{place}: goes on after the pages that are in");
    }
    assert_eq!(in_force(&agency.harness).await, model(&today()), "{place}: as if nothing had been");
    if case.ends == Ends::Held {
        for run in runs(agency).await.iter().filter(|run| run.state == "held") {
            decide::discard(&agency.harness.store, run, &actor(), "the source was faulty").await.expect(place);
        }
        assert_eq!(in_force(&agency.harness).await, model(&today()), "{place}: giving it up changes nothing");
    }
    let again = pull(agency, environment).await.expect(place);
    assert_eq!((again.outcome, again.counts.written()), (PullOutcome::Unchanged, 0), "{place}: {:?}", again.counts);
    assert_eq!(left_over(&agency.harness).await, 0, "{place}: nothing is left behind");
    check_books(&agency.harness, place).await;
}
