//! The bytes of a message to the tax department, final from the moment they enter the outbox.

use sha2::{Digest, Sha256};

use crate::domain::certification::OutboundMessage;

/// The JSON of a message, byte for byte the same for the same message.
///
/// Errs never for what a message holds (texts and whole numbers); the error is that of the JSON writer.
pub fn body(message: &OutboundMessage) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(message)
}

/// The SHA-256 of a body, which the tax department's acceptance must repeat.
pub fn digest(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::certification::{Certification, Subject};
    use crate::domain::counting::Count;
    use crate::domain::ids::Uscc;
    use crate::domain::message::{Message, MessageKind};

    fn subject() -> Subject {
        Subject {
            uscc: Uscc::parse("91369900MA00000152").expect("code"),
            employer_name: "赣江电子有限公司".to_owned(),
            tax_division: "360102".to_owned(),
            year: 2025,
        }
    }

    #[test]
    fn a_certification_is_written_as_agreed() {
        let certification = Certification {
            count: Count::of([[2; 12], [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]]),
            supersedes: None,
            certified_at: "2026-04-15T00:00:00Z".parse().expect("instant"),
            number: "JX-2025-1".to_owned(),
        };
        let message = Message { version: 1, kind: MessageKind::Certified, attempt: 1 };
        let id = "019d8ec6-1a00-7000-8000-000000000001";
        let message = OutboundMessage::certified(id, message, subject(), certification);
        let bytes = body(&message).expect("written");
        assert_eq!(bytes, body(&message.clone()).expect("written"));
        assert_eq!(digest(&bytes), digest(&body(&message).expect("written")));
        insta::assert_snapshot!(String::from_utf8(bytes).expect("UTF-8"), @r#"{"kind":"certified","message_id":"019d8ec6-1a00-7000-8000-000000000001","idempotency_key":"91369900MA00000152:2025:1:certified","version":1,"uscc":"91369900MA00000152","employer_name":"赣江电子有限公司","tax_division":"360102","year":2025,"person_count":2,"unweighted_person_months":17,"weighted_person_months":29,"placed_persons":{"fraction":"29/12","decimal":"2.42"},"months":[2,2,2,2,2,2,2,3,3,3,3,3],"certified_at":"2026-04-15T08:00:00+08:00","certification_number":"JX-2025-1"}"#);
    }

    #[test]
    fn a_withdrawal_is_written_as_agreed() {
        let message = Message { version: 2, kind: MessageKind::Withdrawn, attempt: 2 };
        let message = OutboundMessage::withdrawn("019d8ec6-1a00-7000-8000-000000000002", message, subject());
        insta::assert_snapshot!(String::from_utf8(body(&message).expect("written")).expect("UTF-8"), @r#"{"kind":"withdrawn","message_id":"019d8ec6-1a00-7000-8000-000000000002","idempotency_key":"91369900MA00000152:2025:2:withdrawn:2","version":2,"uscc":"91369900MA00000152","employer_name":"赣江电子有限公司","tax_division":"360102","year":2025}"#);
    }

    #[test]
    fn the_schema_of_a_message_is_the_committed_one() {
        let schema = serde_json::to_string_pretty(&schemars::schema_for!(OutboundMessage)).expect("written") + "\n";
        let committed = include_str!("../../schemas/tax/message.json");
        assert!(committed == schema, "schemas/tax/message.json should hold:\n{schema}");
    }
}
