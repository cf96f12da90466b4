//! What failing months ask for: one document for as many cells as it serves, and what of it is there.

use std::collections::BTreeMap;

use renzheng::declare::Declaring;
use renzheng::declare::evidence::{Attaching, attach};
use renzheng::declare::needs::{Need, needs, text};
use renzheng::domain::document::Document;
use renzheng::domain::evidence::Subject;
use renzheng::domain::facts::UnitId;
use renzheng::domain::ids::{ResidentId, Uscc};
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

/// The needs in lines, persons by their ID numbers and in the order of these: how persons are numbered differs from run to run.
async fn told(day: &Day, employer: &str, language: Language) -> String {
    let mut numbers = BTreeMap::new();
    for placement in csv::Reader::from_path("fixtures/placements.csv").expect("a file").records() {
        let number = placement.expect("a placement")[2].to_owned();
        let id = ResidentId::parse(&number).expect("an ID number");
        let person = day.harness.store.find_person(&id).await.expect("an answer").expect("a person");
        numbers.insert(person, number);
    }
    let mut needs = asked(day, employer).await;
    needs.sort_by_key(|need| (need.document, need.unit_uscc.clone(), numbers[&need.cells[0].person_id].clone()));
    let mut lines = text(&needs, language);
    for (person, number) in &numbers {
        lines = lines.replace(&format!("--cell {}:", person.0), &format!("--cell {number}:"));
    }
    lines
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
    insta::assert_snapshot!(told(&day, E1, Language::Chinese).await, @r###"
税务机关出具的2025-12个人收入纳税明细（扣缴单位91369900MA1000A10H），并附同月银行代发流水或工资发放凭证 [1项中缺1项]
    --cell 360002198507100221:2025-12:wage
税务机关出具的2025-10至2025-11个人收入纳税明细（扣缴单位91369900MA1000A10H），并附同月银行代发流水或工资发放凭证 [2项中缺2项]
    --cell 360005198809090558:2025-10..2025-11:wage
税务机关出具的2025-02、2025-05、2025-08至2025-09个人收入纳税明细（扣缴单位91369900MA1000A10H），并附同月银行代发流水或工资发放凭证 [4项中缺4项]
    --cell 360006198303030677:2025-02,2025-05,2025-08..2025-09:wage
税务机关出具的2025-12个人收入纳税明细（扣缴单位91369900MA1000A10H），并附同月银行代发流水或工资发放凭证 [1项中缺1项]
    --cell 360008198612120898:2025-12:wage
税务机关出具的2025-04个人收入纳税明细（实际发放单位），以及该单位与用人单位的关系证明 [1项中缺1项]
    --cell 360004199002140444:2025-04:wage
税务机关出具的2025-07至2025-09个人收入纳税明细（实际发放单位），以及该单位与用人单位的关系证明 [3项中缺3项]
    --cell 360005198809090558:2025-07..2025-09:wage
医疗保险缴费证明（体现2025-06及实际缴费单位），以及该单位与用人单位的关系证明 [1项中缺1项]
    --cell 360004199002140444:2025-06:medical
2025-01至2025-06有效的劳动合同 [6项中缺6项]
    --cell 360008198612120898:2025-01..2025-06:conflict
"###);
    insta::assert_snapshot!(told(&day, E1, Language::English).await, @r###"
tax-issued income statement for 2025-12 from unit 91369900MA1000A10H, with the bank slip or the pay record of the same wage [missing for 1 of 1]
    --cell 360002198507100221:2025-12:wage
tax-issued income statement for 2025-10…2025-11 from unit 91369900MA1000A10H, with the bank slip or the pay record of the same wage [missing for 2 of 2]
    --cell 360005198809090558:2025-10..2025-11:wage
tax-issued income statement for 2025-02, 2025-05, 2025-08…2025-09 from unit 91369900MA1000A10H, with the bank slip or the pay record of the same wage [missing for 4 of 4]
    --cell 360006198303030677:2025-02,2025-05,2025-08..2025-09:wage
tax-issued income statement for 2025-12 from unit 91369900MA1000A10H, with the bank slip or the pay record of the same wage [missing for 1 of 1]
    --cell 360008198612120898:2025-12:wage
tax-issued income statement for 2025-04 from the unit that paid, and the agreement or proof of its relation to the employer [missing for 1 of 1]
    --cell 360004199002140444:2025-04:wage
tax-issued income statement for 2025-07…2025-09 from the unit that paid, and the agreement or proof of its relation to the employer [missing for 3 of 3]
    --cell 360005198809090558:2025-07..2025-09:wage
medical insurance payment statement that shows 2025-06 and the unit that paid, and the agreement or proof of its relation to the employer [missing for 1 of 1]
    --cell 360004199002140444:2025-06:medical
labour contract in force in 2025-01…2025-06 [missing for 6 of 6]
    --cell 360008198612120898:2025-01..2025-06:conflict
"###);
    insta::assert_snapshot!(told(&day, "91369900MA1000A379", Language::English).await, @r###"
the original 残疾人证 that covers 2025-09…2025-12, shown at the counter [missing for 4 of 4]
    --cell 360012198408081224:2025-09..2025-12:certificate
the original 残疾人证 that covers 2025-04…2025-05, shown at the counter [missing for 2 of 2]
    --cell 360013197001051332:2025-04..2025-05:certificate
the original 残疾人证 that covers 2025-01…2025-04, shown at the counter [missing for 4 of 4]
    --cell 360014199905011443:2025-01..2025-04:certificate
the original 残疾人证 that covers 2025-05…2025-12, shown at the counter [missing for 8 of 8]
    --cell 360015197707071557:2025-05..2025-12:certificate
the original 残疾人证 that covers 2025-10…2025-12, shown at the counter [missing for 3 of 3]
    --cell 36001619820202166X:2025-10..2025-12:certificate
the original 残疾人证 that covers 2025-01…2025-12, shown at the counter [missing for 12 of 12]
    --cell 360018199103151888:2025-01..2025-12:certificate
the original 残疾人证 that covers 2025-01…2025-12, shown at the counter [missing for 12 of 12]
    --cell 360020197404042012:2025-01..2025-12:certificate
"###);
    insta::assert_snapshot!(told(&day, "51369900500000090L", Language::English).await, @r###"
dispatch licence (劳务派遣经营许可证) and human resources licence of 91369900MA4000D23F; from another province also the proof of filing with this one [missing for 12 of 12]
    --cell 360035198404143584:2025-01..2025-12:dispatch
dispatch licence (劳务派遣经营许可证) and human resources licence of 91369900MA4000D31A; from another province also the proof of filing with this one [missing for 12 of 12]
    --cell 360036199101313698:2025-01..2025-12:dispatch
dispatch licence (劳务派遣经营许可证) and human resources licence of 91369900MA4000D4X2; from another province also the proof of filing with this one [missing for 12 of 12]
    --cell 360037198802283702:2025-01..2025-12:dispatch
dispatch licence (劳务派遣经营许可证) and human resources licence of 91369900MA4000D582; from another province also the proof of filing with this one [missing for 12 of 12]
    --cell 360038199505253815:2025-01..2025-12:dispatch
"###);
    insta::assert_snapshot!(told(&day, "11369900100000083K", Language::English).await, @r###"
tax-issued income statement for 2025-05…2025-06 from unit 11369900100000083K, with the bank slip or the pay record of the same wage [missing for 2 of 2]
    --cell 360032199010013256:2025-05..2025-06:wage
tax-issued income statement for 2025-08 from the unit that paid, and the agreement or proof of its relation to the employer [missing for 1 of 1]
    --cell 360032199010013256:2025-08:wage
"###);
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
