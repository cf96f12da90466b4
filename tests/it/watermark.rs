//! What a pull asks an agency for, and how often: changes only, people who became concerned one by one, nothing twice.

use std::collections::BTreeSet;

use renzheng::config::Environment;
use renzheng::ingest::{self, PullError, PullOutcome, Report};
use renzheng::store::batches::Asked;

use crate::agency::{Agency, Wage, id_number};
use crate::faults::scene::{check_books, in_force, installation, left_over, model};
use crate::http_agency::{Reply, WageAgency, Wire, seconds_of};

/// An installation and the agency it asks.
struct Pair {
    agency: Agency,
    desk: WageAgency,
}

const CHANGES: &str =
    "paging = \"cursor\"\nnext = \"/next\"\ntotals = \"/total\"\nsince = \"since\"\noverlap = \"1h\"\n";
const PERSON: &str = "[source.person]\nurl = \"${AGENCY}/v1/person\"\nbody = \"zjhm\"\n";

fn job(keep: &str, source: &str) -> String {
    format!(
        "kind = \"pull\"\nrecord = \"wage\"\nkeep = \"{keep}\"\n\
         retry = {{ attempts = 2, backoff = \"1ms\", max_backoff = \"5ms\" }}\n\
         [source]\ntype = \"http\"\nurl = \"${{AGENCY}}/v1/wages\"\n{source}"
    )
}

impl Pair {
    async fn begin(name: &str, job: &str, records: Vec<Wage>) -> Self {
        Self { agency: installation(name, job).await, desk: WageAgency::start(records, 5).await }
    }

    async fn try_pull(&self) -> Result<Report, PullError> {
        let environment: Environment = self.desk.environment();
        ingest::pull(&self.agency.harness.store, &self.agency.job, &environment, None, "test", &|_| ()).await
    }

    async fn pull(&self) -> Report {
        let report = self.try_pull().await.expect("pulled");
        assert!(report.counts.balance(), "{:?}", report.counts);
        check_books(&self.agency.harness, "watermark").await;
        report
    }

    async fn in_force(&self) -> Vec<String> {
        in_force(&self.agency.harness).await
    }

    /// `since` of the requests that were made meanwhile, as seconds of these tests; -1 where everything was asked for.
    fn asked_since(&self) -> BTreeSet<i64> {
        let asked = self.desk.server.take_asked();
        let pages = asked.iter().filter(|asked| asked.page().is_some());
        pages.map(|asked| asked.parameter("since").map_or(-1, |since| seconds_of(&since))).collect()
    }
}

