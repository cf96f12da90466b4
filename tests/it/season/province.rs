//! Fifty employers and their workers, what the agencies have of them, and agencies that are out or deliver rubbish.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use renzheng::config::{Environment, Job};
use renzheng::declare::Declaring;
use renzheng::declare::import::{ImportKind, import};
use renzheng::domain::ids::{ResidentId, Uscc};
use renzheng::ingest::{self, PullOutcome};

use crate::acts::Random;
use crate::agency;
use crate::declaring::YEAR;
use crate::harness::{Harness, Scratch, actor, jobs_of};
use crate::incremental::{HEADERS, uscc};

pub const EMPLOYERS: u32 = 50;
/// Of an employer's own; every second employer shares its first worker with the next.
const WORKERS: u32 = 6;

pub struct Province {
    pub employers: Vec<Declaring>,
    pub codes: Vec<String>,
    jobs: Vec<Job>,
    /// What each agency has to tell and did not yet, by record.
    outbound: BTreeMap<&'static str, BTreeMap<String, String>>,
    scratch: Scratch,
    stamp: u32,
}

/// Of working age in every month.
fn id_number(person: u32) -> String {
    let number = (0..840).filter(|number| (20..35).contains(&(number % 40))).nth(person as usize);
    agency::id_number(number.expect("as many numbers as workers"))
}

/// The employers that place and pay a worker, first of all the own one.
fn employers_of(person: u32) -> Vec<u32> {
    let own = person / WORKERS;
    let shared = person.is_multiple_of(WORKERS) && own.is_multiple_of(2);
    if shared { vec![own, own + 1] } else { vec![own] }
}

impl Province {
    /// Everybody is entered, delivered and judged.
    pub async fn begin(harness: &Harness) -> Self {
        let scratch = Scratch::new("season");
        let jobs = jobs_in(&scratch);
        harness.register(&jobs).await;
        let outbound = HEADERS.iter().map(|(kind, ..)| (*kind, BTreeMap::new())).collect();
        let codes: Vec<String> = (0..EMPLOYERS).map(uscc).collect();
        let mut province = Self { employers: Vec::new(), codes, jobs, outbound, scratch, stamp: 0 };
        for (kind, text) in imports() {
            let path = province.scratch.path().join("import.csv");
            std::fs::write(&path, text).expect("written");
            let report = import(&harness.store, &harness.policy.policy, kind, &path, &actor()).await.expect("imported");
            assert!(report.refused.is_empty(), "{:?}", report.refused);
        }
        for person in 0..EMPLOYERS * WORKERS {
            province.certify(person);
            for employer in employers_of(person) {
                (1..=12).for_each(|month| province.pay(person, employer, month, true));
            }
        }
        province.put(
            "filing",
            "1",
            format!("F1,{},{},派遣公司,L1,360000,2024-01-01,,approved", province.stamp(), uscc(900)),
        );
        province.night(harness, &mut None).await;
        for code in &province.codes {
            let uscc = Uscc::parse(code).expect("a code");
            let employer = harness.store.find_unit(&uscc).await.expect("asked").expect("known");
            province.employers.push(Declaring { employer, year: YEAR });
        }
        province
    }

    fn stamp(&self) -> String {
        let Self { stamp, .. } = self;
        format!("2026-01-{:02}T{:02}:{:02}:00+08:00", 1 + stamp / 1440, stamp / 60 % 24, stamp % 60)
    }

    fn put(&mut self, kind: &'static str, record: &str, line: String) {
        self.outbound.get_mut(kind).expect("a kind").insert(record.to_owned(), line);
    }

    fn certify(&mut self, person: u32) {
        let (id, level) = (id_number(person), 1 + person % 4);
        let line =
            format!("C{person},{},{id},某人,disabled_person,{id}4{level},{level},2020-01-01,,valid", self.stamp());
        self.put("certificate", &person.to_string(), line);
    }

    /// A wage and both contributions of a month; too little, and the month fails.
    fn pay(&mut self, person: u32, employer: u32, month: u8, enough: bool) {
        let (id, unit, stamp) = (id_number(person), uscc(employer), self.stamp());
        let record = format!("{person}at{employer}in{month}");
        let (amount, status) = if enough { (2600, "paid") } else { (100, "owed") };
        self.put("wage", &record, format!("W{record},{stamp},false,{id},某人,{unit},{YEAR}-{month:02},{amount}"));
        for kind in ["pension", "medical"] {
            let line = format!("I{record},{stamp},{id},某人,{unit},{kind},employee,{YEAR}-{month:02},{status}");
            self.put(kind, &record, line);
        }
    }

