//! What the tax department accepts: a message against its own numbers and against what is held for the employer and year.

use serde_json::Value;

use crate::domain::ids::Uscc;

/// Why a message is rejected, for the sender's staff.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rejection {
    pub code: String,
    pub field: String,
    /// What was found.
    pub value: String,
    /// What would be accepted.
    pub text: String,
}

/// The two kinds of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Certified,
    Withdrawn,
}

impl Kind {
    /// The word in the message.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Certified => "certified",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// What is held of an employer's year.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The newest version ever accepted.
    pub version: u64,
    /// The message in force; none after a withdrawal.
    pub message_id: Option<String>,
}

/// A message that is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub uscc: String,
    pub year: u64,
    pub version: u64,
    pub kind: Kind,
}

/// Decides on a message; `held` is what the department has of the employer and year that it names.
pub fn judge(message: &Value, held: impl FnOnce(&str, u64) -> Held) -> Result<Accepted, Rejection> {
    let uscc = text(message, "uscc")?;
    if Uscc::parse(uscc).is_err() {
        return Err(rejection("uscc_invalid", "uscc", uscc, "a unified social credit code whose check character fits"));
    }
    let year = number(message, "year")?;
    let version = number(message, "version")?;
    let kind = match text(message, "kind")? {
        "certified" => Kind::Certified,
        "withdrawn" => Kind::Withdrawn,
        other => return Err(rejection("kind_unknown", "kind", other, "certified or withdrawn")),
    };
    check_key(message, uscc, year, version, kind)?;
    let held = held(uscc, year);
    match kind {
        Kind::Certified => {
            check_counts(message)?;
            check_succession(message, version, &held)?;
        }
        Kind::Withdrawn => {
            if held.message_id.is_none() || held.version != version {
                let found = version.to_string();
                return Err(rejection("version_not_held", "version", &found, "the version in force"));
            }
        }
    }
    Ok(Accepted { uscc: uscc.to_owned(), year, version, kind })
}

/// `{uscc}:{year}:{version}:{kind}`, maybe with `:2`, `:3` … appended.
fn check_key(message: &Value, uscc: &str, year: u64, version: u64, kind: Kind) -> Result<(), Rejection> {
    let key = text(message, "idempotency_key")?;
    let base = format!("{uscc}:{year}:{version}:{}", kind.as_str());
    let fits = match key.strip_prefix(base.as_str()) {
        Some("") => true,
        Some(rest) => {
            rest.strip_prefix(':').and_then(|number| number.parse::<u32>().ok()).is_some_and(|number| number >= 2)
        }
        None => false,
    };
    if fits { Ok(()) } else { Err(rejection("key_mismatch", "idempotency_key", key, &base)) }
}

fn check_counts(message: &Value) -> Result<(), Rejection> {
    for field in ["employer_name", "tax_division", "certified_at", "certification_number"] {
        text(message, field)?;
    }
    let persons = number(message, "person_count")?;
    let unweighted = number(message, "unweighted_person_months")?;
    let weighted = number(message, "weighted_person_months")?;
    let months = message["months"].as_array().map(|months| months.iter().filter_map(Value::as_u64).collect::<Vec<_>>());
    let Some(months) = months.filter(|months| months.len() == 12) else {
        let found = message["months"].to_string();
        return Err(rejection("months_invalid", "months", &found, "twelve whole numbers"));
    };
    let sum: u64 = months.iter().sum();
    if sum != weighted {
        let found = weighted.to_string();
        return Err(rejection(
            "sum_mismatch",
            "weighted_person_months",
            &found,
            &format!("{sum}, the sum of the months"),
        ));
    }
    if unweighted > weighted || weighted > unweighted * 2 {
        let found = unweighted.to_string();
        let text = format!("between half of {weighted} and {weighted}");
        return Err(rejection("weights_impossible", "unweighted_person_months", &found, &text));
    }
    if unweighted > persons * 12 || (persons > 0 && unweighted == 0) {
        let text = format!("enough persons for {unweighted} months, none without a month");
        return Err(rejection("persons_impossible", "person_count", &persons.to_string(), &text));
    }
    check_placed(&message["placed_persons"], weighted)
}

/// `{"fraction": "29/12", "decimal": "2.42"}`, the fraction in any terms, the decimal rounded half-up.
fn check_placed(placed: &Value, weighted: u64) -> Result<(), Rejection> {
    let hundredths = (weighted * 100 * 2 + 12) / 24;
    let decimal = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    let expected = format!("{weighted}/12, {decimal}");
    let fraction = placed["fraction"].as_str().unwrap_or_default();
    let (above, below) = fraction.split_once('/').unwrap_or((fraction, "1"));
    let equal =
        above.parse::<u64>().ok().zip(below.parse::<u64>().ok()).is_some_and(|(above, below)| {
            below > 0 && u128::from(above) * 12 == u128::from(weighted) * u128::from(below)
        });
    if equal && placed["decimal"].as_str() == Some(decimal.as_str()) {
        Ok(())
    } else {
        Err(rejection("placed_persons_mismatch", "placed_persons", &placed.to_string(), &expected))
    }
}

fn check_succession(message: &Value, version: u64, held: &Held) -> Result<(), Rejection> {
    if version <= held.version {
        let text = format!("a version above {}", held.version);
        return Err(rejection("version_not_newer", "version", &version.to_string(), &text));
    }
    let supersedes = &message["supersedes"];
    let names_held = match (&held.message_id, supersedes) {
        (None, Value::Null) => true,
        (Some(message_id), Value::String(named)) => named == message_id,
        (Some(_), named) => named.as_u64() == Some(held.version),
        (None, _) => false,
    };
    if names_held {
        return Ok(());
    }
    let text = held.message_id.as_ref().map_or_else(|| "nothing: none is in force".to_owned(), Clone::clone);
    Err(rejection("supersedes_mismatch", "supersedes", &supersedes.to_string(), &text))
}

fn text<'a>(message: &'a Value, field: &str) -> Result<&'a str, Rejection> {
    let found = message[field].as_str().filter(|text| !text.is_empty());
    found.ok_or_else(|| rejection("field_missing", field, &message[field].to_string(), "a text that is not empty"))
}

fn number(message: &Value, field: &str) -> Result<u64, Rejection> {
    // A million persons make twelve million months; what is far above is no count.
    let found = message[field].as_u64().filter(|number| *number < 1 << 40);
    found.ok_or_else(|| rejection("field_missing", field, &message[field].to_string(), "a whole number from 0"))
}

fn rejection(code: &str, field: &str, value: &str, text: &str) -> Rejection {
    Rejection { code: code.to_owned(), field: field.to_owned(), value: value.to_owned(), text: text.to_owned() }
}
