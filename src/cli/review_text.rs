//! Cases of review as they are printed: the queue, and a case with its months and everything decided.

use serde_json::json;

use super::table::table;
use crate::clock::rfc3339;
use crate::declare::review::{OpenedCase, Waiting};
use crate::declare::standing::MonthLine;
use crate::domain::facts::UnitId;
use crate::domain::month::Month;
use crate::domain::review::Grounds;
use crate::store::Store;
use crate::store::decisions::DecisionLine;
use crate::store::review_cases::Holder;

pub(super) async fn queue_text(store: &Store, cases: &[Waiting]) -> anyhow::Result<String> {
    let units: Vec<UnitId> = cases.iter().map(|case| case.case.employer).collect();
    let codes = store.unit_codes(&units).await?;
    let list = |months: &[Month]| months.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let rows: Vec<Vec<String>> = cases
        .iter()
        .map(|waiting| {
            vec![
                rfc3339(waiting.handed_in_at),
                codes.get(&waiting.case.employer).map(ToString::to_string).unwrap_or_default(),
                waiting.case.year.to_string(),
                waiting.case.person.0.to_string(),
                waiting.federation_division.clone(),
                list(&waiting.months),
                list(&waiting.proposed),
                waiting.holder.as_ref().map(held).unwrap_or_default(),
            ]
        })
        .collect();
    let header = ["handed in", "employer", "year", "person", "division", "under review", "proposed", "with"];
    Ok(table(&header, &rows, &[3]))
}

fn held(holder: &Holder) -> String {
    format!("{} until {}", holder.reviewer, rfc3339(holder.until))
}

pub(super) async fn opened_text(store: &Store, opened: &OpenedCase, as_json: bool) -> anyhow::Result<String> {
    let codes = store.unit_codes(&[opened.case.employer]).await?;
    let code = codes.get(&opened.case.employer).map(ToString::to_string).unwrap_or_default();
    let (year, person) = (opened.case.year, opened.case.person);
    if as_json {
        let months: Vec<_> = opened
            .view
            .months
            .iter()
            .map(|view| {
                json!({
                    "month": MonthLine::of(view), "checks": view.verdict.codes, "conflict": view.verdict.conflict,
                    "fails_for": Grounds::failing(&view.verdict).words(), "evidence": view.facts.evidence.words(),
                })
            })
            .collect();
        let value = json!({
            "employer_uscc": code, "year": year, "person_id": person, "standing": opened.view.standing(),
            "handed_in_at": opened.view.months.first().and_then(|month| month.facts.handed_in_at),
            "holder": opened.holder, "months": months, "decisions": opened.decisions,
        });
        return Ok(value.to_string());
    }
    let dispatched = if opened.view.dispatched { ", dispatched" } else { "" };
    let mut lines = vec![format!("{code} {year} person {}{dispatched}: {}", person.0, opened.view.standing())];
    lines.extend(opened.holder.as_ref().map(|holder| format!("with {}", held(holder))));
    let rows: Vec<Vec<String>> = opened
        .view
        .months
        .iter()
        .map(|view| {
            vec![
                view.month.to_string(),
                view.standing.as_str().to_owned(),
                Grounds::failing(&view.verdict).to_string(),
                view.facts.evidence.to_string(),
            ]
        })
        .collect();
    lines.push(table(&["month", "standing", "fails for", "evidence"], &rows, &[]));
    lines.extend(opened.decisions.iter().map(decided));
    Ok(lines.join("\n"))
}

fn decided(line: &DecisionLine) -> String {
    let word = if line.approved { "approved" } else { "rejected" };
    let mut text = format!(
        "{} {word} for {} by {} at {}: {}",
        line.month,
        line.grounds,
        line.decided_by,
        rfc3339(line.decided_at),
        line.reasons.join(", ")
    );
    text.extend(line.note.iter().map(|note| format!(" ({note})")));
    text.extend(match (&line.agreed_by, line.second_asked) {
        (Some(by), _) => Some(format!("; {by} agreed")),
        (None, true) if line.ending.is_none() => Some("; waits for a second person".to_owned()),
        _ => None,
    });
    text.extend(line.ending.iter().map(|ending| {
        let why = line.ended_why.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
        format!("; {ending} by {}{why}", line.ended_by.as_deref().unwrap_or_default())
    }));
    text
}
