//! The register as employers use it: look-ups, placements, contracts, affiliates, last year's list, notices.

mod affiliates;
mod carry_over;
mod commands;
mod contracts;
mod employers;
mod look_ups;
mod notices;
mod placements;
mod random;

use std::path::PathBuf;

use chrono::NaiveDate;
use renzheng::declare::import::{ImportKind, Report, import};
use renzheng::declare::register::affiliate::AffiliateForm;
use renzheng::declare::register::contract::{ContractForm, ContractKey};
use renzheng::declare::register::placement::{PlacementEntered, PlacementForm, Terms, Whom};
use renzheng::declare::register::{Register, RegisterError, Step};
use renzheng::domain::access::{Actor, Role, Scope};
use renzheng::domain::declaration::{Act, Commitment, Completion, Declaration, Issue, Stage};
use renzheng::domain::facts::{ContractKind, PersonId, Relation, UnitId};
use renzheng::domain::ids::{ResidentId, Uscc};
use renzheng::domain::message::{Message, MessageKind};
use renzheng::store::contacts::AffiliateAddress;
use renzheng::store::publish::Cause;
use sqlx::AssertSqlSafe;

use crate::agency::{self, Agency, PAYER};
use crate::harness::actor;

/// An employer in 360102, and one in 360203.
pub const OWN: &str = PAYER;
pub const OTHER: &str = "91369900MA0TEXT12D";
pub const HOLDING: &str = "92369900L00000011J";
pub const DISPATCHER: &str = "12369900000000019G";
/// Persons of the agency that are of working age begin here.
const WORKING_AGE: u32 = 30;

/// As the register and the counter know every person of [`id_number`].
pub const NAME: &str = "某人";

/// Two employers at a counter on 15 April 2026, and a register of certificates that knows the persons 1 to 3.
pub struct Office {
    pub agency: Agency,
    pub operator: Actor,
    pub own: UnitId,
    pub other: UnitId,
}

impl Office {
    pub async fn open(name: &str) -> Self {
        let agency = Agency::begin(name, "", "").await;
        agency.concern(&[1, 2, 3].map(|person| WORKING_AGE + person)).await;
        let mut office = Self { agency, operator: Actor::operator("operator test"), own: UnitId(0), other: UnitId(0) };
        let header = "uscc,name,kind,division,federation_division,tax_division";
        let rows = [
            format!("{OWN},甲公司,enterprise,360102,360102,360102"),
            format!("{OTHER},乙公司,enterprise,360203,360203,360203"),
        ];
        let report = office.import(ImportKind::Employers, header, &rows).await;
        assert_eq!(report.new, 2, "{report:?}");
        office.own = office.unit(OWN).await;
        office.other = office.unit(OTHER).await;
        office
    }

    pub async fn import(&self, kind: ImportKind, header: &str, rows: &[String]) -> Report {
        let path: PathBuf = self.agency.scratch.path().join(format!("{kind}.csv"));
        std::fs::write(&path, format!("{header}\n{}\n", rows.join("\n"))).expect("written");
        let harness = &self.agency.harness;
        import(&harness.store, &harness.policy.policy, kind, &path, &actor()).await.expect("imported")
    }

    pub async fn unit(&self, code: &str) -> UnitId {
        self.agency.harness.store.find_unit(&uscc(code)).await.expect("asked").expect("known")
    }

