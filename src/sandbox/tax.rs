//! The tax department as a server: it checks digest and signature, answers each message once and for all, says what it holds, and fails
//! as it is told to.

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{Path as PathPart, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::tax_faults::{DepartmentClock, Faults, Plan};
use super::tax_ledger::{Answer, Ledger, Refused};
use super::tax_road::travel;
use super::tax_statement;
use crate::clock;
use crate::crypto::{SignatureAlgorithm, Signed, content_digest_header};

/// How far a message's time may be from ours, and what time ours is.
#[derive(Clone)]
pub struct Tolerance {
    pub seconds: i64,
    pub now: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
}

/// A sender's key; the key's name says which hash it is used with.
#[derive(Clone)]
pub struct Key {
    pub id: String,
    pub algorithm: SignatureAlgorithm,
    pub secret: Vec<u8>,
}

/// The department.
pub struct TaxDepartment {
    ledger: Mutex<Ledger>,
    /// The ledger's file, and how much of it is on the disk for sure.
    disk: Mutex<(File, u64)>,
    keys: Vec<Key>,
    tolerance: Option<Tolerance>,
    pub faults: Faults,
}

impl TaxDepartment {
    /// `ledger` is the file that it remembers by; without a tolerance a message's time is signed but not compared.
    pub fn open(ledger: &Path, keys: Vec<Key>, tolerance: Option<Tolerance>) -> anyhow::Result<Self> {
        let ledger = Ledger::open(ledger)?;
        let disk = Mutex::new((ledger.file()?, 0));
        let faults = Faults::new(Plan::default(), Arc::new(clock::system_now));
        Ok(Self { ledger: Mutex::new(ledger), disk, keys, tolerance, faults })
    }

    /// The same with faults, by a clock of its own.
    #[must_use]
    pub fn with_faults(self, plan: Plan, now: DepartmentClock) -> Self {
        Self { faults: Faults::new(plan, now), ..self }
    }

    /// Nobody is answered before what the answer rests on is on the disk. Who comes while it is forced there waits, and is served by the
    /// next time together with all others.
    fn sync(&self, written: u64) -> Result<(), Refused> {
        let mut disk = self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        if disk.1 < written {
            let so_far = self.ledger().written();
            disk.0.sync_data().map_err(Refused::Ledger)?;
            disk.1 = so_far;
        }
        Ok(())
    }

    fn take_in(&self, body: &[u8]) -> Result<Answer, Refused> {
        let (answer, written) = {
            let mut ledger = self.ledger();
            (ledger.receive(body)?, ledger.written())
        };
        self.sync(written)?;
        Ok(answer)
    }

    fn tell(&self, message_id: &str) -> Result<Option<Answer>, Refused> {
        let (answer, written) = {
            let ledger = self.ledger();
            (ledger.find(message_id).cloned(), ledger.written())
        };
        self.sync(written)?;
        Ok(answer)
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Nothing is left half done: an entry is remembered after it is written.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses what is not whole, not signed with a key we know, or too old or too early.
    pub(super) fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let digest = header("content-digest");
        if digest != content_digest_header(body) {
            return Err(Problem(StatusCode::BAD_REQUEST, "digest", "Content-Digest does not fit the body".into()));
        }
        let unauthorised = |text: &str| Problem(StatusCode::UNAUTHORIZED, "signature", text.into());
        let key_id = header("x-renzheng-key-id");
        let key = self.keys.iter().find(|key| key.id == key_id).ok_or_else(|| unauthorised("unknown key"))?;
        let timestamp = header("x-renzheng-timestamp");
        let given = header("x-renzheng-signature");
        let signed = Signed { method: method.as_str(), path: uri.path(), timestamp, content_digest: digest };
        if !signed.verify(key.algorithm, &key.secret, given) {
            return Err(unauthorised("the signature does not fit"));
        }
        let Some(tolerance) = &self.tolerance else { return Ok(()) };
        let at = instant(timestamp).ok_or_else(|| unauthorised("the timestamp is not an instant"))?;
        let skew = at - (tolerance.now)();
        if skew.abs() > TimeDelta::seconds(tolerance.seconds) {
            return Err(unauthorised("the timestamp is too far from our time"));
        }
        Ok(())
    }
}

/// RFC 3339, or seconds since 1970.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    match text.parse::<i64>() {
        Ok(seconds) => DateTime::from_timestamp(seconds, 0),
        Err(_) => DateTime::parse_from_rfc3339(text).ok().map(|instant| instant.to_utc()),
    }
}

