//! The machine that figures come from.

use std::fs;

use serde_json::{Value, json};

use super::server::Server;

/// What the figures depend on.
pub fn machine(server: &Server) -> anyhow::Result<Vec<(&'static str, Value)>> {
    let cores = std::thread::available_parallelism()?.get();
    let mut facts = vec![("cores", json!(cores))];
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    facts.extend(model.map(|(_, model)| ("processor", json!(model))));
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    facts.extend(load.split(' ').next().filter(|load| !load.is_empty()).map(|load| ("load at the start", json!(load))));
    facts.push(("Postgres", json!(server.facts()?.join(", "))));
    Ok(facts)
}

/// A figure's fact as it is printed.
pub fn told(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
