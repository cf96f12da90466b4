//! What goes wrong at the tax department, and when: by request number, by its own clock, by chance, so many times.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, bail};
use chrono::{DateTime, TimeDelta, Utc};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// The department's own clock.
pub type DepartmentClock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Nobody answers: the connection is dropped, nothing is taken in.
    Down,
    /// Out of order: `status` (503) and perhaps `retry_after_s`; nothing is taken in.
    OutOfOrder,
    /// 429, perhaps with `retry_after_s`; nothing is taken in.
    TooMany,
    /// Of every `up` + `down` requests the first `down` are dropped.
    Flapping,
    /// The message is taken in, and the connection dropped instead of an answer.
    AnswerLost,
    /// The message is taken in, and the answer breaks off in the middle.
    AnswerCut,
    /// The message is taken in, and the answer is the one that the request before got.
    AnswerRepeated,
    /// The message is taken in, and the answer is about a message that nobody sent.
    AnswerStray,
    /// The message is taken in, and the answer is one of 10 MB.
    AnswerHuge,
    /// The message is taken in, and the receipt has a NUL in it.
    ReceiptWithNul,
    /// The message is taken in, and the answer names another digest.
    AnotherDigest,
    /// The message is taken in, and the answer's status is a word that nobody agreed on.
    UnknownWord,
    /// 200, and an error inside; nothing is taken in.
    ErrorInside,
    /// 200, and the page by which people log in; nothing is taken in.
    LoginPage,
    /// `later`, until `hours` after the message came first; then it is taken in.
    Later,
    /// Rejected since the department is busy; nothing is taken in.
    PassingRejection,
    /// Rejected by a rule (`division_closed`), as long as it stands; nothing is taken in.
    Rejected,
    /// What was accepted is, when asked about, rejected.
    RevokedLater,
    /// The ledger shows another number than was accepted, and who asks gets that body's digest.
    AnotherNumber,
    /// Restored from a backup: the last `messages` are forgotten.
    Forget,
    /// Only these `keys` are known.
    Keys,
}

impl What {
    /// Whether it strikes requests that are about no message, too.
    fn strikes_all(self) -> bool {
        matches!(
            self,
            Self::Down
                | Self::OutOfOrder
                | Self::TooMany
                | Self::Flapping
                | Self::LoginPage
                | Self::ErrorInside
                | Self::Keys
        )
    }
}

/// Which requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    #[default]
    Any,
    /// `POST`.
    Send,
    /// `GET` of one message.
    Ask,
}

/// One fault: it strikes where everything that is given fits.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub what: What,
    #[serde(default)]
    pub of: Of,
    /// Numbers of requests, from 1, both included.
    pub from: Option<u64>,
    pub to: Option<u64>,
    /// By the department's clock; `until` is not included.
    pub since: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    /// Only messages whose idempotency key holds this.
    pub about: Option<String>,
    pub probability: Option<f64>,
    /// No more often.
    pub times: Option<u64>,
    pub status: Option<u16>,
    pub retry_after_s: Option<u64>,
    pub hours: Option<i64>,
    pub messages: Option<usize>,
    #[serde(default)]
    pub keys: Vec<String>,
    pub up: Option<u64>,
    pub down: Option<u64>,
}

impl Fault {
    /// Always.
    pub fn of(what: What) -> Self {
        Self {
            what,
            of: Of::Any,
            from: None,
            to: None,
            since: None,
            until: None,
            about: None,
            probability: None,
            times: None,
            status: None,
            retry_after_s: None,
            hours: None,
            messages: None,
            keys: Vec::new(),
            up: None,
            down: None,
        }
    }
}

/// Everything that is to go wrong; of several that fit, the first strikes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    #[serde(default, rename = "fault")]
    pub faults: Vec<Fault>,
    /// Of what happens by chance.
    #[serde(default)]
    pub seed: u64,
}

impl Plan {
    /// `seed:N`, or a file in TOML or JSON.
    pub fn read(text: &str) -> anyhow::Result<Self> {
        if let Some(seed) = text.strip_prefix("seed:") {
            let seed = seed.parse().with_context(|| format!("`{text}`: accepted is `seed:` and a whole number"))?;
            return Ok(Self::drawn(seed));
        }
        let path = Path::new(text);
        let written = std::fs::read_to_string(path).with_context(|| format!("cannot read {text}"))?;
        let json = path.extension().is_some_and(|ending| ending == "json");
        let plan = if json { serde_json::from_str(&written).map_err(Into::into) } else { Self::parse(&written) };
        plan.with_context(|| format!("{text} is no plan of faults"))
    }

