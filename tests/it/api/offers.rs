//! What is told and offered, as a user's program walks it: announcements, the reward, subscriptions.

use renzheng::domain::access::Role;
use renzheng::policy::load;
use renzheng::web::Site;
use serde_json::{Value, json};

use super::{Api, Says};
use crate::access::{E1, division, unit, user};
use crate::declaring::SCHOOL;
use crate::fixtures::fixtures;
use crate::harness::Harness;
use crate::reward::{accepted, open};
use crate::website::Website;

async fn province(name: &str) -> Harness {
    let harness = Harness::new(name).await;
    harness.clock("2026-04-15".parse().expect("a day"), "09:00").await;
    harness.import_directory(&fixtures()).await;
    harness
}

fn titles(page: &Value) -> Vec<&str> {
    page["items"].as_array().expect("rows").iter().map(|row| row["title"].as_str().expect("a title")).collect()
}

fn named(says: Says, name: &str) -> Says {
    says.header("idempotency-key", name)
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_tell_a_division_correct_themselves_and_take_it_back_and_employers_read_what_stands() {
    let harness = province("api_announcements").await;
    let store = &harness.store;
    let site = Website::of(store).await;
    let api = Api::of(&site).await;
    let staff = user(store, "wang.fang", Role::Supervisor, &division("3601")).await;
    let employer = user(store, "li.hua", Role::Employer, &unit(E1)).await;
    let telling = |title: &str| {
        let body =
            json!({ "division": "3601", "title": title, "text": "请于四月底前完成申报。", "until_on": "2026-04-30" });
        Says::default().body(body)
    };
    let first = api.done(&staff, "publish_announcement", named(telling("申报须知"), "first")).await;
    assert_eq!(
        (&first["version"], &first["state"], &first["published_by"]),
        (&json!(1), &json!("in_force"), &json!("wang.fang"))
    );
    let at = Says::at(&[("announcement_id", &first["announcement_id"].to_string())]);
    assert_eq!(api.done(&staff, "read_announcement", at.clone()).await, first, "what was answered is what stands");
    api.done(&staff, "publish_announcement", telling("停机通知")).await;
    let beyond = json!({ "division": "3602", "title": "x", "text": "x" });
    let beyond = api.call(&staff, "publish_announcement", Says::default().body(beyond)).await;
    assert_eq!(beyond.problem(), (422, "beyond_reach".to_owned()));

    // the employer reads page by page, and searches
    let page = api.done(&employer, "list_announcements", Says::default().query("limit", "1")).await;
    assert_eq!(titles(&page), ["停机通知"], "newest first");
    let after = page["next"].as_str().expect("there is more");
    let page = api.done(&employer, "list_announcements", Says::default().query("after", after)).await;
    assert_eq!((titles(&page), &page["next"]), (vec!["申报须知"], &Value::Null));
    let page = api.done(&employer, "list_announcements", Says::default().query("search", "停机")).await;
    assert_eq!(titles(&page), ["停机通知"]);
    let read = api.done(&employer, "read_announcement", at.clone()).await;
    assert_eq!((&read["text"], read.get("published_by")), (&first["text"], None));
    let all = api.call(&employer, "list_announcements", Says::default().query("all", "true")).await;
    assert_eq!(all.problem(), (403, "forbidden".to_owned()));
    let cursor = api.call(&employer, "list_announcements", Says::default().query("after", "x")).await;
    assert_eq!(cursor.problem(), (400, "bad_cursor".to_owned()));

    // the correction is of the version that was seen
    let correction =
        json!({ "of_version": 1, "title": "申报须知", "text": "请于五月底前完成申报。", "from_on": "2026-04-15" });
    let correcting = named(at.clone().body(correction.clone()), "correction");
    let corrected = api.done(&staff, "correct_announcement", correcting.clone()).await;
    assert_eq!((&corrected["version"], &corrected["earlier"][0]["text"]), (&json!(2), &first["text"]));
    assert_eq!(api.done(&staff, "read_announcement", at.clone()).await, corrected);
    let outdated = api.call(&staff, "correct_announcement", at.clone().body(correction)).await;
    assert_eq!(outdated.problem(), (409, "outdated".to_owned()));
    let withdrawn = api.done(&staff, "withdraw_announcement", at.clone().body(json!({ "why": "有误" }))).await;
    assert_eq!((&withdrawn["state"], &withdrawn["withdrawn_why"]), (&json!("withdrawn"), &json!("有误")));
    assert_eq!(api.done(&staff, "read_announcement", at.clone()).await, withdrawn);
    assert_eq!(api.call(&employer, "read_announcement", at.clone()).await.problem(), (404, "not_found".to_owned()));
    let left = api.done(&employer, "list_announcements", Says::default()).await;
    assert_eq!(titles(&left), ["停机通知"]);
    let all = api.done(&staff, "list_announcements", Says::default().query("all", "true")).await;
    assert_eq!(titles(&all), ["停机通知", "申报须知"]);

    // whoever repeats a request hears what it came to then
    let again = api.call(&staff, "publish_announcement", named(telling("申报须知"), "first")).await;
    assert_eq!((again.json(), again.header("idempotency-replayed")), (first, "true"));
    assert_eq!(api.done(&staff, "correct_announcement", correcting).await, corrected);
    let all = api.done(&staff, "list_announcements", Says::default().query("all", "true")).await;
    assert_eq!(titles(&all).len(), 2, "and nothing was told twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_employer_applies_for_the_reward_and_staff_decide_what_they_saw() {
    let (scene, _) = accepted("api_reward").await;
    let store = scene.store();
    let site = Website::serving(Site::new(store.clone(), open())).await;
    let api = Api::of(&site).await;
    let employer = user(store, "li.hua", Role::Employer, &unit(SCHOOL)).await;
    let staff = user(store, "wang.fang", Role::Supervisor, &division("3606")).await;
    let at = || Says::at(&[("uscc", SCHOOL), ("year", "2025")]);
    let before = api.done(&employer, "read_reward", at()).await;
    assert_eq!((&before["may_apply"], &before["calculation"]["amount"]), (&json!(true), &json!("17096.20")));
    let none = api.call(&employer, "withdraw_reward", at()).await;
    assert_eq!(none.problem(), (409, "no_request".to_owned()));

    let applied = api.done(&employer, "apply_for_reward", named(at(), "apply")).await;
    assert_eq!((&applied["state"], &applied["calculation"]), (&json!("open"), &before["calculation"]));
    let twice = api.call(&employer, "apply_for_reward", at()).await;
    assert_eq!(twice.problem(), (409, "request_open".to_owned()));
    let waiting = api.done(&staff, "list_reward_applications", Says::default()).await;
    assert_eq!(waiting["items"], json!([applied]));

    let decide = |word: Value| api.call(&staff, "decide_reward", at().body(word));
    for word in [json!({}), json!({ "approve": "other", "reject": "other" })] {
        assert_eq!(decide(word).await.problem(), (422, "one_word".to_owned()));
    }
    assert_eq!(decide(json!({ "reject": "not_a_reason" })).await.problem(), (400, "bad_body".to_owned()));
    let unexplained = decide(json!({ "reject": "other" })).await;
    assert_eq!(unexplained.problem().0, 422, "{}", unexplained.text);
    let another = decide(json!({ "reject": "levy_owed", "seen": 0 })).await;
    assert_eq!(another.problem(), (409, "another_open".to_owned()));
    let word = json!({ "reject": "levy_owed", "seen": applied["application_id"] });
    let rejected = api.done(&staff, "decide_reward", named(at().body(word.clone()), "word")).await;
    assert_eq!((&rejected["state"], &rejected["reason"]), (&json!("rejected"), &json!("levy_owed")));

    let next = api.done(&employer, "apply_for_reward", at()).await;
    assert_ne!(next["application_id"], applied["application_id"]);
    let withdrawn = api.done(&employer, "withdraw_reward", at()).await;
    assert_eq!((&withdrawn["state"], &withdrawn["application_id"]), (&json!("withdrawn"), &next["application_id"]));
    let after = api.done(&employer, "read_reward", at()).await;
    assert_eq!(after["applications"], json!([withdrawn, rejected]));

    // repeated, when all is over
    assert_eq!(api.done(&employer, "apply_for_reward", named(at(), "apply")).await, applied);
    assert_eq!(api.done(&staff, "decide_reward", named(at().body(word), "word")).await, rejected);
    assert_eq!(api.done(&employer, "read_reward", at()).await, after);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_subscribes_changes_its_secret_and_leaves_by_itself() {
    let harness = province("api_subscriptions").await;
    let store = &harness.store;
    let site = Website::of(store).await;
    let api = Api::of(&site).await;
    let own = user(store, "li.hua", Role::Employer, &unit(E1)).await;
    let other = user(store, "zhao.min", Role::Employer, &unit(E1)).await;
    let to = |url: &str| Says::default().body(json!({ "url": url, "kinds": ["cell_changed", "decision_made"] }));
    let adding = named(to("https://payroll.example/events?of=me"), "add");
    let added = api.done(&own, "add_subscription", adding.clone()).await;
    let secret = added["secret"].as_str().expect("a secret").to_owned();
    let at = Says::at(&[("subscription_id", &added["subscription_id"].to_string())]);
    let list = async |token: &str| api.done(token, "list_subscriptions", Says::default()).await;
    let listed = list(&own).await;
    assert_eq!(
        (&listed["items"][0]["url"], &listed["items"][0]["algorithm"]),
        (&json!("https://payroll.example/events?of=me"), &json!("hmac-sm3"))
    );
    assert!(!listed.to_string().contains(&secret));
    assert_eq!(list(&other).await["items"], json!([]));
    for id in ["rotate_subscription", "test_subscription", "resume_subscription", "remove_subscription"] {
        assert_eq!(api.call(&other, id, at.clone()).await.problem(), (404, "not_found".to_owned()), "{id}");
    }

    let rotated = api.done(&own, "rotate_subscription", named(at.clone(), "rotate")).await;
    assert!(rotated["secret"] != added["secret"] && rotated["key_id"] != added["key_id"]);
    let pinged = api.done(&own, "test_subscription", named(at.clone(), "ping")).await;
    assert_eq!(list(&own).await["items"][0]["waiting"], 1);
    let resumed = api.call(&own, "resume_subscription", at.clone()).await;
    assert_eq!(resumed.problem(), (409, "not_paused".to_owned()));
    let removed = api.done(&own, "remove_subscription", named(at.clone(), "remove")).await;
    assert_eq!(removed["removed"], added["subscription_id"]);
    assert_eq!(list(&own).await["items"], json!([]));

    // an answer that got lost is given again, the secrets too, though the subscription is gone
    assert_eq!(api.done(&own, "add_subscription", adding).await, added);
    assert_eq!(api.done(&own, "rotate_subscription", named(at.clone(), "rotate")).await, rotated);
    assert_eq!(api.done(&own, "test_subscription", named(at.clone(), "ping")).await, pinged);
    assert_eq!(api.done(&own, "remove_subscription", named(at.clone(), "remove")).await, removed);
    assert_eq!(list(&own).await["items"], json!([]), "and none came of it");
    assert_eq!(api.call(&own, "remove_subscription", at).await.problem().0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_events_may_not_go_to_is_refused_and_this_machine_only_where_the_settings_say_so() {
    let harness = province("api_addresses").await;
    let store = &harness.store;
    let own = user(store, "li.hua", Role::Employer, &unit(E1)).await;
    let site = Website::of(store).await;
    let api = Api::of(&site).await;
    let to = |url: &str| Says::default().body(json!({ "url": url, "kinds": ["cell_changed"] }));
    for (url, code) in [
        ("http://payroll.example/", "not_an_address"),
        ("https://10.1.2.3/", "address_not_public"),
        ("https://127.0.0.1/", "address_not_public"),
        ("https://me@payroll.example/", "address_holds_user"),
    ] {
        let refused = api.call(&own, "add_subscription", to(url)).await;
        assert_eq!(refused.problem(), (422, code.to_owned()), "{url}");
    }
    let ping = json!({ "url": "https://payroll.example/", "kinds": ["ping"] });
    let refused = api.call(&own, "add_subscription", Says::default().body(ping)).await;
    assert_eq!(refused.problem(), (422, "no_kinds".to_owned()));

    let reading = load(None).expect("the built-in policy");
    let here = Website::serving(Site::new(store.clone(), reading).allowing_loopback(true)).await;
    let api = Api::of(&here).await;
    for number in 0..10 {
        api.done(&own, "add_subscription", to(&format!("http://127.0.0.1:8080/{number}"))).await;
    }
    let eleventh = api.call(&own, "add_subscription", to("http://127.0.0.1:8080/10")).await;
    assert_eq!(eleventh.problem(), (409, "too_many_subscriptions".to_owned()));
    // page by page
    let (mut urls, mut says) = (Vec::new(), Says::default().query("limit", "4"));
    loop {
        let page = api.done(&own, "list_subscriptions", says).await;
        urls.extend(page["items"].as_array().expect("rows").iter().map(|row| row["url"].to_string()));
        let Some(next) = page["next"].as_str() else { break };
        says = Says::default().query("limit", "4").query("after", next);
    }
    urls.dedup();
    assert_eq!(urls.len(), 10);
}
