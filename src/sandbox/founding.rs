//! How a province is founded: employers one after the other, each with its placements, told by their stories.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::certificates::Register;
use super::contracts::{self, Hire};
use super::deliveries::Deliveries;
use super::filings;
use super::months::{self, Cover, Pay, Work};
use super::people::{self, People};
use super::province::{Province, Spec};
use super::rows::{Affiliate, Contract, Employer, PersonIndex, Placement, UnitIndex, stamp_s};
use super::stories::{Deck, Story};
use super::units::{Dispatcher, Units, employer_size};
use crate::domain::facts::Relation;

/// Founds the province that the spec decides.
pub fn found(spec: Spec) -> Province {
    let mut founding = Founding::new(spec);
    while (founding.placements.len() as u32) < spec.persons {
        founding.employer();
    }
    founding.finish()
}

/// A placement that a second employer may double.
struct Doublable {
    person: PersonIndex,
    employer: UnitIndex,
}

/// A province under construction.
struct Founding {
    spec: Spec,
    rng: ChaCha8Rng,
    deck: Deck,
    units: Units,
    people: People,
    register: Register,
    deliveries: Deliveries,
    dispatchers: Vec<Dispatcher>,
    outsiders: Vec<UnitIndex>,
    employers: Vec<Employer>,
    affiliates: Vec<Affiliate>,
    placements: Vec<Placement>,
    contracts: Vec<Contract>,
    doublable: Vec<Doublable>,
}

/// An employer while its placements are made.
struct Workplace {
    employer: Employer,
    affiliate: Option<UnitIndex>,
    dispatchers: Vec<UnitIndex>,
}