    /// From TOML: a `[[fault]]` each.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let plan: Self = toml::from_str(text)?;
        for Fault { probability, what, keys, .. } in &plan.faults {
            if probability.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
                bail!("`probability` is a number from 0 to 1");
            }
            if *what == What::Keys && keys.is_empty() {
                bail!("`keys` names the keys that are known");
            }
        }
        Ok(plan)
    }

    /// About half of what passes, each now and then and no more than ten times, so that in the end everything is taken in.
    pub fn drawn(seed: u64) -> Self {
        const PASSING: [What; 14] = [
            What::Down,
            What::OutOfOrder,
            What::TooMany,
            What::AnswerLost,
            What::AnswerCut,
            What::AnswerRepeated,
            What::AnswerStray,
            What::AnswerHuge,
            What::ReceiptWithNul,
            What::AnotherDigest,
            What::UnknownWord,
            What::ErrorInside,
            What::LoginPage,
            What::PassingRejection,
        ];
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut faults = Vec::new();
        for what in PASSING {
            if random.random_bool(0.5) {
                let probability = Some(random.random_range(0.05..0.3));
                faults.push(Fault { probability, times: Some(10), retry_after_s: Some(1), ..Fault::of(what) });
            }
        }
        Self { faults, seed }
    }
}

/// A request as far as faults care.
#[derive(Clone, Debug)]
pub struct Asked {
    pub of: Of,
    pub message_id: Option<String>,
    /// Of what is sent.
    pub idempotency_key: Option<String>,
    pub key_id: String,
}

/// A request that came, and what the department did about it.
#[derive(Clone, Debug, Serialize)]
pub struct Received {
    /// From 1, since it opened.
    pub number: u64,
    pub at: DateTime<Utc>,
    pub method: String,
    pub path: String,
    pub key_id: String,
    pub message_id: Option<String>,
    /// SHA-256 of the body that came, in hexadecimal.
    pub digest: String,
    /// What went wrong.
    pub fault: Option<What>,
    /// None: the connection was dropped.
    pub status: Option<u16>,
    /// The answer's status word.
    pub word: Option<String>,
}

/// The plan as it goes on, and everything that was received.
pub struct Faults {
    state: Mutex<State>,
    now: DepartmentClock,
}

struct State {
    plan: Plan,
    /// How often each has struck.
    struck: Vec<u64>,
    random: ChaCha8Rng,
    requests: u64,
    /// When each message came first, and its key.
    first: HashMap<String, (DateTime<Utc>, String)>,
    received: Vec<Received>,
    /// The body of the last answer.
    former: Option<Vec<u8>>,
}

