//! When a disability certificate is in force, what a month's certificate check says, and how much a month weighs.

use chrono::NaiveDate;

use super::facts::{Certificate, CertificateKind, CertificateStatus, words};
use super::month::Month;
use super::verdict::CertificateCode;

words! {
    /// What a month asks of the certificates. `overlap`: one in force on any day of the month. `whole_month`: on every
    /// day of it, by one or by several that follow each other. `year`: on any day of the business year.
    CertificateMonth { Overlap = "overlap", WholeMonth = "whole_month", Year = "year" }
}

/// Days on which a certificate is in force, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    pub first: NaiveDate,
    /// `None`: nothing ends it.
    pub last: Option<NaiveDate>,
}

impl Interval {
    pub fn contains(self, day: NaiveDate) -> bool {
        self.overlaps(Period { first: day, last: day })
    }

    fn overlaps(self, period: Period) -> bool {
        self.first <= period.last && self.last.is_none_or(|last| last >= period.first)
    }
}

/// Days that a check looks at, both ends included.
#[derive(Clone, Copy)]
struct Period {
    first: NaiveDate,
    last: NaiveDate,
}

impl Period {
    fn of_month(month: Month) -> Self {
        Self { first: month.first_day(), last: month.last_day() }
    }

    fn of_year(month: Month) -> Self {
        let january = month.plus(1 - month.number() as i32);
        Self { first: january.first_day(), last: january.plus(11).last_day() }
    }
}

impl CertificateMonth {
    fn asks(self, month: Month) -> Period {
        match self {
            Self::Overlap | Self::WholeMonth => Period::of_month(month),
            Self::Year => Period::of_year(month),
        }
    }
}

/// Which levels of a certificate count, and which count twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightRules {
    /// 残疾人证: levels 1 to this one count as two.
    pub disabled_person_double_to: u8,
    /// 残疾军人证: levels 1 to this one count as two.
    pub disabled_soldier_double_to: u8,
    /// 残疾军人证: levels above this one count for nothing.
    pub disabled_soldier_counts_to: u8,
}

impl WeightRules {
    /// 财税〔2015〕72号 and the notices that follow it: levels 1–2 (soldiers 1–3) count twice, soldiers' 9–10 for nothing.
    pub const NATIONAL: Self =
        Self { disabled_person_double_to: 2, disabled_soldier_double_to: 3, disabled_soldier_counts_to: 8 };

    fn counts(self, certificate: &Certificate) -> bool {
        self.weight(certificate.kind, certificate.level) > 0
    }

    /// 0 (counts for nothing), 1 or 2.
    pub fn weight(self, kind: CertificateKind, level: u8) -> u8 {
        let (double_to, counts_to) = match kind {
            CertificateKind::DisabledPerson => (self.disabled_person_double_to, 4),
            CertificateKind::DisabledSoldier => (self.disabled_soldier_double_to, self.disabled_soldier_counts_to),
        };
        match level {
            level if level > counts_to => 0,
            level if level <= double_to => 2,
            _ => 1,
        }
    }
}

/// The days by its own dates, whatever its status.
fn by_dates(certificate: &Certificate) -> Interval {
    Interval { first: certificate.valid_from, last: certificate.valid_to }
}

/// The day on which the next certificate of the same kind begins. A soldier's level 9 or 10, which counts for nothing,
/// still ends the certificate it replaces.
fn successor_begins(certificate: &Certificate, all: &[Certificate]) -> Option<NaiveDate> {
    all.iter()
        .filter(|other| other.kind == certificate.kind && other.valid_from > certificate.valid_from)
        .map(|other| other.valid_from)
        .min()
}

/// The last day by its dates and its status, whichever ends it first; a status that took effect when the certificate began ends it the day
/// before. `None`: nothing says when.
fn last_day(certificate: &Certificate, all: &[Certificate]) -> Option<NaiveDate> {
    let ended_on = match certificate.status {
        CertificateStatus::Valid => None,
        CertificateStatus::Frozen | CertificateStatus::Cancelled | CertificateStatus::Expired => {
            certificate.status_since
        }
        CertificateStatus::Replaced => certificate.status_since.or_else(|| successor_begins(certificate, all)),
    };
    let by_status = ended_on.map(|day| day.pred_opt().unwrap_or(day));
    [certificate.valid_to, by_status].into_iter().flatten().min()
}

