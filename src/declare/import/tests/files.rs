//! Files of every format, their headers, and files larger than one publish.

use rust_xlsxwriter::Workbook;

use super::*;

#[tokio::test]
async fn a_header_must_hold_all_required_columns_once_and_no_others() {
    let counter = Counter::open("headers").await;
    let refusal = async |file: &str, content: &str| counter.refusal(ImportKind::Affiliates, file, content).await;
    insta::assert_snapshot!(refusal("a.csv", "employer_uscc,year,unit_uscc,name,relation\n").await, @"/a.csv: unknown column `name`; accepted for affiliates are employer_uscc, year, unit_uscc, unit_name, relation");
    insta::assert_snapshot!(refusal("b.csv", "employer_uscc,year,unit_uscc,relation\n").await, @"/b.csv: there is no column `unit_name`, which affiliates need; accepted are employer_uscc, year, unit_uscc, unit_name, relation");
    insta::assert_snapshot!(refusal("c.csv", "year,employer_uscc,year,unit_uscc,unit_name,relation\n").await, @"the file cannot be read: source of job `import affiliates`: /c.csv:1: column 3 of the header row has the name of an earlier one");
    let headerless = format!("{OWN},2025,{MAN},王小明,false\n");
    insta::assert_snapshot!(refusal("d.csv", &headerless).await, @"/d.csv: none of its columns belongs to affiliates: is there a header row? accepted are employer_uscc, year, unit_uscc, unit_name, relation");
    insta::assert_snapshot!(refusal("e.txt", "").await, @"/e.txt does not say by its extension what it is; accepted are .csv, .ndjson, .jsonl and .xlsx");
    insta::assert_snapshot!(refusal("f.csv", "").await, @"the file cannot be read: source of job `import affiliates`: /f.csv:1: the file is empty where a header row is expected");
    insta::assert_snapshot!(refusal("g*.csv", "").await, @"/g*.csv has a `*` in its name; one file is imported at a time");
    let rows = format!("{{\"employer_uscc\":\"{OWN}\"}}\n{{\"employer_uscc\":\"{OWN}\",\"jahr\":2025}}\n");
    insta::assert_snapshot!(refusal("h.ndjson", &rows).await, @"/h.ndjson: unknown column `jahr`; accepted for affiliates are employer_uscc, year, unit_uscc, unit_name, relation");
    assert_eq!(counter.head().await, 0);
}

#[tokio::test]
async fn optional_columns_may_be_absent() {
    let counter = Counter::open("optional").await;
    let header = "uscc,name,kind,division,federation_division,tax_division";
    let line = format!("{OWN},甲公司,enterprise,360102,360102,360102");
    insta::assert_snapshot!(counter.csv(ImportKind::Employers, header, &[&line]).await, @"read 1: 1 new, 0 changed, 0 same, 0 refused");
}