impl Founding {
    fn new(spec: Spec) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(spec.seed);
        let persons = spec.persons as usize;
        let limit_s = stamp_s(spec.today, 0);
        let strangers = (spec.persons / 20).max(20);
        let holders = spec.persons / 12;
        let mut units = Units::new();
        let mut people = People::new(spec.year, persons * 10 / 9 + strangers as usize + holders as usize);
        let dispatchers = units.dispatchers(&mut rng, spec.persons);
        let outsiders = (0..(spec.persons / 200).max(8)).map(|_| units.enterprise(&mut rng)).collect();
        let mut founding = Self {
            spec,
            deck: Deck::default(),
            register: Register::new(spec.year, limit_s, persons * 5 / 4),
            deliveries: Deliveries::new(spec.year, limit_s, strangers, persons * 13),
            people: {
                for _ in 0..strangers {
                    people.register_adult(&mut rng);
                }
                people
            },
            rng,
            units,
            dispatchers,
            outsiders,
            employers: Vec::with_capacity(persons / 7),
            affiliates: Vec::new(),
            placements: Vec::with_capacity(persons),
            contracts: Vec::with_capacity(persons * 21 / 20),
            doublable: Vec::new(),
        };
        founding.bystanders(strangers, holders);
        founding
    }

    /// Strangers have jobs and nothing else; holders of certificates are nobody's placement, half of them with a job.
    fn bystanders(&mut self, strangers: u32, holders: u32) {
        for person in 0..strangers {
            self.bystander(person);
        }
        for _ in 0..holders {
            let person = self.people.register_adult(&mut self.rng);
            self.register.enter_holder(&mut self.rng, person);
            if self.rng.random_bool(0.5) {
                self.bystander(person);
            }
        }
    }

    fn bystander(&mut self, person: PersonIndex) {
        let unit = self.outsider();
        let mut work = self.work(person, [unit; 3], 1);
        months::plan(&mut self.rng, &mut work, Story::Plain, (0, 12), self.spec.year);
        self.deliveries.deliver(&mut self.rng, &work);
    }

    fn outsider(&mut self) -> UnitIndex {
        self.outsiders[self.rng.random_range(0..self.outsiders.len())]
    }

    fn work(&mut self, person: PersonIndex, payers: [UnitIndex; 3], wage_class: u8) -> Work {
        Work {
            person,
            wage_payer: payers[0],
            pension_payer: payers[1],
            medical_payer: payers[2],
            outsider: self.outsider(),
            wage_class,
            wage_lag: 0,
            unreported_tail: 0,
            pay: [Pay::Nothing; 12],
            pension: [Cover::Nothing; 12],
            medical: [Cover::Nothing; 12],
        }
    }

    /// One employer with all its placements.
    fn employer(&mut self) {
        let missing = self.spec.persons - self.placements.len() as u32;
        let size = employer_size(&mut self.rng).min(missing);
        let employer = self.units.employer(&mut self.rng, size);
        let mut workplace = Workplace { employer, affiliate: None, dispatchers: Vec::new() };
        for _ in 0..size {
            self.placement(&mut workplace);
        }
        self.employers.push(workplace.employer);
    }

    fn placement(&mut self, workplace: &mut Workplace) {
        let employer = workplace.employer.unit;
        let mut story = self.deck.draw(&mut self.rng);
        let mut second = None;
        if matches!(story, Story::SecondPasses | Story::SecondFails) {
            let elsewhere = self.doublable.iter().position(|first| first.employer != employer);
            second = elsewhere.map(|place| self.doublable.swap_remove(place));
            if second.is_none() {
                story = Story::Plain;
            }
        }
        let (person, track) = if let Some(first) = second {
            (first.person, None)
        } else {
            let birth = people::birth(&mut self.rng, story, self.spec.year);
            let person = self.people.register(&mut self.rng, birth.day, birth.sex);
            self.register.enter(&mut self.rng, person, story);
            (person, birth.track)
        };
        let reported = workplace.employer.unreported_tail == 0;
        if story == Story::Plain && reported && self.doublable.len() < 16 && self.rng.random_range(0..4) == 0 {
            self.doublable.push(Doublable { person, employer });
        }
        let dispatcher = story.is_dispatch().then(|| self.dispatcher_of(workplace, story));
        let payers = self.payers(workplace, story, dispatcher);
        let worked = months::months_worked(&mut self.rng, story);
        let hire = Hire { employer, person, story, months: worked };
        contracts::enter(&mut self.rng, &hire, self.spec.year, &mut self.contracts);
        let mut work = self.work(person, payers, workplace.employer.effective_class);
        work.wage_lag = workplace.employer.wage_lag;
        work.unreported_tail = workplace.employer.unreported_tail;
        months::plan(&mut self.rng, &mut work, story, worked, self.spec.year);
        self.deliveries.deliver(&mut self.rng, &work);
        let [wage_payer, pension_payer, medical_payer] = payers;
        let placement =
            Placement { employer, person, dispatcher, wage_payer, pension_payer, medical_payer, track, story };
        self.placements.push(placement);
    }

    /// The dispatch company whose filing the story needs, listed by the employer.
    fn dispatcher_of(&mut self, workplace: &mut Workplace, story: Story) -> UnitIndex {
        let fitting = self.dispatchers.iter().filter(|dispatcher| dispatcher.story == story);
        let choice = self.rng.random_range(0..fitting.clone().count().max(1));
        let unit = fitting.clone().nth(choice).map_or(0, |dispatcher| dispatcher.unit);
        if !workplace.dispatchers.contains(&unit) {
            workplace.dispatchers.push(unit);
            self.affiliates.push(Affiliate { employer: workplace.employer.unit, unit, relation: Relation::Dispatch });
        }
        unit
    }

    /// Who pays wage, pension and medical insurance.
    fn payers(&mut self, workplace: &mut Workplace, story: Story, dispatcher: Option<UnitIndex>) -> [UnitIndex; 3] {
        let own = workplace.employer.unit;
        let turn = self.rng.random_range(0..4);
        if let Some(dispatcher) = dispatcher {
            return match turn {
                0 => [own, dispatcher, dispatcher],
                // None by the company: allowed, with a warning.
                1 if story == Story::DispatchApproved && self.placements.len().is_multiple_of(4) => [own; 3],
                _ => [dispatcher; 3],
            };
        }
        if !matches!(story, Story::AffiliatePaysOne | Story::AffiliatePaysTwo) {
            return [own; 3];
        }
        let other = workplace.affiliate.unwrap_or_else(|| {
            let unit = self.units.enterprise(&mut self.rng);
            workplace.affiliate = Some(unit);
            self.affiliates.push(Affiliate { employer: own, unit, relation: Relation::Affiliate });
            unit
        });
        match (story, turn) {
            (Story::AffiliatePaysOne, 0) => [own, other, own],
            (Story::AffiliatePaysOne, 1) => [own, own, other],
            (Story::AffiliatePaysOne, _) => [other, own, own],
            (_, 0) => [other, own, other],
            (_, 1) => [other, other, own],
            _ => [own, other, other],
        }
    }

    fn finish(mut self) -> Province {
        let filings = filings::enter(&mut self.rng, &self.dispatchers, self.spec.today);
        Province {
            spec: self.spec,
            people: self.people.finish(),
            units: self.units.all,
            employers: self.employers,
            affiliates: self.affiliates,
            placements: self.placements,
            contracts: self.contracts,
            wages: self.deliveries.wages,
            pension: self.deliveries.pension,
            medical: self.deliveries.medical,
            certificates: self.register.rows,
            filings,
        }
    }
}
