//! The shape of a policy file and what is refused in one: unknown keys, impossible values, overlaps, gaps.

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDate};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};
use toml::Spanned;

use crate::domain::age::RetirementRules;
use crate::domain::certificate::{CertificateMonth, WeightRules};
use crate::domain::dated::{Dated, DatedError, Entry};
use crate::domain::decimal::Exact;
use crate::domain::money::Fen;
use crate::domain::month::Month;
use crate::domain::policy::{
    BackPayment, ClassList, Commitment, DayOfYear, MinimumWages, PlacedPersonsRounding, Policy, ReliefRules,
    RewardRules, SocialAverageWage, WageBasis, Window, Windows,
};
use crate::domain::ruling::SecondPerson;

/// What is refused, and where.
pub(super) struct Fault {
    pub line: usize,
    pub column: usize,
    pub found: String,
}

/// A list of dated entries, each with its place in the file.
type Entries<V> = Vec<Spanned<RawEntry<V>>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry<V> {
    from: Day,
    until: Option<Day>,
    source: String,
    value: V,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPolicy {
    province: Spanned<u8>,
    name: String,
    minimum_wage: Entries<MinimumWages>,
    wage_classes: Entries<ClassList>,
    wage_basis: Entries<WageBasis>,
    back_payment: Entries<BackPayment>,
    certificate_month: Entries<CertificateMonth>,
    minimum_age_years: Entries<u32>,
    retirement: Entries<RetirementRules>,
    weights: Entries<WeightRules>,
    window: Entries<RawWindow>,
    certificate_at_submission: Entries<bool>,
    completion_grace_days: Entries<u32>,
    pending_tick_days: Entries<u32>,
    // policies in use before there was this switch do not have it
    #[serde(default)]
    second_person: Entries<SecondPerson>,
    stranger_retention_days: Entries<u32>,
    commitment: Entries<Commitment>,
    placed_persons_rounding: Entries<PlacedPersonsRounding>,
    required_ratio: Entries<Exact>,
    relief: Entries<ReliefRules>,
    wage_cap_multiple: Entries<Exact>,
    #[serde(default)]
    social_average_wage: Entries<SocialAverageWage>,
    #[serde(default)]
    reward: Entries<RewardRules>,
}

/// A TOML date without time.
#[derive(Clone, Copy)]
struct Day(NaiveDate);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = toml::value::Datetime::deserialize(deserializer)?;
        match (written.date, written.time) {
            (Some(date), None) => {
                NaiveDate::from_ymd_opt(i32::from(date.year), u32::from(date.month), u32::from(date.day))
            }
            _ => None,
        }
        .map(Self)
        .ok_or_else(|| D::Error::custom(format_args!("`{written}` is not a date such as 2025-12-01")))
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWindow {
    opens: RawDayOfYear,
    closes: RawDayOfYear,
}

/// `MM-DD`.
#[derive(Clone, Copy)]
struct RawDayOfYear(DayOfYear);

impl<'de> Deserialize<'de> for RawDayOfYear {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = |part: &str| (part.len() == 2).then(|| part.parse::<u32>().ok()).flatten();
        text.split_once('-')
            .and_then(|(month, day)| DayOfYear::new(number(month)?, number(day)?))
            .map(Self)
            .ok_or_else(|| D::Error::custom(format_args!("`{text}` is not a day of every year such as 03-01")))
    }
}

/// Which texts are read: what is demanded of a file grows, what was once accepted stays readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// A file to be used.
    File,
    /// A version that was used, as the database keeps it.
    Kept,
}