/// The days on which `certificate`, one of `all` of that person, is in force; `None` if it never is.
///
/// It ends with `valid_to` or on the day before its status took effect. `frozen` and `cancelled` without a date never
/// were in force: nobody can say which days to trust. `replaced` without a date gives way to its successor; if that is
/// unknown, the holder's disability still was, so that `valid_to` stands. `expired` and `replaced` with nothing that
/// says when are never in force.
pub fn in_force(certificate: &Certificate, all: &[Certificate], weights: WeightRules) -> Option<Interval> {
    if !weights.counts(certificate) {
        return None;
    }
    let barred = matches!(certificate.status, CertificateStatus::Frozen | CertificateStatus::Cancelled);
    if barred && certificate.status_since.is_none() {
        return None;
    }
    let last = last_day(certificate, all);
    if last.is_none() && certificate.status != CertificateStatus::Valid {
        return None;
    }
    let interval = Interval { first: certificate.valid_from, last };
    last.is_none_or(|last| last >= interval.first).then_some(interval)
}

/// The certificate in force on `day`, the one that began last if several are: what 完成申报 asks of its own day.
pub fn in_force_on(certificates: &[Certificate], day: NaiveDate, weights: WeightRules) -> Option<usize> {
    latest_within(certificates, Period { first: day, last: day }, weights)
}

/// Puts an original that was seen beside what the register holds of its holder. It serves where the register lags behind: what the register
/// said since of a certificate of that kind goes before it.
pub fn add_original(held: &mut Vec<Certificate>, original: Certificate) {
    let is_newer = |known: &Certificate| known.kind == original.kind && known.updated_at > original.updated_at;
    if !held.iter().any(is_newer) {
        held.push(original);
    }
}

/// The code of a month as if everything were known, and the certificate that decided it. What is not known may turn only
/// some codes into `pending`: see [`may_be_pending`].
///
/// Under `whole_month` a month that is covered in part is judged on its first day without a certificate.
pub fn settled_code(
    certificates: &[Certificate],
    month: Month,
    rule: CertificateMonth,
    weights: WeightRules,
) -> (CertificateCode, Option<usize>) {
    let period = rule.asks(month);
    let found = latest_within(certificates, period, weights);
    let Some(missing) = missing(certificates, period, rule, found, weights) else {
        return (CertificateCode::Pass, found);
    };
    let but_for = |status: CertificateStatus| {
        latest(certificates, |certificate| {
            weights.counts(certificate) && certificate.status == status && by_dates(certificate).overlaps(missing)
        })
    };
    if let Some(index) = but_for(CertificateStatus::Cancelled) {
        (CertificateCode::Cancelled, Some(index))
    } else if let Some(index) = but_for(CertificateStatus::Frozen) {
        (CertificateCode::Frozen, Some(index))
    } else if let Some(index) = last_ended(certificates, missing.first, weights) {
        (CertificateCode::Expired, Some(index))
    } else if let Some(index) = next_to_begin(certificates, missing.last, weights) {
        (CertificateCode::NotYetValid, Some(index))
    } else {
        (CertificateCode::None, None)
    }
}

/// How one certificate stands to the days that a month's check asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its level counts for nothing.
    NotCounted,
    /// In force on some day asked for.
    InForce,
    /// By its dates it would be, by its status it is not.
    BarredByStatus,
    OtherDates,
}

/// How `certificate`, one of `all` of that person, stands to the days that `month` asks for under `rule`.
pub fn standing(
    certificate: &Certificate,
    all: &[Certificate],
    month: Month,
    rule: CertificateMonth,
    weights: WeightRules,
) -> Standing {
    let period = rule.asks(month);
    if !weights.counts(certificate) {
        Standing::NotCounted
    } else if within(certificate, all, period, weights) {
        Standing::InForce
    } else if by_dates(certificate).overlaps(period) {
        Standing::BarredByStatus
    } else {
        Standing::OtherDates
    }
}

