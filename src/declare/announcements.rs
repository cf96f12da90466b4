//! 通知公告: staff publish, correct and withdraw what is told to everybody of a division; whoever is known here lists and searches it.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use crate::clock;
use crate::domain::access::{Action, Actor, Denied, Scope};
use crate::domain::announcement::{AnnouncementState, Content, Refused, check_division, keywords, state_on};
use crate::domain::declaration;
use crate::domain::free_text::{Reason, ReasonFault};
use crate::store::announcements::{self, Headline, Reach, Version, Withdrawn};
use crate::store::audit::{Act, fingerprint};
use crate::store::change::Change;
use crate::store::place::Place;
use crate::store::{Store, StoreError};

/// Announcements on a page at most.
pub const LARGEST_PAGE: usize = 100;

/// Why something about announcements was not done; then nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum AnnouncementError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Reason(#[from] ReasonFault),
    #[error("what the announcement says could not be written to the audit")]
    Audited(#[from] serde_json::Error),
    #[error("the announcements could not be read or stored")]
    Store(#[from] StoreError),
}

impl AnnouncementError {
    /// Of a refusal: what it is, for programs. `None`: something went wrong, which is nobody's refusal.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Denied(denied) => Some(denied.code()),
            Self::Refused(refused) => Some(refused.code()),
            Self::Reason(fault) => Some(fault.code()),
            Self::Audited(_) | Self::Store(_) => None,
        }
    }

    /// Of a refusal: the sentence for people.
    pub fn chinese(&self) -> Option<String> {
        match self {
            Self::Denied(denied) => Some(denied.chinese().to_owned()),
            Self::Refused(refused) => Some(refused.chinese()),
            Self::Reason(fault) => Some(fault.chinese()),
            Self::Audited(_) | Self::Store(_) => None,
        }
    }
}

/// What is to be told, to whom, and when.
#[derive(Clone, Debug)]
pub struct Publishing {
    /// The beginning of the divisions it is for: two, four or six digits, the actor's own or below.
    pub division: String,
    pub title: String,
    pub text: String,
    /// Left out: today.
    pub from_on: Option<NaiveDate>,
    pub until_on: Option<NaiveDate>,
}

/// What it is to say instead, whole.
#[derive(Clone, Debug)]
pub struct Correcting {
    /// The version that was seen: another one is not replaced.
    pub of_version: u32,
    pub title: String,
    pub text: String,
    pub from_on: NaiveDate,
    pub until_on: Option<NaiveDate>,
}

/// Which announcements are wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Words parted by blanks, each of which must stand in title or text. Empty: any.
    pub search: String,
    /// For staff: those that are not in force too.
    pub all: bool,
    pub after: Option<Place>,
    /// At most [`LARGEST_PAGE`] are given.
    pub limit: usize,
}

/// An announcement in a list. Days are business dates, instants RFC 3339 in Beijing time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Announced {
    pub announcement_id: i64,
    pub division: String,
    pub title: String,
    pub from_on: NaiveDate,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_on: Option<NaiveDate>,
    pub state: AnnouncementState,
    pub state_zh: &'static str,
    pub published_at: String,
    /// From 1; higher where it was corrected.
    pub version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrected_at: Option<String>,
    /// For staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawn_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawn_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawn_why: Option<String>,
}

/// An announcement with its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Announcement {
    #[serde(flatten)]
    pub announced: Announced,
    pub text: String,
    /// For staff: what it said before, the newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<EarlierVersion>,
}

/// What an announcement said before it was corrected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EarlierVersion {
    pub version: u32,
    #[serde(flatten)]
    pub content: Content,
    pub written_at: String,
    pub written_by: String,
}

/// A page of announcements, newest first.
#[derive(Clone, Debug)]
pub struct Page {
    pub announcements: Vec<Announced>,
    /// After which the next page begins; `None`: this is the last.
    pub next: Option<Place>,
}

/// Tells it to everybody of the division.
pub async fn publish(store: &Store, actor: &Actor, publishing: &Publishing) -> Result<Announcement, AnnouncementError> {
    actor.may_at_all(Action::PublishAnnouncement)?;
    let Publishing { division, title, text, from_on, until_on } = publishing;
    check_division(division)?;
    refuse_beyond(actor, division)?;
    let at = store.now().await?;
    let content = Content::checked(title, text, from_on.unwrap_or_else(|| clock::business_date(at)), *until_on)?;
    let mut change = store.change().await?;
    let announcement_id = change.add_announcement(division, &content, &actor.name, at).await?;
    let act = Act::read(at, actor, Action::PublishAnnouncement, object(announcement_id)).with("did", "publish");
    let act = act.with("division", division.as_str()).with("version", 1);
    change.record(&Act { after: Some(fingerprint(store.keys(), &content)?), ..act }).await?;
    let headline = Headline {
        place: Place { at, ids: [announcement_id] },
        division: division.clone(),
        published_by: actor.name.clone(),
        withdrawn: None,
        version: 1,
        title: content.title,
        from_on: content.from_on,
        until_on: content.until_on,
        written_at: at,
    };
    answer(change, actor, headline, clock::business_date(at)).await
}

