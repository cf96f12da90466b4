//! Single persons verified anew, one after the other, as staff would: the library's own function on an open store.

use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use renzheng::crypto::Keys;
use renzheng::domain::facts::PersonId;
use renzheng::policy;
use renzheng::store::Store;
use renzheng::verify::{Selection, verify};
use serde_json::{Value, json};

const YEAR: i32 = 2025;
const PERSONS: usize = 2000;

/// Milliseconds at the median and at the 99th of a hundred.
pub fn measure(database_url: &str, key_file: &Path, placements: u64) -> anyhow::Result<Value> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut took_ms: Vec<f64> = runtime.block_on(async {
        let keys = Keys::read_file(key_file).context("the keys of the bench")?;
        let store = Store::open(database_url, keys).await.context("the province")?;
        let reading = policy::load(None)?;
        let persons = placements - placements / 50;
        let mut took_ms = Vec::with_capacity(PERSONS);
        for number in 0..PERSONS as u64 {
            let person = PersonId((1 + number * 7_368_787 % persons) as i64);
            let began = Instant::now();
            verify(&store, &reading, YEAR, &Selection::of_persons(vec![person]), "bench", &|_| ()).await?;
            took_ms.push(began.elapsed().as_secs_f64() * 1000.0);
        }
        store.close().await;
        anyhow::Ok(took_ms)
    })?;
    took_ms.sort_by(f64::total_cmp);
    let at = |share: f64| (took_ms[((PERSONS - 1) as f64 * share) as usize] * 100.0).round() / 100.0;
    Ok(json!({ "persons": PERSONS, "p50_ms": at(0.5), "p99_ms": at(0.99), "goals_ms": [10, 50] }))
}
