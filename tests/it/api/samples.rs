//! For every operation something that may be said to it, on which roles and reach are tried: an operation without a row fails.

use serde_json::{Value, json};

use super::Says;

/// What a row may name.
#[derive(Clone, Debug)]
pub struct Named {
    pub uscc: String,
    pub person_id: String,
}

/// Papers of nobody here.
fn strange_papers() -> Value {
    json!({ "id_number": "360001196501010019", "certificate_number": "36000119650101001942", "code": "2222-2222-2222" })
}

/// A sample of what may be said; the path's `uscc`, `year`, `person_id` and `month` are filled in.
pub fn sample(id: &str, named: &Named) -> Option<Says> {
    let path = [("uscc", named.uscc.as_str()), ("year", "2025"), ("person_id", &named.person_id), ("month", "2025-03")];
    let at = Says::at(&path);
    let with = |body: Value| Some(at.clone().body(body));
    let why = json!({ "why": "x" });
    let message = [("message_id", "019d8ec6-1a00-7000-8000-000000000001")];
    match id {
        // session and results
        "read_session" | "list_results" | "explain" => Some(at),
        "tick" => with(json!({ "months": ["2025-03"], "ticked": false })),
        // announcements
        "list_announcements" | "list_objections" | "list_reward_applications" | "list_subscriptions" => {
            Some(Says::default())
        }
        "publish_announcement" => {
            Some(Says::default().body(json!({ "division": "3601", "title": "通知", "text": "正文" })))
        }
        "read_announcement" => Some(Says::at(&[("announcement_id", "7000")])),
        "correct_announcement" => Some(
            Says::at(&[("announcement_id", "7000")])
                .body(json!({ "of_version": 1, "title": "通知", "text": "正文", "from_on": "2026-04-15" })),
        ),
        "withdraw_announcement" => Some(Says::at(&[("announcement_id", "7000")]).body(why)),
        // rewards
        "read_reward" | "apply_for_reward" | "withdraw_reward" => Some(at),
        "decide_reward" => with(json!({ "approve": "result_confirmed" })),
        // subscriptions
        "add_subscription" => {
            Some(Says::default().body(json!({ "url": "https://payroll.example/", "kinds": ["cell_changed"] })))
        }
        "remove_subscription" | "rotate_subscription" | "test_subscription" | "resume_subscription" => {
            Some(Says::at(&[("subscription_id", "7000")]))
        }
        // persons
        "read_own_counts" => with(json!({ "credentials": strange_papers() })),
        "list_own_looks" | "list_own_objections" => {
            Some(Says::default().body(json!({ "credentials": strange_papers() })))
        }
        "object" => {
            let months = ["2025-03"];
            let objection = json!({ "employer": named.uscc, "months": months, "kind": "never_worked_there" });
            Some(Says::default().body(json!({ "credentials": strange_papers(), "objection": objection })))
        }
        "read_objection" => Some(Says::at(&[("objection_id", "7000")])),
        "answer_objection" => {
            Some(Says::at(&[("objection_id", "7000")]).body(json!({ "finding": "upheld", "text": "已核实。" })))
        }
        "issue_person_code" | "revoke_person_code" => {
            let person_id: i64 = named.person_id.parse().ok()?;
            Some(Says::default().body(json!({ "person_id": person_id })))
        }
        // the tax department, and whoever holds a document
        "read_tax_feed" => Some(Says::default()),
        "answer_tax_feed" => Some(Says::default().body(json!([]))),
        "check_certification" => Some(Says::default().body(json!({ "number": "36-2025-00000001", "code": "2222" }))),
        // operations
        "list_jobs" | "list_runs" | "list_alerts" | "list_differences" | "list_refusals" | "list_audit" => {
            Some(Says::default())
        }
        "read_outbox" | "list_messages" | "list_users" | "list_tokens" => Some(Says::default()),
        "pause_job" => Some(Says::at(&[("job", "pull-wage")]).body(why)),
        "resume_job" => Some(Says::at(&[("job", "pull-wage")])),
        "read_task" => Some(Says::at(&[("task_id", "7")])),
        "retry_task" | "discard_task" => Some(Says::at(&[("task_id", "7")]).body(why)),
        "acknowledge_alert" => Some(Says::at(&[("alert_id", "7")]).body(why)),
        "discard_refusals" => Some(Says::default().body(json!({ "quarantine_ids": [7], "why": "x" }))),
        "read_message" => Some(Says::at(&message)),
        "retry_message" | "discard_message" => Some(Says::at(&message).body(why)),
        "hold_outbox" | "release_outbox" => Some(Says::default().body(why)),
        // users
        "add_user" => Some(Says::default().body(json!({ "account": "new.user", "name": "新", "role": "auditor" }))),
        "read_user" => Some(Says::at(&[("account", "new.user")])),
        "grant" => Some(Says::at(&[("account", "new.user")]).body(json!({ "division": "3601" }))),
        "revoke" => Some(Says::at(&[("account", "new.user")]).body(json!({ "grant_id": 7, "why": "x" }))),
        "add_token" => Some(Says::at(&[("account", "new.user")]).body(json!({ "days": 1 }))),
        "revoke_token" => Some(Says::at(&[("token_id", "0")]).body(why)),
        _ => None,
    }
}
