//! A slow, plain evaluation of the rule book (rules.md 2), for comparison with the program's own.
//!
//! Nothing is shared with the program. Everything is grouped by person once and then scanned from
//! end to end for each month. Where the rules leave a choice, a comment starting with `Reading:`
//! names the choice made.

mod records;
mod scenario;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use chrono::{DateTime, Days, FixedOffset, Months, NaiveDate};

use records::{Certificate, Content, DispatchFiling, Insurance, Kind, Refused, Wage};
use scenario::{CertificateMonth, Claim, Contract, Employer, Job, Placement, Scenario};
use text::Month;

/// The checks in the order of [`Line::codes`].
const CHECKS: [&str; 7] = ["wage", "pension", "medical", "certificate", "age", "contract", "dispatch"];

/// One placement and month.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    pub employer_uscc: String,
    pub id_number: String,
    pub month: String,
    /// wage, pension, medical, certificate, age, contract, dispatch (as in `CHECKS`)
    pub codes: [String; 7],
    pub passed: bool,
    pub conflict: bool,
    pub weight: u8,
}

/// Minimum wages: in force from, then yuan for classes 1, 2, 3 (domain.md 5.2).
const MINIMUM_WAGES: [((i32, u32, u32), [i128; 3]); 7] = [
    ((2013, 1, 1), [1230, 1150, 1070]),
    ((2014, 7, 1), [1390, 1300, 1210]),
    ((2015, 10, 1), [1530, 1430, 1340]),
    ((2018, 1, 1), [1680, 1580, 1470]),
    ((2021, 4, 1), [1850, 1730, 1610]),
    ((2024, 4, 1), [2000, 1870, 1740]),
    ((2025, 12, 1), [2240, 2090, 1950]),
];

const CLASS_1: &str = "360102 360103 360104 360111 360113";
const CLASS_2: &str = "360112 360121 360203 360302 360313 360402 360403 360502 360602 360681 \
    360702 360703 360802 360902 361002 361102";
const CLASS_3: &str = "360123 360124 360202 360222 360281 360321 360322 360323 \
    360404 360423 360424 360425 360426 360428 360429 360430 360481 360482 360483 360521 360603 \
    360704 360722 360723 360724 360725 360726 360728 360729 360730 360731 360732 360733 360734 \
    360735 360781 360783 360803 360821 360822 360823 360824 360825 360826 360827 360828 360829 \
    360830 360881 360921 360922 360923 360924 360925 360926 360981 360982 360983 \
    361003 361021 361022 361023 361024 361025 361026 361027 361028 361030 \
    361103 361104 361123 361124 361125 361126 361127 361128 361129 361130 361181";

/// Evaluates every placement of the scenario's year for its twelve months.
pub fn evaluate(directory: &Path) -> anyhow::Result<Vec<Line>> {
    let scenario = scenario::load(directory)?;
    let records = group(&scenario);
    let nobody = Person::default();
    let mut lines = Vec::new();
    for placement in &scenario.placements {
        if placement.year != scenario.year {
            continue;
        }
        let person = records.persons.get(placement.id_number.as_str()).unwrap_or(&nobody);
        let employer = scenario
            .employers
            .iter()
            .find(|employer| employer.uscc == placement.employer_uscc)
            .with_context(|| format!("no employer {}", placement.employer_uscc))?;
        for number in 1..=12 {
            let month = Month { year: scenario.year, month: number };
            let codes = [
                wage(&scenario, person, placement, employer, month)?,
                insurance(&scenario, person, placement, employer, month, "pension"),
                insurance(&scenario, person, placement, employer, month, "medical"),
                certificate(&scenario, person, month),
                age(placement, month)?,
                contract(person, placement, month),
                dispatch(&scenario, &records, placement, employer),
            ]
            .map(str::to_owned);
            let passed = codes.iter().all(|code| code == "pass" || code == "not_applicable");
            lines.push(Line {
                employer_uscc: placement.employer_uscc.clone(),
                id_number: placement.id_number.clone(),
                month: month.text(),
                codes,
                passed,
                conflict: false,
                weight: weight(person, month),
            });
        }
    }
    mark_conflicts(&scenario, &mut lines);
    lines.sort();
    Ok(lines)
}

