//! One employer's year in the hands of a use case: who may touch it, and how an event is stored with its effects and its audit row.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::message::{body, digest};
use super::permit::{self, EmployerEntry, permit};
use super::{DeclareError, Declaring};
use crate::clock;
use crate::domain::access::{Action, Actor};
use crate::domain::certification::{Certification, OutboundMessage, Subject};
use crate::domain::completion::{Extending, Span, Window, window};
use crate::domain::declaration::{Declaration, Effect, Event};
use crate::domain::declared::{DeclaredMonth, count_of};
use crate::domain::message::Message;
use crate::domain::policy::Policy;
use crate::store::Store;
use crate::store::audit::{Act, fingerprint};
use crate::store::declarations::OutboxMessage;
use crate::store::publish::{Cause, Publish};

/// The employer and the year.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) declaring: Declaring,
    pub(super) of: EmployerEntry,
}

/// What is done to a case.
pub(super) struct Doing<'a> {
    pub(super) actor: &'a Actor,
    pub(super) action: Action,
    pub(super) cause: Cause,
    /// The reason that the actor gave.
    pub(super) why: Option<&'a str>,
    /// What a new version freezes.
    pub(super) months: &'a [DeclaredMonth],
    /// The caller's own name for the command.
    pub(super) key: Option<&'a str>,
    pub(super) detail: serde_json::Value,
}

impl Case {
    pub(super) async fn load(store: &Store, declaring: Declaring) -> Result<Self, DeclareError> {
        Ok(Self { declaring, of: permit::find::<DeclareError>(store, declaring.employer).await? })
    }

    /// The case, if the actor may do this to it; another's is not found.
    pub(super) async fn open(
        store: &Store,
        actor: &Actor,
        action: Action,
        declaring: Declaring,
    ) -> Result<Self, DeclareError> {
        Ok(Self { declaring, of: permit::<DeclareError>(store, actor, action, declaring.employer).await? })
    }

    /// As the audit names it.
    pub(super) fn object(&self) -> String {
        format!("declaration {} {}", self.of.uscc, self.declaring.year)
    }

    /// The declaration as it stands, unlocked: for a look.
    pub(super) async fn look(&self, store: &Store) -> Result<Declaration, DeclareError> {
        Ok(store.find_declaration(self.declaring.employer, self.declaring.stored_year()).await?)
    }

    /// One event: state, effects and audit row in one transaction. What changes nothing leaves no trace.
    pub(super) async fn step(
        &self,
        store: &Store,
        doing: Doing<'_>,
        event: Event,
    ) -> Result<Declaration, DeclareError> {
        let at = store.now().await?;
        let mut publish = store.publish(doing.cause, at).await?;
        let before = publish.lock_declaration(self.declaring.employer, self.declaring.stored_year()).await?;
        let (after, effects) = before.clone().apply(event, at)?;
        if after == before && effects.is_empty() {
            publish.abandon().await?;
            return Ok(after);
        }
        self.save(store, &mut publish, &doing, (&before, &after), effects, at).await?;
        publish.answer(&after).await?;
        publish.commit().await?;
        Ok(after)
    }

    /// Stores what an event brought. The caller commits.
    pub(super) async fn save(
        &self,
        store: &Store,
        publish: &mut Publish,
        doing: &Doing<'_>,
        (before, after): (&Declaration, &Declaration),
        effects: Vec<Effect>,
        at: DateTime<Utc>,
    ) -> Result<(), DeclareError> {
        let (employer, year) = (self.declaring.employer, self.declaring.stored_year());
        for effect in effects {
            self.carry_out(publish, doing, effect, at).await?;
        }
        publish.save_declaration(employer, year, after, at).await?;
        publish
            .record(&Act {
                at,
                actor: doing.actor,
                action: doing.action,
                object: self.object(),
                why: doing.why,
                before: Some(fingerprint(store.keys(), before)?),
                after: Some(fingerprint(store.keys(), after)?),
                detail: doing.detail.clone(),
            })
            .await?;
        Ok(())
    }

