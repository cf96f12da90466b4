//! Who counts the person: every employer, month by month, and nothing of anybody else.

use renzheng::declare::person::{CountedMonth, Counts, counts};
use renzheng::domain::facts::PersonId;
use renzheng::domain::money::Fen;
use renzheng::store::results::YearRow;
use sqlx::PgConnection;

use super::{Own, YEAR, papers};
use crate::declaring::{self, SCHOOL};
use crate::incremental::{month_of, uscc};

fn month(counts: &Counts, code: &str, number: usize) -> CountedMonth {
    let at = counts.employers.iter().find(|at| at.employer.uscc == code).expect("an employer");
    at.months[number - 1].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_person_sees_who_counts_them_with_the_checks_and_wages_that_are_stored() {
    let Own { mut scene, papers } = Own::begin().await;
    scene.lose("wage", 0, 0, 3);
    scene.lose("pension", 0, 0, 4);
    scene.night().await;
    scene.tick(0, 0, &[3]).await.expect("ticked");
    scene.untick(0, 0, &[5]).await.expect("unticked");
    let own = papers.opened(scene.store()).await;
    let seen = counts(scene.store(), &own, YEAR).await.expect("seen");
    assert_eq!(seen.employers.len(), 1);
    let (at, code) = (&seen.employers[0], uscc(0));
    assert_eq!(
        (at.employer.uscc.as_str(), at.employer.name.as_deref(), at.placed),
        (code.as_str(), Some("公司"), true)
    );
    for number in 1..=12 {
        let (told, stored) = (month(&seen, &code, number.into()), scene.verdict(0, 0, number).await);
        assert_eq!((told.month, told.checks, told.passed), (month_of(number), Some(stored.codes), stored.passed()));
        assert_eq!((told.weight, told.conflict), (Some(stored.weight), false), "{number}");
        assert_eq!((told.declared, told.accepted), (false, false), "{number}");
        assert_eq!(told.wage, Some(Fen(if number == 3 { 10_000 } else { 260_000 })), "{number}");
        let paid: Vec<_> = told.paid.iter().map(|paid| (paid.payer.uscc.clone(), paid.amount)).collect();
        assert_eq!(paid, [(code.clone(), told.wage.expect("a wage"))], "{number}");
    }
    let ticked: Vec<u32> = at.months.iter().filter(|month| month.ticked).map(|month| month.month.number()).collect();
    assert_eq!(ticked, [1, 2, 3, 6, 7, 8, 9, 10, 11, 12], "by choice, or because it passes");
    let json = serde_json::to_value(&at.months[2]).expect("written");
    assert_eq!((&json["wage"], &json["paid"][0]["amount"]), (&"100.00".into(), &"100.00".into()), "in yuan");
    assert!(counts(scene.store(), &own, YEAR - 1).await.expect("seen").employers.is_empty());

    // another employer counts the same months
    scene.employ(0, 1).await;
    scene.night().await;
    let seen = counts(scene.store(), &own, YEAR).await.expect("seen");
    assert_eq!(seen.employers.len(), 2);
    let (one, other) = (month(&seen, &code, 1), month(&seen, &uscc(1), 1));
    assert!(one.conflict && other.conflict && !one.passed);
    assert_eq!((one.wage, other.wage), (Some(Fen(260_000)), Some(Fen(260_000))));
    assert_eq!(one.paid.len(), 2, "both payers are told, whose months they are");
    assert!(!month(&seen, &uscc(1), 5).conflict, "an unticked month is nobody's rival");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_person_sees_what_was_declared_and_what_the_tax_department_accepted() {
    let scene = declaring::Scene::begin("person_declared").await;
    let store = scene.store();
    let declared = scene.declaring(SCHOOL).await;
    // the first of its workers who pass in some month
    let rows = store.employer_rows(YEAR, declared.employer).await.expect("rows");
    let passing = |row: &YearRow| row.verdicts(YEAR).expect("verdicts").iter().filter(|(_, one)| one.passed()).count();
    let worker = rows.iter().find(|row| passing(row) > 0).expect("a worker who passes");
    let own = papers(store, worker.person).await.opened(store).await;
    let months = async |what: fn(&CountedMonth) -> bool| {
        let seen = counts(store, &own, YEAR).await.expect("seen");
        let at = seen.employers.into_iter().find(|at| at.employer.uscc == SCHOOL).expect("the school");
        at.months.iter().filter(|month| what(month)).count()
    };
    assert_eq!((months(|month| month.declared).await, months(|month| month.accepted).await), (0, 0));
    scene.complete(SCHOOL).await.expect("completed");
    let all = months(|month| month.ticked).await;
    assert_eq!(all, passing(worker));
    assert_eq!((months(|month| month.declared).await, months(|month| month.accepted).await), (all, 0));
    scene.push().await;
    assert_eq!((months(|month| month.declared).await, months(|month| month.accepted).await), (all, all));

    // nothing of the others who are placed there
    let told = serde_json::to_string(&counts(store, &own, YEAR).await.expect("seen")).expect("written");
    let others: Vec<PersonId> = everybody(&mut scene.day.harness.connection().await).await;
    assert!(others.len() > 10);
    for identity in store.identities(&others).await.expect("identities").into_values() {
        assert!(!told.contains(identity.id.reveal()), "an ID number");
        assert!(!told.contains(&identity.name), "{}", identity.name);
    }
}

async fn everybody(connection: &mut PgConnection) -> Vec<PersonId> {
    let ids: Vec<i64> = sqlx::query_scalar("select person_id from person where person_id <> 0")
        .fetch_all(connection)
        .await
        .expect("persons");
    ids.into_iter().map(PersonId).collect()
}
