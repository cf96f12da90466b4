//! The person's own side: opened by papers and a code alone, it shows who counts them and who looked, and takes objections; of others it says nothing.

mod counting;
mod looking;
mod objecting;
mod opening;

use renzheng::declare::person::{
    Credentials, Objecting, PersonActor, PersonError, PersonRefused, issue_code, object, open,
};
use renzheng::domain::facts::PersonId;
use renzheng::domain::ids::Uscc;
use renzheng::domain::month::Month;
use renzheng::domain::objection::ObjectionKind;
use renzheng::store::Store;
use sqlx::{AssertSqlSafe, PgConnection};

use crate::agency;
use crate::harness::actor;
use crate::incremental::uscc;
use crate::review::scene::Scene;

const YEAR: i32 = 2025;
/// A code that nobody was given.
pub const OTHER_CODE: &str = "2222-2222-2222";
/// What the person says, which nobody but they and staff may read.
const WORDS: &str = "我从来没有在这家公司上过班";

/// What a person has in hand.
#[derive(Clone)]
pub struct Papers {
    pub person: PersonId,
    pub id: String,
    pub certificate: String,
}

pub async fn papers(store: &Store, person: PersonId) -> Papers {
    let identity = store.identities(&[person]).await.expect("identities").remove(&person).expect("known");
    let mut change = store.change().await.expect("a transaction");
    let (_, registered) = change.find_registered(store, &identity.id).await.expect("asked");
    change.abandon().await.expect("left");
    let certificate = registered.first().expect("a certificate").number.clone();
    Papers { person, id: identity.id.reveal().to_owned(), certificate }
}

impl Papers {
    async fn code(&self, store: &Store) -> String {
        issue_code(store, &actor(), self.person, None).await.expect("a code").code
    }

    pub async fn open(&self, store: &Store, code: &str) -> Result<PersonActor, PersonError> {
        open(store, Credentials { id_number: &self.id, certificate_number: &self.certificate, code }).await
    }

    /// Opened with a new code.
    async fn opened(&self, store: &Store) -> PersonActor {
        self.open(store, &self.code(store).await).await.expect("opened")
    }
}

/// Person 0 of a province, whom employer 0 has placed.
struct Own {
    scene: Scene,
    papers: Papers,
}

impl Own {
    async fn begin() -> Self {
        let scene = Box::pin(Scene::begin()).await;
        let papers = papers(scene.store(), scene.person(0).await).await;
        Self { scene, papers }
    }

    fn store(&self) -> &Store {
        self.scene.store()
    }

    /// A new code; a former one ends.
    async fn code(&self) -> String {
        self.papers.code(self.store()).await
    }

    async fn open(&self, code: &str) -> Result<PersonActor, PersonError> {
        self.papers.open(self.store(), code).await
    }

    /// Opened with a new code.
    async fn opened(&self) -> PersonActor {
        self.papers.opened(self.store()).await
    }

    /// As the registers have them now.
    async fn papers_of(&self, person: u32) -> Papers {
        papers(self.store(), self.scene.person(person).await).await
    }

    /// The person's papers but for an ID number that nobody here has.
    fn unknown(&self) -> Papers {
        Papers { id: agency::id_number(12), ..self.papers.clone() }
    }

    async fn clock(&self, date: &str, time: &str) {
        self.scene.province.harness.clock(date.parse().expect("a date"), time).await;
    }

    async fn connection(&self) -> PgConnection {
        self.scene.province.harness.connection().await
    }

    async fn texts(&self, sql: &str) -> Vec<String> {
        texts(&mut self.connection().await, sql).await
    }

    async fn count(&self, from: &str) -> i64 {
        let sql = format!("select count(*) from {from}");
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut self.connection().await).await.expect("a count")
    }
}

async fn texts(connection: &mut PgConnection, sql: &str) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_all(connection).await.expect("rows")
}

fn refused(outcome: Result<PersonActor, PersonError>) -> PersonRefused {
    match outcome {
        Err(PersonError::Refused(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

/// Objects to being counted by an employer; the objection's number.
async fn objects(
    store: &Store,
    own: &PersonActor,
    employer: u32,
    months: &[Month],
    kind: ObjectionKind,
    text: &str,
) -> Result<i64, PersonError> {
    let employer = Uscc::parse(&uscc(employer)).expect("a code");
    let raised = object(store, own, &Objecting { employer, months, kind, text }).await?;
    Ok(raised.objection_id)
}
