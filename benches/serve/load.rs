//! Open load: requests at fixed distances in time, each measured from when it was to be sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use renzheng::http::{HttpSettings, client};
use serde::Serialize;
use tokio::time::{Instant, interval};

use super::users::User;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// An employer's grid.
    Grid,
    /// Months ticked and unticked; one request in fifty completes, which is refused while something stands in the way.
    Writes,
}

/// What came of a load.
#[derive(Debug, Serialize)]
pub struct Measured {
    pub title: &'static str,
    pub per_second: u32,
    pub answered_per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
    /// Answers that are none, by status; 0: no answer.
    pub errors: BTreeMap<u16, u64>,
}

/// Asks so many times a second for so long.
pub fn run(
    title: &'static str,
    site: &str,
    users: &[User],
    kind: Kind,
    per_second: u32,
    lasting: Duration,
) -> anyhow::Result<Measured> {
    eprintln!("{title}: {per_second}/s for {} s", lasting.as_secs());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let client = client(&HttpSettings::default())?;
        let (site, users): (Arc<str>, Arc<[User]>) = (site.into(), users.into());
        let total = lasting.as_secs() * u64::from(per_second);
        // a tick that is late is made up for at once
        let distance = Duration::from_secs(1) / per_second;
        let mut clock = interval(distance);
        let began = Instant::now();
        let mut asked = tokio::task::JoinSet::new();
        for number in 0..total {
            let at = clock.tick().await;
            let (client, site, users) = (client.clone(), site.clone(), users.clone());
            asked.spawn(async move {
                let status = ask(&client, &site, &users, kind, number).await;
                (status, at.elapsed().as_secs_f64() * 1000.0)
            });
        }
        let (mut took_ms, mut errors) = (Vec::with_capacity(total as usize), BTreeMap::new());
        while let Some(answer) = asked.join_next().await {
            let (status, ms) = answer?;
            took_ms.push(ms);
            let refused = matches!(kind, Kind::Writes) && status == 409;
            if status != 200 && !refused {
                *errors.entry(status).or_default() += 1;
            }
        }
        let seconds = began.elapsed().as_secs_f64();
        took_ms.sort_by(f64::total_cmp);
        let at = |share: f64| took_ms[((took_ms.len() - 1) as f64 * share) as usize];
        Ok(Measured {
            title,
            per_second,
            answered_per_second: took_ms.len() as f64 / seconds,
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            max_ms: at(1.0),
            errors,
        })
    })
}

async fn ask(client: &reqwest::Client, site: &str, users: &[User], kind: Kind, number: u64) -> u16 {
    let user = &users[(number * 7919 % users.len() as u64) as usize];
    let year = format!("{site}/api/v1/employers/{}/years/2025", user.uscc);
    let key = format!("bench-{number}-{}", std::process::id());
    let request = match kind {
        Kind::Grid => client.get(format!("{year}/results")),
        Kind::Writes if number % 50 == 49 => client
            .post(format!("{year}/declaration/completion"))
            .header("content-type", "application/json")
            .body(r#"{"accepted_commitment":"none"}"#),
        Kind::Writes => {
            let person = user.persons[(number % user.persons.len().max(1) as u64) as usize];
            let (month, ticked) = (1 + number / 7 % 12, number % 2 == 1);
            client
                .put(format!("{year}/placements/{person}/ticks"))
                .header("content-type", "application/json")
                .body(format!(r#"{{"months":["2025-{month:02}"],"ticked":{ticked}}}"#))
        }
    };
    match request.bearer_auth(&user.token).header("idempotency-key", key).send().await {
        Err(_) => 0,
        Ok(answer) => {
            let status = answer.status().as_u16();
            if answer.bytes().await.is_err() { 0 } else { status }
        }
    }
}
