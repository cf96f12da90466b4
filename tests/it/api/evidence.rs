//! Evidence as an employer's program hands it in, looks at it and takes it back.

use renzheng::domain::access::Role;
use renzheng::domain::ids::Uscc;
use renzheng::ingest::PullOutcome;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::{Api, Says};
use crate::access::{E1, E3, division, province, unit, user};
use crate::evidence::made::{pdf, png, signed_pdf, stream};
use crate::fixtures::Day;
use crate::harness::Scratch;
use crate::website::Website;

const PNG: &str = "image/png";
const E2: &str = "91369900MA1000A29E";

/// The hand-made province, with a folder for evidence.
struct Desk {
    province: Day,
    site: Website,
    /// Of a placement of E1.
    person: i64,
    _folder: Scratch,
}

impl Desk {
    async fn open(name: &str) -> Self {
        let province = province(name).await;
        let folder = Scratch::new(&format!("{name}_files"));
        let store = province.harness.store.clone().keep_evidence_in(folder.path());
        let site = Website::of(&store).await;
        let employer = store.find_unit(&Uscc::parse(E1).expect("a code")).await.expect("asked").expect("known");
        let person = store.list_placements(&[employer]).await.expect("placements")[0].person.0;
        Self { province, site, person, _folder: folder }
    }

    fn wage_of_march(&self) -> Says {
        let proves = json!([{ "subject": "cell", "person": self.person, "months": ["2025-03"], "grounds": ["wage"] }]);
        of_e1().query("proves", &proves.to_string())
    }

    async fn count(&self, question: &str) -> i64 {
        let mut connection = self.province.harness.connection().await;
        sqlx::query_scalar(AssertSqlSafe(question.to_owned())).fetch_one(&mut connection).await.expect("a count")
    }
}