#[tokio::test]
async fn ndjson_is_read_line_by_line_and_numbers_are_never_ids() {
    let counter = Counter::with_employer("ndjson").await;
    let payers = format!(r#""wage_payer_uscc":"{OWN}","pension_payer_uscc":"{OWN}","medical_payer_uscc":"{OWN}""#);
    let row = |id: &str, year: &str| {
        format!(
            r#"{{"employer_uscc":"{OWN}","year":{year},"id_number":{id},"name":"王小明","dispatched":false,{payers}}}"#
        )
    };
    let lines = [
        row(&format!("\"{MAN}\""), "2025"),
        row(MAN, "2025"),
        row(&format!("\"{WOMAN}\""), "2025.0"),
        "[1]".to_owned(),
    ];
    let path = counter.put("placements.jsonl", &lines.join("\n"));
    let report = counter.try_import(ImportKind::Placements, &path).await.expect("imported");
    insta::assert_snapshot!(told(&report), @"
    read 4: 1 new, 0 changed, 0 same, 3 refused
    2 id_number malformed: a number cell; accepted: a resident ID number of 18 or 15 characters, as text
    3 year malformed: 2025.0; accepted: a year such as 2025
    4 row undecodable: not a JSON object; accepted: a row as the header has it
    ");
    let json = serde_json::to_value(&report).expect("JSON");
    assert_eq!(json["refused"][0]["code"], "malformed");
    assert_eq!(json["file"], path.display().to_string());
}

#[tokio::test]
async fn a_workbook_may_hold_numbers_for_years_and_amounts_but_not_for_codes() {
    let counter = Counter::with_employer("xlsx").await;
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    for (column, name) in EMPLOYERS.split(',').enumerate() {
        sheet.write(0, column as u16, name).expect("written");
    }
    for (row, code) in [(1, HOLDING), (2, THIRD)] {
        for (column, text) in [code, "甲集团", "enterprise"].into_iter().enumerate() {
            sheet.write(row, column as u16, text).expect("written");
        }
        for (column, number) in [(3, 360_102.0), (5, 360_102.0), (6, 360_102.0), (7, 30.5), (8, 2000.1), (9, 1.0)] {
            sheet.write(row, column, number).expect("written");
        }
    }
    sheet.write(2, 0, 123_699_000_000_000_001_f64).expect("written");
    sheet.write(2, 8, 2000.123).expect("written");
    let path = counter.put("employers.xlsx", "");
    workbook.save(&path).expect("saved");
    let report = counter.try_import(ImportKind::Employers, &path).await.expect("imported");
    insta::assert_snapshot!(told(&report), @"
    read 2: 1 new, 0 changed, 0 same, 1 refused
    3 uscc malformed: a number cell; accepted: a unified social credit code of 18 characters, as text
    3 total_wages malformed: 2000.123; accepted: yuan from 0 to a billion with at most two decimals, such as 2000 or 2000.50
    ");

    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    for (column, name) in PLACEMENTS.split(',').enumerate() {
        sheet.write(0, column as u16, name).expect("written");
    }
    for (row, id) in [(1_u32, Some(MAN)), (2, None)] {
        for (column, text) in [(0, OWN), (3, "王小明"), (6, OWN), (7, OWN), (8, OWN)] {
            sheet.write(row, column, text).expect("written");
        }
        sheet.write(row, 1, 2025).expect("written");
        sheet.write(row, 4, false).expect("written");
        match id {
            Some(id) => sheet.write(row, 2, id).expect("written"),
            None => sheet.write(row, 2, 360_001_196_501_010_019_f64).expect("written"),
        };
    }
    let path = counter.put("placements.xlsx", "");
    workbook.save(&path).expect("saved");
    let report = counter.try_import(ImportKind::Placements, &path).await.expect("imported");
    insta::assert_snapshot!(told(&report), @"
    read 2: 1 new, 0 changed, 0 same, 1 refused
    3 id_number malformed: a number cell; accepted: a resident ID number of 18 or 15 characters, as text
    ");
}

#[tokio::test]
async fn a_large_file_is_saved_in_chunks_and_rows_of_one_key_are_not_parted() {
    let counter = Counter::with_employer("large").await;
    let placed = format!("{OWN},2025,{MAN},王小明,false,,{OWN},{OWN},{OWN},");
    counter.csv(ImportKind::Placements, PLACEMENTS, &[&placed]).await;
    let first = NaiveDate::from_ymd_opt(1990, 1, 1).expect("a day");
    let mut lines: Vec<String> = (first.iter_days().take(CHUNK_ROWS + 500))
        .map(|day| format!("{OWN},2025,{MAN},establishment,{day},,"))
        .collect();
    lines.push(format!("{OWN},2025,{MAN},establishment,1990-01-01,2026-12-31,"));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let head = counter.head().await;
    insta::assert_snapshot!(counter.csv(ImportKind::Contracts, CONTRACTS, &lines).await, @"
    read 5501: 5500 new, 0 changed, 0 same, 0 refused
    warning 5502 row key_repeated: has the same key as line 2, which is not taken
    ");
    assert_eq!(counter.head().await, head + 2);
    insta::assert_snapshot!(counter.csv(ImportKind::Contracts, CONTRACTS, &lines).await, @"
    read 5501: 0 new, 0 changed, 5500 same, 0 refused
    warning 5502 row key_repeated: has the same key as line 2, which is not taken
    ");
    assert_eq!(counter.head().await, head + 2);
}