/// A message that is not even judged: status, code, and the reason for people.
pub(super) struct Problem(pub(super) StatusCode, pub(super) &'static str, pub(super) String);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "status": "refused", "code": self.1, "text": self.2 }))).into_response()
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let (status, code) = match refused {
            Refused::Unreadable => (StatusCode::BAD_REQUEST, "unreadable"),
            Refused::KeyReused => (StatusCode::CONFLICT, "key_reused"),
            Refused::MessageIdReused => (StatusCode::CONFLICT, "message_id_reused"),
            Refused::Ledger(_) => (StatusCode::SERVICE_UNAVAILABLE, "ledger"),
        };
        Self(status, code, refused.to_string())
    }
}

/// `POST /declarations`, `GET /declarations/{message_id}`, `GET /ledger`, `GET /received`, `GET /statements` and below.
pub fn router(department: Arc<TaxDepartment>) -> Router {
    Router::new()
        .route("/declarations", post(receive))
        .route("/declarations/{message_id}", get(ask))
        .route("/ledger", get(ledger))
        .with_state(Arc::clone(&department))
        .merge(tax_statement::router(Arc::clone(&department)))
        .layer(from_fn_with_state(Arc::clone(&department), travel))
        .merge(Router::new().route("/received", get(received)).with_state(department))
}