    async fn carry_out(
        &self,
        publish: &mut Publish,
        doing: &Doing<'_>,
        effect: Effect,
        at: DateTime<Utc>,
    ) -> Result<(), DeclareError> {
        let (employer, year) = (self.declaring.employer, self.declaring.stored_year());
        match effect {
            Effect::Freeze { version } => publish.freeze(employer, year, version, doing.months).await?,
            Effect::TakeClaims { version } => publish.take_claims(employer, version, doing.months).await?,
            Effect::Certify { message, completion, supersedes } => {
                if message.attempt == 1 {
                    publish.save_version(employer, year, &completion, doing.key).await?;
                }
                // what is certified is what is frozen, also when it is issued again
                let frozen = publish.list_declared_months(employer, year, message.version).await?;
                let certification = Certification {
                    count: count_of(&frozen),
                    supersedes,
                    certified_at: completion.completed.at,
                    number: completion.certification_number,
                };
                let build = |id: Uuid| OutboundMessage::certified(id, message, self.subject(), certification);
                self.enqueue(publish, doing, message, build, at).await?;
            }
            Effect::Withdraw { message } => {
                let build = |id: Uuid| OutboundMessage::withdrawn(id, message, self.subject());
                self.enqueue(publish, doing, message, build, at).await?;
            }
            Effect::ReleaseClaims { except } => {
                publish.release_claims(employer, year, &except).await?;
            }
            Effect::Overtake { messages } => publish.overtake(employer, year, &messages).await?,
        }
        Ok(())
    }

    /// The technical data as they are stored now.
    fn subject(&self) -> Subject {
        Subject {
            uscc: self.of.uscc,
            employer_name: self.of.employer.name.clone(),
            tax_division: self.of.employer.tax_division.clone(),
            year: self.declaring.stored_year(),
        }
    }

    async fn enqueue(
        &self,
        publish: &mut Publish,
        doing: &Doing<'_>,
        message: Message,
        build: impl FnOnce(Uuid) -> OutboundMessage,
        at: DateTime<Utc>,
    ) -> Result<(), DeclareError> {
        let message_id = clock::uuid_v7(at);
        let body = body(&build(message_id))?;
        let row = OutboxMessage {
            message_id,
            employer: self.declaring.employer,
            year: self.declaring.stored_year(),
            message,
            idempotency_key: message.idempotency_key(&self.of.uscc, self.declaring.year),
            digest: digest(&body),
            body,
            recovery: doing.action == Action::SettleDifference,
        };
        Ok(publish.enqueue(&row, at).await?)
    }
}

/// When the employer may complete; `None`: at any time, because the unit is being deregistered.
pub async fn window_of(
    store: &Store,
    policy: &Policy,
    declaring: Declaring,
    declaration: &Declaration,
    at: DateTime<Utc>,
) -> Result<Option<Window>, DeclareError> {
    if declaration.deregistration.is_some() {
        return Ok(None);
    }
    let Declaring { employer, year } = declaring;
    let (first_day, last_day) = policy.window(year);
    let handed_in = store.handed_in_at(employer, year).await?;
    let reviewed = handed_in.zip(store.last_decision_at(employer, year).await?);
    let reviewed = reviewed.map(|(asked_at, answered_at)| Span { asked_at, answered_at });
    let approved = declaration.withdrawal.as_ref().and_then(|request| {
        let outcome = request.outcome.as_ref().filter(|outcome| outcome.approved)?;
        Some(Span { asked_at: request.asked.at, answered_at: outcome.decided.at })
    });
    let (rejected_at, recovered_at) = (declaration.rejected_at(), declaration.recovered_at());
    let extending = Extending { reviewed, withdrawn: approved, rejected_at, recovered_at };
    let grace_days = policy.completion_grace_days(clock::business_date(at))?;
    Ok(Some(window(Window { first_day, last_day }, grace_days, &extending)))
}
