//! The place of a message among all messages to the tax department, by which whoever fetches them goes on.

use super::facts::words;

words! {
    /// The forms in which messages are written to files.
    ExportFormat { Ndjson = "ndjson", Csv = "csv", CsvGb18030 = "csv-gb18030" }
}

impl ExportFormat {
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Ndjson => "messages.ndjson",
            Self::Csv => "messages.csv",
            Self::CsvGb18030 => "messages-gb18030.csv",
        }
    }
}

/// A place in the order in which messages were published: by publish, within one by version, certification before withdrawal, attempt,
/// and the message's own id. A reader that holds it has everything up to and with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    pub seq: i64,
    pub version: i32,
    pub withdrawn: bool,
    pub attempt: i32,
    pub message_id: u128,
}

/// Hexadecimal digits of each part: 8, 4, half, 4 and 16 bytes.
const DIGITS: [usize; 5] = [16, 8, 1, 8, 32];

impl Cursor {
    /// Before the first message.
    pub const START: Self = Self { seq: 0, version: 0, withdrawn: false, attempt: 0, message_id: 0 };

    /// After everything of a publish.
    pub const fn after_publish(seq: i64) -> Self {
        Self { seq, version: i32::MAX, withdrawn: true, attempt: i32::MAX, message_id: u128::MAX }
    }

    /// The opaque text that others hand back.
    pub fn encode(&self) -> String {
        let Self { seq, version, withdrawn, attempt, message_id } = self;
        format!("{seq:016x}{version:08x}{:x}{attempt:08x}{message_id:032x}", u8::from(*withdrawn))
    }

    /// Reads what [`Cursor::encode`] wrote; `None` for anything else.
    pub fn decode(text: &str) -> Option<Self> {
        let digit = |sign: u8| matches!(sign, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != DIGITS.iter().sum::<usize>() || !text.bytes().all(digit) {
            return None;
        }
        let mut rest = text;
        let mut parts = [""; 5];
        for (part, digits) in parts.iter_mut().zip(DIGITS) {
            (*part, rest) = rest.split_at_checked(digits)?;
        }
        let [seq, version, withdrawn, attempt, message_id] = parts;
        Some(Self {
            seq: i64::from_str_radix(seq, 16).ok()?,
            version: i32::from_str_radix(version, 16).ok()?,
            withdrawn: match withdrawn {
                "0" => false,
                "1" => true,
                _ => return None,
            },
            attempt: i32::from_str_radix(attempt, 16).ok()?,
            message_id: u128::from_str_radix(message_id, 16).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_its_text_and_nothing_else_is_one() {
        let place = Cursor { seq: 7, version: 2, withdrawn: true, attempt: 3, message_id: 0x019d_8ec6 };
        for place in [place, Cursor::START, Cursor::after_publish(i64::MAX)] {
            assert_eq!(Cursor::decode(&place.encode()), Some(place));
        }
        for text in ["", "7", "null", "页", &place.encode()[1..], &format!("{}0", place.encode()), &"f".repeat(65)] {
            assert_eq!(Cursor::decode(text), None, "{text}");
        }
    }

    #[test]
    fn places_are_in_the_order_in_which_messages_are_read() {
        let place = |seq, version, withdrawn| Cursor { seq, version, withdrawn, attempt: 1, message_id: 9 };
        let order = [Cursor::START, place(1, 1, false), place(1, 1, true), place(1, 2, false), place(2, 1, false)];
        assert!(order.is_sorted());
        assert!(place(1, 9, true) < Cursor::after_publish(1) && Cursor::after_publish(1) < place(2, 1, false));
    }

    #[test]
    fn files_are_named_by_their_form() {
        let names: Vec<&str> = ExportFormat::ALL.iter().map(|format| format.file_name()).collect();
        assert_eq!(names, ["messages.ndjson", "messages.csv", "messages-gb18030.csv"]);
    }
}