/// In how many months each code of each check occurs: (check, code) to the number of months, and
/// besides them ("conflict", "true"), ("weight", "2") and ("passed", "true"). What never occurs is
/// absent.
pub fn counts(lines: &[Line]) -> BTreeMap<(String, String), usize> {
    let mut out = BTreeMap::new();
    let mut add = |what: &str, value: &str| {
        *out.entry((what.to_owned(), value.to_owned())).or_default() += 1;
    };
    for line in lines {
        for (check, code) in CHECKS.iter().zip(&line.codes) {
            add(check, code);
        }
        if line.conflict {
            add("conflict", "true");
        }
        if line.weight == 2 {
            add("weight", "2");
        }
        if line.passed {
            add("passed", "true");
        }
    }
    out
}

// ---- what is known of each person ----

/// Everything that bears a person's ID; of records the newest versions that are not deleted.
#[derive(Default)]
struct Person<'a> {
    wages: Vec<&'a Wage>,
    insurances: Vec<&'a Insurance>,
    /// With the stamps of their versions.
    certificates: Vec<(&'a Certificate, DateTime<FixedOffset>)>,
    contracts: Vec<&'a Contract>,
    /// Open in quarantine.
    refused: Vec<&'a Refused>,
}

#[derive(Default)]
struct Records<'a> {
    persons: BTreeMap<&'a str, Person<'a>>,
    filings: Vec<&'a DispatchFiling>,
    /// Open in quarantine.
    refused_filings: Vec<&'a Refused>,
}

fn group(scenario: &Scenario) -> Records<'_> {
    let mut records = Records::default();
    let persons = &mut records.persons;
    for version in &scenario.archive.versions {
        if version.superseded {
            continue;
        }
        match &version.content {
            Content::Deleted => {}
            Content::Wage(wage) => {
                let person = persons.entry(&wage.id_number).or_default();
                person.wages.push(wage);
            }
            Content::Insurance(insurance) => {
                let person = persons.entry(&insurance.id_number).or_default();
                person.insurances.push(insurance);
            }
            Content::Certificate(certificate) => {
                let person = persons.entry(&certificate.id_number).or_default();
                person.certificates.push((certificate, version.updated_at));
            }
            Content::DispatchFiling(filing) => records.filings.push(filing),
        }
    }
    for contract in &scenario.contracts {
        let person = persons.entry(&contract.id_number).or_default();
        person.contracts.push(contract);
    }
    for refused in &scenario.archive.refused {
        if !refused.open {
            continue;
        }
        if refused.kind == Kind::DispatchFiling {
            records.refused_filings.push(refused);
        } else if let Some(id_number) = &refused.id_number {
            persons.entry(id_number).or_default().refused.push(refused);
        }
    }
    records
}

// ---- wage ----

fn wage_class(employer: &Employer) -> anyhow::Result<u8> {
    if let Some(class) = employer.wage_class {
        return Ok(class);
    }
    for (class, divisions) in [(1, CLASS_1), (2, CLASS_2), (3, CLASS_3)] {
        for division in divisions.split_whitespace() {
            if division == employer.division {
                return Ok(class);
            }
        }
    }
    anyhow::bail!("division {} has no wage class", employer.division)
}

/// The minimum wage in cents in force on a day.
fn minimum_wage(class: u8, day: NaiveDate) -> anyhow::Result<i128> {
    let mut found = None;
    for ((year, month, first), amounts) in MINIMUM_WAGES {
        let from = NaiveDate::from_ymd_opt(year, month, first).context("table date")?;
        if from <= day {
            found = Some(amounts[usize::from(class) - 1] * 100);
        }
    }
    found.with_context(|| format!("no minimum wage on {day}"))
}

