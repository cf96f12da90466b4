//! A small province of three employers and six persons, whose agencies, employers and staff take one step after another.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, Days, NaiveDate, Utc};
use renzheng::config::{Environment, Job};
use renzheng::declare::Declaring;
use renzheng::declare::complete::{Completing, commitment, complete};
use renzheng::declare::conflict::{self, Deciding};
use renzheng::declare::import::{ImportKind, import};
use renzheng::declare::register::Register;
use renzheng::declare::tick::{Choosing, choose};
use renzheng::domain::access::{Actor, Role, Scope as Reach};
use renzheng::domain::facts::{PersonId, UnitId};
use renzheng::domain::ids::{ResidentId, Uscc};
use renzheng::domain::month::Month;
use renzheng::domain::ruling::PrevailingReason;
use renzheng::ingest;
use renzheng::policy::{self, Reading};
use renzheng::store::facts::{Persons, Scope, Shard};
use renzheng::store::results::YearRow;
use renzheng::verify::changes::Point;
use renzheng::verify::{Selection, Summary, judge_at, verify};

use crate::agency;
use crate::harness::{Harness, Scratch, actor, jobs_of};

pub const YEAR: i32 = 2025;
pub const PEOPLE: u32 = 6;

/// A valid code of the synthetic units.
pub fn uscc(number: u32) -> String {
    let body = format!("91369900MA{number:06}");
    "0123456789ABCDEFGHJKLMNPQRTUWXY"
        .chars()
        .flat_map(|subject| "0123456789ABCDEFGHJKLMNPQRTUWXY".chars().map(move |check| (subject, check)))
        .map(|(subject, check)| format!("{body}{subject}{check}"))
        .find(|code| Uscc::parse(code).is_ok())
        .expect("a valid code")
}

/// Of working age in all months, so that months can pass.
pub fn id_number(person: u32) -> String {
    agency::id_number(person + 25)
}

/// What may happen in a province.
#[derive(Clone, Debug)]
pub enum Step {
    /// A wage record: of whom, paid by which unit, for which month, how much; none: deleted; not a number: refused.
    Wage {
        record: u8,
        person: u32,
        payer: u32,
        month: u8,
        amount: Option<u32>,
        readable: bool,
    },
    Insurance {
        scheme: u8,
        record: u8,
        person: u32,
        unit: u32,
        month: u8,
        paid: bool,
    },
    /// Placed, under contract, paid and insured by the employer in these months: they pass, as far as nobody else counts them.
    Employed {
        person: u32,
        employer: u32,
        from_month: u8,
        to_month: u8,
    },
    Certificate {
        person: u32,
        level: u8,
        valid_to_month: Option<u8>,
    },
    Filing {
        approved: bool,
        days: u16,
    },
    Placement {
        person: u32,
        employer: u32,
        dispatched: bool,
    },
    Contract {
        person: u32,
        employer: u32,
        from_month: u8,
        months: u8,
    },
    Division {
        employer: u32,
        class: u8,
    },
    Complete {
        employer: u32,
    },
    /// The employer ticks or unticks a month.
    Choose {
        person: u32,
        employer: u32,
        month: u8,
        ticked: bool,
    },
    /// Staff decide for an employer.
    Decide {
        person: u32,
        employer: u32,
        month: u8,
    },
    TakeBack {
        person: u32,
        month: u8,
    },
    /// Deleted, if nothing is completed.
    Delete {
        person: u32,
        employer: u32,
    },
    /// The person, or everybody of the employer, is verified by themselves, by what is known and in force just then.
    Apart {
        person: Option<u32>,
        employer: u32,
    },
    Days(u16),
    Policy(u8),
    SettlesAfter(u8),
}

/// A verification as it was when it ended.
pub(super) struct Past {
    pub(super) ended_at: DateTime<Utc>,
    pub(super) point: Point,
    pub(super) policy: Reading,
    pub(super) rows: Vec<YearRow>,
}

