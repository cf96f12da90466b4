//! 残保金: the calculator, an employer's own levy, what months that do not count cost, and what will fail soon.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::State;
use chrono::{Datelike, NaiveDate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::describe::{Access, operation};
use super::whose::{OfEmployer, OfYear, employer};
use crate::declare::levy::{LevyOfEmployer, levy_of_employer};
use crate::declare::worth::{AskedWorth, Worth, WorthError, worth_of_months};
use crate::domain::access::{Action, Actor};
use crate::domain::counting::Headcount;
use crate::domain::facts::EmployerKind;
use crate::domain::levy::{AverageWage, Estimate, LevyInput, estimate};
use crate::domain::money::Fen;
use crate::store::Store;
use crate::verify::foresight::{LookAhead, look_ahead};
use crate::web::Site;
use crate::web::asker::Holder;
use crate::web::input::{Body, Path, Query};
use crate::web::paging::{cursor, cut_by_person, limit_of};
use crate::web::problem::Problem;
use crate::web::reply::Reply;

const TAG: &str = "levy";

/// Nothing is kept of it.
pub(super) fn calculations() -> ApiRouter<Site> {
    let told = operation("calculate_levy", TAG, Access::Token, "The levy by numbers of one's own, with every step");
    ApiRouter::new().api_route("/levy-calculations", post_with(calculate, told))
}

pub(super) fn routes() -> ApiRouter<Site> {
    let reads = Access::employer(Action::ReadResults);
    ApiRouter::new()
        .api_route(
            "/employers/{uscc}/years/{year}/levy",
            get_with(levy, operation("read_levy", TAG, reads, "The levy by an employer's results, with every step")),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/worth",
            get_with(worth, operation("read_worth", TAG, reads, "What each month that does not count costs")),
        )
        .api_route(
            "/employers/{uscc}/foresight",
            get_with(foresight, operation("read_foresight", TAG, reads, "What will fail soon, person by person")),
        )
}

/// Numbers for the calculator.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Numbers {
    /// Staff of the year, an exact decimal
    #[schemars(length(min = 1, max = 20), regex(pattern = r"^[0-9]+(\.[0-9]+)?$"))]
    headcount: String,
    /// The employer's average monthly wage, yuan
    monthly_wage: Fen,
    /// Confirmed months of disabled staff, a severe disability counting twice
    #[schemars(range(max = 10_000_000))]
    weighted_person_months: u32,
    /// An enterprise where nothing is said
    kind: Option<EmployerKind>,
    /// Business year the levy is for; last year where nothing is said
    #[schemars(range(min = 2000, max = 2100))]
    year: Option<i16>,
    /// Day of payment, which decides the relief; 1 September of the year after where nothing is said
    paid_on: Option<NaiveDate>,
}

/// The calculator's answer: an estimate; the tax department's figure decides.
#[derive(Serialize, JsonSchema)]
struct Calculated {
    year: i32,
    paid_on: NaiveDate,
    #[serde(flatten)]
    estimate: Estimate,
}

async fn calculate(
    State(site): State<Site>,
    Holder(_): Holder,
    Body(numbers): Body<Numbers>,
) -> Result<Reply<Calculated>, Problem> {
    let year = match numbers.year {
        Some(year) => year.into(),
        None => site.store.today().await?.year() - 1,
    };
    let usual = || NaiveDate::from_ymd_opt(year + 1, 9, 1);
    let paid_on = numbers.paid_on.or_else(usual).ok_or(WorthError::NoSuchYear(year))?;
    let input = LevyInput {
        kind: numbers.kind.unwrap_or(EmployerKind::Enterprise),
        headcount: Headcount::parse(&numbers.headcount).map_err(WorthError::Headcount)?,
        average_wage: AverageWage::monthly(numbers.monthly_wage).map_err(WorthError::Wage)?,
        weighted_person_months: numbers.weighted_person_months,
    };
    let rules = site.reading.policy.levy_rules(year, paid_on)?;
    Ok(Reply(Calculated { year, paid_on, estimate: estimate(&input, &rules) }))
}