/// Reads and checks a whole file.
pub(super) fn parse(text: &str, which: Text) -> Result<Policy, Fault> {
    let raw: RawPolicy = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        fault(text, at, error.message().to_owned())
    })?;
    let province = *raw.province.as_ref();
    if !(11..=82).contains(&province) {
        return Err(fault(text, raw.province.span().start, format!("province {province}, where 11 to 82 is accepted")));
    }
    if raw.name.trim().is_empty() {
        return Err(fault(text, 0, "the province has no name".to_owned()));
    }
    let reader = Reader { text, start: first_month(text, &raw.minimum_wage)?.first_day() };
    let windows = reader.covering("window", raw.window, |window| window_fault(*window))?;
    let windows = windows.map(|window| Window { opens: window.opens.0, closes: window.closes.0 });
    let commitments = reader.covering("commitment", raw.commitment, commitment_fault)?;
    reader.refuse_reused_versions(&commitments)?;
    Ok(Policy {
        version: hex::encode(Sha256::digest(text.as_bytes())).chars().take(16).collect(),
        province,
        province_name: raw.name,
        minimum_wages: reader.covering("minimum_wage", raw.minimum_wage, |wages| minimum_wage_fault(*wages))?,
        class_lists: reader.class_lists(raw.wage_classes, province, which)?,
        wage_basis: reader.covering("wage_basis", raw.wage_basis, |_| None)?,
        back_payment: reader.covering("back_payment", raw.back_payment, |_| None)?,
        certificate_month: reader.covering("certificate_month", raw.certificate_month, |_| None)?,
        minimum_age_years: reader.covering("minimum_age_years", raw.minimum_age_years, |age| {
            (!(14..=21).contains(age)).then(|| format!("a minimum age of {age}, where 14 to 21 is accepted"))
        })?,
        retirement: reader.covering("retirement", raw.retirement, retirement_fault)?,
        weights: reader.covering("weights", raw.weights, |weights| weights_fault(*weights))?,
        windows: Windows::new(windows).ok_or_else(|| fault(text, 0, "no [[window]]".to_owned()))?,
        certificate_at_submission: reader.covering(
            "certificate_at_submission",
            raw.certificate_at_submission,
            |_| None,
        )?,
        completion_grace_days: reader.days("completion_grace_days", raw.completion_grace_days)?,
        pending_tick_days: reader.days("pending_tick_days", raw.pending_tick_days)?,
        second_person: reader.dated("second_person", raw.second_person, |_| None)?,
        stranger_retention_days: reader.days("stranger_retention_days", raw.stranger_retention_days)?,
        placed_persons_rounding: reader.covering("placed_persons_rounding", raw.placed_persons_rounding, |_| None)?,
        commitments,
        required_ratio: reader.covering("required_ratio", raw.required_ratio, |ratio| {
            (ratio.is_zero() || *ratio >= Exact::one())
                .then(|| format!("a required ratio of {ratio}, not within 0 to 1"))
        })?,
        relief: reader.dated("relief", raw.relief, relief_fault)?,
        wage_cap_multiple: reader.dated("wage_cap_multiple", raw.wage_cap_multiple, |multiple| {
            (*multiple < Exact::one()).then(|| format!("a ceiling of {multiple} averages, where 1 or more is accepted"))
        })?,
        social_average_wages: reader.social_average_wages(raw.social_average_wage)?,
        rewards: reader.dated("reward", raw.reward, reward_fault)?,
    })
}

/// The first month that a standard covers from its first day on.
fn first_month(text: &str, standards: &Entries<MinimumWages>) -> Result<Month, Fault> {
    let first = standards.iter().map(|entry| entry.as_ref().from.0).min();
    let first = first.ok_or_else(|| fault(text, 0, "no [[minimum_wage]]".to_owned()))?;
    let month = Month::of(first);
    Ok(if first.day() == 1 { month } else { month.plus(1) })
}

fn fault(text: &str, offset: usize, found: String) -> Fault {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Fault { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1, found }
}

/// Turns raw lists into dated ones.
struct Reader<'a> {
    text: &'a str,
    /// The first day on which the policy must have a rule for everything a month is judged by.
    start: NaiveDate,
}