pub struct Province {
    pub harness: Harness,
    pub scratch: Scratch,
    pub policy: Reading,
    pub today: NaiveDate,
    /// Lines of each delivery, by record.
    deliveries: BTreeMap<&'static str, BTreeMap<String, String>>,
    settles_after: u8,
    stamp: u32,
    pub(super) past: Vec<Past>,
}

pub const HEADERS: [(&str, &str, &str); 5] = [
    ("wage", "wage", "record_id,updated_at,deleted,id_number,name,payer_uscc,period,amount"),
    ("pension", "insurance", "record_id,updated_at,id_number,name,insured_uscc,scheme,coverage,period,status"),
    ("medical", "insurance", "record_id,updated_at,id_number,name,insured_uscc,scheme,coverage,period,status"),
    (
        "certificate",
        "certificate",
        "record_id,updated_at,id_number,name,kind,certificate_number,level,valid_from,valid_to,status",
    ),
    (
        "filing",
        "dispatch_filing",
        "record_id,updated_at,dispatch_uscc,dispatch_name,licence_number,province,valid_from,valid_to,status",
    ),
];

impl Province {
    pub async fn begin() -> Self {
        let mut province = Self {
            harness: Harness::new("incremental").await,
            scratch: Scratch::new("incremental"),
            policy: policy::load(None).expect("the built-in policy"),
            today: "2026-03-02".parse().expect("a date"),
            deliveries: HEADERS.iter().map(|(kind, ..)| (*kind, BTreeMap::new())).collect(),
            settles_after: 45,
            stamp: 0,
            past: Vec::new(),
        };
        province.set_day().await;
        for employer in 0..3 {
            province.employer(employer, 1).await;
        }
        let dispatch = uscc(9);
        let mut affiliates = String::new();
        for employer in 0..3 {
            writeln!(affiliates, "{},{YEAR},{dispatch},派遣公司,dispatch", uscc(employer)).expect("text grows");
        }
        province
            .import(ImportKind::Affiliates, &format!("employer_uscc,year,unit_uscc,unit_name,relation\n{affiliates}"))
            .await;
        for person in 0..PEOPLE {
            province.take(&Step::Placement { person, employer: person % 3, dispatched: person == 5 }).await;
            province.take(&Step::Contract { person, employer: person % 3, from_month: 1, months: 24 }).await;
            province.take(&Step::Certificate { person, level: 1 + (person % 4) as u8, valid_to_month: None }).await;
        }
        province.pull_all().await;
        province
    }

    pub async fn set_day(&self) {
        self.harness.clock(self.today, "03:00").await;
    }

    pub fn jobs(&self) -> Vec<Job> {
        self.jobs_with(&|_| String::new())
    }

    /// Its pulls, each with further keys by its kind.
    pub fn jobs_with(&self, keys: &dyn Fn(&str) -> String) -> Vec<Job> {
        let folder = self.scratch.path().join("jobs");
        std::fs::create_dir_all(&folder).expect("made");
        for (kind, record, _) in HEADERS {
            let covers = match kind {
                "pension" | "medical" => format!("covers = {{ schemes = [\"{kind}\"] }}\n"),
                _ => String::new(),
            };
            let keep = if matches!(kind, "wage" | "pension" | "medical") { "keep = \"all\"\n" } else { "" };
            let path = self.scratch.path().join(format!("{kind}.csv"));
            let text = format!(
                "kind = \"pull\"\nrecord = \"{record}\"\nsettles_after = \"{}d\"\n{keep}{covers}{}[source]\ntype = \"file\"\npath = \"{}\"\nformat = \"csv\"\n[gates]\nmax_invalid_ratio = 1.0\n",
                self.settles_after,
                keys(kind),
                path.display()
            );
            std::fs::write(folder.join(format!("pull-{kind}.toml")), text).expect("written");
        }
        jobs_of(&folder)
    }

    pub async fn import(&self, kind: ImportKind, text: &str) {
        let path = self.scratch.path().join("import.csv");
        std::fs::write(&path, text).expect("written");
        // a row of a completed declaration is refused, which is as it should be
        import(&self.harness.store, &self.policy.policy, kind, &path, &actor()).await.expect("imported");
    }

