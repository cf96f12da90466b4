//! What one side holds of each employer's year: a row, the line by which it is digested, and the part in which it is told.

use serde::{Deserialize, Serialize};

use super::facts::words;
use super::message::{Message, MessageKind};

/// Parts of a year: the first byte of the SHA-256 of the employer's code.
pub const PARTS: usize = 256;

words! {
    /// What a message was answered for good.
    Answer { Accepted = "accepted", Rejected = "rejected" }
}

/// One employer's year at the tax department (单位年度).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Row {
    /// The employer's unified social credit code (统一社会信用代码).
    #[cfg_attr(feature = "pipeline", schemars(regex(pattern = "^[0-9A-Z]{18}$")))]
    pub uscc: String,
    /// Messages of this employer and year that were accepted or rejected, each once however often it came (已答复报文数).
    #[cfg_attr(feature = "pipeline", schemars(range(min = 1)))]
    pub messages: u32,
    /// The certification by which the levy is worked out; `null` where there is none (有效认定).
    pub in_force: Option<InForce>,
    /// Of those messages the last: of the highest version, of one version the withdrawal after the certification, and of those with the
    /// same version and kind the one with the highest number at the end of its key (最后报文).
    pub last: Last,
}

/// A certification in force: accepted, and no accepted message has replaced or withdrawn it. One that was accepted and is rejected
/// afterwards, or taken out of force, brings back nothing that it had replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct InForce {
    /// (版本号)
    #[cfg_attr(feature = "pipeline", schemars(range(min = 1)))]
    pub version: u32,
    /// (报文编号)
    pub message_id: String,
    /// SHA-256 of the body, in lower-case hexadecimal (报文摘要).
    #[cfg_attr(feature = "pipeline", schemars(regex(pattern = "^[0-9a-f]{64}$")))]
    pub digest: String,
    /// (回执编号)
    pub receipt: String,
    /// As the levy is worked out from it (安置残疾人数).
    pub person_count: u64,
    /// As the levy is worked out from it (安置人月数, 加权).
    pub weighted_person_months: u64,
}

/// The last message that was answered for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Last {
    /// (版本号)
    #[cfg_attr(feature = "pipeline", schemars(range(min = 1)))]
    pub version: u32,
    /// `certified` or `withdrawn` (报文类型).
    #[cfg_attr(feature = "pipeline", schemars(with = "String", regex(pattern = "^(certified|withdrawn)$")))]
    pub kind: MessageKind,
    /// (报文编号)
    pub message_id: String,
    /// (幂等键)
    pub idempotency_key: String,
    /// SHA-256 of the body, in lower-case hexadecimal (报文摘要).
    #[cfg_attr(feature = "pipeline", schemars(regex(pattern = "^[0-9a-f]{64}$")))]
    pub digest: String,
    /// `accepted` or `rejected` (处理结果).
    #[cfg_attr(feature = "pipeline", schemars(with = "String", regex(pattern = "^(accepted|rejected)$")))]
    pub status: Answer,
}

impl Row {
    /// The canonical line: `uscc`, `messages`, then of what is in force `version`, `message_id`, `digest`, `receipt`, `person_count`,
    /// `weighted_person_months` (where nothing is, one `-` in their place), then of the last message `version`, `kind`, `message_id`,
    /// `idempotency_key`, `digest`, `status`; a tab between two, a line feed at the end, numbers in decimal.
    pub fn line(&self) -> String {
        let Self { uscc, messages, in_force, last } = self;
        let held = in_force.as_ref().map_or_else(
            || "-".to_owned(),
            |held| {
                let InForce { version, message_id, digest, receipt, person_count, weighted_person_months } = held;
                format!("{version}\t{message_id}\t{digest}\t{receipt}\t{person_count}\t{weighted_person_months}")
            },
        );
        let Last { version, kind, message_id, idempotency_key, digest, status } = last;
        format!("{uscc}\t{messages}\t{held}\t{version}\t{kind}\t{message_id}\t{idempotency_key}\t{digest}\t{status}\n")
    }

