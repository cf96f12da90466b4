//! Loads a scenario directory: employers, placements, contracts, claims, unticked months, decisions, jobs, and all their pulls.

use std::collections::HashMap;
use std::hash::Hash;
use std::path::Path;

use anyhow::{Context as _, bail};
use chrono::NaiveDate;
use serde_json::Value;

use super::records::{Archive, Kind, Row, rows};
use super::text::{self, Month};

/// How a certificate has to be in force for a month to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateMonth {
    Overlap,
    WholeMonth,
    Year,
}

#[derive(Debug)]
pub struct Employer {
    pub uscc: String,
    pub division: String,
    pub wage_class: Option<u8>,
    pub wage_lag: u8,
}

#[derive(Debug)]
pub struct Placement {
    pub employer_uscc: String,
    pub year: i32,
    pub id_number: String,
    pub dispatched: bool,
    pub dispatch_uscc: Option<String>,
    pub wage_payer_uscc: String,
    pub pension_payer_uscc: String,
    pub medical_payer_uscc: String,
    pub retirement_track: Option<&'static str>,
}

#[derive(Debug)]
pub struct Contract {
    pub employer_uscc: String,
    pub year: i32,
    pub id_number: String,
    pub kind: &'static str,
    pub starts_on: NaiveDate,
    pub ends_on: Option<NaiveDate>,
    pub terminated_on: Option<NaiveDate>,
}

#[derive(Debug)]
pub struct Claim {
    pub employer_uscc: String,
    pub id_number: String,
    pub month: Month,
}

#[derive(Debug)]
pub struct Job {
    pub kind: Kind,
    pub settles_after_days: u64,
    pub schemes: Vec<String>,
    pub divisions: Vec<String>,
    /// When the complete pulls began that were published or found unchanged.
    pub whole_pulls: Vec<NaiveDate>,
}

/// The last complete pull of a kind of record, over all its jobs, with its job's `stale_after`.
#[derive(Debug)]
pub struct LastPull {
    pub kind: Kind,
    pub began_on: NaiveDate,
    pub stale_after_days: i64,
}

#[derive(Debug)]
pub struct Scenario {
    pub year: i32,
    pub business_date: NaiveDate,
    pub review_back_payment: bool,
    pub certificate_month: CertificateMonth,
    pub employers: Vec<Employer>,
    pub placements: Vec<Placement>,
    pub contracts: Vec<Contract>,
    pub claims: Vec<Claim>,
    /// Months that their employers unticked.
    pub unticked: Vec<Claim>,
    /// For whom staff decided.
    pub decisions: Vec<Claim>,
    pub jobs: Vec<Job>,
    pub last_pulls: Vec<LastPull>,
    pub archive: Archive,
}

struct Pull {
    job: usize,
    began_on: NaiveDate,
    extent: String,
    file: Option<String>,
    stale_after_days: i64,
}

pub fn load(directory: &Path) -> anyhow::Result<Scenario> {
    let path = directory.join("scenario.json");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let json: Value = serde_json::from_str(&text).context("scenario.json")?;

    let mut jobs = Vec::new();
    let mut pulls = Vec::new();
    for entry in list(&json["jobs"]) {
        let stale_after_days = entry["stale_after_days"].as_i64().context("stale_after_days")?;
        for pull in list(&entry["pulls"]) {
            pulls.push(Pull {
                job: jobs.len(),
                began_on: need(text::date(string(&pull["began_on"])?), "began_on")?,
                extent: string(&pull["extent"])?.to_owned(),
                file: pull["file"].as_str().map(str::to_owned),
                stale_after_days,
            });
        }
        jobs.push(Job {
            kind: match string(&entry["record"])? {
                "wage" => Kind::Wage,
                "insurance" => Kind::Insurance,
                "certificate" => Kind::Certificate,
                "dispatch_filing" => Kind::DispatchFiling,
                other => bail!("unknown record kind {other}"),
            },
            settles_after_days: entry["settles_after_days"].as_u64().context("settles_after_days")?,
            schemes: strings(&entry["covers"]["schemes"])?,
            divisions: strings(&entry["covers"]["divisions"])?,
            whole_pulls: Vec::new(),
        });
    }
    // The list is in the order of job and pull already, and this sort keeps it among equals.
    pulls.sort_by_key(|pull| pull.began_on);

    let mut archive = Archive::default();
    let mut last_pulls: Vec<LastPull> = Vec::new();
    for pull in pulls {
        match pull.extent.as_str() {
            "held" | "dry" => continue,
            "whole" | "range" | "person" => {}
            other => bail!("unknown extent {other}"),
        }
        let kind = jobs[pull.job].kind;
        if let Some(file) = &pull.file {
            for row in rows(&directory.join(file))? {
                archive.take(pull.job, kind, &row);
            }
        }
        if pull.extent == "whole" {
            jobs[pull.job].whole_pulls.push(pull.began_on);
            last_pulls.retain(|last| last.kind != kind);
            last_pulls.push(LastPull { kind, began_on: pull.began_on, stale_after_days: pull.stale_after_days });
        }
    }

    let switches = &json["switches"];
    Ok(Scenario {
        year: i32::try_from(json["year"].as_i64().context("year")?)?,
        business_date: need(text::date(string(&json["business_date"])?), "business_date")?,
        review_back_payment: match switches["back_payment"].as_str().unwrap_or("accept") {
            "accept" => false,
            "review" => true,
            other => bail!("unknown back_payment {other}"),
        },
        certificate_month: match switches["certificate_month"].as_str().unwrap_or("overlap") {
            "overlap" => CertificateMonth::Overlap,
            "whole_month" => CertificateMonth::WholeMonth,
            "year" => CertificateMonth::Year,
            other => bail!("unknown certificate_month {other}"),
        },
        employers: employers(&directory.join("employers.csv"))?,
        placements: placements(&directory.join("placements.csv"))?,
        contracts: contracts(&directory.join("contracts.csv"))?,
        claims: stated(&json["claims"])?,
        unticked: stated(&json["unticked"])?,
        decisions: stated(&json["decisions"])?,
        jobs,
        last_pulls,
        archive,
    })
}