fn wages(persons: std::ops::Range<u32>, stamp: u32) -> Vec<Wage> {
    persons.map(|person| Wage::new(&format!("r{person}"), stamp, person, &format!("{}", 1000 + person))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_pull_asks_for_changes_since_the_latest_stamp_less_the_overlap() {
    let pair = Pair::begin("changes", &job("all", CHANGES), wages(0..23, 86_400)).await;
    let first = pair.pull().await;
    assert_eq!((first.asked, first.counts.new), (Asked::Everything, 23));
    assert_eq!(pair.asked_since(), [-1].into());
    pair.desk.change(|desk| desk.records.extend(wages(23..25, 95_000)));
    let second = pair.pull().await;
    assert_eq!((second.asked, second.counts.new, second.counts.same), (Asked::Changes, 2, 23));
    assert_eq!(pair.asked_since(), [86_400 - 3600].into());
    let third = pair.pull().await;
    assert_eq!((third.outcome, third.counts.same), (PullOutcome::Unchanged, 2), "the overlap again");
    assert_eq!(pair.asked_since(), [95_000 - 3600].into());
    pair.desk.change(|desk| desk.records.push(Wage::new("r0", 200_000, 0, "7")));
    let fourth = pair.pull().await;
    assert_eq!((fourth.counts.read, fourth.counts.changed), (3, 1), "only what is new since");
    let empty = pair.pull().await;
    assert_eq!((empty.outcome, empty.counts.read), (PullOutcome::Unchanged, 1));
    assert_eq!(pair.asked_since(), [95_000 - 3600, 200_000 - 3600].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stamp_of_the_future_hides_no_later_change() {
    let mut records = wages(0..6, 86_400);
    // business time is the 15th of April; the stamp is the 30th of January of a clock that is wrong by then
    records.push(Wage::new("future", 86_400 * 29, 9, "1"));
    let pair = Pair::begin("future", &job("all", CHANGES), records).await;
    pair.agency.harness.clock("2026-01-10".parse().expect("a date"), "02:00").await;
    pair.pull().await;
    pair.asked_since();
    // what changes tomorrow bears an earlier stamp than the one of the future
    pair.desk.change(|desk| desk.records.push(Wage::new("r3", 86_400 * 10, 3, "4321")));
    pair.agency.harness.clock("2026-01-11".parse().expect("a date"), "02:00").await;
    let second = pair.pull().await;
    assert_eq!((second.asked, second.counts.changed), (Asked::Changes, 1));
    let began = 86_400 * 9 + 2 * 3600;
    assert_eq!(pair.asked_since(), [began - 3600].into(), "no later than when the last fetch began");
    assert!(pair.agency.amounts().await.contains(&432_100));
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_change_how_a_job_reads_make_it_read_everything_anew() {
    let mut pair = Pair::begin("settings", &job("all", CHANGES), wages(0..12, 86_400)).await;
    pair.pull().await;
    pair.pull().await;
    assert_eq!(pair.asked_since(), [-1, 86_400 - 3600].into());
    let yuan = pair.agency.amounts().await;
    let folder = pair.agency.scratch.path().join("jobs");
    // patience is no matter of what is read
    let patient = job("all", CHANGES).replace("keep", "timeout = \"5m\"\nkeep");
    for (text, asked) in
        [(patient, Asked::Changes), (job("all", &format!("{CHANGES}[formats]\namount = \"fen\"\n")), Asked::Everything)]
    {
        std::fs::write(folder.join("pull-wage.toml"), text).expect("written");
        pair.agency.job = crate::harness::jobs_of(&folder).remove(0);
        pair.agency.harness.register(std::slice::from_ref(&pair.agency.job)).await;
        let report = pair.pull().await;
        assert_eq!((report.asked, report.counts.read), (asked, 12));
    }
    // what was read by the former settings is corrected, under the same stamps
    assert_eq!(pair.agency.refused().await.len(), 0);
    let fen: Vec<i64> = yuan.iter().map(|amount| amount / 100).collect();
    assert_eq!(pair.agency.amounts().await, fen);
}

/// Twenty records of before the watermark, and one that sets it.
fn long_ago() -> Vec<Wage> {
    let mut records = wages(0..20, 10_000);
    records.push(Wage::new("late", 86_400, 1, "2"));
    records
}

/// Certificates of these people make them concerned.
async fn concern(pair: &Pair, persons: &[u32]) {
    pair.agency.concern(persons).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_becomes_concerned_later_is_asked_for_alone_and_no_id_number_stands_in_an_address() {
    let pair = Pair::begin("concerned", &job("concerned", &format!("{CHANGES}{PERSON}")), long_ago()).await;
    concern(&pair, &[1, 2]).await;
    let first = pair.pull().await;
    assert_eq!((first.counts.new, first.counts.dropped), (3, 18));
    pair.desk.server.take_asked();
    concern(&pair, &[1, 2, 5, 6]).await;
    let second = pair.pull().await;
    assert_eq!(second.asked, Asked::Changes);
    assert!(second.notes.iter().any(|note| note.contains("2 people became concerned")), "{:?}", second.notes);
    let mut expected = [wages(1..3, 10_000), wages(5..7, 10_000)].concat();
    expected.push(Wage::new("late", 86_400, 1, "2"));
    assert_eq!(pair.in_force().await, model(&expected));
    let asked = pair.desk.server.take_asked();
    let people: BTreeSet<String> =
        asked.iter().filter(|asked| asked.method == "POST").map(|asked| asked.body.clone()).collect();
    assert_eq!(people, [5, 6].map(|person| format!("{{\"zjhm\":\"{}\"}}", id_number(person))).into());
    assert!(
        asked.iter().all(|asked| asked.page().is_none() || asked.parameter("since").is_some()),
        "nothing was read anew"
    );
    for asked in &asked {
        let words = format!("{} {:?}", asked.address, asked.headers);
        assert!((0..20).all(|person| !words.contains(&id_number(person))), "{words}");
    }
    pair.pull().await;
    let asked = pair.desk.server.take_asked();
    assert!(asked.iter().all(|asked| asked.method == "GET"), "nobody is asked for twice");
    assert_eq!(left_over(&pair.agency.harness).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_people_cannot_be_asked_for_changes_still_come_and_they_stay_due() {
    let pair = Pair::begin("person_down", &job("concerned", &format!("{CHANGES}{PERSON}")), long_ago()).await;
    concern(&pair, &[1]).await;
    pair.pull().await;
    concern(&pair, &[1, 5]).await;
    pair.desk.change(|desk| {
        desk.person_down = true;
        desk.records.push(Wage::new("r1", 100_000, 1, "5555"));
    });
    let mut expected_rows = vec![Wage::new("late", 86_400, 1, "2"), Wage::new("r1", 100_000, 1, "5555")];
    for expected in [1, 0] {
        let report = pair.pull().await;
        assert_eq!((report.asked, report.counts.changed), (Asked::Changes, expected));
        assert!(report.notes.iter().any(|note| note.contains("could not be asked for")), "{:?}", report.notes);
        assert_eq!(pair.in_force().await, model(&expected_rows));
    }
    pair.desk.change(|desk| desk.person_down = false);
    pair.desk.server.take_asked();
    pair.pull().await;
    let posts = pair.desk.server.take_asked().iter().filter(|asked| asked.method == "POST").count();
    assert_eq!(posts, 1, "the one who was due");
    expected_rows.extend(wages(5..6, 10_000));
    assert_eq!(pair.in_force().await, model(&expected_rows));
    assert_eq!(left_over(&pair.agency.harness).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_people_than_are_asked_for_one_by_one_make_it_read_everything() {
    let pair = Pair::begin("many", &job("concerned", &format!("{CHANGES}{PERSON}")), wages(0..4, 86_400)).await;
    concern(&pair, &[1]).await;
    pair.pull().await;
    pair.desk.server.take_asked();
    concern(&pair, &(0..502).collect::<Vec<_>>()).await;
    let report = pair.pull().await;
    assert_eq!((report.asked, report.counts.new, report.counts.same), (Asked::Everything, 3, 1));
    assert!(pair.desk.server.take_asked().iter().all(|asked| asked.method == "GET"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_goes_on_asks_for_no_page_that_is_in() {
    let pair = Pair::begin("goes_on", &job("all", CHANGES), wages(0..50, 86_400)).await;
    let mut asked = Vec::new();
    for page in [1, 4, 4, 9] {
        pair.desk
            .change(|desk| desk.tamper = Some((Some(page), usize::MAX, |_, reply: Reply| reply.over(Wire::Closed))));
        pair.try_pull().await.expect_err("cut");
        asked.push(pair.desk.take_pages());
    }
    pair.desk.change(crate::http_agency::Desk::recover);
    let last = pair.pull().await;
    asked.push(pair.desk.take_pages());
    assert_eq!(asked, [vec![0, 1, 1], vec![1, 2, 3, 4, 4], vec![4, 4], vec![4, 5, 6, 7, 8, 9, 9], vec![9]]);
    assert!(last.resumed);
    assert_eq!((last.counts.read, last.counts.new), (50, 50), "the counts are those of the whole delivery");
    assert_eq!(pair.in_force().await, model(&wages(0..50, 86_400)));
    assert_eq!(left_over(&pair.agency.harness).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_whose_own_database_refuses_a_page_ends_at_once_and_goes_on_later() {
    let pair = Pair::begin("refusing", &job("all", CHANGES), wages(0..200, 86_400)).await;
    let run = async |sql: &'static str| {
        sqlx::raw_sql(sql).execute(&mut pair.agency.harness.connection().await).await.expect("executed");
    };
    run("create function refuse() returns trigger language plpgsql as 'begin raise exception ''no room''; end';
         create trigger refuse before insert on batch_page for each row when (new.page_number = 3) execute function refuse()")
    .await;
    let ended = tokio::time::timeout(std::time::Duration::from_mins(1), pair.try_pull()).await;
    ended.expect("it does not wait for pages that nobody takes").expect_err("refused");
    run("drop trigger refuse on batch_page").await;
    let report = pair.pull().await;
    assert_eq!((report.resumed, report.counts.new), (true, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_not_the_announced_one_is_read_again_and_then_held() {
    let pair = Pair::begin("announced", &job("all", CHANGES), wages(0..12, 86_400)).await;
    pair.desk.change(|desk| desk.announced = Some(13));
    let report = pair.pull().await;
    assert_eq!(report.outcome, PullOutcome::Held);
    assert_eq!(report.why.as_deref(), Some("the source announced 13 records and 12 came"));
    assert_eq!(pair.desk.take_pages(), [0, 1, 2, 0, 1, 2], "twice, and no more");
    assert_eq!(pair.in_force().await, [""; 0]);
    pair.desk.change(|desk| desk.announced = None);
    let report = pair.pull().await;
    assert_eq!((report.asked, report.outcome, report.counts.new), (Asked::Everything, PullOutcome::Published, 12));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agency_that_says_nothing_changed_is_believed_while_nobody_new_is_concerned() {
    let pair = Pair::begin("etag", &job("concerned", PERSON), wages(0..9, 86_400)).await;
    pair.desk.change(|desk| desk.tag = Some("\"v1\"".to_owned()));
    concern(&pair, &[1]).await;
    assert_eq!(pair.pull().await.counts.new, 1);
    let known = |pair: &Pair| {
        let asked = pair.desk.server.take_asked();
        asked.iter().map(|asked| asked.headers.get("if-none-match").cloned()).collect::<Vec<_>>()
    };
    assert_eq!(known(&pair), [None]);
    for _ in 0..2 {
        let report = pair.pull().await;
        assert_eq!((report.outcome, report.counts.read), (PullOutcome::Unchanged, 0));
        assert_eq!(report.notes, ["the source says that nothing changed since its last delivery"]);
    }
    assert_eq!(known(&pair), [Some("\"v1\"".to_owned()), Some("\"v1\"".to_owned())]);
    concern(&pair, &[1, 2]).await;
    let report = pair.pull().await;
    assert_eq!((report.outcome, report.counts.new), (PullOutcome::Published, 1), "what was dropped of them is read");
    assert_eq!(known(&pair), [None]);
    pair.desk.change(|desk| {
        desk.tag = Some("\"v2\"".to_owned());
        desk.records.push(Wage::new("r1", 95_000, 1, "1"));
    });
    assert_eq!(pair.pull().await.counts.changed, 1);
    assert_eq!(known(&pair), [Some("\"v1\"".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_came_before_as_it_is_counts_without_being_read() {
    let paging = "paging = \"cursor\"\nnext = \"/next\"\ntotals = \"/total\"\n";
    let pair = Pair::begin("known_pages", &job("all", paging), wages(0..50, 86_400)).await;
    pair.pull().await;
    let again = pair.pull().await;
    assert_eq!((again.outcome, again.counts.same), (PullOutcome::Unchanged, 50));
    pair.desk.change(|desk| desk.records[22] = Wage::new("r22", 99_999, 22, "8"));
    let changed = pair.pull().await;
    assert_eq!((changed.outcome, changed.counts.changed, changed.counts.same), (PullOutcome::Published, 1, 49));
    // a page counts as read only if its records were looked at: by the latest stamp that its batch saw
    let seen: Vec<Option<i64>> = sqlx::query_scalar(
        "select extract(epoch from watermark - timestamptz '2026-01-01 00:00:00+08')::bigint from batch order by batch_id",
    )
    .fetch_all(&mut pair.agency.harness.connection().await)
    .await
    .expect("watermarks");
    assert_eq!(seen, [Some(86_400), None, Some(99_999)]);
}
