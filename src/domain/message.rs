//! The messages of a declaration to the tax department, and its reason when it rejects one.

use serde::{Deserialize, Serialize};

use super::facts::words;
use super::ids::Uscc;

words! {
    /// What a message to the tax department says.
    MessageKind { Certified = "certified", Withdrawn = "withdrawn" }
}

/// One message of a declaration. An attempt counts from 1 and grows only when a rejected message is issued again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "pipeline", schemars(rename = "MessageOfVersion"))]
pub struct Message {
    pub version: u32,
    pub kind: MessageKind,
    pub attempt: u32,
}

impl Message {
    /// `{uscc}:{year}:{version}:{kind}`, with `:2`, `:3` … appended when a rejected message is issued again.
    pub fn idempotency_key(&self, employer: &Uscc, year: i32) -> String {
        let again = if self.attempt > 1 { format!(":{}", self.attempt) } else { String::new() };
        format!("{employer}:{year}:{}:{}{again}", self.version, self.kind)
    }
}

/// The tax department's reason, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Rejection {
    /// The department's code for the reason (退回原因代码).
    pub code: String,
    /// The field of the message that is at fault, if it is one field (问题字段).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What was found there (字段值).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The reason for people (退回说明).
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_message_grows_when_it_is_issued_again() {
        let first = Message { version: 1, kind: MessageKind::Certified, attempt: 1 };
        let employer = Uscc::parse("91369900MA00000152").expect("code");
        assert_eq!(first.idempotency_key(&employer, 2025), "91369900MA00000152:2025:1:certified");
        let third = Message { version: 2, kind: MessageKind::Withdrawn, attempt: 3 };
        assert_eq!(third.idempotency_key(&employer, 2025), "91369900MA00000152:2025:2:withdrawn:3");
    }
}