/// Whether a later delivery may overturn the code, so that it is `pending` while the source is not up to date.
pub fn may_be_pending(code: CertificateCode) -> bool {
    matches!(code, CertificateCode::None | CertificateCode::Expired | CertificateCode::NotYetValid)
}

/// How much a confirmed month counts: 2 for a severe disability, else 1. Of each kind the certificate speaks that began
/// last among those in force on any day of the month (the later delivered, if two began together).
pub fn weight(certificates: &[Certificate], month: Month, weights: WeightRules) -> u8 {
    let period = Period::of_month(month);
    let severe = CertificateKind::ALL.iter().any(|kind| {
        latest(certificates, |certificate| {
            certificate.kind == *kind && within(certificate, certificates, period, weights)
        })
        .and_then(|index| certificates.get(index))
        .is_some_and(|certificate| weights.weight(certificate.kind, certificate.level) == 2)
    });
    if severe { 2 } else { 1 }
}

fn within(certificate: &Certificate, all: &[Certificate], period: Period, weights: WeightRules) -> bool {
    in_force(certificate, all, weights).is_some_and(|interval| interval.overlaps(period))
}

fn latest_within(certificates: &[Certificate], period: Period, weights: WeightRules) -> Option<usize> {
    latest(certificates, |certificate| within(certificate, certificates, period, weights))
}

/// The one that began last, then the later delivered, among those that are `wanted`.
fn latest(certificates: &[Certificate], wanted: impl Fn(&Certificate) -> bool) -> Option<usize> {
    (certificates.iter().enumerate())
        .filter(|(_, certificate)| wanted(certificate))
        .max_by_key(|(_, certificate)| (certificate.valid_from, certificate.updated_at, certificate.version))
        .map(|(index, _)| index)
}

/// The days for which a certificate is asked and missing; `None` if the rule is met.
fn missing(
    certificates: &[Certificate],
    period: Period,
    rule: CertificateMonth,
    found: Option<usize>,
    weights: WeightRules,
) -> Option<Period> {
    match (rule, found) {
        (_, None) => Some(period),
        (CertificateMonth::Overlap | CertificateMonth::Year, Some(_)) => None,
        (CertificateMonth::WholeMonth, Some(_)) => {
            first_gap(certificates, period, weights).map(|day| Period { first: day, last: day })
        }
    }
}

/// The first day of the period on which no certificate is in force.
fn first_gap(certificates: &[Certificate], period: Period, weights: WeightRules) -> Option<NaiveDate> {
    let mut day = period.first;
    while day <= period.last {
        let covered_to = (certificates.iter())
            .filter_map(|certificate| in_force(certificate, certificates, weights))
            .filter(|interval| interval.contains(day))
            .map(|interval| interval.last.unwrap_or(NaiveDate::MAX))
            .max();
        match covered_to {
            None => return Some(day),
            Some(last) => day = last.succ_opt()?,
        }
    }
    None
}

/// Of those that ended before `day` the one that ended last, whether it ever was in force or not.
fn last_ended(certificates: &[Certificate], day: NaiveDate, weights: WeightRules) -> Option<usize> {
    (certificates.iter().enumerate())
        .filter(|(_, certificate)| weights.counts(certificate))
        .filter_map(|(index, certificate)| Some((last_day(certificate, certificates)?, index)))
        .filter(|(last, _)| *last < day)
        .max()
        .map(|(_, index)| index)
}