    /// The register in the hands of the person at the counter.
    pub fn register(&self) -> Register<'_> {
        self.register_by(&self.operator)
    }

    pub fn register_by<'a>(&'a self, actor: &'a Actor) -> Register<'a> {
        let harness = &self.agency.harness;
        Register { store: &harness.store, policy: &harness.policy.policy, actor }
    }

    /// Places a person whose ID and name are typed, paid by the employer alone.
    pub async fn place(&self, employer: UnitId, year: i16, person: u32) -> PlacementEntered {
        self.register().enter(&typed(employer, year, person)).await.expect("registered")
    }

    pub async fn list_affiliate(&self, employer: UnitId, year: i16, code: &str, relation: Relation) {
        let form = affiliate(employer, year, code, relation);
        self.register().save_affiliate(&form, Step::Add).await.expect("listed");
    }

    pub async fn person(&self, number: u32) -> PersonId {
        let id = ResidentId::parse(&id_number(number)).expect("an ID");
        self.agency.harness.store.find_person(&id).await.expect("asked").expect("known")
    }

    pub async fn clock(&self, date: &str, time: &str) {
        self.agency.harness.clock(date.parse::<NaiveDate>().expect("a date"), time).await;
    }

    /// Rows of a table.
    pub async fn count(&self, table: &str) -> i64 {
        let mut connection = self.agency.harness.connection().await;
        let sql = AssertSqlSafe(format!("select count(*) from {table}"));
        sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("a count")
    }

    /// A column of text.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let mut connection = self.agency.harness.connection().await;
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await.expect("rows")
    }

    pub async fn head(&self) -> i64 {
        self.agency.harness.store.head().await.expect("a sequence")
    }

    /// Closes the year of an employer as a completion does.
    pub async fn complete(&self, employer: UnitId, year: i16) {
        let store = &self.agency.harness.store;
        let at = store.now().await.expect("now");
        let act = Act { by: "employer".to_owned(), at };
        let stage = Stage::Completed {
            completion: Completion {
                version: 1,
                completed: act.clone(),
                certification_number: "1".to_owned(),
                commitment: Commitment { version: "1".to_owned(), hash: "00".to_owned() },
                amends: None,
            },
            issue: Issue { message: Message { kind: MessageKind::Certified, version: 1, attempt: 1 }, issued: act },
        };
        let mut publish = store.publish(Cause::Completion, at).await.expect("a publish");
        publish
            .save_declaration(employer, year, &Declaration { stage, ..Declaration::default() }, at)
            .await
            .expect("saved");
        publish.commit().await.expect("committed");
    }
}

pub fn id_number(person: u32) -> String {
    agency::id_number(WORKING_AGE + person)
}

pub fn uscc(code: &str) -> Uscc {
    Uscc::parse(code).expect("a code")
}

pub fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

/// A user of an employer.
pub fn handler(name: &str, units: &[UnitId]) -> Actor {
    Actor { name: name.to_owned(), role: Role::Handler, scope: Scope::Units(units.to_vec()), on_behalf_of: None }
}

pub fn staff(name: &str, role: Role, division: &str) -> Actor {
    Actor { name: name.to_owned(), role, scope: Scope::Division(division.to_owned()), on_behalf_of: None }
}

/// The placement of a person whose ID and name are typed, paid by the employer alone.
pub fn typed(employer: UnitId, year: i16, person: u32) -> PlacementForm<'static> {
    let id = ResidentId::parse(&id_number(person)).expect("an ID");
    PlacementForm {
        employer,
        year,
        whom: Whom::Named { id, name: NAME },
        dispatched: false,
        dispatch: None,
        wage_payer: None,
        pension_payer: None,
        medical_payer: None,
        track: None,
        education: None,
    }
}

pub fn affiliate(employer: UnitId, year: i16, code: &str, relation: Relation) -> AffiliateForm {
    let address = AffiliateAddress::default();
    AffiliateForm { employer, year, unit: uscc(code), name: "丙集团".to_owned(), relation, address }
}

/// A labour contract, without end if `ends_on` is empty.
pub fn labour(employer: UnitId, year: i16, person: PersonId, starts_on: &str, ends_on: &str) -> ContractForm {
    ContractForm {
        key: ContractKey { employer, year, person, kind: ContractKind::Labour, starts_on: day(starts_on) },
        ends_on: (!ends_on.is_empty()).then(|| day(ends_on)),
        terminated_on: None,
        terms: Terms::default(),
        counted_by: None,
    }
}

/// The codes of a refusal, in their order.
#[track_caller]
pub fn codes<T: std::fmt::Debug>(outcome: Result<T, RegisterError>) -> Vec<String> {
    match outcome.expect_err("refused") {
        RegisterError::Refused(refusals) => {
            refusals.iter().map(|refusal| format!("{} {}", refusal.field(), refusal.code())).collect()
        }
        other => vec![other.code().to_owned()],
    }
}
