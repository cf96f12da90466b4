//! Notices as their addressees read them: in both languages, the person masked, and that they were read.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::RegisterError;
use crate::domain::access::{Action, Actor, Denied, Owner, Scope};
use crate::domain::facts::PersonId;
use crate::domain::notice::{NoticeKind, Told};
use crate::store::Store;
use crate::store::audit::Act;
use crate::store::notices::Addressee;
use crate::store::people::masked;

/// A notice in words.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct NoticeTold {
    pub notice_id: i64,
    /// The employer's code, or the division whose staff are told.
    pub addressee: String,
    pub kind: NoticeKind,
    pub object: String,
    pub en: String,
    pub zh: String,
    #[serde(serialize_with = "in_beijing")]
    #[schemars(with = "DateTime<Utc>")]
    pub created_at: DateTime<Utc>,
    #[serde(serialize_with = "in_beijing_or_never")]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub read_at: Option<DateTime<Utc>>,
    pub read_by: Option<String>,
}

/// That a notice was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NoticeRead {
    pub notice_id: i64,
    /// It had not been before.
    pub new: bool,
}

fn in_beijing<S: serde::Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&crate::clock::rfc3339(*at))
}

#[expect(clippy::ref_option, reason = "the form that serde asks for")]
fn in_beijing_or_never<S: serde::Serializer>(at: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(crate::clock::rfc3339).serialize(serializer)
}

/// Which notices.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Read ones too.
    pub all: bool,
    /// Those before this one, to page.
    pub before: Option<i64>,
    pub limit: i64,
}

/// Notices within the actor's reach, newest first.
pub async fn list_notices(store: &Store, actor: &Actor, wanted: &Wanted) -> Result<Vec<NoticeTold>, RegisterError> {
    actor.may_at_all(Action::ReadResults)?;
    let notices = store.list_notices(&actor.scope, wanted.all, wanted.before, wanted.limit).await?;
    let mut says: Vec<Told> = Vec::with_capacity(notices.len());
    for notice in &notices {
        let params = notice.params.clone();
        says.push(match notice.kind {
            NoticeKind::DoubleClaim => Told::DoubleClaim(serde_json::from_value(params)?),
            NoticeKind::Objection => Told::Objection(serde_json::from_value(params)?),
            NoticeKind::SubscriptionPaused => Told::SubscriptionPaused(serde_json::from_value(params)?),
        });
    }
    let persons: Vec<PersonId> = says.iter().filter_map(Told::person).collect();
    let identities = store.identities(&persons).await?;
    let employers = notices.iter().filter_map(|notice| match notice.addressee {
        Addressee::Employer(unit) => Some(unit),
        Addressee::Division(_) => None,
    });
    let codes = store.unit_codes(&employers.collect::<Vec<_>>()).await?;
    let told = notices.into_iter().zip(says).map(|(notice, says)| {
        let who = says.person().map_or_else(String::new, |person| masked(identities.get(&person), person));
        NoticeTold {
            notice_id: notice.notice_id,
            addressee: match notice.addressee {
                Addressee::Employer(unit) => codes.get(&unit).map(ToString::to_string).unwrap_or_default(),
                Addressee::Division(division) => division,
            },
            kind: notice.kind,
            object: notice.object,
            en: says.english(&who),
            zh: says.chinese(&who),
            created_at: notice.created_at,
            read_at: notice.read_at,
            read_by: notice.read_by,
        }
    });
    Ok(told.collect())
}

/// Notes that a notice was read; whether it had not been.
pub async fn read_notice(store: &Store, actor: &Actor, notice_id: i64) -> Result<bool, RegisterError> {
    let (addressee, object) = store.find_notice(notice_id).await?.ok_or(Denied::NotFound)?;
    let action = match &addressee {
        Addressee::Employer(employer) => {
            let found = store.list_employers(i64::MAX, &[*employer]).await?.into_iter().next();
            let found = found.ok_or(Denied::NotFound)?;
            let owner = Owner { employer: *employer, federation_division: &found.federation_division };
            actor.may(Action::Enter, owner)?;
            Action::Enter
        }
        Addressee::Division(division) => {
            let reaches = match &actor.scope {
                Scope::Everything => true,
                Scope::Division(prefix) => division.starts_with(prefix.as_str()),
                Scope::Units(_) => false,
            };
            if !reaches {
                return Err(Denied::NotFound.into());
            }
            actor.may_at_all(Action::OpenCase)?;
            Action::OpenCase
        }
    };
    let at = store.now().await?;
    let mut change = store.change().await?;
    if !change.mark_notice_read(notice_id, &actor.name, at).await? {
        change.abandon().await?;
        return Ok(false);
    }
    let mut act = Act::read(at, actor, action, format!("notice {notice_id}"));
    act.detail = serde_json::json!({ "about": object });
    change.record(&act).await?;
    change.answer(&NoticeRead { notice_id, new: true }).await?;
    change.commit().await?;
    Ok(true)
}
