//! Who looked at me: when, in which role, of which federation or employer, what for. Never who it was by name, and nobody else.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Party, PersonActor, PersonError};
use crate::declare::audit::codes_in;
use crate::domain::access::{Action, Role};
use crate::domain::ids::Uscc;
use crate::domain::said::Said;
use crate::store::Store;
use crate::store::who_looked::Look as Row;

/// What counts as looking; that a code was handed out, and what was opened by it, since whoever did so can look.
const LOOKS: [Action; 9] = [
    Action::LookUp,
    Action::Reveal,
    Action::ReadResults,
    Action::Reverify,
    Action::OpenEvidence,
    Action::OpenCase,
    Action::ReadAudit,
    Action::IssuePersonCode,
    Action::OpenOwn,
];

/// One look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Look {
    pub at: DateTime<Utc>,
    pub action: Action,
    /// Not known of the time before there were roles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Of staff whose role holds in one division: its first two, four or six digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub federation_division: Option<String>,
    /// Of those who act for an employer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub employer: Option<Party>,
    /// The employers whose placement or file it was about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub about: Vec<Party>,
    pub what_for: Said,
}

/// A page of looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Looks {
    /// Newest first.
    pub looks: Vec<Look>,
    /// After which the next page begins; nothing where there are no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// Who looked at the person, newest first; `after` is where the page before ended.
pub async fn who_looked(
    store: &Store,
    own: &PersonActor,
    after: Option<i64>,
    limit: u32,
) -> Result<Looks, PersonError> {
    let actions = LOOKS.map(Action::as_str);
    let limit = limit.max(1) as usize;
    let mut rows = store.list_looks(own.person(), &actions, after.unwrap_or(i64::MAX), limit as i64 + 1).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().map(|row| row.audit_id).filter(|_| more);
    let codes: BTreeSet<Uscc> = rows.iter().flat_map(|row| named(row).into_iter().chain(acting_for(row))).collect();
    let codes: Vec<Uscc> = codes.into_iter().collect();
    let owners = store.owners_of_codes(&codes).await?;
    let units: Vec<_> = owners.values().map(|owned| owned.employer).collect();
    let known = store.public_units(&units).await?;
    let parties: HashMap<Uscc, Party> = known.values().map(|unit| (unit.uscc, Party::from(unit))).collect();
    let party = |code: Uscc| parties.get(&code).cloned().unwrap_or(Party { uscc: code.to_string(), name: None });
    let look = |row: &Row| {
        let action = Action::parse(&row.action)?;
        let staff = row.divisions.first().filter(|_| row.divisions.len() == 1);
        Some(Look {
            at: row.at,
            action,
            role: row.role.as_deref().and_then(Role::parse),
            federation_division: staff.cloned(),
            employer: acting_for(row).map(party),
            about: named(row).into_iter().map(party).collect(),
            what_for: what_for(action, row),
        })
    };
    Ok(Looks { looks: rows.iter().filter_map(look).collect(), next })
}

/// The employers that a row names, each once.
fn named(row: &Row) -> Vec<Uscc> {
    let texts = [Some(row.object.as_str()), row.employer.as_deref()];
    let codes: BTreeSet<Uscc> = texts.into_iter().flatten().flat_map(codes_in).collect();
    codes.into_iter().collect()
}

/// The employer for whom the actor acted: as the row says, else the one unit of their role, else that among several which the row is about.
fn acting_for(row: &Row) -> Option<Uscc> {
    let role = row.role.as_deref().and_then(Role::parse)?;
    if !matches!(role, Role::Employer | Role::Handler) {
        return None;
    }
    let said = row.on_behalf_of.as_deref().and_then(|text| codes_in(text).next());
    let units: Vec<Uscc> = row.units.iter().filter_map(|code| Uscc::parse(code).ok()).collect();
    let of_several = || match units.as_slice() {
        [only] => Some(*only),
        [] => named(row).first().copied(),
        several => named(row).into_iter().find(|code| several.contains(code)),
    };
    said.or_else(of_several)
}

/// By what was done and, where that is done to several kinds of thing, by the first word of what the audit calls it.
fn what_for(action: Action, row: &Row) -> Said {
    let object = row.object.split_whitespace().next().unwrap_or_default();
    let (en, zh) = match (action, object, row.did.as_deref()) {
        (Action::LookUp, ..) => ("whether you are in the certificate register", "核对是否持有残疾证件"),
        (Action::Reveal, ..) => ("your name or ID number was shown in full", "查看完整姓名或身份证号"),
        (Action::ReadResults, "explanation", _) => (
            "why a month of yours passes or fails was read, wages and insurance too",
            "查看您某月的核验依据，含工资和参保情况",
        ),
        (Action::Reverify, ..) => ("your months were verified again", "重新核验您的月份"),
        (Action::OpenEvidence, ..) => ("a file about you was opened", "打开有关您的证明材料"),
        (Action::OpenCase, "objection", _) => ("your objection was read", "查看您提出的异议"),
        (Action::OpenCase, "conflicts", _) => (
            "months were listed for which several employers count the same person, yours among them",
            "查看多个单位重复计入的月份，其中有您的",
        ),
        (Action::OpenCase, ..) => ("your case was opened for review", "审核中打开您的材料"),
        (Action::ReadAudit, ..) => ("who did or looked at what about you", "查看有关您的操作记录"),
        (Action::IssuePersonCode, _, Some("revoke")) => ("your code was revoked", "停用您的查询码"),
        (Action::IssuePersonCode, ..) => ("a code was handed out to open this page", "发放您的查询码"),
        (Action::OpenOwn, ..) => ("this page was opened with your papers and code", "凭您的证件和查询码打开本页"),
        (..) => ("something about you was read", "查看有关您的信息"),
    };
    Said::new(en, zh)
}
