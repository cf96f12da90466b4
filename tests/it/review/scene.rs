//! A province of three employers and six persons who pass every month, and what employers and staff do there in the tests' words.

use chrono::Duration;
use renzheng::declare::complete::{Completed, Completing, commitment, complete};
use renzheng::declare::hand_in::{HandedIn, hand_in};
use renzheng::declare::review::counter::{Shown, show_evidence};
use renzheng::declare::review::decide::{Decided, Deciding, decide};
use renzheng::declare::standing::{PlacementView, placements};
use renzheng::declare::tick::{Choosing, Chosen, choose};
use renzheng::declare::{DeclareError, Declaring};
use renzheng::domain::access::{Actor, Role, Scope};
use renzheng::domain::facts::{PersonId, UnitId};
use renzheng::domain::review::{Grounds, MonthStanding, PlacementStanding};
use renzheng::domain::reviewing::Refused;
use renzheng::domain::ruling::{ApprovalReason, RejectionReason, Ruling, Word};
use renzheng::domain::verdict::Verdict;
use renzheng::store::Store;
use renzheng::store::review_cases::CaseKey;

use crate::harness::actor;
use crate::incremental::{PEOPLE, Province, Step, YEAR, month_of};

pub struct Scene {
    pub province: Province,
}

fn staff(name: &str, role: Role, division: &str) -> Actor {
    Actor { name: name.to_owned(), role, scope: Scope::Division(division.to_owned()), on_behalf_of: None }
}

pub fn reviewer(name: &str, division: &str) -> Actor {
    staff(name, Role::Reviewer, division)
}

pub fn supervisor(name: &str, division: &str) -> Actor {
    staff(name, Role::Supervisor, division)
}

pub fn employer(unit: UnitId) -> Actor {
    Actor { name: "employer".to_owned(), role: Role::Employer, scope: Scope::Units(vec![unit]), on_behalf_of: None }
}

pub fn approval(reasons: &[ApprovalReason]) -> Ruling {
    Ruling { word: Word::Approve(reasons.to_vec()), note: None }
}

pub fn rejection(reasons: &[RejectionReason]) -> Ruling {
    Ruling { word: Word::Reject(reasons.to_vec()), note: None }
}

/// Why a step of review was refused, if that is why.
pub fn reason(error: &DeclareError) -> Option<&Refused> {
    match error {
        DeclareError::Reviewing(refused) => Some(refused),
        _ => None,
    }
}

impl Scene {
    /// 2 March 2026: persons 0 and 3 are at employer 0, 1 and 4 at employer 1, 2 and 5 (dispatched) at employer 2.
    pub async fn begin() -> Self {
        let mut scene = Self { province: Province::begin().await };
        for person in 0..PEOPLE - 1 {
            scene.employ(person, person % 3).await;
        }
        scene.night().await;
        scene
    }

    pub async fn employ(&mut self, person: u32, employer: u32) {
        self.province.take(&Step::Employed { person, employer, from_month: 1, to_month: 12 }).await;
    }

    pub fn store(&self) -> &Store {
        &self.province.harness.store
    }

    /// Everything is delivered and judged.
    pub async fn night(&mut self) {
        self.province.pull_all().await;
        self.verify().await;
    }

    pub async fn verify(&self) {
        let harness = &self.province.harness;
        let selection = renzheng::verify::Selection::default();
        renzheng::verify::verify(&harness.store, &self.province.policy, YEAR, &selection, "test", &|_| ())
            .await
            .expect("verified");
    }

    pub async fn day(&self, date: &str) {
        self.province.harness.clock(date.parse().expect("a date"), "12:00").await;
    }

    pub async fn later(&self, time: Duration) {
        let now = self.store().now().await.expect("business time");
        self.store().set_clock(now + time).await.expect("the clock is set");
    }

    pub async fn unit(&self, employer: u32) -> UnitId {
        self.province.unit(employer).await
    }

    pub async fn person(&self, person: u32) -> PersonId {
        self.province.person(person).await
    }

    pub async fn declaring(&self, employer: u32) -> Declaring {
        Declaring { employer: self.unit(employer).await, year: YEAR }
    }

    pub async fn case(&self, person: u32, employer: u32) -> CaseKey {
        self.declaring(employer).await.case(self.person(person).await)
    }

    pub async fn choosing(
        &self,
        person: u32,
        employer: u32,
        months: &[u8],
        ticked: bool,
        deregisters: bool,
    ) -> Choosing {
        Choosing {
            declaring: self.declaring(employer).await,
            person: self.person(person).await,
            months: months.iter().map(|month| month_of(*month)).collect(),
            ticked,
            deregisters,
        }
    }

    pub async fn choose(&self, actor: &Actor, choosing: &Choosing) -> Result<Chosen, DeclareError> {
        choose(self.store(), &self.province.policy.policy, actor, choosing).await
    }

    pub async fn tick(&self, person: u32, employer_number: u32, months: &[u8]) -> Result<Chosen, DeclareError> {
        let choosing = self.choosing(person, employer_number, months, true, false).await;
        self.choose(&employer(self.unit(employer_number).await), &choosing).await
    }

