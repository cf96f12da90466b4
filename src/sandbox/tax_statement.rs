//! What the department says that it holds: rows by employer and year, and the digests of its parts, written by its own hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::tax::{Problem, TaxDepartment};
use super::tax_ledger::{Answer, Entry, Ledger};

/// Of one employer and year, as it is told.
#[derive(Clone, Debug)]
pub struct Told {
    /// As it goes over the wire.
    pub row: Value,
}

/// Of one year, the parts; of each, the rows by the employer's code.
#[derive(Clone, Debug, Default)]
pub struct Statement {
    years: BTreeMap<u64, BTreeMap<u8, BTreeMap<String, Told>>>,
}

impl Told {
    fn line(&self) -> String {
        let mut fields: Vec<String> = Vec::new();
        let mut take = |from: &Value, names: &[&str]| {
            for name in names {
                let field = &from[*name];
                fields.push(field.as_str().map_or_else(|| field.to_string(), str::to_owned));
            }
        };
        take(&self.row, &["uscc", "messages"]);
        match &self.row["in_force"] {
            Value::Null => take(&json!({ "nothing": "-" }), &["nothing"]),
            held => {
                take(held, &["version", "message_id", "digest", "receipt", "person_count", "weighted_person_months"]);
            }
        }
        take(&self.row["last"], &["version", "kind", "message_id", "idempotency_key", "digest", "status"]);
        fields.join("\t") + "\n"
    }
}

impl Statement {
    /// What follows from a ledger.
    pub fn of(ledger: &Ledger) -> Self {
        let mut entries: BTreeMap<(String, u64), Vec<(Value, &Entry)>> = BTreeMap::new();
        for entry in ledger.entries() {
            let message: Value = serde_json::from_str(&entry.body).unwrap_or_default();
            let key = (message["uscc"].as_str().unwrap_or_default().to_owned(), message["year"].as_u64().unwrap_or(0));
            entries.entry(key).or_default().push((message, entry));
        }
        let mut statement = Self::default();
        for ((uscc, year), of_employer) in entries {
            let Some((message, last)) = of_employer.iter().max_by_key(|(message, entry)| place(message, entry)) else {
                continue;
            };
            let in_force = ledger.message_in_force(&uscc, year).and_then(|message_id| {
                let (message, entry) = of_employer.iter().find(|(_, entry)| entry.message_id == message_id)?;
                Some(json!({
                    "version": message["version"], "message_id": message_id, "digest": entry.digest(), "receipt": entry.receipt(),
                    "person_count": message["person_count"], "weighted_person_months": message["weighted_person_months"],
                }))
            });
            let status = if matches!(last.answer, Answer::Accepted { .. }) { "accepted" } else { "rejected" };
            let row = json!({
                "uscc": uscc, "messages": of_employer.len(), "in_force": in_force,
                "last": {
                    "version": message["version"], "kind": message["kind"], "message_id": last.message_id,
                    "idempotency_key": last.idempotency_key, "digest": last.digest(), "status": status,
                },
            });
            statement.put(year, Told { row });
        }
        statement
    }

    /// Adds a row, or puts it in the place of the employer's.
    pub fn put(&mut self, year: u64, told: Told) {
        let uscc = told.row["uscc"].as_str().unwrap_or_default().to_owned();
        let part = Sha256::digest(&uscc)[0];
        self.years.entry(year).or_default().entry(part).or_default().insert(uscc, told);
    }

    fn years(&self) -> Value {
        let years: Vec<Value> = self.years.keys().map(|year| self.year(*year)).collect();
        let without_parts = |mut year: Value| {
            year.as_object_mut().map(|year| year.remove("parts"));
            year
        };
        json!({ "years": years.into_iter().map(without_parts).collect::<Vec<_>>() })
    }

    fn year(&self, year: u64) -> Value {
        let (mut parts, mut text, mut rows) = (Vec::new(), String::new(), 0);
        for (part, of_part) in self.years.get(&year).into_iter().flatten() {
            let mut hash = Sha256::new();
            for told in of_part.values() {
                hash.update(told.line());
            }
            let digest = hex::encode(hash.finalize());
            rows += of_part.len();
            text.extend([
                part.to_string(),
                "\t".into(),
                of_part.len().to_string(),
                "\t".into(),
                digest.clone(),
                "\n".into(),
            ]);
            parts.push(json!({ "part": part, "rows": of_part.len(), "digest": digest }));
        }
        json!({ "year": year, "rows": rows, "digest": hex::encode(Sha256::digest(text)), "parts": parts })
    }

    fn rows(&self, year: u64, part: u8) -> String {
        let rows = self.years.get(&year).and_then(|parts| parts.get(&part)).into_iter().flatten();
        rows.map(|(_, told)| told.row.to_string() + "\n").collect()
    }

    /// The answer to `path` below `/statements`; `None` where there is no such address.
    pub fn answer(&self, path: &[&str]) -> Option<Response> {
        match path {
            [] => Some(Json(self.years()).into_response()),
            [year] => Some(Json(self.year(year.parse().ok()?)).into_response()),
            [year, part] => {
                let rows = self.rows(year.parse().ok()?, part.parse().ok()?);
                Some(([("content-type", "application/x-ndjson")], Body::from(rows)).into_response())
            }
            _ => None,
        }
    }
}

/// By version, of one version the withdrawal after the certification, then by the number at the end of the key.
fn place(message: &Value, entry: &Entry) -> (u64, bool, u64) {
    let again = entry.idempotency_key.split(':').nth(4).and_then(|number| number.parse().ok());
    (message["version"].as_u64().unwrap_or_default(), message["kind"] == "withdrawn", again.unwrap_or(1))
}

/// `GET /statements`, `/statements/{year}`, `/statements/{year}/{part}`: signed as messages are.
pub fn router(department: Arc<TaxDepartment>) -> Router {
    Router::new().route("/statements", get(tell)).route("/statements/{*path}", get(tell)).with_state(department)
}

async fn tell(
    State(department): State<Arc<TaxDepartment>>,
    path: Option<Path<String>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    department.check(&method, &uri, &headers, b"")?;
    let path = path.map(|Path(path)| path).unwrap_or_default();
    let path: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let statement = department.statement();
    let unknown = || Problem(StatusCode::NOT_FOUND, "unknown", "accepted are a year, and a part from 0 to 255".into());
    statement.answer(&path).ok_or_else(unknown)
}