/// Of those that begin after `day` the first.
fn next_to_begin(certificates: &[Certificate], day: NaiveDate, weights: WeightRules) -> Option<usize> {
    (certificates.iter().enumerate())
        .filter(|(_, certificate)| weights.counts(certificate) && certificate.valid_from > day)
        .min_by_key(|(_, certificate)| certificate.valid_from)
        .map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_force(certificate: &Certificate, all: &[Certificate]) -> Option<Interval> {
        super::in_force(certificate, all, WeightRules::NATIONAL)
    }

    fn in_force_on(certificates: &[Certificate], day: NaiveDate) -> Option<usize> {
        super::in_force_on(certificates, day, WeightRules::NATIONAL)
    }

    fn settled_code(
        certificates: &[Certificate],
        month: Month,
        rule: CertificateMonth,
    ) -> (CertificateCode, Option<usize>) {
        super::settled_code(certificates, month, rule, WeightRules::NATIONAL)
    }

    fn weight(certificates: &[Certificate], month: Month) -> u8 {
        super::weight(certificates, month, WeightRules::NATIONAL)
    }
    use crate::domain::facts::VersionId;

    #[test]
    fn an_original_serves_until_the_register_says_something_later() {
        let at = |text: &str| text.parse().expect("an instant");
        let stamped = |stamp: &str| Certificate { updated_at: at(stamp), ..certificate(3, "2020-01-01", "") };
        let original = stamped("2026-03-10T02:00:00Z");
        let mut held = vec![Certificate { status: CertificateStatus::Expired, ..stamped("2025-12-01T00:00:00Z") }];
        add_original(&mut held, original);
        assert_eq!(in_force_on(&held, day("2026-03-10")), Some(1), "the register lagged behind");
        let mut held = vec![Certificate { status: CertificateStatus::Cancelled, ..stamped("2026-09-01T00:00:00Z") }];
        add_original(&mut held, original);
        assert_eq!(in_force_on(&held, day("2026-10-01")), None, "it was cancelled since");
        let soldiers = Certificate { kind: CertificateKind::DisabledSoldier, ..original };
        add_original(&mut held, soldiers);
        assert_eq!(held.len(), 2, "of another kind");
        let mut held = vec![original];
        add_original(&mut held, Certificate { level: 2, ..original });
        assert_eq!(held.len(), 2, "what the register said at that very instant is not later");
    }

    const OVERLAP: CertificateMonth = CertificateMonth::Overlap;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("day")
    }

    fn date(text: &str) -> Option<NaiveDate> {
        (!text.is_empty()).then(|| day(text))
    }

    fn certificate(level: u8, valid_from: &str, valid_to: &str) -> Certificate {
        Certificate {
            version: VersionId(0),
            kind: CertificateKind::DisabledPerson,
            level,
            valid_from: day(valid_from),
            valid_to: date(valid_to),
            status: CertificateStatus::Valid,
            status_since: None,
            updated_at: "2026-01-01T00:00:00Z".parse().expect("instant"),
        }
    }

    fn soldier(level: u8, valid_from: &str, valid_to: &str) -> Certificate {
        Certificate { kind: CertificateKind::DisabledSoldier, ..certificate(level, valid_from, valid_to) }
    }

    fn with_status(certificate: Certificate, status: CertificateStatus, since: &str) -> Certificate {
        Certificate { status, status_since: date(since), ..certificate }
    }

    /// The year's codes by their first letters: `p`ass, `c`ancelled, `f`rozen, `e`xpired, not yet valid (`y`), `-` none.
    fn year(certificates: &[Certificate], rule: CertificateMonth) -> String {
        Month::all_of(2025)
            .map(|month| match settled_code(certificates, month, rule).0 {
                CertificateCode::Pass => 'p',
                CertificateCode::Pending => '…',
                CertificateCode::Cancelled => 'c',
                CertificateCode::Frozen => 'f',
                CertificateCode::Expired => 'e',
                CertificateCode::NotYetValid => 'y',
                CertificateCode::None => '-',
            })
            .collect()
    }

    fn person_months(certificates: &[Certificate]) -> u32 {
        Month::all_of(2025).map(|month| u32::from(weight(certificates, month))).sum()
    }

    #[test]
    fn a_renewal_that_came_late_leaves_the_months_between_uncovered() {
        let renewed = [certificate(3, "2015-03-10", "2025-03-09"), certificate(3, "2025-06-01", "2035-05-31")];
        assert_eq!(year(&renewed, OVERLAP), "pppeeppppppp");
        assert_eq!(year(&renewed, CertificateMonth::WholeMonth), "ppeeeppppppp");
        assert_eq!(year(&renewed, CertificateMonth::Year), "pppppppppppp");
        assert_eq!(in_force_on(&renewed, day("2026-03-15")), Some(1), "valid when declared");
    }

    #[test]
    fn a_first_certificate_issued_in_may_counts_from_may() {
        let first = [certificate(3, "2025-05-20", "2035-05-19")];
        assert_eq!(year(&first, OVERLAP), "yyyypppppppp");
        assert_eq!(year(&first, CertificateMonth::WholeMonth), "yyyyyppppppp");
        assert_eq!(year(&first, CertificateMonth::Year), "pppppppppppp");
    }

    #[test]
    fn a_level_changed_in_july_weighs_double_from_july() {
        let changed = [
            with_status(certificate(3, "2020-06-01", "2030-05-31"), CertificateStatus::Replaced, ""),
            certificate(2, "2025-07-01", "2035-06-30"),
        ];
        assert_eq!(person_months(&changed), 18);
        assert_eq!(year(&changed, CertificateMonth::WholeMonth), "pppppppppppp", "one follows the other");
        let from_march: u8 = Month::all_of(2025).skip(2).map(|month| weight(&changed, month)).sum();
        assert_eq!(from_march, 16, "V11");
    }

    #[test]
    fn v12_a_certificate_frozen_when_declared_still_covered_the_months_before() {
        let frozen = [with_status(certificate(3, "2020-06-01", "2030-05-31"), CertificateStatus::Frozen, "2026-02-01")];
        assert_eq!(year(&frozen, OVERLAP), "pppppppppppp");
        assert_eq!(in_force_on(&frozen, day("2026-01-31")), Some(0));
        assert_eq!(in_force_on(&frozen, day("2026-02-01")), None);
    }

    #[test]
    fn frozen_and_cancelled_hold_from_their_day_and_without_one_from_the_beginning() {
        let base = certificate(3, "2020-06-01", "2030-05-31");
        for (status, since, expected) in [
            (CertificateStatus::Frozen, "2025-04-01", "pppfffffffff"),
            (CertificateStatus::Frozen, "2025-04-02", "ppppffffffff"),
            (CertificateStatus::Frozen, "", "ffffffffffff"),
            (CertificateStatus::Cancelled, "2025-04-01", "pppccccccccc"),
            (CertificateStatus::Cancelled, "2019-01-01", "cccccccccccc"),
            (CertificateStatus::Cancelled, "", "cccccccccccc"),
        ] {
            assert_eq!(year(&[with_status(base, status, since)], OVERLAP), expected, "{status} since {since}");
        }
    }

    #[test]
    fn a_cancellation_speaks_only_where_the_dates_would_have_covered_the_month() {
        let cancelled =
            with_status(certificate(3, "2025-02-01", "2025-06-30"), CertificateStatus::Cancelled, "2025-04-01");
        assert_eq!(year(&[cancelled], OVERLAP), "yppccceeeeee");
        let undated = with_status(cancelled, CertificateStatus::Cancelled, "");
        assert_eq!(year(&[undated], OVERLAP), "yccccceeeeee");
    }

    #[test]
    fn expired_ends_with_the_earlier_of_its_two_dates_and_with_neither_was_never_in_force() {
        for (valid_to, since, expected) in [
            ("2025-06-30", "2025-04-01", "pppeeeeeeeee"),
            ("2025-03-31", "2025-06-01", "pppeeeeeeeee"),
            ("2025-03-31", "", "pppeeeeeeeee"),
            ("", "2025-04-01", "pppeeeeeeeee"),
            ("", "", "------------"),
        ] {
            let expired = with_status(certificate(3, "2015-01-01", valid_to), CertificateStatus::Expired, since);
            assert_eq!(year(&[expired], OVERLAP), expected, "to {valid_to}, expired since {since}");
        }
        let from_the_last_day = with_status(certificate(3, "2025-03-31", ""), CertificateStatus::Expired, "");
        assert_eq!(year(&[from_the_last_day], OVERLAP), "yy----------", "the month it begins in is not before it");
    }

    #[test]
    fn replaced_ends_on_its_day_or_when_its_successor_begins() {
        let old = certificate(3, "2015-01-01", "2034-12-31");
        let dated = with_status(old, CertificateStatus::Replaced, "2025-04-01");
        assert_eq!(year(&[dated], OVERLAP), "pppeeeeeeeee");
        let undated = with_status(old, CertificateStatus::Replaced, "");
        let gone = with_status(certificate(3, "2025-06-01", ""), CertificateStatus::Cancelled, "2025-08-01");
        assert_eq!(year(&[undated, gone], OVERLAP), "pppppppccccc");
        assert_eq!(in_force(&undated, &[undated, gone]).and_then(|days| days.last), date("2025-05-31"));
        let soldiers = soldier(3, "2025-02-01", "");
        assert_eq!(
            in_force(&undated, &[undated, soldiers]).and_then(|days| days.last),
            date("2034-12-31"),
            "another kind is no successor"
        );
    }

    #[test]
    fn what_was_replaced_on_the_day_it_began_ended_then_though_it_never_was_in_force() {
        for status in [CertificateStatus::Replaced, CertificateStatus::Expired] {
            let at_once = with_status(certificate(3, "2024-05-01", "2034-04-30"), status, "2024-05-01");
            assert_eq!(in_force(&at_once, &[at_once]), None);
            assert_eq!(year(&[at_once], OVERLAP), "eeeeeeeeeeee");
            let in_april = with_status(certificate(3, "2025-04-02", "2034-04-30"), status, "2025-04-02");
            assert_eq!(year(&[in_april], OVERLAP), "yyy-eeeeeeee");
        }
    }

    #[test]
    fn replaced_by_a_successor_nobody_knows_stands_to_its_own_end_and_without_one_never() {
        let replaced = with_status(certificate(3, "2015-01-01", "2025-08-31"), CertificateStatus::Replaced, "");
        assert_eq!(year(&[replaced], OVERLAP), "ppppppppeeee");
        assert_eq!(year(&[Certificate { valid_to: None, ..replaced }], OVERLAP), "------------");
    }

    #[test]
    fn soldiers_levels_nine_and_ten_are_as_if_absent() {
        assert_eq!(year(&[soldier(8, "2015-01-01", "")], OVERLAP), "pppppppppppp");
        assert_eq!(year(&[soldier(9, "2015-01-01", "")], OVERLAP), "------------");
        let cancelled = with_status(soldier(10, "2015-01-01", ""), CertificateStatus::Cancelled, "2025-01-01");
        assert_eq!(year(&[cancelled], OVERLAP), "------------");
        let worse =
            [with_status(soldier(8, "2015-01-01", ""), CertificateStatus::Replaced, ""), soldier(9, "2025-07-01", "")];
        assert_eq!(year(&worse, OVERLAP), "ppppppeeeeee", "but one ends what it replaces");
    }

    #[test]
    fn of_each_kind_the_latest_speaks_and_one_severe_kind_is_enough() {
        let july = "2025-07".parse().expect("month");
        let mild = certificate(3, "2015-01-01", "");
        assert_eq!(weight(&[], july), 1);
        assert_eq!(weight(&[mild], july), 1);
        assert_eq!(weight(&[certificate(2, "2015-01-01", "")], july), 2);
        assert_eq!(weight(&[mild, soldier(3, "2010-01-01", "")], july), 2, "the kinds do not hide each other");
        assert_eq!(weight(&[mild, soldier(4, "2010-01-01", "")], july), 1);
        assert_eq!(weight(&[certificate(1, "2014-01-01", ""), mild], july), 1, "the later certificate is milder");
        let corrected = Certificate { level: 2, updated_at: "2026-01-02T00:00:00Z".parse().expect("instant"), ..mild };
        assert_eq!((weight(&[corrected, mild], july), weight(&[mild, corrected], july)), (2, 2));
        let in_mid_july = certificate(1, "2025-07-31", "");
        assert_eq!(weight(&[mild, in_mid_july], july), 2, "one day of the month is enough");
        assert_eq!(weight(&[mild, in_mid_july], july.plus(-1)), 1);
    }

    #[test]
    fn the_year_asks_for_any_day_of_the_business_year() {
        let ended = [certificate(3, "2015-01-01", "2024-12-31")];
        assert_eq!(year(&ended, CertificateMonth::Year), "eeeeeeeeeeee");
        let one_day = [certificate(3, "2015-01-01", "2025-01-01")];
        assert_eq!(year(&one_day, CertificateMonth::Year), "pppppppppppp");
        let next_year = [certificate(3, "2026-01-01", "")];
        assert_eq!(year(&next_year, CertificateMonth::Year), "yyyyyyyyyyyy");
    }

    #[test]
    fn a_whole_month_may_be_covered_by_certificates_that_follow_each_other() {
        let april = "2025-04".parse().expect("month");
        let code = |certificates: &[Certificate]| settled_code(certificates, april, CertificateMonth::WholeMonth);
        let first = certificate(3, "2015-04-11", "2025-04-10");
        assert_eq!(code(&[certificate(3, "2025-04-11", ""), first]), (CertificateCode::Pass, Some(0)));
        assert_eq!(code(&[certificate(3, "2025-04-12", ""), first]), (CertificateCode::Expired, Some(1)));
        assert_eq!(code(&[soldier(7, "2025-04-11", "2025-04-30"), first]), (CertificateCode::Pass, Some(0)));
        let cancelled = with_status(first, CertificateStatus::Cancelled, "2025-04-05");
        assert_eq!(code(&[cancelled]), (CertificateCode::Cancelled, Some(0)));
    }

    #[test]
    fn the_code_names_the_certificate_that_decided() {
        let month: Month = "2025-04".parse().expect("month");
        let ended = [certificate(3, "2001-01-01", "2010-12-31"), certificate(3, "2011-01-01", "2020-12-31")];
        assert_eq!(settled_code(&ended, month, OVERLAP), (CertificateCode::Expired, Some(1)));
        let to_come = [certificate(3, "2027-01-01", ""), certificate(3, "2026-01-01", "")];
        assert_eq!(settled_code(&to_come, month, OVERLAP), (CertificateCode::NotYetValid, Some(1)));
        assert_eq!(settled_code(&[], month, OVERLAP), (CertificateCode::None, None));
        let frozen_too = [
            with_status(certificate(3, "2015-01-01", ""), CertificateStatus::Frozen, ""),
            with_status(certificate(3, "2014-01-01", ""), CertificateStatus::Cancelled, ""),
        ];
        assert_eq!(settled_code(&frozen_too, month, OVERLAP), (CertificateCode::Cancelled, Some(1)));
    }

    #[test]
    fn a_certificate_that_does_not_decide_stands_out_by_its_level_dates_or_status() {
        let april: Month = "2025-04".parse().expect("month");
        let stands =
            |certificate: Certificate, rule| standing(&certificate, &[certificate], april, rule, WeightRules::NATIONAL);
        assert_eq!(stands(soldier(9, "2015-01-01", ""), OVERLAP), Standing::NotCounted);
        assert_eq!(stands(certificate(3, "2025-04-30", ""), OVERLAP), Standing::InForce);
        assert_eq!(stands(certificate(3, "2025-05-01", ""), OVERLAP), Standing::OtherDates);
        assert_eq!(stands(certificate(3, "2025-05-01", ""), CertificateMonth::Year), Standing::InForce);
        let frozen = with_status(certificate(3, "2015-01-01", ""), CertificateStatus::Frozen, "2025-04-01");
        assert_eq!(stands(frozen, OVERLAP), Standing::BarredByStatus);
        assert_eq!(stands(frozen, CertificateMonth::Year), Standing::InForce, "from January to March");
    }

    #[test]
    fn only_what_a_later_delivery_may_bring_can_be_pending() {
        let overturned: Vec<_> = CertificateCode::ALL.iter().filter(|code| may_be_pending(**code)).collect();
        assert_eq!(overturned, [&CertificateCode::Expired, &CertificateCode::NotYetValid, &CertificateCode::None]);
    }
}
