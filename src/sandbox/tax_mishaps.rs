//! What happens to a department behind its sender's back: it forgets, changes its mind, changes a number, hears from somebody else.

use super::tax::TaxDepartment;
use super::tax_ledger::{Answer, Ledger, Refused};
use super::tax_rules::Rejection;
use super::tax_statement::Statement;

impl TaxDepartment {
    /// What it holds now.
    pub fn statement(&self) -> Statement {
        Statement::of(&self.ledger())
    }

    /// Restored to a ledger that ended with the `kept` messages that came first.
    pub fn forget_all_but(&self, kept: usize) -> anyhow::Result<()> {
        self.ledger().change(|entries| entries.truncate(kept))
    }

    /// Restored from a backup that the last so many messages are not in.
    pub fn forget_last(&self, messages: usize) -> anyhow::Result<()> {
        self.ledger().change(|entries| entries.truncate(entries.len().saturating_sub(messages)))
    }

    /// Forgets one message, as if it had never come.
    pub fn forget(&self, message_id: &str) -> anyhow::Result<()> {
        self.ledger().change(|entries| entries.retain(|entry| entry.message_id != message_id))
    }

    /// Writes other weighted person-months into a message that it accepted.
    pub fn change_months(&self, message_id: &str, weighted_person_months: u64) -> anyhow::Result<()> {
        self.ledger().change(|entries| {
            for entry in entries.iter_mut().filter(|entry| entry.message_id == message_id) {
                let mut message: serde_json::Value = serde_json::from_str(&entry.body).unwrap_or_default();
                message["weighted_person_months"] = weighted_person_months.into();
                entry.body = message.to_string();
            }
        })
    }

    /// Names another receipt for a message from now on.
    pub fn change_receipt(&self, message_id: &str, other: &str) -> anyhow::Result<()> {
        self.ledger().change(|entries| {
            for entry in entries.iter_mut().filter(|entry| entry.message_id == message_id) {
                if let Answer::Accepted { receipt, .. } = &mut entry.answer {
                    other.clone_into(receipt);
                }
            }
        })
    }

    /// Rejects what it had accepted. What that had replaced does not come back.
    pub fn reject_after_all(&self, message_id: &str, code: &str) -> anyhow::Result<()> {
        self.ledger().change(|entries| {
            for entry in entries.iter_mut().filter(|entry| entry.message_id == message_id) {
                let text = "接收后复核不通过".to_owned();
                let rejection = Rejection { code: code.to_owned(), field: String::new(), value: String::new(), text };
                entry.was_accepted = true;
                entry.answer = Answer::Rejected { rejection, message_id: message_id.to_owned() };
            }
        })
    }

    /// Accepts what it had rejected.
    pub fn accept_after_all(&self, message_id: &str, receipt: &str) -> anyhow::Result<()> {
        self.ledger().change(|entries| {
            for entry in entries.iter_mut().filter(|entry| entry.message_id == message_id) {
                let digest = entry.digest();
                entry.answer =
                    Answer::Accepted { receipt: receipt.to_owned(), digest, message_id: message_id.to_owned() };
            }
        })
    }

    /// Takes a certification out of force though nobody withdrew it.
    pub fn take_out_of_force(&self, message_id: &str) -> anyhow::Result<()> {
        self.set_lapsed(message_id, true)
    }

    /// Puts it back.
    pub fn put_back_into_force(&self, message_id: &str) -> anyhow::Result<()> {
        self.set_lapsed(message_id, false)
    }

    fn set_lapsed(&self, message_id: &str, lapsed: bool) -> anyhow::Result<()> {
        self.ledger().change(|entries| {
            entries.iter_mut().filter(|entry| entry.message_id == message_id).for_each(|entry| entry.lapsed = lapsed);
        })
    }

    /// A message of another sender under the same agreement.
    pub fn hear_from_another(&self, body: &str) -> Result<Answer, Refused> {
        self.ledger().receive(body.as_bytes())
    }

    /// Everything that it answered, oldest first: id and key.
    pub fn heard(&self) -> Vec<(String, String)> {
        let ledger: &Ledger = &self.ledger();
        ledger.entries().iter().map(|entry| (entry.message_id.clone(), entry.idempotency_key.clone())).collect()
    }
}
