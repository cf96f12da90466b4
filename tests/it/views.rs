//! The views for other systems say what the program says, in words, and show no person.

use renzheng::domain::verdict::{AgeCode, CertificateCode, Check, ContractCode, DispatchCode, InsuranceCode, WageCode};
use sqlx::Row;

use crate::fixtures::Day;

#[tokio::test(flavor = "multi_thread")]
async fn the_words_of_the_views_are_those_of_the_program() {
    let day = Day::begin("view_words").await;
    let mut connection = day.harness.connection().await;
    let rows: Vec<(String, i16, String)> =
        sqlx::query_as("select check_name, number, code from api.code order by check_name, number")
            .fetch_all(&mut connection)
            .await
            .expect("codes");
    let mut expected: Vec<(String, i16, String)> = Vec::new();
    for check in Check::ALL {
        let words: Vec<&str> = match check {
            Check::Wage => WageCode::ALL.iter().map(|code| code.as_str()).collect(),
            Check::Pension | Check::Medical => InsuranceCode::ALL.iter().map(|code| code.as_str()).collect(),
            Check::Certificate => CertificateCode::ALL.iter().map(|code| code.as_str()).collect(),
            Check::Age => AgeCode::ALL.iter().map(|code| code.as_str()).collect(),
            Check::Contract => ContractCode::ALL.iter().map(|code| code.as_str()).collect(),
            Check::Dispatch => DispatchCode::ALL.iter().map(|code| code.as_str()).collect(),
        };
        expected.extend((0..).zip(words).map(|(number, word)| (check.to_string(), number, word.to_owned())));
    }
    expected.sort();
    assert_eq!(rows, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_view_of_months_holds_the_stored_results() {
    let day = Day::begin("view_months").await;
    day.deliver_wages("wage-1.ndjson");
    day.pull_all().await;
    day.harness.verify(2025).await;
    let lines = day.harness.results(2025).await;
    let mut connection = day.harness.connection().await;
    let rows = sqlx::query(
        "select employer_uscc, month, wage, pension, medical, certificate, age, contract, dispatch, passed, conflict, weight,
                person_id, run_id is not null as by_a_run
         from api.verification_month where year = 2025",
    )
    .fetch_all(&mut connection)
    .await
    .expect("rows");
    let mut seen: Vec<String> = rows
        .iter()
        .map(|row| {
            assert!(row.get::<bool, _>("by_a_run") && row.get::<i64, _>("person_id") > 0);
            let codes: Vec<String> = Check::ALL.iter().map(|check| row.get(check.as_str())).collect();
            let (passed, conflict, weight): (bool, bool, i32) =
                (row.get("passed"), row.get("conflict"), row.get("weight"));
            let (uscc, month): (String, String) = (row.get("employer_uscc"), row.get("month"));
            format!("{uscc} {month} {} {passed} {conflict} {weight}", codes.join(" "))
        })
        .collect();
    let mut expected: Vec<String> = lines
        .iter()
        .map(|line| {
            let codes = line.codes.join(" ");
            format!("{} {} {codes} {} {} {}", line.employer_uscc, line.month, line.passed, line.conflict, line.weight)
        })
        .collect();
    seen.sort();
    expected.sort();
    assert_eq!(seen, expected);
    let months: (i64, i64) = sqlx::query_as(
        "select sum(months_passed)::bigint, sum(weighted_months)::bigint from api.verification_year where year = 2025",
    )
    .fetch_one(&mut connection)
    .await
    .expect("sums");
    let passed = lines.iter().filter(|line| line.passed);
    let weighted: i64 = passed.clone().map(|line| i64::from(line.weight)).sum();
    assert_eq!(months, (passed.count() as i64, weighted));
}