async fn receive(
    State(department): State<Arc<TaxDepartment>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Answer>, Problem> {
    department.check(&method, &uri, &headers, &body)?;
    let receiving = tokio::task::spawn_blocking(move || department.take_in(&body));
    let interrupted = |_| Problem(StatusCode::SERVICE_UNAVAILABLE, "interrupted", "shutting down".into());
    Ok(Json(receiving.await.map_err(interrupted)??))
}

/// A signature is not demanded of a question, but one that is there must fit.
async fn ask(
    State(department): State<Arc<TaxDepartment>>,
    PathPart(message_id): PathPart<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Answer>, Problem> {
    if headers.contains_key("x-renzheng-signature") {
        department.check(&method, &uri, &headers, &body)?;
    }
    let telling = tokio::task::spawn_blocking(move || department.tell(&message_id));
    let interrupted = |_| Problem(StatusCode::SERVICE_UNAVAILABLE, "interrupted", "shutting down".into());
    let answer = telling.await.map_err(interrupted)??;
    answer.map(Json).ok_or_else(|| Problem(StatusCode::NOT_FOUND, "unknown", "no message of this id".into()))
}

async fn ledger(State(department): State<Arc<TaxDepartment>>) -> Json<Value> {
    Json(json!({ "declarations": department.ledger().in_force() }))
}

async fn received(State(department): State<Arc<TaxDepartment>>) -> Json<Value> {
    let requests = department.faults.received();
    Json(json!({ "messages": department.ledger().entries(), "requests": requests }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::server::Server;
    use crate::sandbox::wire::{Scratch, ask as send};

    const PATH: &str = "/declarations";
    const USCC: &str = "91369900MA00000152";
    const TIME: &str = "2026-04-15T08:00:00+08:00";

    struct Office {
        server: Server,
        scratch: Scratch,
    }

    async fn open(scratch: Scratch, tolerance: Option<Tolerance>) -> Office {
        let key = |id: &str, algorithm| Key { id: id.into(), algorithm, secret: b"secret".to_vec() };
        let keys = vec![key("sm3", SignatureAlgorithm::HmacSm3), key("sha256", SignatureAlgorithm::HmacSha256)];
        let department = TaxDepartment::open(&scratch.path().join("ledger.ndjson"), keys, tolerance).expect("ledger");
        let address = "127.0.0.1:0".parse().expect("address");
        let server = Server::start(address, router(Arc::new(department))).await.expect("server");
        Office { server, scratch }
    }

    impl Office {
        async fn get(&self, path: &str) -> (u16, Value) {
            send(self.server.address, "GET", path, &[], "").await
        }

        async fn post(&self, message: &Value) -> (u16, Value) {
            self.post_signed(message, "sm3", SignatureAlgorithm::HmacSm3, b"secret").await
        }

        async fn post_signed(
            &self,
            message: &Value,
            key_id: &str,
            algorithm: SignatureAlgorithm,
            key: &[u8],
        ) -> (u16, Value) {
            let body = message.to_string();
            let digest = content_digest_header(body.as_bytes());
            let signed = Signed { method: "POST", path: PATH, timestamp: TIME, content_digest: &digest };
            let signature = signed.sign(algorithm, key);
            let headers = [
                ("Content-Digest", digest.as_str()),
                ("X-Renzheng-Timestamp", TIME),
                ("X-Renzheng-Key-Id", key_id),
                ("X-Renzheng-Signature", &signature),
            ];
            send(self.server.address, "POST", PATH, &headers, &body).await
        }

        async fn restart(self) -> Self {
            self.server.stop().await.expect("stopped");
            open(self.scratch, None).await
        }
    }

    fn certified(message_id: &str, version: u64) -> Value {
        json!({
            "message_id": message_id, "idempotency_key": format!("{USCC}:2025:{version}:certified"),
            "version": version, "kind": "certified", "uscc": USCC, "employer_name": "赣江电子有限公司",
            "tax_division": "360102", "year": 2025, "person_count": 2, "unweighted_person_months": 20,
            "weighted_person_months": 29, "placed_persons": { "fraction": "29/12", "decimal": "2.42" },
            "months": [2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3], "certified_at": TIME, "certification_number": "JX-2025-1",
        })
    }

    fn with(mut message: Value, field: &str, value: Value) -> Value {
        message[field] = value;
        message
    }

    #[tokio::test]
    async fn an_accepted_message_is_receipted_with_the_digest_of_its_body_and_held() {
        let office = open(Scratch::new("accepted"), None).await;
        let message = certified("m1", 1);
        let (status, answer) = office.post(&message).await;
        assert_eq!((status, &answer["status"]), (200, &json!("accepted")));
        let digest = <sha2::Sha256 as sha2::Digest>::digest(message.to_string());
        assert_eq!(answer["digest"], json!(hex::encode(digest)));
        assert_eq!(office.get("/declarations/m1").await, (200, answer.clone()));
        assert_eq!(office.get("/declarations/m2").await.0, 404);
        let (_, ledger) = office.get("/ledger").await;
        assert_eq!(ledger["declarations"][0]["receipt"], answer["receipt"]);
        assert_eq!(ledger["declarations"][0]["message"]["weighted_person_months"], 29);
    }

    #[tokio::test]
    async fn the_same_key_and_body_gets_the_same_answer_and_another_body_is_refused() {
        let office = open(Scratch::new("repeated"), None).await;
        let (_, first) = office.post(&certified("m1", 1)).await;
        assert_eq!(office.post(&certified("m1", 1)).await, (200, first));
        let (status, answer) = office.post(&with(certified("m1", 1), "person_count", json!(3))).await;
        assert_eq!((status, &answer["code"]), (409, &json!("key_reused")));
        let again = with(certified("m1", 1), "idempotency_key", json!(format!("{USCC}:2025:1:certified:2")));
        assert_eq!(office.post(&again).await.1["code"], "message_id_reused");
        let (_, received) = office.get("/received").await;
        assert_eq!(received["messages"].as_array().map(Vec::len), Some(1));
        assert_eq!(received["messages"][0]["times"], 2);
        let requests = received["requests"].as_array().expect("requests");
        let told: Vec<(u64, &str)> = requests
            .iter()
            .map(|one| (one["status"].as_u64().unwrap_or_default(), one["word"].as_str().unwrap_or_default()))
            .collect();
        assert_eq!(told, [(200, "accepted"), (200, "accepted"), (409, "refused"), (409, "refused")]);
    }

    #[tokio::test]
    async fn a_restarted_department_still_knows_what_it_answered() {
        let office = open(Scratch::new("restarted"), None).await;
        let (_, first) = office.post(&certified("m1", 1)).await;
        let (_, rejected) = office.post(&with(certified("m2", 2), "kind", json!("other"))).await;
        assert_eq!(rejected["status"], "rejected");
        // A crash while the next line was written.
        let file = office.scratch.path().join("ledger.ndjson");
        let mut text = std::fs::read(&file).expect("ledger");
        text.extend(b"{\"message_id\":\"m3\"");
        std::fs::write(&file, text).expect("ledger");
        let office = office.restart().await;
        assert_eq!(office.post(&certified("m1", 1)).await, (200, first));
        assert_eq!(office.get("/declarations/m2").await, (200, rejected));
        assert_eq!(office.get("/declarations/m3").await.0, 404);
        let next = with(certified("m4", 2), "idempotency_key", json!(format!("{USCC}:2025:2:certified:2")));
        let next = with(next, "supersedes", json!("m1"));
        assert_eq!(office.post(&next).await.1["status"], "accepted");
        let office = office.restart().await;
        assert_eq!(office.get("/ledger").await.1["declarations"][0]["version"], 2);
    }

    #[tokio::test]
    async fn messages_that_contradict_themselves_are_rejected_with_field_and_value() {
        let office = open(Scratch::new("rejected"), None).await;
        let cases = [
            ("kind", json!("certain"), "kind_unknown"),
            ("weighted_person_months", json!(30), "sum_mismatch"),
            ("placed_persons", json!({ "fraction": "29/12", "decimal": "2.41" }), "placed_persons_mismatch"),
            ("placed_persons", json!({ "fraction": "28/12", "decimal": "2.42" }), "placed_persons_mismatch"),
            ("unweighted_person_months", json!(14), "weights_impossible"),
            ("person_count", json!(1), "persons_impossible"),
            ("months", json!([29]), "months_invalid"),
            ("uscc", json!("91369900MA00000153"), "uscc_invalid"),
            ("employer_name", json!(""), "field_missing"),
            ("idempotency_key", json!("1"), "key_mismatch"),
            ("supersedes", json!("m0"), "supersedes_mismatch"),
        ];
        for (place, (field, value, code)) in cases.into_iter().enumerate() {
            let mut message = with(certified(&format!("m{place}"), 1), field, value);
            if field != "idempotency_key" && field != "uscc" {
                let kind = message["kind"].as_str().expect("kind");
                message["idempotency_key"] = json!(format!("{USCC}:2025:1:{kind}:{}", place + 2));
            }
            let (status, answer) = office.post(&message).await;
            assert_eq!(
                (status, &answer["status"], &answer["code"]),
                (200, &json!("rejected"), &json!(code)),
                "{field}"
            );
            assert!(answer["text"].as_str().is_some_and(|text| !text.is_empty()));
        }
    }

    #[tokio::test]
    async fn a_new_version_must_supersede_the_one_held_and_a_withdrawal_must_name_it() {
        let office = open(Scratch::new("versions"), None).await;
        let answer_to = async |message: Value| {
            let (_, answer) = office.post(&message).await;
            answer["code"].as_str().or(answer["status"].as_str()).expect("answer").to_owned()
        };
        let withdrawn = |message_id: &str, version: u64| {
            json!({
                "message_id": message_id, "idempotency_key": format!("{USCC}:2025:{version}:withdrawn"),
                "version": version, "kind": "withdrawn", "uscc": USCC, "employer_name": "x", "tax_division": "360102",
                "year": 2025,
            })
        };
        let keyed = |message: Value, number: u32| {
            let key = format!("{}:{number}", message["idempotency_key"].as_str().expect("key"));
            with(message, "idempotency_key", json!(key))
        };
        assert_eq!(answer_to(certified("m1", 1)).await, "accepted");
        assert_eq!(answer_to(keyed(certified("m2", 1), 2)).await, "version_not_newer");
        assert_eq!(answer_to(certified("m3", 2)).await, "supersedes_mismatch");
        assert_eq!(answer_to(keyed(with(certified("m4", 2), "supersedes", json!("m1")), 2)).await, "accepted");
        assert_eq!(answer_to(withdrawn("m5", 1)).await, "version_not_held");
        assert_eq!(answer_to(withdrawn("m6", 2)).await, "accepted");
        assert_eq!(answer_to(keyed(withdrawn("m7", 2), 2)).await, "version_not_held");
        assert_eq!(office.get("/ledger").await.1["declarations"], json!([]));
        assert_eq!(answer_to(certified("m8", 3)).await, "accepted");
        assert_eq!(answer_to(with(certified("m9", 4), "supersedes", json!(2))).await, "supersedes_mismatch");
        let next = with(certified("m10", 5), "supersedes", json!(3));
        assert_eq!(
            answer_to(next).await,
            "accepted",
            "a version that was given up before it was sent is never received"
        );
    }

    #[tokio::test]
    async fn what_is_altered_or_signed_by_nobody_known_is_refused() {
        let office = open(Scratch::new("signatures"), None).await;
        let message = certified("m1", 1);
        let refused =
            async |key_id: &str, algorithm, key: &[u8]| office.post_signed(&message, key_id, algorithm, key).await.0;
        assert_eq!(refused("nobody", SignatureAlgorithm::HmacSm3, b"secret").await, 401);
        assert_eq!(refused("sm3", SignatureAlgorithm::HmacSm3, b"guess").await, 401);
        assert_eq!(refused("sm3", SignatureAlgorithm::HmacSha256, b"secret").await, 401);
        let headers = [("Content-Digest", "sha-256=:AAAA:")];
        assert_eq!(send(office.server.address, "POST", PATH, &headers, "{}").await.0, 400);
        assert_eq!(office.get("/received").await.1["messages"], json!([]));
        assert_eq!(refused("sha256", SignatureAlgorithm::HmacSha256, b"secret").await, 200);
    }

    #[tokio::test]
    async fn a_timestamp_outside_the_tolerance_is_refused() {
        let at = |text: &str| DateTime::parse_from_rfc3339(text).expect("instant").to_utc();
        for (now, expected) in [("2026-04-15T00:04:59Z", 200), ("2026-04-15T00:05:01Z", 401)] {
            let now = at(now);
            let tolerance = Tolerance { seconds: 300, now: Arc::new(move || now) };
            let office = open(Scratch::new(&format!("skew-{expected}")), Some(tolerance)).await;
            assert_eq!(office.post(&certified("m1", 1)).await.0, expected);
        }
    }
}
