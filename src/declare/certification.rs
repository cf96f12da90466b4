//! The document of a certification (认定书): issued after acceptance, kept as it was issued first, checked by whoever holds it.

use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use sm3::{Digest, Sm3};

use super::Declaring;
use super::permit::{EmployerEntry, permit};
use crate::clock;
use crate::crypto::Keys;
use crate::domain::access::{Action, Actor, Denied};
use crate::domain::certification_document::{CertificationDocument, CheckCode, Placed, Validity};
use crate::domain::declaration::Held;
use crate::domain::ids::{mask_name, normalise};
use crate::domain::policy::Policy;
use crate::store::audit::Act;
use crate::store::documents::StoredDocument;
use crate::store::{Store, StoreError};

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("the tax department holds no accepted result of the year; a document is issued once it does")]
    NotAccepted,
    #[error("no document was issued of version {version}, and it is not in force: a document is issued of what is")]
    NotInForce { version: u32 },
    #[error("the document could not be written or read")]
    Content(#[from] serde_json::Error),
    #[error("the document could not be read or stored")]
    Store(#[from] StoreError),
}

impl DocumentError {
    /// Of a refusal: what it is, for programs.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Denied(denied) => Some(denied.code()),
            Self::NotAccepted => Some("not_accepted"),
            Self::NotInForce { .. } => Some("not_in_force"),
            Self::Content(_) | Self::Store(_) => None,
        }
    }

    /// Of a refusal: the sentence for people.
    pub fn chinese(&self) -> Option<String> {
        match self {
            Self::Denied(denied) => Some(denied.chinese().to_owned()),
            Self::NotAccepted => Some("税务部门尚未接收该年度的认定结果，接收后方可出具认定书。".to_owned()),
            Self::NotInForce { version } => Some(format!("第{version}版未出具过认定书，且已不再有效。")),
            Self::Content(_) | Self::Store(_) => None,
        }
    }
}

/// Whether the persons are named on what is printed: the employer's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    Without,
    /// Surname and `*`.
    Masked,
    /// In full: needs the right to it, and is audited.
    Full,
}

/// A document in the hands of somebody.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Issued {
    #[serde(flatten)]
    pub document: CertificationDocument,
    /// Grouped, as it is printed.
    pub check_code: String,
    pub validity: Validity,
    /// First, RFC 3339 in Beijing time.
    pub issued_at: String,
    /// In the order of their signs, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<Vec<String>>,
}

/// What a completed message says, as far as it stands on the document.
#[derive(Deserialize)]
struct Body {
    employer_name: String,
    uscc: String,
    person_count: u32,
    unweighted_person_months: u32,
    weighted_person_months: u32,
    months: [u32; 12],
    placed_persons: Placed,
    certified_at: DateTime<FixedOffset>,
    certification_number: String,
}

/// The document of the version in force, or of one that a document was issued of. The first time it is written down for good.
pub async fn issue(
    store: &Store,
    policy: &Policy,
    actor: &Actor,
    declaring: Declaring,
    version: Option<u32>,
    names: Names,
) -> Result<Issued, DocumentError> {
    let of: EmployerEntry = permit::<DocumentError>(store, actor, Action::IssueDocument, declaring.employer).await?;
    if names == Names::Full {
        actor.may(Action::Reveal, of.owner())?;
    }
    let (employer, year) = (declaring.employer, declaring.stored_year());
    let declaration = store.find_declaration(employer, year).await?;
    let held = declaration.in_force();
    let version = version.or(held.map(|held| held.completion.version)).ok_or(DocumentError::NotAccepted)?;
    // of what is in force its own: an earlier attempt of the version may have had one
    let held = held.filter(|held| held.completion.version == version);
    let attempt = held.map(|held| held.issue.message.attempt);
    let stored = match store.find_document_of(employer, year, version, attempt).await? {
        Some(stored) => stored,
        None => match held {
            Some(held) => issue_first(store, policy, actor, declaring, &of, held).await?,
            None => return Err(DocumentError::NotInForce { version }),
        },
    };
    let names = match names {
        Names::Without => None,
        Names::Masked | Names::Full => Some(list_names(store, actor, declaring, &of, version, names).await?),
    };
    Ok(Issued { names, ..shown(store, &stored).await? })
}

