//! What the tax department answers (`schemas/tax/answer.json`), and what it means for the message that it should be about.

use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use crate::domain::message::Rejection;
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
        /// The receipt number (回执编号).
        #[schemars(length(min = 1))]
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
    #[error("accepted with another digest than that of the body we sent")]
    AnotherDigest,
    #[error("rejected without a code")]
    NoCode,
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
        Answer::Accepted { digest, .. } if !hex::decode(&digest).is_ok_and(|digest| digest == outgoing.digest) => {
            Err(NotUnderstood::AnotherDigest)
        }
        Answer::Accepted { receipt, .. } => Ok(Answered::Accepted { receipt }),
        Answer::Rejected { rejection, .. } if rejection.code.trim().is_empty() => Err(NotUnderstood::NoCode),
        Answer::Rejected { rejection, .. } => {
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
