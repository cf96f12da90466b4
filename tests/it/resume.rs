//! A pull whose process died between two commits: the next run goes on, whichever two they were.

use renzheng::config::Environment;
use renzheng::ingest::PullOutcome;
use renzheng::ingest::contract::contract_version;
use renzheng::store::batches::{Asked, Opening};
use renzheng::store::landing::{Body, Lander, Landing, PageLine};

use crate::harness::{Harness, Scratch, jobs_of};

const HEADER: &str = "record_id,updated_at,id_number,name,kind,certificate_number,level,valid_from,status\n";

fn row(record: u32) -> String {
    let id = "360000197502010027";
    format!("C{record},2026-01-01T00:00:00+08:00,{id},某人,disabled_person,{id}43,3,2020-01-0{record},valid\n")
}

/// One certificate job over one file of two rows, registered.
async fn certificates(harness: &Harness, scratch: &Scratch) -> renzheng::config::Job {
    let file = scratch.path().join("certificates.csv");
    std::fs::write(&file, format!("{HEADER}{}{}", row(1), row(2))).expect("written");
    let jobs = scratch.path().join("jobs");
    std::fs::create_dir_all(&jobs).expect("made");
    let text = format!(
        "kind = \"pull\"\nrecord = \"certificate\"\n[source]\ntype = \"file\"\npath = \"{}\"\nformat = \"csv\"\n",
        file.display()
    );
    std::fs::write(jobs.join("pull-certificate.toml"), text).expect("written");
    let jobs = jobs_of(&jobs);
    harness.register(&jobs).await;
    jobs.into_iter().next().expect("one job")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_died_after_its_last_page_is_published_by_the_next_run() {
    let harness = Harness::new("died_after_last_page").await;
    let scratch = Scratch::new("died_after_last_page");
    let job = certificates(&harness, &scratch).await;
    let store = &harness.store;
    let run = store.start_run("pull", &job.name, "test").await.expect("a run");
    let (source, settings) = store.list_jobs(i64::MAX).await.expect("jobs").remove(0);
    let opening = Opening {
        source,
        settings: &settings,
        contract: &contract_version(&job),
        stamped_by_delivery: false,
        closes_absent: false,
        asked: Asked::Everything,
        since: None,
        until: None,
        complete_seq: None,
        run_id: run.run_id,
    };
    let batch = store.open_batch(&opening).await.expect("a batch");
    let mut lander = Lander::open(store, batch).await.expect("to land");
    let line = PageLine { number: 0, resume: None, digest: None, announced: None };
    let body = Body::Read { records: Vec::new(), refusals: Vec::new(), raw_of: Box::new(|_| Vec::new()) };
    lander.land(Landing { line, body }).await.expect("the last page");
    let report = harness.pull(&job, &Environment::default()).await;
    assert!(report.resumed);
    assert_eq!(report.outcome, PullOutcome::Unchanged, "the page that was in held nothing");
    let report = harness.pull(&job, &Environment::default()).await;
    assert_eq!(
        (report.outcome, report.counts.new),
        (PullOutcome::Published, 2),
        "the delivery after it is taken whole"
    );
    let runs = store.list_runs(Some(&job.name), None, 10).await.expect("runs");
    assert!(runs.iter().all(|run| run.state != "running"), "{runs:?}");
}
