//! What employers and staff do with a declaration, drawn by chance: a refusal is an answer like another.

use renzheng::declare::complete::{Completing, commitment, complete, state};
use renzheng::declare::tick::{Choosing, choose};
use renzheng::declare::{DeclareError, Declaring, amend, corrections, withdraw};
use renzheng::domain::access::Actor;
use renzheng::domain::message::MessageKind;
use renzheng::policy::Reading;
use renzheng::store::Store;

use crate::declaring::{amendment_approval, approval, change, employer, month, supervisor, withdrawal};

/// Numbers from a seed (xorshift).
pub struct Random(u64);

impl Random {
    /// Any seed will do.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// What somebody does. `nth` picks among what there is.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    Choose { nth: u64, month: u8, ticked: bool },
    Complete,
    AskWithdrawal,
    DecideWithdrawal { approve: bool },
    AskAmendment { nth: u64 },
    DecideAmendment { approve: bool },
    Reissue { withdrawn: bool },
    Reopen,
    Close,
}

impl Step {
    pub fn draw(random: &mut Random) -> Self {
        let (nth, month) = (random.below(6), 1 + random.below(12) as u8);
        let approve = random.below(3) > 0;
        match random.below(22) {
            0..=2 => Self::Choose { nth, month, ticked: false },
            3 => Self::Choose { nth, month, ticked: true },
            4..=8 => Self::Complete,
            9 | 10 => Self::AskWithdrawal,
            11 | 12 => Self::DecideWithdrawal { approve },
            13 | 14 => Self::AskAmendment { nth: random.below(40) },
            15 | 16 => Self::DecideAmendment { approve },
            17 | 18 => Self::Reissue { withdrawn: random.one_in(3) },
            19 | 20 => Self::Reopen,
            // rarely: nothing comes after it
            _ if random.one_in(6) => Self::Close,
            _ => Self::Complete,
        }
    }

    pub fn name(self) -> String {
        format!("{self:?}").split(' ').next().unwrap_or_default().to_owned()
    }
}

/// The installation that all of them use.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    pub store: &'a Store,
    pub reading: &'a Reading,
}

impl Desk<'_> {
    /// One step by whom it is for.
    pub async fn take(self, declaring: Declaring, step: Step) -> Result<(), DeclareError> {
        let Self { store, reading } = self;
        let (own, staff) = (employer(declaring.employer), supervisor());
        match step {
            Step::Choose { nth, month, ticked } => self.choose(&own, declaring, (nth, month), ticked).await,
            Step::Complete => {
                let today = store.today().await.expect("today");
                let text = commitment(&reading.policy, today).expect("a text");
                complete(store, reading, &own, &Completing::of(declaring, Some(text.version))).await.map(drop)
            }
            Step::AskWithdrawal => withdraw::ask(store, &own, declaring, &withdrawal(false)).await.map(drop),
            Step::DecideWithdrawal { approve } => {
                let word = withdraw::Deciding { approve, ..approval(None) };
                withdraw::decide(store, &staff, declaring, &word).await.map(drop)
            }
            Step::AskAmendment { nth } => {
                let version = state(store, declaring).await?.version_in_force().unwrap_or(1);
                let declared = store
                    .list_declared_months(declaring.employer, declaring.year as i16, version)
                    .await
                    .expect("months");
                let Some(removed) = declared.get(nth as usize) else { return Ok(()) };
                let changes = vec![change(removed.person, removed.month.number(), false)];
                amend::ask(store, &reading.policy, &own, declaring, changes).await.map(drop)
            }
            Step::DecideAmendment { approve } => {
                let word = amend::Deciding { approve, ..amendment_approval() };
                amend::decide(store, &reading.policy, &staff, declaring, &word).await.map(drop)
            }
            Step::Reissue { withdrawn } => {
                let kind = if withdrawn { MessageKind::Withdrawn } else { MessageKind::Certified };
                corrections::reissue(store, &staff, declaring, kind).await.map(drop)
            }
            Step::Reopen => corrections::reopen(store, &staff, declaring).await.map(drop),
            Step::Close => corrections::close(store, &staff, declaring, "the unit is gone").await.map(drop),
        }
    }

    async fn choose(
        self,
        own: &Actor,
        declaring: Declaring,
        (nth, number): (u64, u8),
        ticked: bool,
    ) -> Result<(), DeclareError> {
        let placed = self.store.list_placements(&[declaring.employer]).await.expect("placements");
        let placed: Vec<_> = placed.iter().filter(|placement| i32::from(placement.year) == declaring.year).collect();
        let person = placed[nth as usize % placed.len()].person;
        let months = vec![month(u32::from(number))];
        let choosing = Choosing { declaring, person, months, ticked, deregisters: false };
        choose(self.store, &self.reading.policy, own, &choosing).await.map(drop)
    }
}