fn of_e1() -> Says {
    Says::at(&[("uscc", E1), ("year", "2025")])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_kept_once_handed_out_as_it_came_and_taken_back() {
    let desk = Desk::open("api_evidence").await;
    let (store, api) = (&desk.province.harness.store, Api::of(&desk.site).await);
    let token = user(store, "li.hua", Role::Employer, &unit(E1)).await;
    let says =
        || desk.wage_of_march().header("x-file-name", "%E6%9D%8E%E5%8D%8E%E6%B5%81%E6%B0%B4.png").upload(PNG, &png());
    let named = says().header("idempotency-key", "upload-1");
    let attached = api.done(&token, "attach_evidence", named.clone()).await;
    let cell = json!({ "subject": "cell", "person": desk.person, "month": "2025-03", "ground": "wage" });
    assert_eq!((&attached["format"], &attached["uses"]), (&json!("png"), &json!([cell])));
    let again = api.call(&token, "attach_evidence", named.clone()).await;
    assert_eq!((again.json(), again.header("idempotency-replayed")), (attached.clone(), "true"));
    let mut otherwise = says().header("idempotency-key", "upload-1");
    otherwise.headers.retain(|(name, _)| name != "x-file-name");
    let otherwise = api.call(&token, "attach_evidence", otherwise).await;
    assert_eq!(otherwise.problem(), (422, "key_reused".to_owned()), "another name is another request");
    assert_eq!(api.done(&token, "attach_evidence", says()).await, attached, "the same content is one file");

    let id = attached["evidence_id"].to_string();
    let one = |code: &str| Says::at(&[("uscc", code), ("evidence_id", &id)]);
    let shown = api.done(&token, "read_evidence", one(E1)).await;
    assert_eq!(
        (&shown["file_name"], &shown["scanned"]),
        (&json!("*.png"), &json!(false)),
        "a name may hold somebody's"
    );
    let listed = api.done(&token, "list_evidence", of_e1().query("limit", "1")).await;
    assert_eq!((&listed["items"], &listed["next"]), (&json!([shown]), &json!(null)));

    let path = format!("/api/v1/employers/{E1}/evidence/{id}/content");
    let answer = desk.site.request("GET", &path).bearer_auth(&token).send().await.expect("an answer");
    let header = |name: &str| answer.headers()[name].to_str().expect("text").to_owned();
    assert_eq!(header("content-disposition"), format!("attachment; filename=\"evidence-{id}.png\""));
    assert_eq!((header("content-type"), header("x-content-type-options")), (PNG.to_owned(), "nosniff".to_owned()));
    assert_eq!(answer.bytes().await.expect("the file"), png());
    api.call(&token, "open_evidence", one(E1).query("form", "rendition")).await;
    let opened = "select count(*) from audit where action = 'open_evidence' and actor = 'li.hua'";
    assert_eq!(desk.count(opened).await, 2, "every look is audited");

    // another's file is not found, neither at its owner nor by the number alone
    let stranger = user(store, "wang.fang", Role::Employer, &unit(E3)).await;
    for code in [E1, E3] {
        assert_eq!(api.call(&stranger, "read_evidence", one(code)).await.problem().0, 404, "{code}");
        assert_eq!(api.call(&stranger, "open_evidence", one(code)).await.problem().0, 404, "{code}");
    }
    let reviewer = user(store, "zhao.review", Role::Reviewer, &division("3601")).await;
    assert_eq!(api.call(&reviewer, "read_evidence", one(E2)).await.problem().0, 404, "it is none of that employer's");

    let use_id = shown["uses"][0]["use_id"].clone();
    let ending = json!({ "uses": [use_id], "why": "another is better" });
    let named = one(E1).header("idempotency-key", "withdraw-1").body(ending.clone());
    let withdrawn = api.done(&token, "withdraw_evidence", named.clone()).await;
    assert_eq!(withdrawn["uses"], json!([]));
    assert_eq!(api.done(&token, "withdraw_evidence", named).await, withdrawn, "told again");
    let twice = api.call(&token, "withdraw_evidence", one(E1).body(ending)).await;
    assert_eq!(twice.problem(), (422, "no_such_use".to_owned()));
    let late = api.call(&token, "attach_evidence", says().header("idempotency-key", "upload-1")).await;
    assert_eq!(late.json(), attached, "what was answered stays answered");
    let in_use = "select count(*) from evidence_use where removed_at is null";
    assert_eq!(desk.count(in_use).await, 0, "and is not done again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_it_was_announced_or_proves_nothing_is_not_kept() {
    let desk = Desk::open("api_evidence_bad").await;
    let (store, api) = (&desk.province.harness.store, Api::of(&desk.site).await);
    let token = user(store, "li.hua", Role::Employer, &unit(E1)).await;
    let attach = async |says: Says| api.call(&token, "attach_evidence", says).await.problem();

    let mut exchanged = desk.wage_of_march().upload(PNG, &png());
    exchanged.file = Some((PNG.to_owned(), signed_pdf()));
    assert_eq!(attach(exchanged).await, (400, "digest_disagrees".to_owned()));
    let mut unnamed = desk.wage_of_march().upload(PNG, &png());
    unnamed.headers.clear();
    assert_eq!(attach(unnamed).await, (400, "content_digest_missing".to_owned()));
    let bad_name = desk.wage_of_march().header("x-file-name", "%FF.png").upload(PNG, &png());
    assert_eq!(attach(bad_name).await, (400, "bad_file_name".to_owned()));
    let denied = desk.wage_of_march().header("x-file-name", "a.pdf").upload(PNG, &png());
    assert_eq!(attach(denied).await, (422, "ending_disagrees".to_owned()));
    assert_eq!(attach(desk.wage_of_march().upload(PNG, b"")).await, (422, "empty".to_owned()));
    for (proves, expected) in [
        (json!([]), (422, "no_use")),
        (json!([{ "subject": "original", "year": 2025, "person": 4711 }]), (422, "unknown_subject")),
        (
            json!([{ "subject": "affiliate", "year": 2025, "unit_uscc": "91369900MA00000152" }]),
            (422, "unknown_subject"),
        ),
        (json!([{ "subject": "nothing" }]), (400, "bad_query")),
        (json!({}), (400, "bad_query")),
    ] {
        let refused = attach(of_e1().query("proves", &proves.to_string()).upload(PNG, &png())).await;
        assert_eq!(refused, (expected.0, expected.1.to_owned()), "{proves}");
    }
    assert_eq!(attach(of_e1().upload(PNG, &png())).await, (400, "bad_query".to_owned()), "it proves nothing");
    assert_eq!(desk.count("select count(*) from evidence").await, 0);
    let mut json = of_e1().body(json!({ "handler": "某人", "phone": "13900000000", "address": "南昌市" }));
    json = json.header("content-digest", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:");
    assert_eq!(api.call(&token, "save_contact", json).await.problem(), (400, "digest_disagrees".to_owned()));
    let signed =
        api.done(&token, "attach_evidence", desk.wage_of_march().upload("application/pdf", &signed_pdf())).await;
    let id = signed["evidence_id"].to_string();
    let drawn = Says::at(&[("uscc", E1), ("evidence_id", &id)]).query("form", "rendition");
    assert_eq!(api.call(&token, "open_evidence", drawn).await.problem(), (422, "no_rendition".to_owned()));
    // who sends a large file again is heard to its end, and hears the same
    let large = pdf(&stream("", &vec![b' '; 4 << 20]));
    let says = desk.wage_of_march().upload("application/pdf", &large).header("idempotency-key", "large-1");
    let attached = api.done(&token, "attach_evidence", says.clone()).await;
    for _ in 0..5 {
        assert_eq!(api.done(&token, "attach_evidence", says.clone()).await, attached);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_that_are_missing_are_told_cell_by_cell() {
    let desk = Desk::open("api_needs").await;
    let (day, api) = (&desk.province, Api::of(&desk.site).await);
    day.deliver_wages("wage-1.ndjson");
    for job in ["pull-wage", "pull-certificate", "pull-dispatch", "pull-pension", "pull-medical"] {
        assert_eq!(day.pull(job).await, PullOutcome::Published);
    }
    day.harness.verify(2025).await;
    let token = user(&day.harness.store, "li.hua", Role::Handler, &unit(E1)).await;
    let wanted = async || {
        let needs = api.done(&token, "list_needs", of_e1()).await;
        let about = |need: &&Value| need["document"] == "income_statement_of_payer";
        needs["items"].as_array().expect("needs").iter().find(about).expect("one of them").clone()
    };
    let need = wanted().await;
    let cells = need["cells"].as_array().expect("cells");
    assert_eq!(need["missing"], cells.len(), "{need}");
    let cell = |one: &Value| json!({ "subject": "cell", "person": one["person_id"], "months": [one["month"]], "grounds": [one["ground"]] });
    let proves: Value = cells.iter().map(cell).collect();
    api.done(&token, "attach_evidence", of_e1().query("proves", &proves.to_string()).upload(PNG, &png())).await;
    let after = wanted().await;
    assert_eq!((&after["missing"], after["cells"].as_array().map(Vec::len)), (&json!(0), Some(cells.len())));
}