    /// The agencies correct something.
    pub fn correct(&mut self, random: &mut Random) {
        self.stamp += 1;
        let person = random.below(u64::from(EMPLOYERS * WORKERS)) as u32;
        let enough = !random.one_in(3);
        let month = 1 + random.below(12) as u8;
        for employer in employers_of(person) {
            self.pay(person, employer, month, enough);
        }
    }

    /// The agencies deliver and are pulled from; with `faults`, some are out or deliver rubbish. What was not taken comes again.
    pub async fn night(&mut self, harness: &Harness, faults: &mut Option<&mut Random>) -> u32 {
        let mut failed = 0;
        for (kind, _, header) in HEADERS {
            let lines = &self.outbound[kind];
            let path = self.scratch.path().join(format!("{kind}.csv"));
            let fault = faults.as_mut().map_or(3, |random| random.below(12));
            if lines.is_empty() && fault > 2 {
                continue;
            }
            let mut text = format!("{header}\n");
            for line in lines.values() {
                writeln!(text, "{line}").expect("text grows");
            }
            match fault {
                // out
                0 => drop(std::fs::remove_file(&path)),
                // cut off within a line
                1 => std::fs::write(&path, &text[..text.len() - 7]).expect("written"),
                // a page for people
                2 => std::fs::write(&path, "<html>系统维护中</html>\n").expect("written"),
                _ => std::fs::write(&path, text).expect("written"),
            }
            let name = format!("pull-{kind}");
            let job = self.jobs.iter().find(|job| job.name == name).expect("a job");
            let pulled = ingest::pull(&harness.store, job, &Environment::default(), None, "test", &|_| ()).await;
            let whole = pulled.is_ok_and(|report| report.outcome != PullOutcome::Held && report.counts.refused == 0);
            if whole && fault > 2 {
                self.outbound.get_mut(kind).expect("a kind").clear();
            }
            failed += u32::from(!whole);
        }
        failed
    }
}

fn imports() -> [(ImportKind, String); 3] {
    let mut employers = "uscc,name,kind,division,wage_class,federation_division,tax_division,headcount\n".to_owned();
    let mut placements = "employer_uscc,year,id_number,name,dispatched,dispatch_uscc,wage_payer_uscc,pension_payer_uscc,medical_payer_uscc\n".to_owned();
    let mut contracts = "employer_uscc,year,id_number,kind,starts_on,ends_on\n".to_owned();
    for employer in 0..EMPLOYERS {
        writeln!(employers, "{},公司{employer},enterprise,360102,1,360102,360102,50", uscc(employer))
            .expect("text grows");
    }
    for person in 0..EMPLOYERS * WORKERS {
        for employer in employers_of(person) {
            let (own, id) = (uscc(employer), id_number(person));
            writeln!(placements, "{own},{YEAR},{id},某人,false,,{own},{own},{own}").expect("text grows");
            writeln!(contracts, "{own},{YEAR},{id},labour,2024-01-01,").expect("text grows");
        }
    }
    [(ImportKind::Employers, employers), (ImportKind::Placements, placements), (ImportKind::Contracts, contracts)]
}

fn jobs_in(scratch: &Scratch) -> Vec<Job> {
    let folder = scratch.path().join("jobs");
    std::fs::create_dir_all(&folder).expect("made");
    for (kind, record, _) in HEADERS {
        let covers = match kind {
            "pension" | "medical" => format!("covers = {{ schemes = [\"{kind}\"] }}\n"),
            _ => String::new(),
        };
        let path = scratch.path().join(format!("{kind}.csv"));
        let text = format!(
            "kind = \"pull\"\nrecord = \"{record}\"\nkeep = \"all\"\nstale_after = \"400d\"\n{covers}[source]\ntype = \"file\"\npath = \"{}\"\nformat = \"csv\"\nrereadable = true\n",
            path.display()
        );
        std::fs::write(folder.join(format!("pull-{kind}.toml")), text).expect("written");
    }
    jobs_of(&folder)
}

/// A worker whom two employers place, and these employers.
pub fn shared(nth: u64) -> (ResidentId, [u32; 2]) {
    let own = (nth % u64::from(EMPLOYERS / 2)) as u32 * 2;
    (ResidentId::parse(&id_number(own * WORKERS)).expect("an ID number"), [own, own + 1])
}