fn wage(
    scenario: &Scenario,
    person: &Person,
    placement: &Placement,
    employer: &Employer,
    month: Month,
) -> anyhow::Result<&'static str> {
    let period = if employer.wage_lag == 1 { month.next() } else { month };
    let standard = minimum_wage(wage_class(employer)?, month.first())?;
    let mut sum = 0;
    let mut of_payer = false;
    let mut of_another = false;
    for record in &person.wages {
        if record.period != period {
            continue;
        }
        if record.payer_uscc == placement.wage_payer_uscc {
            of_payer = true;
            sum += record.cents;
        } else {
            of_another = true;
        }
    }
    let code = if of_payer && sum >= standard {
        "pass"
    } else if !settled(scenario, employer, Kind::Wage, None, period) {
        "pending"
    } else if of_payer {
        "below_minimum"
    } else if of_another {
        "wrong_unit"
    } else if refused(person, Kind::Wage, None, period) {
        "pending"
    } else {
        "no_record"
    };
    Ok(code)
}

// ---- pension and medical ----

fn insurance(
    scenario: &Scenario,
    person: &Person,
    placement: &Placement,
    employer: &Employer,
    month: Month,
    scheme: &str,
) -> &'static str {
    let expected = if scheme == "pension" { &placement.pension_payer_uscc } else { &placement.medical_payer_uscc };
    let mut paid = false;
    let mut paid_back = false;
    let mut unpaid = false;
    let mut wrong_unit = false;
    let mut resident = false;
    for record in &person.insurances {
        if record.period != month || record.scheme != scheme {
            continue;
        }
        if record.coverage == "resident" {
            resident = true;
        } else if record.insured_uscc.as_ref() != Some(expected) {
            wrong_unit = true;
        } else if record.status == "owed" {
            unpaid = true;
        } else if record.payment == "back_payment" {
            paid_back = true;
        } else {
            paid = true;
        }
    }
    if paid || (paid_back && !scenario.review_back_payment) {
        "pass"
    } else if paid_back {
        "back_payment"
    } else if !settled(scenario, employer, Kind::Insurance, Some(scheme), month) {
        "pending"
    } else if unpaid {
        "unpaid"
    } else if wrong_unit {
        "wrong_unit"
    } else if resident {
        "resident_scheme"
    } else if refused(person, Kind::Insurance, Some(scheme), month) {
        "pending"
    } else {
        "no_record"
    }
}

// ---- certificate and weight ----

/// Whether a certificate counts at all: soldiers' levels 9 and 10 do not.
fn counted(certificate: &Certificate) -> bool {
    certificate.kind != "disabled_soldier" || certificate.level <= 8
}

/// The last day in force by dates and status; `None` if it was never in force.
///
/// Reading: a status that took effect on or before `valid_from` leaves no day in force, but it is
/// "ended by status" and not "never in force", which is only said of a status without a date.
fn last_day(certificate: &Certificate, person: &Person) -> Option<NaiveDate> {
    let by_date = certificate.valid_to.unwrap_or(NaiveDate::MAX);
    let since = match certificate.status {
        "frozen" | "cancelled" => Some(certificate.status_since?),
        "expired" => {
            if certificate.status_since.is_none() && certificate.valid_to.is_none() {
                return None;
            }
            certificate.status_since
        }
        "replaced" => {
            let since = certificate.status_since.or_else(|| successor(certificate, person));
            if since.is_none() && certificate.valid_to.is_none() {
                return None;
            }
            since
        }
        _ => None,
    };
    match since {
        Some(since) => Some(by_date.min(since - Days::new(1))),
        None => Some(by_date),
    }
}

