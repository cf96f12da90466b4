//! The units of the province: employers with divisions and sizes, affiliates, and dispatch companies by the state of their filing.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::divisions::{self, Division};
use super::names;
use super::numbers::credit_code;
use super::rows::{Employer, Unit, UnitIndex};
use super::stories::Story;
use crate::domain::facts::EmployerKind;

/// How a dispatch company stands with its filing; one story each.
pub const FILING_STORIES: [Story; 11] = [
    Story::DispatchApproved,
    Story::DispatchEndedYesterday,
    Story::DispatchEndsToday,
    Story::DispatchEndsTomorrow,
    Story::DispatchBeginsTomorrow,
    Story::DispatchRevoked,
    Story::DispatchPending,
    Story::DispatchRejected,
    Story::DispatchNotFiled,
    Story::DispatchOtherProvince,
    Story::DispatchRefused,
];

/// A company that places persons with employers.
pub struct Dispatcher {
    pub unit: UnitIndex,
    pub story: Story,
}

/// All units in the order in which they were founded; the place is the unit's index.
pub struct Units {
    pub all: Vec<Unit>,
    divisions: Vec<Division>,
}

impl Units {
    pub fn new() -> Self {
        Self { all: Vec::new(), divisions: divisions::all() }
    }

    fn found(&mut self, department: [u8; 2], name: String) -> UnitIndex {
        let serial = self.all.len() as u32;
        self.all.push(Unit { uscc: credit_code(department, serial), name: name.into_boxed_str() });
        serial
    }

    /// An employer somewhere in the province that is to have `placements` placements.
    pub fn employer(&mut self, rng: &mut ChaCha8Rng, placements: u32) -> Employer {
        let division = self.divisions[rng.random_range(0..self.divisions.len())];
        let (kind, department, ending) = match rng.random_range(0..100) {
            0..85 => (EmployerKind::Enterprise, *b"91", ""),
            85..91 => (EmployerKind::PublicInstitution, *b"12", "服务中心"),
            91..94 => (EmployerKind::StateOrgan, *b"11", "管理局"),
            94..97 => (EmployerKind::SocialOrganisation, *b"51", "协会"),
            _ => (EmployerKind::Other, *b"93", "专业合作社"),
        };
        let name = if ending.is_empty() {
            names::enterprise(rng, division.city)
        } else {
            names::public_body(rng, division.city, division.name, ending)
        };
        // Functional zones: the zone's class holds, not that of the county around it.
        let wage_class =
            (rng.random_range(0..100) < 4).then(|| if division.wage_class == 1 { 2 } else { division.wage_class - 1 });
        let other_office = rng.random_range(0..100) < 3;
        let tax_division =
            if other_office { self.divisions[rng.random_range(0..self.divisions.len())].code } else { division.code };
        let headcount_halves = placements * rng.random_range(30..240) + u32::from(rng.random_range(0..10) == 0);
        let yearly_fen = rng.random_range(42_000..140_000) * 100_i64;
        Employer {
            unit: self.found(department, name),
            kind,
            division: division.code,
            wage_class,
            effective_class: wage_class.unwrap_or(division.wage_class),
            tax_division,
            headcount_halves,
            total_wages_fen: i64::from(headcount_halves) * yearly_fen / 2,
            wage_lag: u8::from(rng.random_range(0..100) < 10),
            unreported_tail: if rng.random_range(0..100) < 3 { rng.random_range(1..=2) } else { 0 },
        }
    }

    /// A unit that an employer lists, or any other enterprise.
    pub fn enterprise(&mut self, rng: &mut ChaCha8Rng) -> UnitIndex {
        let city = self.divisions[rng.random_range(0..self.divisions.len())].city;
        let name = names::enterprise(rng, city);
        self.found(*b"91", name)
    }

    /// Dispatch companies of every story, more of them with a filing in order, about one for `persons` / 500.
    pub fn dispatchers(&mut self, rng: &mut ChaCha8Rng, persons: u32) -> Vec<Dispatcher> {
        let rounds = (persons / 10_000).max(1);
        let mut stories = Vec::new();
        for _ in 0..rounds {
            stories.extend(FILING_STORIES);
            stories.extend([Story::DispatchApproved; 9]);
        }
        stories
            .into_iter()
            .map(|story| {
                let city = self.divisions[rng.random_range(0..self.divisions.len())].city;
                let name = names::dispatcher(rng, city);
                Dispatcher { unit: self.found(*b"91", name), story }
            })
            .collect()
    }
}

/// How many placements an employer has: most have few, some have many; eight on average.
pub fn employer_size(rng: &mut ChaCha8Rng) -> u32 {
    match rng.random_range(0..100) {
        0..50 => rng.random_range(1..=3),
        50..80 => rng.random_range(4..=8),
        80..95 => rng.random_range(9..=25),
        95..99 => rng.random_range(26..=60),
        _ => rng.random_range(61..=200),
    }
}
