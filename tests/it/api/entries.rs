//! What an employer's program enters, from the look-up of a person to last year's list.

use renzheng::domain::access::Role;
use serde_json::{Value, json};

use super::{Api, Says};
use crate::access::{division, unit, user};
use crate::register::{HOLDING, NAME, OTHER, OWN, Office, id_number};
use crate::website::{Answer, Website};

/// Who is typed and in no register.
const NEWCOMER: u32 = 7;

fn at(path: &[(&str, &str)]) -> Says {
    Says::at(&[("uscc", OWN), ("year", "2025")]).and_at(path)
}

fn named(person: u32) -> Value {
    json!({ "person": { "named": { "id_number": id_number(person), "name": NAME } }, "placing": {} })
}

fn looked_up(person: u32) -> Value {
    let id = id_number(person);
    json!({ "name": NAME, "id_number": id, "certificate_number": format!("{id}43") })
}

async fn enter(api: &Api<'_>, token: &str, person: u32) -> String {
    let entered = api.done(token, "enter_placement", at(&[]).body(named(person))).await;
    assert_eq!(entered["outcome"], "new", "{entered}");
    entered["person_id"].to_string()
}

fn codes(answer: &Answer) -> Vec<String> {
    let text = |fault: &Value| {
        format!("{} {}", fault["field"].as_str().unwrap_or("-"), fault["code"].as_str().expect("a code"))
    };
    answer.json()["errors"].as_array().expect("faults").iter().map(text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_looked_up_placed_changed_and_deleted() {
    let office = Office::open("api_entries").await;
    let store = &office.agency.harness.store;
    let site = Website::of(store).await;
    let api = Api::of(&site).await;
    let token = user(store, "li.hua", Role::Employer, &unit(OWN)).await;

    let found = api.done(&token, "look_up", Says::at(&[("uscc", OWN)]).body(looked_up(1))).await;
    assert_eq!(found["match"], true, "{found}");
    let by_receipt = json!({ "person": { "receipt": found["receipt"] } });
    let entered = api.done(&token, "enter_placement", at(&[]).body(by_receipt)).await;
    assert_eq!((&entered["outcome"], &entered["warnings"]), (&json!("new"), &json!([])));
    let person = entered["person_id"].to_string();
    let second = enter(&api, &token, NEWCOMER).await;

    let listed = api.done(&token, "list_placements", at(&[]).query("limit", "1")).await;
    assert_eq!(listed["items"][0]["person_id"].to_string(), person);
    assert_eq!((&listed["items"][0]["name"], &listed["next"]), (&json!("某*"), &json!(person)));
    let rest = api.done(&token, "list_placements", at(&[]).query("after", &person)).await;
    assert_eq!((rest["items"][0]["person_id"].to_string(), &rest["next"]), (second.clone(), &json!(null)));
    assert!(!listed.to_string().contains(&id_number(1)) && !rest.to_string().contains(&id_number(NEWCOMER)));

    // who changes it says what they change
    let one = || at(&[("person_id", &person)]);
    let read = api.call(&token, "read_placement", one()).await;
    let tag = read.header("etag").to_owned();
    let holding = json!({ "unit_name": "丙集团", "relation": "affiliate" });
    let change = json!({ "wage_payer_uscc": HOLDING });
    let unlisted = api.call(&token, "change_placement", one().header("if-match", &tag).body(change.clone())).await;
    assert_eq!(unlisted.status, 422, "{}", unlisted.text);
    assert!(codes(&unlisted)[0].starts_with("wage_payer"), "{}", unlisted.text);
    api.done(&token, "save_affiliate", at(&[("unit_uscc", HOLDING)]).body(holding)).await;
    let unsaid = api.call(&token, "change_placement", one().body(change.clone())).await;
    assert_eq!(unsaid.problem(), (428, "if_match_missing".to_owned()));
    let says = one().header("if-match", &tag).header("idempotency-key", "change-1").body(change);
    let changed = api.call(&token, "change_placement", says.clone()).await;
    assert_eq!((changed.status, &changed.json()["outcome"]), (200, &json!("changed")), "{}", changed.text);
    let late = api.call(&token, "change_placement", one().header("if-match", &tag).body(json!({}))).await;
    assert_eq!(late.problem(), (412, "changed_meanwhile".to_owned()));
    // who is placed already is not placed over
    let over = json!({ "person": { "named": { "id_number": id_number(1), "name": NAME } }, "placing": {} });
    let over = api.call(&token, "enter_placement", at(&[]).body(over)).await;
    assert_eq!(over.problem(), (409, "already_entered".to_owned()));
    assert!(over.text.contains("If-Match"), "{}", over.text);
    let stands = api.done(&token, "read_placement", one()).await;
    assert_eq!(stands["wage_payer_uscc"], HOLDING, "as it was changed last");
    // the answer got lost: it is told again, though the state moved on
    let again = api.call(&token, "change_placement", says).await;
    assert_eq!((again.status, &again.text, again.header("idempotency-replayed")), (200, &changed.text, "true"));

    let why = json!({ "why": "entered by mistake" });
    let nothing = api.call(&token, "delete_placement", one().body(json!({ "why": " " }))).await;
    assert_eq!(nothing.problem(), (422, "reason_missing".to_owned()));
    let says = one().header("idempotency-key", "delete-1").body(why.clone());
    let deleted = api.done(&token, "delete_placement", says.clone()).await;
    assert_eq!(deleted, json!({ "person_id": entered["person_id"], "outcome": "deleted" }));
    assert_eq!(api.done(&token, "delete_placement", says).await, deleted, "told again");
    let gone = api.call(&token, "delete_placement", one().body(why)).await;
    assert_eq!((gone.status, codes(&gone)), (422, vec!["id_number no_placement".to_owned()]));
    assert_eq!(api.call(&token, "read_placement", one()).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_that_misses_tells_nothing_and_too_many_end_for_a_time() {
    let office = Office::open("api_look_ups").await;
    let store = &office.agency.harness.store;
    let site = Website::of(store).await;
    let api = Api::of(&site).await;
    let token = user(store, "li.hua", Role::Handler, &unit(OWN)).await;
    let ask = |body: Value| api.call(&token, "look_up", Says::at(&[("uscc", OWN)]).body(body));
    for _ in 0..5 {
        assert_eq!(ask(looked_up(NEWCOMER)).await.json(), json!({ "match": false }));
    }
    let refused = ask(looked_up(1)).await;
    assert_eq!(refused.problem(), (429, "too_many_misses".to_owned()));
    let wait: i64 = refused.header("retry-after").parse().expect("seconds");
    assert!((3000..=3600).contains(&wait), "{wait}");
    let mut wrong = looked_up(1);
    wrong["id_number"] = json!("360002199001010010");
    let answer = ask(wrong).await;
    assert_eq!((answer.problem().0, codes(&answer)), (422, vec!["id_number malformed".to_owned()]));
    assert!(!answer.text.contains("360002199001010010"));
    // a receipt is the employer's own
    let stranger = user(store, "wang.fang", Role::Employer, &unit(OTHER)).await;
    let found = api.done(&stranger, "look_up", Says::at(&[("uscc", OTHER)]).body(looked_up(1))).await;
    let stolen = json!({ "person": { "receipt": found["receipt"] } });
    let answer = api.call(&token, "enter_placement", at(&[]).body(stolen)).await;
    assert_eq!(codes(&answer), ["receipt receipt_unknown"], "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn contracts_are_added_changed_terminated_and_deleted() {
    let office = Office::open("api_contracts").await;
    let store = &office.agency.harness.store;
    let site = Website::of(store).await;
    let api = Api::of(&site).await;
    let token = user(store, "li.hua", Role::Employer, &unit(OWN)).await;
    let person = enter(&api, &token, 1).await;
    let one = || at(&[("person_id", &person), ("kind", "labour"), ("starts_on", "2024-01-01")]);

    let says = json!({ "ends_on": "2026-12-31", "post": "包装", "monthly_pay": "2500.5" });
    let added = api.done(&token, "save_contract", one().body(says.clone())).await;
    assert_eq!((&added["outcome"], &added["warnings"]), (&json!("new"), &json!([])));
    let blind = api.call(&token, "save_contract", one().body(says.clone())).await;
    assert_eq!(blind.problem(), (428, "if_match_missing".to_owned()), "nobody overwrites what they did not read");
    let read = api.call(&token, "read_contract", one()).await;
    let tag = read.header("etag").to_owned();
    assert_eq!(read.json()["monthly_pay"], "2500.50", "{}", read.text);
    let open_ended = one().header("if-match", &tag).body(json!({ "post": "包装" }));
    let changed = api.done(&token, "save_contract", open_ended.clone()).await;
    assert_eq!(changed["outcome"], "changed");
    assert_eq!(api.call(&token, "save_contract", open_ended).await.problem().0, 412);
    let wrong = api.call(&token, "terminate_contract", one().body(json!({ "terminated_on": "2023-12-31" }))).await;
    assert_eq!(codes(&wrong), ["terminated_on terminated_before_start"]);
    let says = one().header("idempotency-key", "end-1").body(json!({ "terminated_on": "2025-06-30" }));
    let ended = api.done(&token, "terminate_contract", says.clone()).await;
    assert_eq!(ended["outcome"], "changed");
    assert_eq!(api.done(&token, "terminate_contract", says).await, ended, "told again, not done again");
    let listed = api.done(&token, "list_contracts", at(&[("person_id", &person)])).await;
    assert_eq!(listed["items"][0]["terminated_on"], "2025-06-30");
    assert_eq!(listed["items"][0]["ends_on"], json!(null));
    let of_nobody = api.call(&token, "list_contracts", at(&[("person_id", "4711")])).await;
    assert_eq!(of_nobody.problem().0, 404);
    let deleted = api.done(&token, "delete_contract", one().body(json!({ "why": "entered twice" }))).await;
    assert_eq!(deleted, json!({ "outcome": "deleted" }));
    assert_eq!(api.call(&token, "read_contract", one()).await.problem().0, 404);
    let named = api.call(&token, "delete_contract", one().body(json!({ "why": id_number(1) }))).await;
    assert_eq!(named.status, 422, "a reason holds no ID number: {}", named.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_affiliate_that_is_used_stays_and_two_who_edit_it_do_not_overwrite_each_other() {
    let office = Office::open("api_affiliates").await;
    let store = &office.agency.harness.store;
    let site = Website::of(store).await;
    let api = Api::of(&site).await;
    let token = user(store, "li.hua", Role::Employer, &unit(OWN)).await;
    let one = || at(&[("unit_uscc", HOLDING)]);
    let said = |phone: &str| json!({ "unit_name": "丙集团", "relation": "affiliate", "phone": phone });
    let bad = api.call(&token, "save_affiliate", one().body(said("none"))).await;
    assert_eq!(codes(&bad), ["phone malformed"]);
    assert_eq!(api.done(&token, "save_affiliate", one().body(said("0791-1234567"))).await["outcome"], "new");
    let tag = api.call(&token, "read_affiliate", one()).await.header("etag").to_owned();
    let mine = one().header("if-match", &tag).body(said("0791-7654321"));
    let theirs = one().header("if-match", &tag).body(said("0791-5555555"));
    assert_eq!(api.done(&token, "save_affiliate", mine).await["outcome"], "changed");
    assert_eq!(api.call(&token, "save_affiliate", theirs).await.problem(), (412, "changed_meanwhile".to_owned()));
    let broken = one().header("if-match", "W/\"1\"").body(said("0791-5555555"));
    assert_eq!(api.call(&token, "save_affiliate", broken).await.problem(), (400, "bad_if_match".to_owned()));

    let person = enter(&api, &token, 1).await;
    let placed = at(&[("person_id", &person)]);
    let tag = api.call(&token, "read_placement", placed.clone()).await.header("etag").to_owned();
    let paid = placed.header("if-match", &tag).body(json!({ "wage_payer_uscc": HOLDING }));
    api.done(&token, "change_placement", paid).await;
    let listed = api.done(&token, "list_affiliates", at(&[])).await;
    assert_eq!((&listed["items"][0]["used_by"], &listed["next"]), (&json!(1), &json!(null)));
    let used = api.call(&token, "delete_affiliate", one().body(json!({ "why": "not ours" }))).await;
    assert_eq!(codes(&used), ["unit_uscc affiliate_used"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_employers_own_data_are_entered_masked_and_confirmed() {
    let office = Office::open("api_employer").await;
    let store = &office.agency.harness.store;
    let site = Website::of(store).await;
    let api = Api::of(&site).await;
    let token = user(store, "li.hua", Role::Employer, &unit(OWN)).await;
    let early = api.call(&token, "confirm_employer", at(&[])).await;
    assert_eq!(codes(&early), ["handler contact_missing"]);
    assert_eq!(api.call(&token, "read_contact", at(&[])).await.problem().0, 404);
    let contact = json!({ "handler": "李经办", "phone": "13912345678", "address": "南昌市某某路某号", "email": "li@example.org" });
    assert_eq!(api.done(&token, "save_contact", at(&[]).body(contact.clone())).await["outcome"], "new");
    let read = api.call(&token, "read_contact", at(&[])).await;
    let shown =
        json!({ "handler": "李*", "phone": "*******5678", "address": "南昌市某某路*", "email": "*@example.org" });
    assert_eq!(read.json(), shown);
    assert_eq!(api.call(&token, "save_contact", at(&[]).body(contact.clone())).await.problem().0, 428);
    let same = at(&[]).header("if-match", read.header("etag")).body(contact);
    assert_eq!(api.done(&token, "save_contact", same).await["outcome"], "same");
    let says = at(&[]).header("idempotency-key", "confirm-1");
    assert_eq!(api.done(&token, "confirm_employer", says.clone()).await["outcome"], "new");
    assert_eq!(api.done(&token, "confirm_employer", says).await["outcome"], "new", "the same answer");
    assert_eq!(api.done(&token, "confirm_employer", at(&[])).await["outcome"], "same", "another request");
    let view = api.done(&token, "read_employer", at(&[])).await;
    assert_eq!(view["confirmed"]["confirmed_by"], "li.hua", "{view}");

    let read = api.call(&token, "read_jurisdictions", at(&[])).await;
    let moved = json!({ "division": "360104", "federation_division": "360104", "tax_division": "360104" });
    let says = at(&[]).header("if-match", read.header("etag")).body(moved.clone());
    assert_eq!(api.done(&token, "change_jurisdictions", says.clone()).await["outcome"], "changed");
    assert_eq!(api.call(&token, "change_jurisdictions", says).await.problem().0, 412);
    assert_eq!(api.done(&token, "read_jurisdictions", at(&[])).await, moved);
}

#[tokio::test(flavor = "multi_thread")]
async fn last_years_list_is_carried_over_once_and_both_employers_hear_of_a_double_claim() {
    let office = Office::open("api_carry_over").await;
    let store = &office.agency.harness.store;
    let site = Website::of(store).await;
    let api = Api::of(&site).await;
    let token = user(store, "li.hua", Role::Employer, &unit(OWN)).await;
    let stranger = user(store, "wang.fang", Role::Employer, &unit(OTHER)).await;
    let person = enter(&api, &token, 1).await;
    let contract = at(&[("person_id", &person), ("kind", "labour"), ("starts_on", "2024-01-01")]);
    api.done(&token, "save_contract", contract.body(json!({}))).await;
    let next_year = at(&[("year", "2026")]).header("idempotency-key", "carry-1");
    let carried = api.done(&token, "carry_over", next_year.clone()).await;
    assert_eq!(carried["persons"][0]["outcome"], "carried", "{carried}");
    assert_eq!(carried["persons"][0]["contracts"], 1);
    assert_eq!(api.done(&token, "carry_over", next_year).await, carried, "told again");
    let anew = api.done(&token, "carry_over", at(&[("year", "2026")])).await;
    assert_eq!(anew["persons"][0]["outcome"], "already_there");

    let theirs = Says::at(&[("uscc", OTHER), ("year", "2025"), ("person_id", &person)]);
    let entered = api.done(&stranger, "enter_placement", theirs.clone().body(named(1))).await;
    assert_eq!(entered["outcome"], "new");
    let contract = theirs.and_at(&[("kind", "labour"), ("starts_on", "2024-01-01")]).body(json!({}));
    let both = api.done(&stranger, "save_contract", contract).await;
    assert_eq!(both["months_elsewhere"].as_array().map(Vec::len), Some(12), "{both}");
    let notices = api.done(&token, "list_notices", Says::default()).await;
    let notice = &notices["items"][0];
    assert_eq!((&notice["addressee"], &notice["read_at"]), (&json!(OWN), &json!(null)), "{notices}");
    assert!(!notices.to_string().contains(OTHER), "who the other is, is nothing for them");
    let number = notice["notice_id"].to_string();
    let reading = Says::at(&[("notice_id", &number)]);
    let foreign = api.call(&stranger, "read_notice", reading.clone()).await;
    assert_eq!(foreign.problem().0, 404);
    let said = reading.clone().header("idempotency-key", "read-1");
    let read = api.done(&token, "read_notice", said.clone()).await;
    assert_eq!(read["new"], true);
    assert_eq!(api.done(&token, "read_notice", said).await, read);
    assert_eq!(api.done(&token, "read_notice", reading).await["new"], false);
    assert_eq!(api.done(&token, "list_notices", Says::default()).await["items"], json!([]));
    let all = api.done(&token, "list_notices", Says::default().query("all", "true")).await;
    assert_eq!(all["items"][0]["read_by"], "li.hua");

    let auditor = user(store, "chen.audit", Role::Auditor, &division("3601")).await;
    let refused = api.call(&auditor, "enter_placement", at(&[]).body(named(2))).await;
    assert_eq!(refused.problem(), (403, "forbidden".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_rows_is_taken_in_but_for_what_is_refused() {
    const CSV: &str = "text/csv; charset=utf-8";
    let office = Office::open("api_imports").await;
    let store = &office.agency.harness.store;
    let site = Website::of(store).await;
    let api = Api::of(&site).await;
    let token = user(store, "li.hua", Role::Employer, &unit(OWN)).await;
    let kind = |kind: &str| Says::at(&[("kind", kind)]);
    let header = "employer_uscc,year,id_number,name,dispatched,wage_payer_uscc,pension_payer_uscc,medical_payer_uscc";
    let row = |code: &str, person: u32| format!("{code},2025,{},{NAME},false,{code},{code},{code}", id_number(person));
    let text = [header.to_owned(), row(OWN, 1), row(OTHER, 2), row(OWN, NEWCOMER)].join("\n");
    let says = kind("placements").upload(CSV, text.as_bytes()).header("idempotency-key", "import-1");
    let imported = api.done(&token, "import", says.clone()).await;
    assert_eq!([&imported["read"], &imported["new"], &imported["refused_rows"]], [&json!(3), &json!(2), &json!(1)]);
    let refused = &imported["refused"][0];
    assert_eq!((&refused["line"], &refused["code"]), (&json!(3), &json!("not_found")), "another's row: {imported}");
    assert!(!imported.to_string().contains(&id_number(2)));
    assert_eq!(api.done(&token, "import", says).await, imported, "told again");
    let anew = api.done(&token, "import", kind("placements").upload(CSV, text.as_bytes())).await;
    assert_eq!((&anew["new"], &anew["same"]), (&json!(0), &json!(2)));

    let mut workbook = rust_xlsxwriter::Workbook::new();
    let sheet = workbook.add_worksheet();
    let columns = ["employer_uscc", "year", "id_number", "kind", "starts_on", "ends_on"];
    let person = id_number(1);
    for (at, (name, value)) in columns.iter().zip([OWN, "2025", &person, "labour", "2024-01-01", ""]).enumerate() {
        let at = u16::try_from(at).expect("a column");
        sheet.write(0, at, *name).expect("written");
        sheet.write(1, at, value).expect("written");
    }
    let xlsx = workbook.save_to_buffer().expect("a workbook");
    let xlsx_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    let contracts = api.done(&token, "import", kind("contracts").upload(xlsx_type, &xlsx)).await;
    assert_eq!((&contracts["new"], &contracts["refused"]), (&json!(1), &json!([])));

    let import = async |says: Says| api.call(&token, "import", says).await.problem();
    let no_header = kind("placements").upload(CSV, b"a,b,c\n1,2,3\n");
    assert_eq!(import(no_header).await, (422, "no_known_column".to_owned()));
    let unknown = kind("placements").upload(CSV, format!("{header},colour\n").as_bytes());
    assert_eq!(import(unknown).await, (422, "unknown_column".to_owned()));
    let no_workbook = kind("placements").upload(xlsx_type, text.as_bytes());
    assert_eq!(import(no_workbook).await, (422, "unreadable_file".to_owned()));
    assert_eq!(
        import(kind("placements").upload("text/html", text.as_bytes())).await,
        (415, "unknown_format".to_owned())
    );
    assert_eq!(import(kind("wages").upload(CSV, text.as_bytes())).await, (404, "not_found".to_owned()));
    let long =
        std::iter::once(header.to_owned()).chain((0..20_001).map(|_| "x".to_owned())).collect::<Vec<_>>().join("\n");
    assert_eq!(import(kind("placements").upload(CSV, long.as_bytes())).await, (422, "too_many_rows".to_owned()));
    let rows_left = office.count("placement where to_seq is null").await;
    assert_eq!(rows_left, 2, "of a file that cannot be read nothing is kept");
}
