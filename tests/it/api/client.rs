//! A client that knows nothing but the document of the API: it asks an operation by its id, and holds every answer to the schema promised.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::website::{Answer, Website};

/// What a caller says.
#[derive(Clone, Debug, Default)]
pub struct Says {
    pub path: BTreeMap<String, String>,
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub body: Option<Value>,
    /// A body that is no JSON, with its kind.
    pub file: Option<(String, Vec<u8>)>,
}

impl Says {
    pub fn at(path: &[(&str, &str)]) -> Self {
        Self::default().and_at(path)
    }

    pub fn and_at(mut self, path: &[(&str, &str)]) -> Self {
        self.path.extend(path.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    pub fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// A file as the body, with its digest.
    pub fn upload(mut self, kind: &str, content: &[u8]) -> Self {
        let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(content));
        self.file = Some((kind.to_owned(), content.to_vec()));
        self.header("content-digest", &format!("sha-256=:{digest}:"))
    }

    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// An operation of the document.
#[derive(Clone, Debug)]
pub struct Operation {
    pub id: String,
    pub method: String,
    pub path: String,
    pub described: Value,
}

impl Operation {
    /// The header parameters that it needs.
    fn needs_header(&self, name: &str) -> bool {
        let parameters = self.described["parameters"].as_array().into_iter().flatten();
        parameters.into_iter().any(|one| one["in"] == "header" && one["name"] == name)
    }

    pub fn access(&self) -> &Value {
        &self.described["x-access"]
    }
}

pub struct Api<'a> {
    site: &'a Website,
    document: Value,
}

impl<'a> Api<'a> {
    pub async fn of(site: &'a Website) -> Self {
        let answer = site.ask(site.request("GET", "/api/openapi.json")).await;
        assert_eq!(answer.status, 200);
        let document = answer.json();
        assert!(
            document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")),
            "{}",
            document["openapi"]
        );
        Self { site, document }
    }

    pub fn operations(&self) -> Vec<Operation> {
        let mut operations = Vec::new();
        for (path, item) in self.document["paths"].as_object().expect("paths") {
            for (method, described) in item.as_object().expect("a path") {
                let id = described["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no id"));
                let (id, method, path) = (id.to_owned(), method.to_uppercase(), path.clone());
                operations.push(Operation { id, method, path, described: described.clone() });
            }
        }
        operations
    }

    fn operation(&self, id: &str) -> Operation {
        self.operations().into_iter().find(|one| one.id == id).unwrap_or_else(|| panic!("no operation {id}"))
    }

    /// Asks, with a new name for every request that needs one unless the caller gives it.
    pub async fn call(&self, token: &str, id: &str, says: Says) -> Answer {
        let answer = self.send(token, id, says).await.expect("an answer");
        self.check(&self.operation(id), &answer);
        answer
    }

    /// The same, whatever comes back; nothing may.
    pub async fn send(&self, token: &str, id: &str, says: Says) -> Result<Answer, reqwest::Error> {
        let operation = self.operation(id);
        let mut path = operation.path.clone();
        for (name, value) in &says.path {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        assert!(!path.contains('{'), "{id}: {path} is not filled in");
        if !says.query.is_empty() {
            let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&says.query).finish();
            path = format!("{path}?{query}");
        }
        let mut request = self.site.request(&operation.method, &path);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        let named = says.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("idempotency-key"));
        if operation.needs_header("Idempotency-Key") && !named {
            static NUMBER: AtomicU64 = AtomicU64::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            request = request.header("idempotency-key", format!("request-{number}"));
        }
        for (name, value) in &says.headers {
            request = request.header(name, value);
        }
        if let Some(body) = &says.body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        if let Some((kind, bytes)) = says.file {
            request = request.header("content-type", kind).body(bytes);
        }
        self.site.try_to_ask(request).await
    }

    /// Asks what must succeed.
    pub async fn done(&self, token: &str, id: &str, says: Says) -> Value {
        let answer = self.call(token, id, says).await;
        assert_eq!(answer.status, 200, "{id}: {}", answer.text);
        answer.json()
    }

    /// The answer is one that the document promises.
    fn check(&self, operation: &Operation, answer: &Answer) {
        let responses = &operation.described["responses"];
        let promised = match &responses[answer.status.to_string()] {
            Value::Null => &responses["default"],
            promised => promised,
        };
        let id = &operation.id;
        assert!(promised.is_object(), "{id}: nothing is said of {}: {}", answer.status, answer.text);
        let kind = answer.header("content-type").split(';').next().unwrap_or_default().to_owned();
        let Some(contents) = promised["content"].as_object() else { return assert_eq!(answer.text, "", "{id}") };
        let content = contents.get(&kind).or_else(|| contents.get("*/*"));
        let content = content.unwrap_or_else(|| panic!("{id}: {} answers {kind}: {}", answer.status, answer.text));
        if !kind.ends_with("json") {
            return;
        }
        if answer.status >= 400 {
            answer.problem();
        }
        let schema = json!({ "allOf": [content["schema"]], "components": self.document["components"] });
        let validator = jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{id}: no schema: {error}"));
        let faults: Vec<String> =
            validator.iter_errors(&answer.json()).map(|error| format!("{}: {error}", error.instance_path)).collect();
        assert!(faults.is_empty(), "{id}: {}: {faults:?}", answer.text);
    }
}