    /// What cannot stand in a line as agreed, if something cannot.
    pub fn fault(&self) -> Option<&'static str> {
        let Self { uscc, messages, in_force, last } = self;
        let mut texts = vec![uscc, &last.message_id, &last.idempotency_key];
        texts.extend(in_force.iter().flat_map(|held| [&held.message_id, &held.receipt]));
        if texts.iter().any(|text| text.is_empty() || text.contains(char::is_control)) {
            return Some("a text that is empty or holds a control character");
        }
        let mut digests = in_force.iter().map(|held| &held.digest).chain([&last.digest]);
        if !digests.all(|digest| is_digest(digest)) {
            return Some("a digest that is not 64 lower-case hexadecimal digits");
        }
        let versions = in_force.iter().map(|held| held.version).chain([last.version, *messages]);
        if versions.min() == Some(0) { Some("a version or a number of messages that is 0") } else { None }
    }
}

/// Whether a text is a SHA-256 as the statement writes it.
pub fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// In which part of a year an employer is told.
#[cfg(feature = "pipeline")]
pub fn part_of(uscc: &str) -> u8 {
    <sha2::Sha256 as sha2::Digest>::digest(uscc)[0]
}

/// A message that was answered for good, as one side keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    pub message: Message,
    pub message_id: String,
    pub idempotency_key: String,
    /// In lower-case hexadecimal.
    pub digest: String,
    pub answer: Answer,
    /// Of what was accepted once, whatever was answered afterwards.
    pub receipt: Option<String>,
    /// Of a certification: persons, and weighted person-months.
    pub person_count: u64,
    pub weighted_person_months: u64,
    /// Accepted, and taken out of force by the department itself.
    pub lapsed: bool,
}

/// The order in which messages of an employer's year follow each other.
pub fn order(message: Message) -> (u32, bool, u32) {
    (message.version, message.kind == MessageKind::Withdrawn, message.attempt)
}

