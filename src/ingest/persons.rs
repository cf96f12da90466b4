//! People who became concerned after the last pull: what was dropped of theirs is asked for, one by one.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::contract::Contract;
use super::fetch::Preparing;
use super::{Pull, PullError, Wanted};
use crate::config::{Job, SourceSettings};
use crate::domain::facts::PersonId;
use crate::sources::{RawPage, Source, Start};
use crate::store::batches::{Asked, Counts};
use crate::store::deliveries::LastDelivery;
use crate::store::landing::Lander;
use crate::store::publish_batch::Publication;

/// Of more people than this everything is read: that is less work for the source.
pub(super) const MOST_ASKED_ONE_BY_ONE: i64 = 500;

/// Whether the source can be asked for one person.
pub(super) fn can_ask(job: &Job) -> bool {
    match job.source_settings() {
        Some(SourceSettings::Http(http)) => http.person.is_some(),
        Some(SourceSettings::Database(database)) => database.person.is_some(),
        _ => false,
    }
}

impl Pull<'_> {
    /// Asks the source for everything on these people and publishes it as a delivery of its own, which settles nothing. It answers by an
    /// instant, where one is set (with how long was waited for it), or nothing of it is taken.
    pub(super) async fn pull_persons(
        &self,
        persons: &[PersonId],
        until: Option<(Instant, Duration)>,
    ) -> Result<Counts, PullError> {
        let wanted = Wanted { asked: Asked::Persons, since: None, until: None, complete_seq: None };
        let mut lander = Lander::open(self.store, self.store.open_batch(&self.opening(&wanted)).await?).await?;
        let landing = self.land_persons(&mut lander, persons);
        let outcome = match until {
            None => landing.await,
            Some((until, patience)) => timeout_at(until, landing).await.unwrap_or(Err(PullError::Unanswered(patience))),
        };
        if let Err(error) = outcome {
            self.store.fail_batch(&lander.batch, &crate::errors::chain(&error)).await?;
            return Err(error);
        }
        self.store.complete_batch(&mut lander.batch, None).await?;
        self.store.check_batch(&lander.batch).await?;
        let (_, counts) = self.store.publish_batch(&lander.batch, None, &Publication::default()).await?;
        Ok(counts)
    }

    async fn land_persons(&self, lander: &mut Lander<'_>, persons: &[PersonId]) -> Result<(), PullError> {
        let identities = self.store.identities(persons).await?;
        let start = Start { now: Some(self.store.now().await?), ..Start::default() };
        let mut source = Source::open(&self.job, self.environment, start).await?;
        let keys = self.store.shared_keys();
        let contract = Contract::new(self.job.clone(), self.settings.record, keys.clone(), lander.batch.began_at);
        let preparing = Preparing::new(contract, LastDelivery::default(), keys, &lander.batch);
        for person in persons {
            let Some(identity) = identities.get(person) else { continue };
            for page in source.ask_person(identity.id.reveal()).await? {
                let mut raw = RawPage::from(page);
                raw.number = lander.batch.next_page;
                let preparing = preparing.clone();
                let prepared = tokio::task::spawn_blocking(move || preparing.prepare(raw)).await?;
                let prepared = prepared.map_err(|why| PullError::AnotherForm { job: self.job.name.clone(), why })?;
                lander.land(prepared.landing).await?;
            }
        }
        Ok(())
    }
}
