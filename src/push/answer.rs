//! What the tax department answers (`schemas/tax/answer.json`), and what it means for the message that it should be about.

use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use crate::domain::message::Rejection;
use crate::domain::rejection::{Acts, meaning};
use crate::store::outbox::{Answered, Outgoing};

/// An answer of the tax department (税务部门回执).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Answer {
    /// The message is taken in for good (已接收).
    Accepted {
        /// The message that is accepted (报文编号).
        #[schemars(with = "String", extend("format" = "uuid"))]
        message_id: Uuid,
        /// The receipt number (回执编号), in printable characters.
        #[schemars(length(min = 1, max = 200))]
        receipt: String,
        /// SHA-256 of the accepted body, in hexadecimal (报文摘要).
        #[schemars(regex(pattern = "^[0-9A-Fa-f]{64}$"))]
        digest: String,
    },
    /// The message is not taken in, and sending it again will not help (已退回).
    Rejected {
        /// The message that is rejected (报文编号).
        #[serde(default)]
        #[schemars(with = "Option<String>", extend("format" = "uuid"))]
        message_id: Option<Uuid>,
        #[serde(flatten)]
        rejection: Rejection,
    },
    /// Not decided: the same message is to be sent again later (稍后重发).
    Later {
        /// The message that is not decided (报文编号).
        #[serde(default)]
        #[schemars(with = "Option<String>", extend("format" = "uuid"))]
        message_id: Option<Uuid>,
    },
}

/// Why an answer says nothing about our message. The answer itself is kept as it came and not repeated here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotUnderstood {
    #[error("not an answer as agreed: JSON with the status `accepted`, `rejected` or `later` and its fields")]
    Form,
    #[error("an answer about another message")]
    AnotherMessage,
    #[error("accepted without a receipt number")]
    NoReceipt,
    #[error("accepted with a receipt number of more than 200 characters, or with control characters in it")]
    NoSuchReceipt,
    #[error("accepted with another digest than that of the body we sent")]
    AnotherDigest,
    #[error("rejected without a code")]
    NoCode,
    #[error("rejected with a code of more than 64 characters, or with control characters in it")]
    NoSuchCode,
}

const LONGEST_RECEIPT: usize = 200;
const LONGEST_CODE: usize = 64;
/// What is beyond is still in the answer that is kept as it came.
const LONGEST_TEXT: usize = 2000;

/// A word by which something is known later: it must be kept as it is, or not at all.
fn is_word(text: &str, longest: usize) -> bool {
    text.chars().count() <= longest && !text.chars().any(char::is_control)
}

/// A text for people, in one line.
fn told(text: &str) -> String {
    text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).take(LONGEST_TEXT).collect()
}