impl Reader<'_> {
    /// A list that may have gaps. `wrong` says what is impossible about a value.
    fn dated<V>(
        &self,
        what: &'static str,
        raw: Entries<V>,
        wrong: impl Fn(&V) -> Option<String>,
    ) -> Result<Dated<V>, Fault> {
        let places: Vec<(NaiveDate, usize)> =
            raw.iter().map(|entry| (entry.as_ref().from.0, entry.span().start)).collect();
        let mut entries = Vec::with_capacity(raw.len());
        for spanned in raw {
            let at = spanned.span().start;
            let entry = spanned.into_inner();
            if entry.source.trim().is_empty() {
                return Err(fault(self.text, at, format!("{what}: the source is empty")));
            }
            if let Some(found) = wrong(&entry.value) {
                return Err(fault(self.text, at, format!("{what}: {found}")));
            }
            entries.push(Entry {
                from: entry.from.0,
                until: entry.until.map(|day| day.0),
                source: entry.source,
                value: entry.value,
            });
        }
        Dated::new(what, entries).map_err(|error| {
            let (DatedError::Overlap { from } | DatedError::Backwards { from }) = error;
            let place = places.iter().rev().find(|(day, _)| *day == from);
            fault(self.text, place.map_or(0, |(_, at)| *at), format!("{what}: {error}"))
        })
    }

    /// A list that holds something for every day from the first standard on.
    fn covering<V>(
        &self,
        what: &'static str,
        raw: Entries<V>,
        wrong: impl Fn(&V) -> Option<String>,
    ) -> Result<Dated<V>, Fault> {
        let places: Vec<(NaiveDate, usize)> =
            raw.iter().map(|entry| (entry.as_ref().from.0, entry.span().start)).collect();
        let list = self.dated(what, raw, wrong)?;
        let Some(gap) = list.first_gap(self.start) else { return Ok(list) };
        let before = places.iter().filter(|(from, _)| *from <= gap).max();
        let place = before.or_else(|| places.iter().min()).map_or(0, |(_, at)| *at);
        Err(fault(
            self.text,
            place,
            format!("{what}: nothing holds on {gap}, every day from {} on needs one", self.start),
        ))
    }

    /// No list of a file drops a unit of the one before it: who is entered there would have months without a standard.
    fn class_lists(&self, raw: Entries<ClassList>, province: u8, which: Text) -> Result<Dated<ClassList>, Fault> {
        let places: Vec<(NaiveDate, usize)> =
            raw.iter().map(|entry| (entry.as_ref().from.0, entry.span().start)).collect();
        let lists = self.covering("wage_classes", raw, |list| class_fault(list, province))?;
        if which == Text::Kept {
            return Ok(lists);
        }
        for pair in lists.entries().windows(2) {
            let [earlier, later] = pair else { continue };
            let dropped: Vec<String> = later
                .value
                .dropped(&earlier.value)
                .map(|(code, unit)| format!("`{code}` ({}, class {})", unit.name, unit.class))
                .collect();
            if dropped.is_empty() {
                continue;
            }
            let place = places.iter().find(|(from, _)| *from == later.from).map_or(0, |(_, at)| *at);
            let found = format!(
                "wage_classes: the list from {} lacks {}, which the one from {} names; name every unit again: one that was merged into another keeps its line, with the class of the place that it is part of now",
                later.from,
                dropped.join(", "),
                earlier.from
            );
            return Err(fault(self.text, place, found));
        }
        Ok(lists)
    }

    fn days(&self, what: &'static str, raw: Entries<u32>) -> Result<Dated<u32>, Fault> {
        self.covering(what, raw, |days| (*days > 3660).then(|| format!("{days} days, where up to 3660 are accepted")))
    }

    fn social_average_wages(&self, raw: Entries<SocialAverageWage>) -> Result<Dated<SocialAverageWage>, Fault> {
        let whole_year = |entry: &RawEntry<SocialAverageWage>| {
            let year = entry.from.0.year();
            let until = entry.until.map(|day| day.0);
            entry.from.0.ordinal() == 1 && until.is_some() && until == NaiveDate::from_ymd_opt(year, 12, 31)
        };
        if let Some(entry) = raw.iter().find(|entry| !whole_year(entry.as_ref())) {
            let found = "social_average_wage: an entry is one calendar year, 1 January until 31 December".to_owned();
            return Err(fault(self.text, entry.span().start, found));
        }
        self.dated("social_average_wage", raw, |wages| {
            let amounts = [wages.non_private, wages.private, wages.weighted];
            if amounts.iter().flatten().any(|amount| *amount <= Fen(0)) {
                return Some("an average wage is above 0".to_owned());
            }
            amounts.iter().all(Option::is_none).then(|| "none of `non_private`, `private`, `weighted`".to_owned())
        })
    }

    /// One version, one text: what was accepted once must be found again under its version.
    fn refuse_reused_versions(&self, commitments: &Dated<Commitment>) -> Result<(), Fault> {
        let mut seen = BTreeSet::new();
        match commitments.entries().iter().find(|entry| !seen.insert(&entry.value.version)) {
            Some(entry) => {
                let found = format!("commitment: version `{}` is used twice", entry.value.version);
                Err(fault(self.text, self.text.rfind("[[commitment]]").unwrap_or(0), found))
            }
            None => Ok(()),
        }
    }
}