/// Lets it say something else under the next version; what it said before stays on record. The same again changes nothing.
pub async fn correct(
    store: &Store,
    actor: &Actor,
    announcement_id: i64,
    correcting: &Correcting,
) -> Result<Announcement, AnnouncementError> {
    actor.may_at_all(Action::PublishAnnouncement)?;
    let found = find(store, actor, announcement_id).await?;
    refuse_beyond(actor, &found.division)?;
    let Correcting { of_version, title, text, from_on, until_on } = correcting;
    let content = Content::checked(title, text, *from_on, *until_on)?;
    let at = store.now().await?;
    let mut change = store.change().await?;
    let locked = change.lock_announcement(announcement_id).await?.ok_or(Denied::NotFound)?;
    if locked.is_withdrawn {
        return Err(Refused::Withdrawn.into());
    }
    if locked.last.version != *of_version {
        return Err(Refused::Outdated { version: locked.last.version }.into());
    }
    if locked.last.content == content {
        change.abandon().await?;
        return show(store, actor, announcement_id).await;
    }
    let version = of_version + 1;
    change.add_announcement_version(announcement_id, version, &content, &actor.name, at).await?;
    let act = Act::read(at, actor, Action::PublishAnnouncement, object(announcement_id)).with("did", "correct");
    let act = act.with("division", locked.division.as_str()).with("version", version);
    let (before, after) = (fingerprint(store.keys(), &locked.last.content)?, fingerprint(store.keys(), &content)?);
    change.record(&Act { before: Some(before), after: Some(after), ..act }).await?;
    let last = Version { version, content, written: declaration::Act { by: actor.name.clone(), at } };
    answer(change, actor, headline_of(found, last), clock::business_date(at)).await
}

/// Takes it back for good: only staff see it any more.
pub async fn withdraw(
    store: &Store,
    actor: &Actor,
    announcement_id: i64,
    why: &str,
) -> Result<Announcement, AnnouncementError> {
    actor.may_at_all(Action::PublishAnnouncement)?;
    let found = find(store, actor, announcement_id).await?;
    refuse_beyond(actor, &found.division)?;
    let why = Reason::parse(why)?.as_str();
    let at = store.now().await?;
    let mut change = store.change().await?;
    let locked = change.lock_announcement(announcement_id).await?.ok_or(Denied::NotFound)?;
    if locked.is_withdrawn {
        return Err(Refused::Withdrawn.into());
    }
    change.withdraw_announcement(announcement_id, why, &actor.name, at).await?;
    let act = Act::read(at, actor, Action::PublishAnnouncement, object(announcement_id)).with("did", "withdraw");
    let act = act.with("division", locked.division.as_str()).with("version", locked.last.version);
    change.record(&Act { why: Some(why), ..act }).await?;
    let act = declaration::Act { by: actor.name.clone(), at };
    let headline = headline_of(found, locked.last);
    let headline = Headline { withdrawn: Some(Withdrawn { act, why: why.to_owned() }), ..headline };
    answer(change, actor, headline, clock::business_date(at)).await
}

/// A page of what is told to the reader: what is in force today, for staff with `all` everything.
pub async fn list(store: &Store, actor: &Actor, wanted: &Wanted) -> Result<Page, AnnouncementError> {
    actor.may_at_all(Action::ReadAnnouncements)?;
    if wanted.all {
        actor.may_at_all(Action::OpenCase)?;
    }
    let keywords = keywords(&wanted.search)?;
    let today = store.today().await?;
    let limit = wanted.limit.clamp(1, LARGEST_PAGE);
    let asked = announcements::Wanted {
        reach: &reach_of(store, actor).await?,
        in_force_on: (!wanted.all).then_some(today),
        keywords: &keywords,
        only: None,
        after: wanted.after,
        // one more than is given tells whether there is a next page
        limit: limit as i64 + 1,
    };
    let mut found = store.list_announcements(&asked).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().map(|last| last.place).filter(|_| more);
    Ok(Page { announcements: found.into_iter().map(|headline| told(actor, headline, today)).collect(), next })
}