/// The row of an employer's year: all its answered messages in any order, and how many more there are of which nothing is known. `None`
/// where nothing was answered.
pub fn row_of(uscc: &str, answered: &[Answered], more: i64) -> Option<Row> {
    let last = answered.iter().max_by_key(|one| order(one.message))?;
    let accepted_once =
        |kind| answered.iter().filter(move |one: &&Answered| one.message.kind == kind && one.receipt.is_some());
    let withdrawn = accepted_once(MessageKind::Withdrawn).map(|one| one.message.version).max();
    let certified = accepted_once(MessageKind::Certified).max_by_key(|one| order(one.message));
    let in_force = certified.filter(|one| {
        one.answer == Answer::Accepted && !one.lapsed && withdrawn.is_none_or(|version| version < one.message.version)
    });
    Some(Row {
        uscc: uscc.to_owned(),
        messages: u32::try_from(answered.len() as i64 + more).unwrap_or_default(),
        in_force: in_force.map(|one| InForce {
            version: one.message.version,
            message_id: one.message_id.clone(),
            digest: one.digest.clone(),
            receipt: one.receipt.clone().unwrap_or_default(),
            person_count: one.person_count,
            weighted_person_months: one.weighted_person_months,
        }),
        last: Last {
            version: last.message.version,
            kind: last.message.kind,
            message_id: last.message_id.clone(),
            idempotency_key: last.idempotency_key.clone(),
            digest: last.digest.clone(),
            status: last.answer,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(version: u32, kind: MessageKind, attempt: u32, answer: Answer) -> Answered {
        Answered {
            message: Message { version, kind, attempt },
            message_id: format!("m-{version}-{kind}-{attempt}"),
            idempotency_key: format!("X:2025:{version}:{kind}"),
            digest: "0a".repeat(32),
            answer,
            receipt: (answer == Accepted).then(|| format!("R-{version}-{kind}")),
            person_count: 3,
            weighted_person_months: 34,
            lapsed: false,
        }
    }

    use Answer::{Accepted, Rejected};
    use MessageKind::{Certified, Withdrawn};

    fn told(messages: &[Answered]) -> String {
        let row = row_of("91369900MA00000152", messages, 0).expect("a row");
        let held = row.in_force.map_or_else(|| "nothing".to_owned(), |held| format!("v{}", held.version));
        format!("{held}, last {} {}", row.last.message_id, row.last.status)
    }

    #[test]
    fn a_row_follows_from_the_answered_messages_in_whatever_order_they_come() {
        let first = answered(1, Certified, 1, Accepted);
        let refused = answered(2, Certified, 1, Rejected);
        let second = answered(2, Certified, 2, Accepted);
        let withdrawn = answered(2, Withdrawn, 1, Accepted);
        assert_eq!(told(&[refused.clone(), first.clone()]), "v1, last m-2-certified-1 rejected");
        assert_eq!(told(&[second.clone(), first.clone(), refused.clone()]), "v2, last m-2-certified-2 accepted");
        let first_withdrawn = answered(1, Withdrawn, 1, Accepted);
        let after_it = [first.clone(), first_withdrawn, second.clone()];
        assert_eq!(told(&after_it), "v2, last m-2-certified-2 accepted", "the withdrawal was of the version before");
        assert_eq!(told(&[withdrawn, second, first, refused]), "nothing, last m-2-withdrawn-1 accepted");
        assert_eq!(row_of("X", &[], 5), None);
    }

    #[test]
    fn what_was_accepted_and_is_no_longer_brings_nothing_back() {
        let first = answered(1, Certified, 1, Accepted);
        let second = answered(2, Certified, 1, Accepted);
        let taken_back = Answered { answer: Rejected, ..second.clone() };
        assert_eq!(told(&[first.clone(), taken_back]), "nothing, last m-2-certified-1 rejected");
        let lapsed = Answered { lapsed: true, ..second };
        assert_eq!(told(&[first, lapsed]), "nothing, last m-2-certified-1 accepted");
    }

    #[test]
    fn a_line_is_written_as_agreed() {
        let mut row = row_of("91369900MA00000152", &[answered(1, Certified, 1, Accepted)], 1).expect("a row");
        let digest = "0a".repeat(32);
        assert_eq!(
            row.line(),
            format!(
                "91369900MA00000152\t2\t1\tm-1-certified-1\t{digest}\tR-1-certified\t3\t34\t1\tcertified\tm-1-certified-1\t\
                 X:2025:1:certified\t{digest}\taccepted\n"
            )
        );
        assert_eq!(row.fault(), None);
        row.in_force = None;
        assert_eq!(
            row.line(),
            format!(
                "91369900MA00000152\t2\t-\t1\tcertified\tm-1-certified-1\tX:2025:1:certified\t{digest}\taccepted\n"
            )
        );
    }

    #[test]
    fn what_would_make_a_line_ambiguous_is_a_fault() {
        let row = row_of("91369900MA00000152", &[answered(1, Certified, 1, Accepted)], 0).expect("a row");
        let spoilt = |spoil: fn(&mut Row)| {
            let mut row = row.clone();
            spoil(&mut row);
            row.fault().is_some()
        };
        assert!(spoilt(|row| row.uscc.push('\t')));
        assert!(spoilt(|row| row.last.idempotency_key = "a\nb".to_owned()));
        assert!(spoilt(|row| row.last.digest = "0A".repeat(32)));
        assert!(spoilt(|row| row.messages = 0));
        assert!(spoilt(|row| row.in_force.as_mut().expect("held").receipt = String::new()));
        assert!(spoilt(|row| row.in_force.as_mut().expect("held").version = 0));
    }

    #[cfg(feature = "pipeline")]
    #[test]
    fn an_employer_stands_in_the_part_of_its_hash() {
        // printf 91369900MA00000152 | sha256sum
        assert_eq!(part_of("91369900MA00000152"), 0x83);
    }
}
