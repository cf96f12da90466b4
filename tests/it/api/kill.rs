//! The service killed around the commit of a write: whoever repeats the request under its name gets the answer, and it is done once.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::Instant;

use renzheng::domain::access::Role;
use serde_json::json;

use super::{Api, Says};
use crate::access::{unit, user};
use crate::declaring::{SCHOOL, Scene};
use crate::gate::{Gate, PATIENCE, Point};
use crate::harness::Scratch;
use crate::website::Website;

/// Where the program dies, and whether it is done by then.
const POINTS: [(&str, Point, bool); 3] = [
    ("before the answer is kept", Point::BeforeThe("insert", "request_answer"), false),
    ("the commit was asked for, and nobody heard of it", Point::Committing("insert", "request_answer"), true),
    ("while it is written to the audit", Point::BeforeThe("insert", "audit"), false),
];

/// The real program, as it serves.
struct Serving {
    child: Child,
    site: Website,
}

impl Serving {
    async fn start(scene: &Scene, jobs: &Scratch) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let mut program =
            scene.day.harness.program(&["serve", "--workers", "1", "--listen", &address.to_string()], jobs.path());
        let child = program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < PATIENCE, "the program does not listen");
            tokio::task::yield_now().await;
        }
        Self { child, site: Website::at(format!("http://{address}")) }
    }

    fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_process_dies_is_done_once_and_its_repetition_gets_the_answer() {
    let prepared = Scene::begin("api_kill").await;
    for (number, (where_killed, point, done)) in POINTS.into_iter().enumerate() {
        let scene = prepared.copied(&format!("api_kill_{number}")).await;
        let jobs = Scratch::new(&format!("api_kill_jobs_{number}"));
        let token = user(scene.store(), "li.hua", Role::Employer, &unit(SCHOOL)).await;
        let everything = renzheng::declare::users::AskedReach::Everything;
        let operator = user(scene.store(), "zhao.lei", Role::Operator, &everything).await;
        let declaring = scene.declaring(SCHOOL).await;
        let person = scene.store().list_placements(&[declaring.employer]).await.expect("placements")[0].person;
        let person = person.0.to_string();
        let text = scene.completing(SCHOOL).await.accepted_commitment.expect("a text");
        let at = Says::at(&[("uscc", SCHOOL), ("year", "2025"), ("person_id", &person), ("account", "li.hua")]);
        let writes = [
            (&token, "tick", json!({ "months": ["2025-03"], "ticked": false })),
            (&operator, "add_token", json!({ "days": 7 })),
            (&operator, "hold_outbox", json!({ "employer": SCHOOL, "year": 2025, "why": "a call" })),
            (&operator, "release_outbox", json!({ "employer": SCHOOL, "year": 2025, "why": "over" })),
            (&token, "complete", json!({ "accepted_commitment": text })),
        ];
        for (token, id, body) in writes {
            let says = at.clone().body(body).header("idempotency-key", id);
            let serving = Serving::start(&scene, &jobs).await;
            let mut gate = Gate::close(&scene.day.harness, point).await;
            let asked = {
                let (url, token, says) = (serving.site.url.clone(), token.clone(), says.clone());
                tokio::spawn(async move {
                    let site = Website::at(url);
                    let api = Api::of(&site).await;
                    api.send(&token, id, says).await
                })
            };
            let pid = gate.wait_for_somebody().await;
            serving.kill();
            assert!(asked.await.expect("asked").is_err(), "{id}, {where_killed}: whoever asked hears nothing");
            gate.open(point, pid).await;

            let serving = Serving::start(&scene, &jobs).await;
            let api = Api::of(&serving.site).await;
            let first = api.call(token, id, says.clone()).await;
            assert_eq!(first.status, 200, "{id}, {where_killed}: {}", first.text);
            assert_eq!(first.header("idempotency-replayed") == "true", done, "{id}, {where_killed}: {}", first.text);
            let again = api.call(token, id, says).await;
            assert_eq!((again.status, &again.text), (200, &first.text), "{id}, {where_killed}");
            match id {
                "tick" => assert_eq!(first.json()["changed"], 1, "{where_killed}"),
                "hold_outbox" | "release_outbox" => assert_eq!(first.json()["changed"], true, "{id}, {where_killed}"),
                "complete" => assert_eq!(first.json()["version"], 1, "{where_killed}"),
                _ => {
                    let tokens = scene.store().list_tokens(Some("li.hua")).await.expect("tokens");
                    assert_eq!(tokens.len(), 2, "{where_killed}: one was made");
                }
            }
            serving.kill();
        }
    }
}
