//! Plain tables whose columns line up, full-width characters included, and the grid of months by checks.

use crate::domain::month::{Month, spans};
use crate::domain::verdict::{Check, Verdict};

/// How many columns of a terminal a text takes: Chinese characters take two.
pub(super) fn width(text: &str) -> usize {
    text.chars()
        .map(|c| match c {
            '\u{1100}'..='\u{115F}'
            | '\u{2E80}'..='\u{303E}'
            | '\u{3041}'..='\u{A4CF}'
            | '\u{AC00}'..='\u{D7A3}'
            | '\u{F900}'..='\u{FAFF}'
            | '\u{FE30}'..='\u{FE4F}'
            | '\u{FF00}'..='\u{FF60}'
            | '\u{FFE0}'..='\u{FFE6}'
            | '\u{20000}'..='\u{3FFFD}' => 2,
            _ => 1,
        })
        .sum()
}

/// Rows with a header; numbers (columns named in `right`) flush right.
pub(super) fn table(header: &[&str], rows: &[Vec<String>], right: &[usize]) -> String {
    let columns = header.len();
    let mut widths: Vec<usize> = header.iter().map(|name| width(name)).collect();
    for row in rows {
        for (column, cell) in row.iter().enumerate().take(columns) {
            widths[column] = widths[column].max(width(cell));
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (column, cell) in cells.enumerate() {
            let padding = " ".repeat(widths[column].saturating_sub(width(cell)));
            let cell = if right.contains(&column) { format!("{padding}{cell}") } else { format!("{cell}{padding}") };
            text.push_str(&cell);
            text.push_str("  ");
        }
        text.trim_end().to_owned()
    };
    let mut lines = vec![line(&mut header.iter().copied())];
    lines.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    lines.join("\n")
}

/// The Chinese names of the checks, as the pages have them.
pub(super) fn chinese(check: Check) -> &'static str {
    match check {
        Check::Wage => "工资",
        Check::Pension => "社保",
        Check::Medical => "医保",
        Check::Certificate => "残疾证",
        Check::Age => "年龄",
        Check::Contract => "合同",
        Check::Dispatch => "派遣备案",
    }
}

/// Months down, checks across: a sign each, the code where it is not a plain pass.
pub(super) fn grid(months: &[(Month, Verdict)]) -> String {
    let mut header = vec!["month"];
    let names: Vec<String> = Check::ALL.iter().map(|check| format!("{} {check}", chinese(*check))).collect();
    header.extend(names.iter().map(String::as_str));
    header.extend(["counts", "weight"]);
    let rows: Vec<Vec<String>> = months
        .iter()
        .map(|(month, verdict)| {
            let mut row = vec![month.to_string()];
            row.extend(Check::ALL.iter().map(|check| {
                let (sign, code) = (verdict.codes.sign(*check).as_str(), verdict.codes.get(*check));
                match code {
                    "pass" | "not_applicable" => sign.to_owned(),
                    code => format!("{sign} {code}"),
                }
            }));
            row.push(if verdict.passed() {
                "√".to_owned()
            } else if verdict.conflict {
                "Ⅹ conflict".to_owned()
            } else {
                String::new()
            });
            row.push(verdict.weight.to_string());
            row
        })
        .collect();
    table(&header, &rows, &[9])
}

/// Months in a row as `2025-01–03`.
pub(super) fn month_spans(months: &[Month]) -> String {
    let told = |(first, last): &(Month, Month)| {
        if first == last { first.to_string() } else { format!("{first}–{:02}", last.number()) }
    };
    spans(months).iter().map(told).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_beside_chinese() {
        let rows = vec![vec!["工资".to_owned(), "7".to_owned()], vec!["x".to_owned(), "1234".to_owned()]];
        let text = table(&["name", "rows"], &rows, &[1]);
        assert_eq!(text, "name  rows\n工资     7\nx     1234");
    }
}