/// Writes the document down, with one row of the audit.
async fn issue_first(
    store: &Store,
    policy: &Policy,
    actor: &Actor,
    declaring: Declaring,
    of: &EmployerEntry,
    held: &Held,
) -> Result<StoredDocument, DocumentError> {
    let (employer, year, version) = (declaring.employer, declaring.stored_year(), held.completion.version);
    let message = held.issue.message;
    let (message_id, body) =
        store.find_accepted_body(employer, year, message).await?.ok_or(DocumentError::NotAccepted)?;
    let certified: Body = serde_json::from_slice(&body)?;
    let division = &of.employer.federation_division;
    let named = policy.division_name(division);
    let document = CertificationDocument {
        certification_number: certified.certification_number,
        version,
        employer_name: certified.employer_name,
        uscc: certified.uscc,
        year,
        person_count: certified.person_count,
        unweighted_person_months: certified.unweighted_person_months,
        weighted_person_months: certified.weighted_person_months,
        months: certified.months,
        placed_persons: certified.placed_persons,
        certified_at: certified.certified_at,
        accepted_at: held.accepted_at.with_timezone(certified.certified_at.offset()),
        receipt: held.receipt.clone(),
        issued_by: named
            .map_or_else(|| format!("残疾人联合会（行政区划{division}）"), |name| format!("{name}残疾人联合会")),
    };
    let content = serde_json::to_string(&document)?;
    let at = store.now().await?;
    let stored = StoredDocument {
        message_id,
        number: document.certification_number,
        employer,
        year,
        version,
        attempt: message.attempt,
        content_hash: Sm3::digest(content.as_bytes()).into(),
        content,
        issued_at: at,
        issued_by: actor.name.clone(),
    };
    let mut change = store.change().await?;
    if !change.save_document(&stored).await? {
        // somebody else issued it meanwhile: theirs stands
        change.abandon().await?;
        let theirs = store.find_document_of(employer, year, version, Some(message.attempt)).await?;
        return theirs.ok_or(DocumentError::NotInForce { version });
    }
    let act = Act::read(at, actor, Action::IssueDocument, format!("declaration {} {}", of.uscc, declaring.year));
    let act = act.with("version", version).with("certification_number", stored.number.clone());
    change.record(&act.with("content", hex::encode(stored.content_hash))).await?;
    change.commit().await?;
    Ok(stored)
}

async fn list_names(
    store: &Store,
    actor: &Actor,
    declaring: Declaring,
    of: &EmployerEntry,
    version: u32,
    names: Names,
) -> Result<Vec<String>, DocumentError> {
    let months = store.list_declared_months(declaring.employer, declaring.stored_year(), version).await?;
    let mut persons: Vec<_> = months.iter().map(|month| month.person).collect();
    persons.dedup();
    let mut identities = store.identities(&persons).await?;
    if names == Names::Full {
        let at = store.now().await?;
        let numbers: Vec<i64> = persons.iter().map(|person| person.0).collect();
        let object = format!("declaration {} {}", of.uscc, declaring.year);
        store.record(&Act::read(at, actor, Action::Reveal, object).with("persons", numbers)).await?;
    }
    let identified = persons.iter().filter_map(|person| identities.remove(person));
    let mut listed: Vec<String> = identified.map(|identity| identity.name).collect();
    listed.sort();
    Ok(if names == Names::Full { listed } else { listed.iter().map(|name| mask_name(name)).collect() })
}

async fn shown(store: &Store, stored: &StoredDocument) -> Result<Issued, DocumentError> {
    Ok(Issued {
        document: serde_json::from_str(&stored.content)?,
        check_code: check_code(store.keys(), &stored.number, &stored.content_hash).to_string(),
        validity: store.validity(stored).await?,
        issued_at: clock::rfc3339(stored.issued_at),
        names: None,
    })
}

fn check_code(keys: &Keys, number: &str, content_hash: &[u8; 32]) -> CheckCode {
    CheckCode::from_mac(&keys.document_mac(number, content_hash))
}

/// The document that number and code belong to; `None` where they belong to none, whatever of the two is wrong. Both cost one look
/// and a comparison, so that nobody learns by asking which numbers there are.
pub async fn check(store: &Store, number: &str, code: &str) -> Result<Option<Issued>, DocumentError> {
    let number = normalise(number);
    let found = store.list_documents(&number).await?;
    let given = CheckCode::parse(code);
    let is_right = |hash: &[u8; 32]| {
        let expected = check_code(store.keys(), &number, hash);
        given.is_some_and(|given| given.matches(&expected))
    };
    if found.is_empty() {
        // costs what a document costs
        let _none = is_right(&[0; 32]);
    }
    match found.into_iter().find(|stored| is_right(&stored.content_hash)) {
        Some(stored) => Ok(Some(shown(store, &stored).await?)),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_depends_on_keys_number_and_content_and_outlives_a_rotation() {
        let keys = Keys::generate().expect("keys");
        let code = |keys: &Keys, number: &str, hash: u8| check_code(keys, number, &[hash; 32]).to_string();
        let own = code(&keys, "36-2025-00000001", 1);
        assert_eq!(own, code(&keys.rotated().expect("rotated"), "36-2025-00000001", 1));
        assert_ne!(own, code(&keys, "36-2025-00000002", 1));
        assert_ne!(own, code(&keys, "36-2025-00000001", 2));
        assert_ne!(own, code(&Keys::generate().expect("keys"), "36-2025-00000001", 1));
    }
}