/// One announcement with its text; for staff whatever became of it, and what it said before.
pub async fn show(store: &Store, actor: &Actor, announcement_id: i64) -> Result<Announcement, AnnouncementError> {
    actor.may_at_all(Action::ReadAnnouncements)?;
    let headline = find(store, actor, announcement_id).await?;
    let today = store.today().await?;
    let versions = store.list_announcement_versions(announcement_id).await?;
    Ok(whole(actor, headline, versions, today)?)
}

/// Commits with what is answered: the announcement as it stands from now on.
async fn answer(
    mut change: Change,
    actor: &Actor,
    headline: Headline,
    today: NaiveDate,
) -> Result<Announcement, AnnouncementError> {
    let versions = change.list_announcement_versions(headline.place.ids[0]).await?;
    let announcement = whole(actor, headline, versions, today)?;
    change.answer(&announcement).await?;
    change.commit().await?;
    Ok(announcement)
}

/// An announcement of these versions, the last first.
fn whole(actor: &Actor, headline: Headline, versions: Vec<Version>, today: NaiveDate) -> Result<Announcement, Denied> {
    // what was corrected between the two looks is read at the next
    let mut versions = versions.into_iter().skip_while(|version| version.version > headline.version);
    let last = versions.next().ok_or(Denied::NotFound)?;
    let earlier = if is_staff(actor) { versions.map(EarlierVersion::of).collect() } else { Vec::new() };
    Ok(Announcement { announced: told(actor, headline, today), text: last.content.text, earlier })
}

/// The headline by this version.
fn headline_of(found: Headline, last: Version) -> Headline {
    let Version { version, content, written } = last;
    let (title, from_on, until_on) = (content.title, content.from_on, content.until_on);
    Headline { version, title, from_on, until_on, written_at: written.at, ..found }
}

/// The announcement, where it is told to the actor; whoever is not staff finds only what is in force.
async fn find(store: &Store, actor: &Actor, announcement_id: i64) -> Result<Headline, AnnouncementError> {
    let asked = announcements::Wanted {
        reach: &reach_of(store, actor).await?,
        in_force_on: if is_staff(actor) { None } else { Some(store.today().await?) },
        keywords: &[],
        only: Some(announcement_id),
        after: None,
        limit: 1,
    };
    Ok(store.list_announcements(&asked).await?.into_iter().next().ok_or(Denied::NotFound)?)
}

/// Staff of the federation: who works on cases.
fn is_staff(actor: &Actor) -> bool {
    actor.role.may(Action::OpenCase)
}

/// An employer reads what is told to the divisions of its units' federations; who has a division, what is told to it, to those above and,
/// since it is in charge of them, to those below.
async fn reach_of(store: &Store, actor: &Actor) -> Result<Reach, StoreError> {
    Ok(match &actor.scope {
        Scope::Everything => Reach { own: Vec::new(), below: Some(String::new()) },
        Scope::Division(prefix) => Reach { own: vec![prefix.clone()], below: Some(prefix.clone()) },
        Scope::Units(units) => {
            let owners = store.owners_of_units(units).await?;
            Reach { own: owners.into_values().map(|owned| owned.federation_division).collect(), below: None }
        }
    })
}

/// What is told to a division, its own staff and those above change.
fn refuse_beyond(actor: &Actor, division: &str) -> Result<(), AnnouncementError> {
    match &actor.scope {
        Scope::Everything => Ok(()),
        Scope::Division(own) if division.starts_with(own.as_str()) => Ok(()),
        Scope::Division(own) => Err(Refused::BeyondReach { division: division.to_owned(), own: own.clone() }.into()),
        Scope::Units(_) => Err(Denied::NotFound.into()),
    }
}

fn object(announcement_id: i64) -> String {
    format!("announcement {announcement_id}")
}

fn told(actor: &Actor, headline: Headline, today: NaiveDate) -> Announced {
    let Headline { place, division, published_by, withdrawn, version, title, from_on, until_on, written_at } = headline;
    let state = state_on(today, from_on, until_on, withdrawn.is_some());
    Announced {
        announcement_id: place.ids[0],
        division,
        title,
        from_on,
        until_on,
        state,
        state_zh: state.chinese(),
        published_at: clock::rfc3339(place.at),
        version,
        corrected_at: (version > 1).then(|| clock::rfc3339(written_at)),
        published_by: is_staff(actor).then_some(published_by),
        withdrawn_at: withdrawn.as_ref().map(|withdrawn| clock::rfc3339(withdrawn.act.at)),
        withdrawn_by: withdrawn.as_ref().map(|withdrawn| withdrawn.act.by.clone()),
        withdrawn_why: withdrawn.map(|withdrawn| withdrawn.why),
    }
}

impl EarlierVersion {
    fn of(stored: Version) -> Self {
        Self {
            version: stored.version,
            content: stored.content,
            written_at: clock::rfc3339(stored.written.at),
            written_by: stored.written.by,
        }
    }
}