    async fn employer(&self, number: u32, class: u8) {
        let text = format!(
            "uscc,name,kind,division,wage_class,federation_division,tax_division,headcount\n{},公司,enterprise,360102,{class},360102,360102,50\n",
            uscc(number)
        );
        self.import(ImportKind::Employers, &text).await;
    }

    fn stamped(&mut self) -> String {
        self.stamp += 1;
        format!("2026-01-01T{:02}:{:02}:{:02}+08:00", self.stamp / 3600, self.stamp / 60 % 60, self.stamp % 60)
    }

    fn put(&mut self, kind: &'static str, record: String, line: String) {
        self.deliveries.get_mut(kind).expect("a kind").insert(record, line);
    }

    /// What was delivered of a month of an employed person is too little from now on: the wage, or a contribution that is owed.
    pub fn spoil(&mut self, kind: &'static str, person: u32, employer: u32, month: u8) {
        let stamp = self.stamped();
        let record = format!("{person}at{employer}in{month}");
        let (id, unit) = (id_number(person), uscc(employer));
        let line = match kind {
            "wage" => format!("W{record},{stamp},false,{id},某人,{unit},{YEAR}-{month:02},100"),
            _ => format!("I{record},{stamp},{id},某人,{unit},{kind},employee,{YEAR}-{month:02},owed"),
        };
        self.put(kind, record, line);
    }

    /// The register knows the person as a disabled soldier too.
    pub fn enrol_soldier(&mut self, person: u32, number: &str) {
        let (stamp, id) = (self.stamped(), id_number(person));
        let line = format!("S{person},{stamp},{id},某人,disabled_soldier,{number},5,2020-01-01,,valid");
        self.put("certificate", format!("soldier {person}"), line);
    }

    /// Where an agency puts its delivery.
    pub fn delivery(&self, kind: &str) -> std::path::PathBuf {
        self.scratch.path().join(format!("{kind}.csv"))
    }

    /// Puts down what the agencies have.
    pub fn deliver(&self) {
        for (kind, _, header) in HEADERS {
            let mut text = format!("{header}\n");
            for line in self.deliveries[kind].values() {
                writeln!(text, "{line}").expect("text grows");
            }
            std::fs::write(self.delivery(kind), text).expect("written");
        }
    }

