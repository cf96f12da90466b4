//! Evidence from end to end: what is taken and what is refused, what it is put to use for, and what is handed out again.

mod bad_files;
mod killed;
pub mod made;
mod needs;
mod scanner;
mod uses;

use std::path::Path;

use chrono::NaiveDate;
use renzheng::declare::evidence::{Attached, Attaching, EvidenceError, Form, Opened, attach, open};
use renzheng::domain::access::{Actor, Role, Scope};
use renzheng::domain::evidence::Subject;
use renzheng::domain::facts::{PersonId, UnitId};
use renzheng::domain::ids::{ResidentId, Uscc};
use renzheng::domain::review::Ground;
use renzheng::store::Store;
use sqlx::AssertSqlSafe;

use crate::harness::{Harness, Scratch};

const E1: &str = "91369900MA1000A10H";
const E2: &str = "91369900MA1000A29E";
const E9: &str = "51369900500000090L";
/// Placed by E1.
const P1: &str = "360001198005050117";
const P2: &str = "360002198507100221";

/// An installation with what the hand-made province entered, and a folder for evidence.
struct Desk {
    harness: Harness,
    store: Store,
    folder: Scratch,
}

impl Desk {
    async fn open(name: &str) -> Self {
        let harness = Harness::new(name).await;
        harness.clock(NaiveDate::from_ymd_opt(2026, 4, 15).expect("a date"), "10:00").await;
        harness.import_directory(Path::new("fixtures")).await;
        let folder = Scratch::new(&format!("{name}_files"));
        let store = harness.store.clone().keep_evidence_in(folder.path());
        Self { harness, store, folder }
    }

    async fn unit(&self, code: &str) -> UnitId {
        let code = Uscc::parse(code).expect("a code");
        self.store.find_unit(&code).await.expect("an answer").expect("a unit")
    }

    async fn person(&self, id: &str) -> PersonId {
        let id = ResidentId::parse(id).expect("an ID number");
        self.store.find_person(&id).await.expect("an answer").expect("a person")
    }

    /// A month of P1 at E1.
    async fn cell(&self, month: &str, ground: Ground) -> Subject {
        Subject::Cell { person: self.person(P1).await, month: month.parse().expect("a month"), ground }
    }

    async fn attach(&self, name: &str, content: &[u8], subjects: &[Subject]) -> Result<Attached, EvidenceError> {
        let attaching = Attaching { employer: self.unit(E1).await, file_name: name, subjects };
        attach(&self.store, None, &operator(), &attaching, content).await
    }

    /// A file for one month of P1.
    async fn hand_in(&self, name: &str, content: &[u8]) -> Result<Attached, EvidenceError> {
        self.attach(name, content, &[self.cell("2025-03", Ground::Wage).await]).await
    }

    async fn content(&self, evidence_id: i64, form: Form) -> Result<Vec<u8>, EvidenceError> {
        read(open(&self.store, &operator(), evidence_id, form).await?).await
    }

    async fn count(&self, question: &str) -> i64 {
        let mut connection = self.harness.connection().await;
        sqlx::query_scalar(AssertSqlSafe(question.to_owned())).fetch_one(&mut connection).await.expect("a count")
    }

    /// Every file in the folder, by its path within.
    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        walk(self.folder.path(), self.folder.path(), &mut found);
        found.sort();
        found
    }
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(root, &path, found);
        } else {
            found.push(path.strip_prefix(root).expect("within").to_str().expect("UTF-8").to_owned());
        }
    }
}

async fn read(mut opened: Opened) -> Result<Vec<u8>, EvidenceError> {
    let mut content = Vec::new();
    while let Some(piece) = opened.next_piece().await? {
        content.extend(piece);
    }
    Ok(content)
}

fn operator() -> Actor {
    Actor::operator("test")
}

fn actor(role: Role, scope: Scope) -> Actor {
    Actor { name: role.as_str().to_owned(), role, scope, on_behalf_of: None }
}

/// The code by which an outcome is told.
fn code<T>(outcome: Result<T, EvidenceError>) -> String {
    match outcome {
        Ok(_) => "taken".to_owned(),
        Err(EvidenceError::Refused(refusal)) => refusal.code().to_owned(),
        Err(EvidenceError::Denied(denied)) => denied.code().to_owned(),
        Err(EvidenceError::Reason(fault)) => fault.code().to_owned(),
        Err(other) => other.to_string(),
    }
}