/// Reads an answer to `outgoing`. Only what is certain is taken for an answer.
pub fn read(outgoing: &Outgoing, body: &[u8]) -> Result<Answered, NotUnderstood> {
    let answer: Answer = serde_json::from_slice(body).map_err(|_| NotUnderstood::Form)?;
    let about = match &answer {
        Answer::Accepted { message_id, .. } => Some(*message_id),
        Answer::Rejected { message_id, .. } | Answer::Later { message_id } => *message_id,
    };
    if about.is_some_and(|message_id| message_id != outgoing.message_id) {
        return Err(NotUnderstood::AnotherMessage);
    }
    match answer {
        Answer::Accepted { receipt, .. } if receipt.trim().is_empty() => Err(NotUnderstood::NoReceipt),
        Answer::Accepted { receipt, .. } if !is_word(&receipt, LONGEST_RECEIPT) => Err(NotUnderstood::NoSuchReceipt),
        Answer::Accepted { digest, .. } if !hex::decode(&digest).is_ok_and(|digest| digest == outgoing.digest) => {
            Err(NotUnderstood::AnotherDigest)
        }
        Answer::Accepted { receipt, .. } => Ok(Answered::Accepted { receipt }),
        Answer::Rejected { rejection, .. } if rejection.code.trim().is_empty() => Err(NotUnderstood::NoCode),
        Answer::Rejected { rejection, .. } if !is_word(&rejection.code, LONGEST_CODE) => Err(NotUnderstood::NoSuchCode),
        // the department is not able now, and says so in the form of a rejection
        Answer::Rejected { rejection, .. } if meaning(&rejection.code).acts == Acts::Nobody => Ok(Answered::Later),
        Answer::Rejected { rejection: Rejection { code, field, value, text }, .. } => {
            let (field, value) = (field.as_deref().map(told), value.as_deref().map(told));
            let rejection = Rejection { code, field, value, text: told(&text) };
            let answer = serde_json::to_value(rejection).map_err(|_| NotUnderstood::Form)?;
            Ok(Answered::Rejected { answer })
        }
        Answer::Later { .. } => Ok(Answered::Later),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ID: &str = "019d8ec6-1a00-7000-8000-000000000001";

    fn outgoing() -> Outgoing {
        Outgoing {
            message_id: ID.parse().expect("an id"),
            idempotency_key: "91369900MA00000152:2025:1:certified".to_owned(),
            body: b"{}".to_vec(),
            digest: vec![0xab; 32],
            attempt_number: 1,
            ask_first: false,
        }
    }

    fn read_value(answer: &Value) -> Result<Answered, NotUnderstood> {
        read(&outgoing(), answer.to_string().as_bytes())
    }

    fn accepted() -> Value {
        json!({ "status": "accepted", "message_id": ID, "receipt": "R-1", "digest": "AB".repeat(32), "new": [1] })
    }

    fn with(mut answer: Value, field: &str, value: Value) -> Value {
        answer[field] = value;
        answer
    }

    #[test]
    fn an_acceptance_needs_a_receipt_our_digest_and_our_message() {
        assert_eq!(read_value(&accepted()), Ok(Answered::Accepted { receipt: "R-1".to_owned() }));
        let refused = |field: &str, value: Value| read_value(&with(accepted(), field, value)).expect_err("refused");
        assert_eq!(refused("receipt", json!(" ")), NotUnderstood::NoReceipt);
        assert_eq!(refused("receipt", Value::Null), NotUnderstood::Form);
        assert_eq!(refused("digest", json!("ac".repeat(32))), NotUnderstood::AnotherDigest);
        assert_eq!(refused("digest", json!("ab".repeat(31))), NotUnderstood::AnotherDigest);
        assert_eq!(refused("digest", json!("")), NotUnderstood::AnotherDigest);
        let other = "019d8ec6-1a00-7000-8000-000000000002";
        assert_eq!(refused("message_id", json!(other)), NotUnderstood::AnotherMessage);
        assert_eq!(refused("message_id", Value::Null), NotUnderstood::Form);
    }

    #[test]
    fn a_rejection_keeps_code_field_value_and_text() {
        let rejected = json!({ "status": "rejected", "message_id": ID, "code": "sum_mismatch",
            "field": "weighted_person_months", "value": "30", "text": "29" });
        let answer = json!({ "code": "sum_mismatch", "field": "weighted_person_months", "value": "30", "text": "29" });
        assert_eq!(read_value(&rejected), Ok(Answered::Rejected { answer }));
        let short = json!({ "status": "rejected", "code": "closed", "text": "window closed" });
        let answer = json!({ "code": "closed", "text": "window closed" });
        assert_eq!(read_value(&short), Ok(Answered::Rejected { answer }));
        assert_eq!(read_value(&with(short.clone(), "code", json!(""))), Err(NotUnderstood::NoCode));
        let other = json!("019d8ec6-1a00-7000-8000-000000000002");
        assert_eq!(read_value(&with(short, "message_id", other)), Err(NotUnderstood::AnotherMessage));
    }

    #[test]
    fn a_rejection_for_a_passing_fault_is_no_rejection() {
        let busy = json!({ "status": "rejected", "message_id": ID, "code": "system_busy", "text": "try again" });
        assert_eq!(read_value(&busy), Ok(Answered::Later));
    }

    #[test]
    fn what_no_database_takes_is_not_kept_as_a_word_and_is_cleaned_as_a_text() {
        for receipt in ["R\u{0}1", "R\n1", "R\u{85}"] {
            assert_eq!(read_value(&with(accepted(), "receipt", json!(receipt))), Err(NotUnderstood::NoSuchReceipt));
        }
        let long = |characters: usize| with(accepted(), "receipt", json!("据".repeat(characters)));
        assert!(matches!(read_value(&long(200)), Ok(Answered::Accepted { .. })));
        assert_eq!(read_value(&long(201)), Err(NotUnderstood::NoSuchReceipt));
        let rejected = json!({ "status": "rejected", "code": "closed", "field": "a\0b", "text": format!("a\u{0}b{}", "长".repeat(3000)) });
        let Ok(Answered::Rejected { answer }) = read_value(&rejected) else { panic!("rejected") };
        assert_eq!(
            (answer["field"].as_str(), answer["text"].as_str().map(|text| text.chars().count())),
            (Some("a b"), Some(2000))
        );
        assert_eq!(read_value(&with(rejected.clone(), "code", json!("a\u{0}b"))), Err(NotUnderstood::NoSuchCode));
        assert_eq!(read_value(&with(rejected, "code", json!("c".repeat(65)))), Err(NotUnderstood::NoSuchCode));
    }

    #[test]
    fn what_says_two_things_or_says_them_in_another_form_is_no_answer() {
        let digest = "ab".repeat(32);
        let written = |more: &str| {
            format!(r#"{{"status":"accepted","message_id":"{ID}","digest":"{digest}","receipt":"R"{more}}}"#)
        };
        assert!(matches!(read(&outgoing(), written("").as_bytes()), Ok(Answered::Accepted { .. })));
        for more in [r#","receipt":"S""#, r#","status":"rejected""#, r#","digest":"00""#] {
            assert_eq!(read(&outgoing(), written(more).as_bytes()), Err(NotUnderstood::Form), "{more}");
        }
        let twice = r#"{"status":"rejected","code":"a","code":"b","text":"c"}"#;
        assert_eq!(read(&outgoing(), twice.as_bytes()), Err(NotUnderstood::Form));
        for (field, value) in
            [("receipt", json!(1)), ("message_id", json!(1)), ("digest", json!([1])), ("status", json!(1))]
        {
            assert_eq!(read_value(&with(accepted(), field, value)), Err(NotUnderstood::Form), "{field}");
        }
        assert_eq!(read(&outgoing(), written("").repeat(2).as_bytes()), Err(NotUnderstood::Form), "an answer twice");
        let deep = "[".repeat(60_000);
        assert_eq!(read(&outgoing(), deep.as_bytes()), Err(NotUnderstood::Form));
        assert_eq!(read(&outgoing(), b"\xff\xfe{"), Err(NotUnderstood::Form));
    }

    #[test]
    fn what_is_no_answer_is_not_guessed_at() {
        assert_eq!(read_value(&json!({ "status": "later" })), Ok(Answered::Later));
        for body in
            ["", "<html>登录</html>", "{}", "[]", "null", r#"{"status":"received"}"#, r#"{"status":"accepted"}"#]
        {
            assert_eq!(read(&outgoing(), body.as_bytes()), Err(NotUnderstood::Form), "{body}");
        }
    }

    #[test]
    fn the_schema_of_an_answer_is_the_committed_one() {
        let schema = serde_json::to_string_pretty(&schemars::schema_for!(Answer)).expect("written") + "\n";
        let committed = include_str!("../../schemas/tax/answer.json");
        assert!(committed == schema, "schemas/tax/answer.json should hold:\n{schema}");
    }
}