/// What is to hold instead of what the employer entered.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Instead {
    /// Staff of the year, an exact decimal
    #[schemars(length(min = 1, max = 20), regex(pattern = r"^[0-9]+(\.[0-9]+)?$"))]
    headcount: Option<String>,
    /// Total wages of the year, yuan
    total_wages: Option<Fen>,
    /// Day of payment, which decides the relief; 1 September of the year after where nothing is said
    paid_on: Option<NaiveDate>,
}

/// The same, and which persons are told: every field once more, since a number in a flattened part of a query is not read.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct InsteadOf {
    /// Staff of the year, an exact decimal
    #[schemars(length(min = 1, max = 20), regex(pattern = r"^[0-9]+(\.[0-9]+)?$"))]
    headcount: Option<String>,
    /// Total wages of the year, yuan
    total_wages: Option<Fen>,
    /// Day of payment, which decides the relief; 1 September of the year after where nothing is said
    paid_on: Option<NaiveDate>,
    /// `next` of the page before
    #[schemars(length(max = 200))]
    after: Option<String>,
    /// Persons of the page at most; 100 where nothing is said
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u16>,
}

/// The year as a whole, and the months of some persons.
#[derive(Serialize, JsonSchema)]
struct WorthPage {
    #[serde(flatten)]
    worth: Worth,
    /// Give it as `after` for the months of further persons; null: these were the last.
    next: Option<String>,
}

/// The year that was looked at, and some of the persons who have something ahead.
#[derive(Serialize, JsonSchema)]
struct AheadPage {
    #[serde(flatten)]
    ahead: LookAhead,
    /// Give it as `after` for further persons; null: these were the last.
    next: Option<String>,
}

impl Instead {
    async fn asked(self, store: &Store, actor: &Actor, of: &OfYear) -> Result<AskedWorth, Problem> {
        let employer = employer(store, actor, Action::ReadResults, &of.uscc).await?;
        let headcount = self.headcount.as_deref().map(Headcount::parse).transpose().map_err(WorthError::Headcount)?;
        let (total_wages, paid_on) = (self.total_wages, self.paid_on);
        Ok(AskedWorth { employer, year: of.year.into(), headcount, total_wages, paid_on })
    }
}

async fn levy(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfYear>,
    Query(instead): Query<Instead>,
) -> Result<Reply<LevyOfEmployer>, Problem> {
    let asked = instead.asked(&site.store, &actor, &of).await?;
    Ok(Reply(levy_of_employer(&site.store, &site.reading.policy, &actor, &asked).await?))
}

async fn worth(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfYear>,
    Query(asked): Query<InsteadOf>,
) -> Result<Reply<WorthPage>, Problem> {
    let InsteadOf { headcount, total_wages, paid_on, after, limit } = asked;
    let (after, limit) = (cursor(after.as_deref())?, limit_of(limit)?);
    let asked = Instead { headcount, total_wages, paid_on }.asked(&site.store, &actor, &of).await?;
    let mut worth = worth_of_months(&site.store, &site.reading.policy, &actor, &asked).await?;
    let next = cut_by_person(&mut worth.months, |month| month.person_id, after, limit);
    Ok(Reply(WorthPage { worth, next }))
}

/// How far, and at whom.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HowFar {
    /// 90 where nothing is said
    #[schemars(range(max = 3660))]
    days: Option<u16>,
    /// Whose placements: of the running year, and those of the one before who are not carried over
    #[schemars(range(min = 2000, max = 2100))]
    year: Option<i16>,
    /// `next` of the page before
    #[schemars(length(max = 200))]
    after: Option<String>,
    /// Persons of the page at most; 100 where nothing is said
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u16>,
}

async fn foresight(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfEmployer>,
    Query(ahead): Query<HowFar>,
) -> Result<Reply<AheadPage>, Problem> {
    let (after, limit) = (cursor(ahead.after.as_deref())?, limit_of(ahead.limit)?);
    let employer = employer(&site.store, &actor, Action::ReadResults, &of.uscc).await?;
    let (year, days) = (ahead.year.map(i32::from), ahead.days.unwrap_or(90).min(3660));
    let mut ahead = look_ahead(&site.store, &site.reading, employer, year, days.into()).await?;
    let next = cut_by_person(&mut ahead.persons, |ahead| ahead.person, after, limit);
    Ok(Reply(AheadPage { ahead, next }))
}