/// When the successor of a replaced certificate begins: the next one of the same person and kind,
/// beginning later. One that itself counts for nothing is a successor too.
///
/// Reading: any such record is a successor, whatever its own status and dates.
fn successor(certificate: &Certificate, person: &Person) -> Option<NaiveDate> {
    let mut found: Option<NaiveDate> = None;
    for (other, _) in &person.certificates {
        if other.kind == certificate.kind && other.valid_from > certificate.valid_from {
            found = Some(found.map_or(other.valid_from, |day| day.min(other.valid_from)));
        }
    }
    found
}

/// The days one certificate check is about, from and to.
type Unit = (NaiveDate, NaiveDate);

/// Whether an interval of days has any day of the unit.
fn overlaps(from: NaiveDate, to: NaiveDate, unit: Unit) -> bool {
    from <= to && from <= unit.1 && to >= unit.0
}

/// Whether the certificate is in force on any day of the unit.
fn in_force(certificate: &Certificate, person: &Person, unit: Unit) -> bool {
    counted(certificate)
        && last_day(certificate, person).is_some_and(|last| overlaps(certificate.valid_from, last, unit))
}

fn any_in_force(person: &Person, unit: Unit) -> bool {
    person.certificates.iter().any(|(certificate, _)| in_force(certificate, person, unit))
}

/// The first day of the month on which no certificate is in force.
fn first_uncovered(person: &Person, month: Month) -> Option<NaiveDate> {
    let mut day = month.first();
    while day <= month.last() {
        if !any_in_force(person, (day, day)) {
            return Some(day);
        }
        day = day + Days::new(1);
    }
    None
}

fn certificate(scenario: &Scenario, person: &Person, month: Month) -> &'static str {
    let unit = match scenario.certificate_month {
        CertificateMonth::Overlap => (month.first(), month.last()),
        CertificateMonth::WholeMonth => match first_uncovered(person, month) {
            Some(day) => (day, day),
            None => return "pass",
        },
        CertificateMonth::Year => {
            let (january, december) = (Month { month: 1, ..month }, Month { month: 12, ..month });
            (january.first(), december.last())
        }
    };
    if any_in_force(person, unit) {
        return "pass";
    }
    let mut cancelled = false;
    let mut frozen = false;
    let mut ended = false;
    let mut begins_later = false;
    for (certificate, _) in &person.certificates {
        if !counted(certificate) {
            continue;
        }
        let by_date = certificate.valid_to.unwrap_or(NaiveDate::MAX);
        if overlaps(certificate.valid_from, by_date, unit) {
            match certificate.status {
                "cancelled" => cancelled = true,
                "frozen" => frozen = true,
                _ => {}
            }
        }
        if last_day(certificate, person).unwrap_or(by_date) < unit.0 {
            ended = true;
        }
        if certificate.valid_from > unit.1 {
            begins_later = true;
        }
    }
    let code = if cancelled {
        "cancelled"
    } else if frozen {
        "frozen"
    } else if ended {
        "expired"
    } else if begins_later {
        "not_yet_valid"
    } else {
        "none"
    };
    let unknown = matches!(code, "none" | "expired" | "not_yet_valid") && stale(scenario, Kind::Certificate);
    if unknown || (code == "none" && refused_certificate(person)) {
        return "pending";
    }
    code
}

/// By the days of the month itself, whatever `certificate_month` says.
fn weight(person: &Person, month: Month) -> u8 {
    let mut weight = 1;
    for (kind, heaviest) in [("disabled_person", 2), ("disabled_soldier", 3)] {
        let mut best = None;
        for (certificate, stamp) in &person.certificates {
            if certificate.kind != kind || !in_force(certificate, person, (month.first(), month.last())) {
                continue;
            }
            // Reading: where both days and stamps are equal, the lighter level is taken.
            let rank = (certificate.valid_from, *stamp, certificate.level);
            if best.is_none_or(|other| rank > other) {
                best = Some(rank);
            }
        }
        if let Some((_, _, level)) = best
            && level <= heaviest
        {
            weight = 2;
        }
    }
    weight
}

// ---- age ----