impl Faults {
    pub fn new(plan: Plan, now: DepartmentClock) -> Self {
        let random = ChaCha8Rng::seed_from_u64(plan.seed);
        let struck = vec![0; plan.faults.len()];
        let state =
            State { plan, struck, random, requests: 0, first: HashMap::new(), received: Vec::new(), former: None };
        Self { state: Mutex::new(state), now }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on these; numbers of requests go on.
    pub fn set(&self, plan: Plan) {
        let mut state = self.state();
        state.random = ChaCha8Rng::seed_from_u64(plan.seed);
        state.struck = vec![0; plan.faults.len()];
        state.plan = plan;
    }

    /// The number of this request, the time, and what goes wrong with it.
    pub(super) fn strike(&self, asked: &Asked) -> (u64, DateTime<Utc>, Option<Fault>) {
        let at = (self.now)();
        let mut state = self.state();
        // statements are read besides, however often
        state.requests += u64::from(asked.of != Of::Any);
        let number = state.requests;
        if let (Of::Send, Some(message_id), Some(key)) = (asked.of, &asked.message_id, &asked.idempotency_key) {
            state.first.entry(message_id.clone()).or_insert_with(|| (at, key.clone()));
        }
        let State { plan, struck, random, first, .. } = &mut *state;
        let known = asked.message_id.as_ref().and_then(|message_id| first.get(message_id));
        let strikes = |(fault, struck): (&Fault, &mut u64)| {
            let fits = fits(fault, asked, number, at, known)
                && fault.times.is_none_or(|times| *struck < times)
                && fault.probability.is_none_or(|probability| random.random_bool(probability));
            if fits {
                *struck += 1;
            }
            fits.then(|| fault.clone())
        };
        let fault = plan.faults.iter().zip(struck).find_map(strikes);
        (number, at, fault)
    }

    pub(super) fn note(&self, received: Received) {
        self.state().received.push(received);
    }

    /// The body of the answer before this one, which takes its place.
    pub(super) fn swap_former(&self, body: &[u8]) -> Option<Vec<u8>> {
        self.state().former.replace(body.to_vec())
    }

    /// Everything that was received since it opened, in order.
    pub fn received(&self) -> Vec<Received> {
        self.state().received.clone()
    }
}

fn fits(fault: &Fault, asked: &Asked, number: u64, at: DateTime<Utc>, known: Option<&(DateTime<Utc>, String)>) -> bool {
    // who reads statements meets with what strikes every request
    let of = fault.of == asked.of || fault.of == Of::Any && (asked.of != Of::Any || fault.what.strikes_all());
    let numbered = fault.from.is_none_or(|from| number >= from) && fault.to.is_none_or(|to| number <= to);
    let timely = fault.since.is_none_or(|since| at >= since) && fault.until.is_none_or(|until| at < until);
    let about = fault.about.as_ref().is_none_or(|part| known.is_some_and(|(_, key)| key.contains(part.as_str())));
    let wrong = match fault.what {
        What::Keys => !fault.keys.contains(&asked.key_id),
        What::Flapping => {
            let (up, down) = (fault.up.unwrap_or(3), fault.down.unwrap_or(2));
            (number - 1) % (up + down).max(1) < down
        }
        What::Later => {
            let hours = TimeDelta::hours(fault.hours.unwrap_or(24));
            known.is_some_and(|(first, _)| at < *first + hours)
        }
        // of what was taken in before
        What::RevokedLater => asked.of == Of::Ask,
        What::AnotherNumber => asked.of != Of::Send,
        _ => true,
    };
    of && numbered && timely && about && wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_776_000_000 + seconds, 0).expect("an instant")
    }

    fn asked(of: Of, message_id: &str) -> Asked {
        Asked {
            of,
            message_id: Some(message_id.to_owned()),
            idempotency_key: (of == Of::Send).then(|| format!("91369900MA00000152:2025:{message_id}:certified")),
            key_id: "ours".to_owned(),
        }
    }

    fn struck(plan: &str, requests: &[(Of, &str, i64)]) -> Vec<Option<What>> {
        let now = Arc::new(Mutex::new(at(0)));
        let clock = Arc::clone(&now);
        let faults =
            Faults::new(Plan::parse(plan).expect("a plan"), Arc::new(move || *clock.lock().expect("the clock")));
        let mut found = Vec::new();
        for (of, message_id, seconds) in requests {
            *now.lock().expect("the clock") = at(*seconds);
            found.push(faults.strike(&asked(*of, message_id)).2.map(|fault| fault.what));
        }
        found
    }

    #[test]
    fn a_fault_strikes_by_number_time_kind_and_message() {
        let send = |message_id: &'static str, seconds| (Of::Send, message_id, seconds);
        let by_number = struck("[[fault]]\nwhat = \"down\"\nfrom = 2\nto = 3\n", &[send("1", 0); 4]);
        assert_eq!(by_number, [None, Some(What::Down), Some(What::Down), None]);
        let until = at(60).to_rfc3339();
        let by_time = format!("[[fault]]\nwhat = \"down\"\nuntil = \"{until}\"\n");
        assert_eq!(struck(&by_time, &[send("1", 59), send("1", 60)]), [Some(What::Down), None]);
        let asks = struck("[[fault]]\nwhat = \"down\"\nof = \"ask\"\n", &[send("1", 0), (Of::Ask, "1", 0)]);
        assert_eq!(asks, [None, Some(What::Down)]);
        let about = "[[fault]]\nwhat = \"down\"\nabout = \":7:\"\ntimes = 2\n";
        let of_one = struck(about, &[send("1", 0), send("7", 0), (Of::Ask, "7", 0), send("7", 0)]);
        assert_eq!(of_one, [None, Some(What::Down), Some(What::Down), None]);
        let flapping = struck("[[fault]]\nwhat = \"flapping\"\nup = 1\ndown = 2\n", &[send("1", 0); 6]);
        let down = Some(What::Flapping);
        assert_eq!(flapping, [down, down, None, down, down, None]);
        let later = struck(
            "[[fault]]\nwhat = \"later\"\nhours = 1\n",
            &[(Of::Ask, "1", 0), send("1", 0), (Of::Ask, "1", 3599), send("1", 3600)],
        );
        assert_eq!(later, [None, Some(What::Later), Some(What::Later), None]);
    }

    #[test]
    fn what_happens_by_chance_is_the_same_for_the_same_seed() {
        let plan = |seed: u64| format!("seed = {seed}\n[[fault]]\nwhat = \"down\"\nprobability = 0.5\n");
        let requests = [(Of::Send, "1", 0); 64];
        let one = struck(&plan(1), &requests);
        assert_eq!(one, struck(&plan(1), &requests));
        assert_ne!(one, struck(&plan(2), &requests));
        assert!(one.contains(&None) && one.contains(&Some(What::Down)));
        let drawn: Vec<Vec<What>> = (1..=8)
            .map(|seed| {
                Plan::read(&format!("seed:{seed}")).expect("a plan").faults.iter().map(|one| one.what).collect()
            })
            .collect();
        assert!(drawn.iter().any(|faults| *faults != drawn[0]) && drawn.iter().all(|faults| faults.len() < 14));
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        for text in [
            "[[fault]]\nwhat = \"asleep\"\n",
            "[[fault]]\nwhat = \"down\"\nwho = 1\n",
            "[[fault]]\nwhat = \"down\"\nprobability = 2\n",
            "[[fault]]\nwhat = \"keys\"\n",
        ] {
            assert!(Plan::parse(text).is_err(), "{text}");
        }
        assert!(Plan::read("seed:x").is_err() && Plan::read("/nowhere").is_err());
    }
}
