//! The tax department of a season, its bad days, and the process that speaks to it.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use chrono::{DateTime, Utc};
use renzheng::config::TaxSettings;
use renzheng::push::Client;
use renzheng::push::gate::Gate;
use renzheng::push::reconcile::{Looking, YearReconciled, reconcile};
use renzheng::sandbox::tax::TaxDepartment;
use renzheng::sandbox::tax_faults::{Fault, Plan, What};
use renzheng::sandbox::tax_ledger::{Entry, Ledger};
use renzheng::schedule::hand_over::{HandedOver, hand_over};
use renzheng::store::Store;

use crate::acts::Random;
use crate::declaring::open_department;
use crate::harness::Scratch;

/// How the department is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    Fine,
    /// What goes wrong is drawn by this seed.
    Rough(u64),
    /// Nobody listens.
    Away,
}

pub struct Department {
    office: Arc<TaxDepartment>,
    clock: Arc<Mutex<DateTime<Utc>>>,
    settings: TaxSettings,
    weather: Weather,
    /// The gate of our process, which begins anew with it.
    gate: Gate,
    folder: Scratch,
}

impl Department {
    pub async fn open() -> Self {
        let folder = Scratch::new("season_tax");
        let clock = Arc::new(Mutex::new(DateTime::UNIX_EPOCH));
        let (office, settings) = open_department(&folder, &clock).await;
        Self { office, clock, settings, weather: Weather::Fine, gate: Gate::default(), folder }
    }

    /// The department's process died and begins again: it knows what stands in its ledger.
    pub async fn restart(&mut self) {
        (self.office, self.settings) = open_department(&self.folder, &self.clock).await;
        self.weather(self.weather);
    }

    /// The department goes back to a backup that the last so many messages are not in.
    pub fn forget(&self, messages: usize) {
        self.office.forget_last(messages).expect("forgotten");
    }

    pub fn weather(&mut self, weather: Weather) {
        let plan = match weather {
            Weather::Fine | Weather::Away => Plan::default(),
            Weather::Rough(seed) => {
                let mut plan = Plan::drawn(seed);
                // which staff must act on
                plan.faults.push(Fault { probability: Some(0.05), times: Some(1), ..Fault::of(What::Rejected) });
                plan
            }
        };
        self.office.faults.set(plan);
        self.weather = weather;
    }

    /// Everything it received and kept, in order.
    pub fn entries(&self) -> Vec<Entry> {
        Ledger::open(&self.folder.path().join("ledger.ndjson")).expect("a ledger").entries().to_vec()
    }

    fn settings(&self) -> TaxSettings {
        let mut settings = self.settings.clone();
        if self.weather == Weather::Away {
            // where nobody listens
            "http://127.0.0.1:9/".clone_into(&mut settings.url);
        }
        settings
    }

    /// One push; with `dies_after`, its process ends after so many turns, wherever it is, and the next is another.
    pub async fn push(&mut self, store: &Store, dies_after: Option<u64>) -> Option<HandedOver> {
        let now = store.now().await.expect("now");
        *self.clock.lock().expect("the department's clock") = now;
        let settings = self.settings();
        let pushed = {
            let mut work = pin!(hand_over(store, "push", &settings, "season", &self.gate, |_| ()));
            let mut turns = 0;
            std::future::poll_fn(|context| {
                if Some(turns) == dies_after {
                    return Poll::Ready(None);
                }
                turns += 1;
                work.as_mut().poll(context).map(|outcome| Some(outcome.expect("pushed")))
            })
            .await
        };
        if pushed.is_none() {
            self.gate = Gate::default();
        }
        pushed
    }

    /// Our process begins anew: nothing leaves before both sides were compared.
    pub fn begin_process(&mut self) {
        self.gate = Gate::default();
    }

    /// Both sides compared; `None`: the department did not tell what it holds, or told rubbish.
    pub async fn reconcile(&self, store: &Store) -> Option<Vec<YearReconciled>> {
        let client = Client::new(&self.settings()).expect("a client");
        let years = reconcile(store, &client, Looking::default()).await.ok()?;
        years.iter().all(|year| year.totals.refused.is_none()).then_some(years)
    }
}

/// A seed for rough weather.
pub fn rough(random: &mut Random) -> Weather {
    Weather::Rough(random.below(1 << 32))
}