fn age(placement: &Placement, month: Month) -> anyhow::Result<&'static str> {
    let birth = text::birth_date(&placement.id_number).context("birth date")?;
    // Months are added to the same day, or to the month's last day where that does not exist.
    let sixteen = birth + Months::new(16 * 12);
    let track = match placement.retirement_track {
        Some(track) => track,
        None if text::is_man(&placement.id_number) => "men_60",
        None => "women_55",
    };
    Ok(if sixteen > month.last() {
        "under_age"
    } else if retirement(birth, track)? <= month.first() {
        "over_age"
    } else {
        "pass"
    })
}

/// The retirement date (domain.md 2.2).
fn retirement(birth: NaiveDate, track: &str) -> anyhow::Result<NaiveDate> {
    let (first_year, base, step, cap) = match track {
        "men_60" => (1965, 60, 4, 36),
        "women_55" => (1970, 55, 4, 36),
        "women_50" => (1975, 50, 2, 60),
        other => anyhow::bail!("unknown track {other}"),
    };
    let text = birth.to_string();
    let year: i32 = text.get(..4).context("year")?.parse()?;
    let month: i32 = text.get(5..7).context("month")?.parse()?;
    let passed = (year - first_year) * 12 + month - 1;
    let delay = if passed < 0 { 0 } else { cap.min(passed / step + 1) };
    Ok(birth + Months::new(u32::try_from(base * 12 + delay)?))
}

// ---- contract ----

fn contract(person: &Person, placement: &Placement, month: Month) -> &'static str {
    let mut any = false;
    let mut in_force = false;
    let mut long_enough = false;
    for contract in &person.contracts {
        if contract.employer_uscc != placement.employer_uscc || contract.year != placement.year {
            continue;
        }
        any = true;
        let end = contract.ends_on.unwrap_or(NaiveDate::MAX).min(contract.terminated_on.unwrap_or(NaiveDate::MAX));
        // Reading: a contract terminated before it starts is in force on no day.
        if contract.starts_on <= end && contract.starts_on <= month.last() && end >= month.first() {
            in_force = true;
            long_enough = long_enough || of_a_year(contract);
        }
    }
    if long_enough {
        "pass"
    } else if in_force {
        "too_short"
    } else if any {
        "not_covered"
    } else {
        "none"
    }
}

fn of_a_year(contract: &Contract) -> bool {
    match contract.ends_on {
        _ if contract.kind == "establishment" => true,
        None => true,
        Some(end) => end + Days::new(1) >= contract.starts_on + Months::new(12),
    }
}

// ---- dispatch ----

fn dispatch(scenario: &Scenario, records: &Records, placement: &Placement, employer: &Employer) -> &'static str {
    if !placement.dispatched {
        return "not_applicable";
    }
    let today = scenario.business_date;
    let mut in_force = false;
    let mut not_in_force = false;
    let mut not_approved = false;
    for filing in &records.filings {
        if Some(&filing.dispatch_uscc) != placement.dispatch_uscc.as_ref()
            || filing.province.get(..2) != employer.division.get(..2)
        {
            continue;
        }
        match filing.status {
            "approved" => {
                if filing.valid_from <= today && filing.valid_to.is_none_or(|to| to >= today) {
                    in_force = true;
                } else {
                    not_in_force = true;
                }
            }
            "revoked" => not_in_force = true,
            _ => not_approved = true,
        }
    }
    if in_force {
        "pass"
    } else if not_in_force {
        "not_in_force"
    } else if not_approved {
        "not_approved"
    } else if stale(scenario, Kind::DispatchFiling) || refused_filing(records, placement) {
        "pending"
    } else {
        "not_filed"
    }
}

// ---- pending ----

/// Whether every job that covers the employer's persons has the period complete, and there is one.
/// Reading: `covers.schemes` restricts insurance only.
fn settled(scenario: &Scenario, employer: &Employer, kind: Kind, scheme: Option<&str>, period: Month) -> bool {
    let mut covered = false;
    for job in &scenario.jobs {
        if job.kind != kind || !covers(job, employer, scheme) {
            continue;
        }
        covered = true;
        let due = period.last() + Days::new(job.settles_after_days);
        if !job.whole_pulls.iter().any(|began_on| *began_on >= due) {
            return false;
        }
    }
    covered
}

