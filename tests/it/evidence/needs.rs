//! What failing months ask for: one document for as many cells as it serves, and what of it is there.

use renzheng::declare::Declaring;
use renzheng::declare::evidence::{Attaching, attach};
use renzheng::declare::needs::{Need, needs, text};
use renzheng::domain::document::Document;
use renzheng::domain::evidence::Subject;
use renzheng::domain::facts::UnitId;
use renzheng::domain::ids::Uscc;
use renzheng::domain::review::Ground;
use renzheng::domain::said::Language;
use renzheng::ingest::PullOutcome;

use super::made::png;
use super::{E1, operator};
use crate::fixtures::Day;
use crate::harness::Scratch;

async fn unit(day: &Day, code: &str) -> UnitId {
    day.harness.store.find_unit(&Uscc::parse(code).expect("a code")).await.expect("an answer").expect("a unit")
}

async fn asked(day: &Day, employer: &str) -> Vec<Need> {
    let declaring = Declaring { employer: unit(day, employer).await, year: 2025 };
    needs(&day.harness.store, &day.harness.policy, &operator(), declaring).await.expect("needs")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failing_month_of_an_employer_names_its_document_once_for_all_months_that_it_serves() {
    let day = Day::begin("needs").await;
    for wages in ["wage-1.ndjson", "wage-2.ndjson"] {
        day.deliver_wages(wages);
        assert_eq!(day.pull("pull-wage").await, PullOutcome::Published);
    }
    for job in ["pull-certificate", "pull-dispatch", "pull-pension", "pull-medical"] {
        assert_eq!(day.pull(job).await, PullOutcome::Published);
    }
    day.harness.verify(2025).await;
    let english: Vec<String> = {
        let needs = asked(&day, E1).await;
        insta::assert_snapshot!(text(&needs, Language::Chinese), @"");
        vec![text(&needs, Language::English)]
    };
    insta::assert_snapshot!(english.join("\n"), @"");
    insta::assert_snapshot!(text(&asked(&day, "91369900MA1000A379").await, Language::English), @"");
    insta::assert_snapshot!(text(&asked(&day, "51369900500000090L").await, Language::English), @"");
    insta::assert_snapshot!(text(&asked(&day, "11369900100000083K").await, Language::English), @"");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_attached_is_no_longer_missing() {
    let day = Day::begin("needs_attached").await;
    day.deliver_wages("wage-2.ndjson");
    assert_eq!(day.pull("pull-wage").await, PullOutcome::Published);
    day.harness.verify(2025).await;
    let folder = Scratch::new("needs_attached_files");
    let store = day.harness.store.clone().keep_evidence_in(folder.path());
    let statement = |needs: &[Need]| {
        let wage = needs.iter().find(|need| need.document == Document::IncomeStatement).expect("a wage is missing");
        wage.clone()
    };
    let before = statement(&asked(&day, E1).await);
    assert_eq!(before.missing, before.cells.len());
    let subjects: Vec<Subject> = before
        .cells
        .iter()
        .map(|cell| Subject::Cell { person: cell.person_id, month: cell.month, ground: Ground::Wage })
        .collect();
    let attaching = Attaching { employer: unit(&day, E1).await, file_name: "a.png", subjects: &subjects };
    attach(&store, None, &operator(), &attaching, png().as_slice()).await.expect("taken");
    let after = statement(&asked(&day, E1).await);
    assert_eq!((after.missing, after.cells.len()), (0, before.cells.len()));
    assert!(after.cells.iter().all(|cell| cell.attached && !cell.ticked));
}
