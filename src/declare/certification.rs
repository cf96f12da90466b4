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
use crate::domain::facts::PersonId;
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
    #[error(
        "no document was issued of it; `POST` to the same address issues the one of what is in force, once the tax department accepted it"
    )]
    NotIssued,
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
            Self::NotIssued => Some("not_issued"),
            Self::Content(_) | Self::Store(_) => None,
        }
    }

    /// Of a refusal: the sentence for people.
    pub fn chinese(&self) -> Option<String> {
        match self {
            Self::Denied(denied) => Some(denied.chinese().to_owned()),
            Self::NotAccepted => Some("税务部门尚未接收该年度的认定结果，接收后方可出具认定书。".to_owned()),
            Self::NotInForce { version } => Some(format!("第{version}版未出具过认定书，且已不再有效。")),
            Self::NotIssued => Some("尚未出具认定书；税务部门接收认定结果后，可以 POST 请求出具。".to_owned()),
            Self::Content(_) | Self::Store(_) => None,
        }
    }
}

/// Whether the persons are named on what is printed: the employer's choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "NamesPrinted")]
pub enum Names {
    #[default]
    Without,
    /// Surname and `*`.
    Masked,
    /// In full: needs the right to it, and is audited.
    Full,
}

/// Whether the persons are named on what is only shown, which leaves no trace in the audit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "NamesShown")]
pub enum Shown {
    #[default]
    Without,
    /// Surname and `*`.
    Masked,
}

impl From<Shown> for Names {
    fn from(shown: Shown) -> Self {
        match shown {
            Shown::Without => Self::Without,
            Shown::Masked => Self::Masked,
        }
    }
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
    let declaration = store.find_declaration(declaring.employer, declaring.stored_year()).await?;
    let held = declaration.in_force();
    let version = version.or(held.map(|held| held.completion.version)).ok_or(DocumentError::NotAccepted)?;
    let held = held.filter(|held| held.completion.version == version);
    let (drawn, mut stored) = match (find_stored(store, declaring, version, held).await?, held) {
        (Some(stored), _) => (None, stored),
        (None, Some(held)) => {
            let drawn = draw_up(store, policy, actor, declaring, &of, held).await?;
            (Some(drawn.clone()), drawn)
        }
        (None, None) => return Err(DocumentError::NotInForce { version }),
    };
    let listed = list_names(store, declaring, version, names).await?;
    let object = format!("declaration {} {}", of.uscc, declaring.year);
    let mut change = store.change().await?;
    if let Some(drawn) = drawn {
        if change.save_document(&drawn).await? {
            let act = Act::read(drawn.issued_at, actor, Action::IssueDocument, object.clone());
            let act = act.with("version", version).with("certification_number", drawn.number.clone());
            change.record(&act.with("content", hex::encode(drawn.content_hash))).await?;
        } else {
            // somebody else issued it meanwhile: theirs stands
            let theirs = find_stored(store, declaring, version, held).await?;
            stored = theirs.ok_or(DocumentError::NotInForce { version })?;
        }
    }
    if names == Names::Full {
        let numbers: Vec<i64> = listed.persons.iter().map(|person| person.0).collect();
        let at = store.now().await?;
        change.record(&Act::read(at, actor, Action::Reveal, object).with("persons", numbers)).await?;
    }
    let issued = Issued { names: listed.names, ..shown(store, &stored).await? };
    change.answer(&issued).await?;
    change.commit().await?;
    Ok(issued)
}

/// The document of the version in force, or of another, if one was issued of it; nothing is written. Persons are masked, if they are
/// named.
pub async fn find_issued(
    store: &Store,
    actor: &Actor,
    declaring: Declaring,
    version: Option<u32>,
    names: Shown,
) -> Result<Issued, DocumentError> {
    permit::<DocumentError>(store, actor, Action::IssueDocument, declaring.employer).await?;
    let declaration = store.find_declaration(declaring.employer, declaring.stored_year()).await?;
    let held = declaration.in_force();
    let version = version.or(held.map(|held| held.completion.version)).ok_or(DocumentError::NotIssued)?;
    let held = held.filter(|held| held.completion.version == version);
    let stored = find_stored(store, declaring, version, held).await?.ok_or(DocumentError::NotIssued)?;
    let listed = list_names(store, declaring, version, names.into()).await?;
    Ok(Issued { names: listed.names, ..shown(store, &stored).await? })
}

/// What is kept of a version: of what is in force its own, since an earlier attempt of the version may have had one.
async fn find_stored(
    store: &Store,
    declaring: Declaring,
    version: u32,
    held: Option<&Held>,
) -> Result<Option<StoredDocument>, StoreError> {
    let attempt = held.map(|held| held.issue.message.attempt);
    store.find_document_of(declaring.employer, declaring.stored_year(), version, attempt).await
}

/// The document of what is in force, not written down yet.
async fn draw_up(
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
    Ok(StoredDocument {
        message_id,
        number: document.certification_number,
        employer,
        year,
        version,
        attempt: message.attempt,
        content_hash: Sm3::digest(content.as_bytes()).into(),
        content,
        issued_at: store.now().await?,
        issued_by: actor.name.clone(),
    })
}

/// Persons of a version, and their names as far as they were asked for.
struct Listed {
    persons: Vec<PersonId>,
    names: Option<Vec<String>>,
}

async fn list_names(store: &Store, declaring: Declaring, version: u32, names: Names) -> Result<Listed, DocumentError> {
    if names == Names::Without {
        return Ok(Listed { persons: Vec::new(), names: None });
    }
    let months = store.list_declared_months(declaring.employer, declaring.stored_year(), version).await?;
    let mut persons: Vec<PersonId> = months.iter().map(|month| month.person).collect();
    persons.dedup();
    let mut identities = store.identities(&persons).await?;
    let identified = persons.iter().filter_map(|person| identities.remove(person));
    let mut listed: Vec<String> = identified.map(|identity| identity.name).collect();
    listed.sort();
    if names == Names::Masked {
        listed = listed.iter().map(|name| mask_name(name)).collect();
    }
    Ok(Listed { persons, names: Some(listed) })
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