fn covers(job: &Job, employer: &Employer, scheme: Option<&str>) -> bool {
    let by_scheme =
        job.schemes.is_empty() || scheme.is_none_or(|scheme| job.schemes.iter().any(|covered| covered == scheme));
    let by_division =
        job.divisions.is_empty() || job.divisions.iter().any(|prefix| employer.division.starts_with(prefix.as_str()));
    by_scheme && by_division
}

/// Reading: the last complete pull of any job of the record kind decides, by that job's own
/// `stale_after`; `covers` plays no part. Age is counted in days, stale when above the limit.
fn stale(scenario: &Scenario, kind: Kind) -> bool {
    for last in &scenario.last_pulls {
        if last.kind == kind {
            let age = (scenario.business_date - last.began_on).num_days();
            return age > last.stale_after_days;
        }
    }
    true
}

/// Whether a refused record of the person and period, of the same kind of record and of the
/// scheme, is open. One whose period cannot be read concerns every period, one whose scheme cannot
/// be read both schemes.
fn refused(person: &Person, kind: Kind, scheme: Option<&str>, period: Month) -> bool {
    person.refused.iter().any(|refused| {
        refused.kind == kind
            && refused.period.is_none_or(|of| of == period)
            && (scheme.is_none() || refused.scheme.is_none() || refused.scheme == scheme)
    })
}

fn refused_certificate(person: &Person) -> bool {
    person.refused.iter().any(|refused| refused.kind == Kind::Certificate)
}

/// A refused filing concerns the placements whose dispatch company it names.
fn refused_filing(records: &Records, placement: &Placement) -> bool {
    records
        .refused_filings
        .iter()
        .any(|refused| refused.dispatch_uscc.is_some() && refused.dispatch_uscc == placement.dispatch_uscc)
}

// ---- conflict ----

/// Marks conflicts; `passed` is still "otherwise passed" when this begins.
fn mark_conflicts(scenario: &Scenario, lines: &mut [Line]) {
    let keep = |stated: &[Claim]| {
        let mut by_month: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for one in stated {
            let employers = by_month.entry((one.id_number.clone(), one.month.text())).or_default();
            employers.push(one.employer_uscc.clone());
        }
        by_month
    };
    // Reading: a claim counts even if its holder has no placement in the files.
    let (claimed, unticked, decided) = (keep(&scenario.claims), keep(&scenario.unticked), keep(&scenario.decisions));
    let says = |stated: &BTreeMap<(String, String), Vec<String>>, line: &Line| {
        let employers = stated.get(&(line.id_number.clone(), line.month.clone()));
        employers.is_some_and(|employers| employers.contains(&line.employer_uscc))
    };
    let mut before: BTreeMap<(String, String), Vec<Line>> = BTreeMap::new();
    for line in &*lines {
        before.entry((line.id_number.clone(), line.month.clone())).or_default().push(line.clone());
    }
    for line in lines {
        let key = (line.id_number.clone(), line.month.clone());
        if claimed.contains_key(&key) {
            line.conflict = !says(&claimed, line);
        } else {
            let mut rival_passes = false;
            let mut rival_prevails = false;
            for other in &before[&key] {
                // A month that its employer unticked is left to the others, decided or not.
                if other.employer_uscc != line.employer_uscc && !says(&unticked, other) {
                    rival_passes |= other.passed;
                    // Reading: a decision holds while its employer keeps the month, whether or not it passes.
                    rival_prevails |= says(&decided, other);
                }
            }
            let prevails = says(&decided, line) && !says(&unticked, line);
            line.conflict = rival_prevails || (rival_passes && !prevails);
        }
        line.passed = line.passed && !line.conflict;
    }
}