fn window_fault(window: RawWindow) -> Option<String> {
    (window.closes.0 < window.opens.0).then(|| "the window closes before it opens".to_owned())
}

fn commitment_fault(commitment: &Commitment) -> Option<String> {
    (commitment.version.trim().is_empty() || commitment.text.trim().is_empty())
        .then(|| "the commitment needs a version and a text".to_owned())
}

fn minimum_wage_fault(wages: MinimumWages) -> Option<String> {
    /// Ten times the highest standard of the country would be an error of the writer.
    const HIGHEST: Fen = Fen(3_000_000);
    let [first, second, third] = wages.by_class();
    if third <= Fen(0) || first > HIGHEST {
        return Some(format!("a standard is above 0 and at most {HIGHEST} yuan a month"));
    }
    (first < second || second < third)
        .then(|| format!("{first}, {second}, {third}: a lower class has a higher standard"))
}

fn class_fault(list: &ClassList, province: u8) -> Option<String> {
    let of_province = |code: &str| {
        code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit()) && code.starts_with(&format!("{province:02}"))
    };
    if let Some(code) = list.divisions.keys().find(|code| !of_province(code)) {
        return Some(format!("`{code}` is not a six-digit division of province {province}"));
    }
    if let Some(key) = list.zones.keys().find(|key| key.bytes().all(|byte| byte.is_ascii_digit())) {
        return Some(format!("zone `{key}`: digits alone are a division"));
    }
    let unnamed = list.units().find(|(_, unit)| unit.name.trim().is_empty());
    if let Some((code, _)) = unnamed {
        return Some(format!("`{code}` has no name"));
    }
    list.divisions.is_empty().then(|| "no division has a class".to_owned())
}

fn retirement_fault(rules: &RetirementRules) -> Option<String> {
    let tracks = [("men_60", rules.men_60), ("women_55", rules.women_55), ("women_50", rules.women_50)];
    tracks.into_iter().find_map(|(name, track)| {
        let possible = (1900..=2100).contains(&track.birth_year_from)
            && (40..=70).contains(&track.base_years)
            && (1..=12).contains(&track.step_months)
            && track.cap_months <= 120;
        (!possible).then(|| {
            format!("{name}: accepted are birth years 1900 to 2100, a base of 40 to 70 years, a step of 1 to 12 and a cap of 0 to 120 months")
        })
    })
}

fn weights_fault(weights: WeightRules) -> Option<String> {
    let possible = weights.disabled_person_double_to <= 4
        && weights.disabled_soldier_double_to <= weights.disabled_soldier_counts_to
        && weights.disabled_soldier_counts_to <= 10;
    (!possible).then(|| "levels are 1 to 4, soldiers' 1 to 10, and those that count twice count".to_owned())
}

fn relief_fault(relief: &ReliefRules) -> Option<String> {
    let falling = relief.tiers.windows(2).all(|pair| match pair {
        [higher, lower] => higher.ratio_from > lower.ratio_from && higher.share <= lower.share,
        _ => true,
    });
    if !falling {
        return Some("tiers run from the highest ratio down, and a lower ratio never pays a smaller share".to_owned());
    }
    if !relief.tiers.last().is_some_and(|tier| tier.ratio_from.is_zero()) {
        return Some("the last tier begins at ratio 0".to_owned());
    }
    let beyond = relief.tiers.iter().find(|tier| tier.share > Exact::one());
    beyond.map(|tier| format!("a share of {}, where 0 to 1 is accepted", tier.share))
}

fn reward_fault(reward: &RewardRules) -> Option<String> {
    if reward.enabled && reward.minimum_wage_factor.is_none() {
        return Some("switched on without a `minimum_wage_factor`".to_owned());
    }
    reward.kinds.is_empty().then(|| "`kinds` names no kind of employer".to_owned())
}