    pub async fn untick(&self, person: u32, employer_number: u32, months: &[u8]) -> Result<Chosen, DeclareError> {
        let choosing = self.choosing(person, employer_number, months, false, false).await;
        self.choose(&employer(self.unit(employer_number).await), &choosing).await
    }

    pub async fn hand_in(&self, person: u32, employer_number: u32) -> Result<HandedIn, DeclareError> {
        let declaring = self.declaring(employer_number).await;
        let (actor, person) = (employer(declaring.employer), self.person(person).await);
        hand_in(self.store(), &self.province.policy.policy, &actor, declaring, person, false).await
    }

    pub async fn show_as(
        &self,
        actor: &Actor,
        person: u32,
        employer: u32,
        months: &[u8],
        grounds: Grounds,
    ) -> Result<u64, DeclareError> {
        let months = months.iter().map(|month| month_of(*month)).collect();
        let shown = Shown { case: self.case(person, employer).await, months, grounds };
        Ok(show_evidence(self.store(), actor, &shown).await?.new)
    }

    /// Documents are shown at the counter.
    pub async fn show(&self, person: u32, employer: u32, months: &[u8], grounds: Grounds) {
        self.show_as(&Actor::operator("counter"), person, employer, months, grounds).await.expect("recorded");
    }

    /// What the agency says of a month becomes too little: the wage, or a contribution that is owed.
    pub fn lose(&mut self, kind: &'static str, person: u32, employer: u32, month: u8) {
        self.province.spoil(kind, person, employer, month);
    }

    /// A ticked month whose wage is too low, with evidence.
    pub async fn fail_wage(&mut self, person: u32, employer: u32, month: u8) {
        use renzheng::domain::review::Ground;
        self.lose("wage", person, employer, month);
        self.night().await;
        self.tick(person, employer, &[month]).await.expect("ticked");
        self.show(person, employer, &[month], Grounds::NONE.with(Ground::Wage)).await;
    }

    /// The same, handed in.
    pub async fn submit(&mut self, person: u32, employer: u32, month: u8) -> CaseKey {
        self.fail_wage(person, employer, month).await;
        self.hand_in(person, employer).await.expect("handed in");
        self.case(person, employer).await
    }

    pub async fn decide(
        &self,
        actor: &Actor,
        case: CaseKey,
        month: u8,
        ruling: Ruling,
    ) -> Result<Decided, DeclareError> {
        let deciding = Deciding { case, month: month_of(month), ruling, seen: None };
        decide(self.store(), &self.province.policy.policy, actor, &deciding).await
    }

    /// Decides as somebody who saw these grounds.
    pub async fn decide_seen(
        &self,
        actor: &Actor,
        case: CaseKey,
        month: u8,
        ruling: Ruling,
        seen: Grounds,
    ) -> Result<Decided, DeclareError> {
        let deciding = Deciding { case, month: month_of(month), ruling, seen: Some(seen) };
        decide(self.store(), &self.province.policy.policy, actor, &deciding).await
    }

    pub async fn view(&self, person: u32, employer: u32) -> PlacementView {
        let views = placements(self.store(), self.declaring(employer).await).await.expect("views");
        let person = self.person(person).await;
        views.into_iter().find(|view| view.person == person).expect("a placement")
    }

    pub async fn standing(&self, person: u32, employer: u32) -> PlacementStanding {
        self.view(person, employer).await.standing()
    }

    /// Numbers of the months that stand so.
    pub async fn months_standing(&self, person: u32, employer: u32, standing: MonthStanding) -> Vec<u8> {
        let view = self.view(person, employer).await;
        let months = view.months.iter().filter(|month| month.standing == standing);
        months.map(|month| month.month.number() as u8).collect()
    }

    pub async fn verdict(&self, person: u32, employer: u32, month: u8) -> Verdict {
        self.view(person, employer).await.month(month_of(month)).expect("a month").verdict
    }

    /// Completes the employer's year with what is confirmed.
    pub async fn complete(&self, employer: u32) -> Result<Completed, DeclareError> {
        let declaring = self.declaring(employer).await;
        let today = self.store().today().await.expect("today");
        let text = commitment(&self.province.policy.policy, today).expect("a text");
        let completing = Completing::of(declaring, Some(text.version));
        complete(self.store(), &self.province.policy, &actor(), &completing).await
    }

    /// Months of person 0 in the last version of the employer's declaration.
    pub async fn declared(&self, employer: u32) -> Vec<u8> {
        let (unit, person) = (self.unit(employer).await, self.person(0).await);
        let mut connection = self.province.harness.connection().await;
        let months: Vec<i32> = sqlx::query_scalar(
            "select month from declared_month where employer_id = $1 and person_id = $2 order by version desc, month",
        )
        .bind(unit.0)
        .bind(person.0)
        .fetch_all(&mut connection)
        .await
        .expect("months");
        months.into_iter().map(|month| (month - YEAR * 12 + 1) as u8).collect()
    }
}