    pub async fn pull_all(&self) {
        let jobs = self.jobs();
        self.harness.register(&jobs).await;
        self.deliver();
        for (kind, ..) in HEADERS {
            let job = jobs.iter().find(|job| job.name == format!("pull-{kind}")).expect("a job");
            ingest::pull(&self.harness.store, job, &Environment::default(), None, "test", &|_| ()).await.expect(kind);
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm for every kind of step")]
    pub async fn take(&mut self, step: &Step) {
        let stamp = self.stamped();
        match step {
            Step::Wage { record, person, payer, month, amount, readable } => {
                let line = match amount {
                    None => format!("W{record},{stamp},true,,,,,"),
                    Some(amount) => {
                        let amount = if *readable { amount.to_string() } else { "much".to_owned() };
                        format!(
                            "W{record},{stamp},false,{},某人,{},{YEAR}-{month:02},{amount}",
                            id_number(*person),
                            uscc(*payer)
                        )
                    }
                };
                self.put("wage", record.to_string(), line);
            }
            Step::Insurance { scheme, record, person, unit, month, paid } => {
                let kind = ["pension", "medical"][usize::from(*scheme)];
                let status = if *paid { "paid" } else { "owed" };
                let (id, unit) = (id_number(*person), uscc(*unit));
                let line = format!("I{record},{stamp},{id},某人,{unit},{kind},employee,{YEAR}-{month:02},{status}");
                self.put(kind, record.to_string(), line);
            }
            Step::Employed { person, employer, from_month, to_month } => {
                let (id, unit) = (id_number(*person), uscc(*employer));
                for month in *from_month..=*to_month {
                    let record = format!("{person}at{employer}in{month}");
                    let wage = format!("W{record},{stamp},false,{id},某人,{unit},{YEAR}-{month:02},2600");
                    self.put("wage", record.clone(), wage);
                    for kind in ["pension", "medical"] {
                        let line = format!("I{record},{stamp},{id},某人,{unit},{kind},employee,{YEAR}-{month:02},paid");
                        self.put(kind, record.clone(), line);
                    }
                }
                for step in [
                    Step::Placement { person: *person, employer: *employer, dispatched: false },
                    Step::Contract { person: *person, employer: *employer, from_month: 1, months: 24 },
                ] {
                    Box::pin(self.take(&step)).await;
                }
            }
            Step::Certificate { person, level, valid_to_month } => {
                let id = id_number(*person);
                let to = valid_to_month.map_or_else(String::new, |month| format!("{YEAR}-{month:02}-15"));
                let line =
                    format!("C{person},{stamp},{id},某人,disabled_person,{id}4{level},{level},2020-01-01,{to},valid");
                self.put("certificate", person.to_string(), line);
            }
            Step::Filing { approved, days } => {
                let status = if *approved { "approved" } else { "revoked" };
                let to = self.today.checked_add_days(Days::new((*days).into())).expect("a date");
                let line = format!("F1,{stamp},{},派遣公司,L1,360000,2024-01-01,{to},{status}", uscc(9));
                self.put("filing", "1".to_owned(), line);
            }
            Step::Placement { person, employer, dispatched } => {
                let (own, dispatch) = (uscc(*employer), uscc(9));
                let payer = if *dispatched { &dispatch } else { &own };
                let named = if *dispatched { dispatch.as_str() } else { "" };
                self.import(
                    ImportKind::Placements,
                    &format!(
                        "employer_uscc,year,id_number,name,dispatched,dispatch_uscc,wage_payer_uscc,pension_payer_uscc,medical_payer_uscc\n\
                         {own},{YEAR},{},某人,{dispatched},{named},{payer},{payer},{payer}\n",
                        id_number(*person)
                    ),
                )
                .await;
            }
            Step::Contract { person, employer, from_month, months } => {
                let start: NaiveDate = format!("{YEAR}-{from_month:02}-01").parse().expect("a date");
                let end = start.checked_add_months(chrono::Months::new(u32::from(*months))).expect("a date");
                let text = format!(
                    "employer_uscc,year,id_number,kind,starts_on,ends_on\n{},{YEAR},{},labour,{start},{}\n",
                    uscc(*employer),
                    id_number(*person),
                    end.pred_opt().expect("a date")
                );
                self.import(ImportKind::Contracts, &text).await;
            }
            Step::Division { employer, class } => self.employer(*employer, *class).await,
            Step::Complete { employer } => self.complete(*employer).await,
            Step::Choose { person, employer, month, ticked } => {
                let choosing = Choosing {
                    declaring: Declaring { employer: self.unit(*employer).await, year: YEAR },
                    person: self.person(*person).await,
                    months: vec![month_of(*month)],
                    ticked: *ticked,
                    deregisters: false,
                };
                let actor = Actor::operator("test");
                // refused where there is no such placement, or it is completed: then nothing changed
                drop(choose(&self.harness.store, &self.policy.policy, &actor, &choosing).await);
            }
            Step::Decide { person, employer, month } => {
                let deciding = Deciding {
                    person: self.person(*person).await,
                    month: month_of(*month),
                    employer: self.unit(*employer).await,
                    reason: PrevailingReason::LabourContract,
                    note: None,
                };
                // refused where nobody else placed the person, or the month is claimed
                drop(conflict::decide(&self.harness.store, &supervisor(), &deciding).await);
            }
            Step::TakeBack { person, month } => {
                let person = self.person(*person).await;
                drop(conflict::undo(&self.harness.store, &supervisor(), person, month_of(*month), None).await);
            }
            Step::Delete { person, employer } => {
                let operator = Actor::operator("test");
                let register = Register { store: &self.harness.store, policy: &self.policy.policy, actor: &operator };
                let (unit, person) = (self.unit(*employer).await, self.person(*person).await);
                // refused where there is no such placement, or it is completed: then nothing changed
                drop(Box::pin(register.delete_placement(unit, YEAR as i16, person, "entered by mistake")).await);
            }
            Step::Apart { person, employer } => {
                let selection = match person {
                    Some(person) => Selection::of_persons(vec![self.person(*person).await]),
                    None => Selection::of_employer(self.unit(*employer).await),
                };
                let store = &self.harness.store;
                Box::pin(verify(store, &self.policy, YEAR, &selection, "test", &|_| ())).await.expect("verified");
            }
            Step::Days(days) => {
                self.today = self.today.checked_add_days(Days::new((*days).into())).expect("a date");
                self.set_day().await;
            }
            Step::Policy(choice) => {
                let text = policy::BUILT_IN;
                let changed = match choice {
                    0 => text.to_owned(),
                    1 => text.replacen("value = \"overlap\"", "value = \"whole_month\"", 1),
                    _ => text.replacen("value = \"accept\"", "value = \"review\"", 1),
                };
                assert_eq!(changed == text, *choice == 0, "the switch is there");
                self.policy = Reading { policy: policy::parse(&changed).expect("a policy"), text: changed };
            }
            Step::SettlesAfter(days) => self.settles_after = *days,
        }
    }

    pub async fn unit(&self, employer: u32) -> UnitId {
        let code = Uscc::parse(&uscc(employer)).expect("a code");
        self.harness.store.find_unit(&code).await.expect("an answer").expect("a unit")
    }

    pub async fn person(&self, person: u32) -> PersonId {
        let id = ResidentId::parse(&id_number(person)).expect("an ID number");
        self.harness.store.find_person(&id).await.expect("an answer").expect("a person")
    }

    /// Completes with what is ticked, if nothing stands in the way.
    async fn complete(&self, employer: u32) {
        let store = &self.harness.store;
        let declaring = Declaring { employer: self.unit(employer).await, year: YEAR };
        let text = commitment(&self.policy.policy, self.today).expect("a text");
        let completing = Completing::of(declaring, Some(text.version));
        // refused outside the window, without certificates, or a second time: then nothing changed
        drop(complete(store, &self.policy, &Actor::operator("test"), &completing).await);
    }

    pub async fn verify(&mut self) -> Summary {
        let store = &self.harness.store;
        let summary =
            verify(store, &self.policy, YEAR, &Selection::default(), "test", &|_| ()).await.expect("verified");
        let point = Point { seq: summary.seq, business_date: self.today };
        let ended_at = store.now().await.expect("business time");
        let rows = self.stored().await;
        self.past.push(Past { ended_at, point, policy: self.policy.clone(), rows });
        summary
    }

    pub(super) fn everybody(seq: i64) -> Scope {
        Scope { year: YEAR, seq, persons: Persons::Range { after: 0, up_to: i64::MAX, shard: Shard::WHOLE } }
    }

    pub async fn stored(&self) -> Vec<YearRow> {
        self.harness.store.year_rows(&Self::everybody(i64::MAX - 1)).await.expect("rows")
    }

    /// Everything judged at a point, by person and employer.
    pub async fn judged(&self, point: Point, policy: &Reading) -> Vec<(PersonId, i32, [i32; 12])> {
        let mut all = Vec::new();
        judge_at(&self.harness.store, &policy.policy, YEAR, point, &Selection::default(), &mut |judged| {
            all.extend(judged);
        })
        .await
        .expect("judged");
        let mut rows: Vec<_> = all
            .iter()
            .map(|one| (one.person, one.employer.0, std::array::from_fn(|month| one.verdicts[month].pack())))
            .collect();
        rows.sort();
        rows
    }
}

pub fn month_of(number: u8) -> Month {
    Month::new(YEAR, number.into()).expect("a month")
}

/// Somebody of the province who may decide conflicts.
fn supervisor() -> Actor {
    Actor { name: "supervisor".to_owned(), role: Role::Supervisor, scope: Reach::Everything, on_behalf_of: None }
}

pub fn cells(rows: &[YearRow]) -> Vec<(PersonId, i32, [i32; 12])> {
    let mut rows: Vec<_> = rows.iter().map(|row| (row.person, row.employer.0, row.cells)).collect();
    rows.sort();
    rows
}