/// Months that something is said of, each with an employer and a person.
fn stated(value: &Value) -> anyhow::Result<Vec<Claim>> {
    let mut out = Vec::new();
    for entry in list(value) {
        out.push(Claim {
            employer_uscc: need(text::uscc(string(&entry["employer_uscc"])?), "employer of a month")?,
            id_number: need(text::id_number(string(&entry["id_number"])?), "ID of a month")?,
            month: need(text::month(string(&entry["month"])?), "month")?,
        });
    }
    Ok(out)
}

/// The elements of an array; anything else is empty.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn string(value: &Value) -> anyhow::Result<&str> {
    value.as_str().context("a text is missing in scenario.json")
}

fn strings(value: &Value) -> anyhow::Result<Vec<String>> {
    let mut out = Vec::new();
    for element in list(value) {
        out.push(string(element)?.to_owned());
    }
    Ok(out)
}

fn need<T>(value: Option<T>, what: &str) -> anyhow::Result<T> {
    value.with_context(|| format!("unreadable {what}"))
}

fn year(row: &Row) -> anyhow::Result<i32> {
    text::tidy(row.get("year")).parse().context("year")
}

/// A later row of the same key takes the earlier one's place.
fn last_of_each<T, K: Eq + Hash>(rows: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let last: HashMap<K, usize> = rows.iter().enumerate().map(|(at, row)| (key(row), at)).collect();
    rows.into_iter().enumerate().filter(|(at, row)| last[&key(row)] == *at).map(|(_, row)| row).collect()
}

fn employers(path: &Path) -> anyhow::Result<Vec<Employer>> {
    let mut out: Vec<Employer> = Vec::new();
    for row in rows(path)? {
        let employer = Employer {
            uscc: need(text::uscc(row.get("uscc")), "uscc")?,
            division: text::tidy(row.get("division")),
            wage_class: need(text::optional(row.get("wage_class"), |raw| text::number(raw, 1, 3)), "wage_class")?,
            wage_lag: need(text::optional(row.get("wage_lag"), |raw| text::number(raw, 0, 1)), "wage_lag")?
                .unwrap_or(0),
        };
        out.push(employer);
    }
    Ok(last_of_each(out, |employer| employer.uscc.clone()))
}

fn placements(path: &Path) -> anyhow::Result<Vec<Placement>> {
    let mut out: Vec<Placement> = Vec::new();
    for row in rows(path)? {
        let tracks = ["men_60", "women_55", "women_50"];
        let dispatched = need(text::word(row.get("dispatched"), &["true", "false"]), "dispatched")?;
        let placement = Placement {
            employer_uscc: need(text::uscc(row.get("employer_uscc")), "employer_uscc")?,
            year: year(&row)?,
            id_number: need(text::id_number(row.get("id_number")), "id_number")?,
            dispatched: dispatched == "true",
            dispatch_uscc: need(text::optional(row.get("dispatch_uscc"), text::uscc), "dispatch_uscc")?,
            wage_payer_uscc: need(text::uscc(row.get("wage_payer_uscc")), "wage payer")?,
            pension_payer_uscc: need(text::uscc(row.get("pension_payer_uscc")), "pension payer")?,
            medical_payer_uscc: need(text::uscc(row.get("medical_payer_uscc")), "medical payer")?,
            retirement_track: need(
                text::optional(row.get("retirement_track"), |raw| text::word(raw, &tracks)),
                "retirement_track",
            )?,
        };
        out.push(placement);
    }
    Ok(last_of_each(out, |one| (one.employer_uscc.clone(), one.year, one.id_number.clone())))
}

fn contracts(path: &Path) -> anyhow::Result<Vec<Contract>> {
    let mut out: Vec<Contract> = Vec::new();
    for row in rows(path)? {
        let contract = Contract {
            employer_uscc: need(text::uscc(row.get("employer_uscc")), "employer_uscc")?,
            year: year(&row)?,
            id_number: need(text::id_number(row.get("id_number")), "id_number")?,
            kind: need(text::word(row.get("kind"), &["labour", "establishment"]), "contract kind")?,
            starts_on: need(text::date(row.get("starts_on")), "starts_on")?,
            ends_on: need(text::optional(row.get("ends_on"), text::date), "ends_on")?,
            terminated_on: need(text::optional(row.get("terminated_on"), text::date), "terminated_on")?,
        };
        out.push(contract);
    }
    Ok(last_of_each(out, |one| (one.employer_uscc.clone(), one.year, one.id_number.clone(), one.kind, one.starts_on)))
}
