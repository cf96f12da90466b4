//! The contract of each kind of record: its fields, what each holds, which must be there. Job files are checked against it, deliveries
//! are read by it, and `schemas/records/<kind>.json` is written from it.

use serde_json::{Map, Value, json};

use crate::domain::facts::{
    CertificateKind, CertificateStatus, ContributionStatus, Coverage, FilingStatus, Payment, RecordKind, Scheme,
};

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    RecordId,
    Instant,
    Flag,
    ResidentId,
    Name,
    Uscc,
    Month,
    Amount,
    Day,
    Word(fn() -> Vec<&'static str>),
    Number { least: u8, most: u8 },
    Division,
    Text,
}

/// One field of ours.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: &'static str,
    pub form: Form,
    about: &'static str,
    /// Its place in [`Slots`], unlike every other field's.
    slot: usize,
}

/// One value for every field there is, whatever the kind.
#[derive(Clone, Debug)]
pub struct Slots<T>([T; FIELDS]);

impl<T> Slots<T> {
    pub fn new(of: impl Fn(&Field) -> T) -> Self
    where
        T: Default,
    {
        let mut slots = Self(std::array::from_fn(|_| T::default()));
        for kind in RecordKind::ALL {
            for (field, _) in fields_of(*kind) {
                slots.0[field.slot] = of(field);
            }
        }
        slots
    }

    pub fn get(&self, field: &Field) -> &T {
        &self.0[field.slot]
    }
}

macro_rules! fields {
    ($($name:ident = $text:literal, $form:expr, $about:literal;)+) => {
        fields!(@slots 0; $($name = $text, $form, $about;)+);
    };
    (@slots $slot:expr; $name:ident = $text:literal, $form:expr, $about:literal; $($rest:tt)*) => {
        pub const $name: Field = Field { name: $text, form: $form, about: $about, slot: $slot };
        fields!(@slots $slot + 1; $($rest)*);
    };
    (@slots $slot:expr;) => {
        const FIELDS: usize = $slot;
    };
}

macro_rules! word {
    ($set:ty) => {
        Form::Word(|| <$set>::ALL.iter().map(|word| word.as_str()).collect())
    };
}

fields! {
    RECORD_ID = "record_id", Form::RecordId, "unique within its source";
    UPDATED_AT = "updated_at", Form::Instant, "a later one supersedes";
    DELETED = "deleted", Form::Flag, "the record exists no more; then only these three fields are required";
    ID_NUMBER = "id_number", Form::ResidentId, "the person's resident ID (GB 11643); 15 digits become 18";
    NAME = "name", Form::Name, "the person's name; another name on a valid ID is accepted and listed";
    PAYER_USCC = "payer_uscc", Form::Uscc, "the unit that paid";
    PERIOD = "period", Form::Month, "the month that it is for";
    AMOUNT = "amount", Form::Amount, "yuan, at most two decimals, negative for reversals";
    PAID_ON = "paid_on", Form::Day, "the day of payment";
    INSURED_USCC = "insured_uscc", Form::Uscc, "the insured unit; absent or empty: the person's own flexible-employment account";
    SCHEME = "scheme", word!(Scheme), "pension or medical insurance";
    COVERAGE = "coverage", word!(Coverage), "employee insurance or the residents' scheme";
    CONTRIBUTION_STATUS = "status", word!(ContributionStatus), "whether the contribution arrived";
    ARRIVED_ON = "arrived_on", Form::Day, "the day on which it arrived";
    PAYMENT = "payment", word!(Payment), "normal where absent";
    KIND = "kind", word!(CertificateKind), "of a disabled person, or of a disabled soldier";
    CERTIFICATE_NUMBER = "certificate_number", Form::Text, "disabled persons: ID number, category, level and reissue; soldiers: free text";
    LEVEL = "level", Form::Number { least: 1, most: 10 }, "1 to 4; soldiers 1 to 10";
    CATEGORY = "category", Form::Number { least: 1, most: 7 }, "kind of disability";
    VALID_FROM = "valid_from", Form::Day, "the first day";
    VALID_TO = "valid_to", Form::Day, "the last day; absent: without end";
    CERTIFICATE_STATUS = "status", word!(CertificateStatus), "the register's word on it";
    STATUS_SINCE = "status_since", Form::Day, "the day from which that holds";
    DISPATCH_USCC = "dispatch_uscc", Form::Uscc, "the dispatch company";
    DISPATCH_NAME = "dispatch_name", Form::Text, "its name";
    LICENCE_NUMBER = "licence_number", Form::Text, "of its dispatch licence";
    PROVINCE = "province", Form::Division, "division code of the province that it filed for";
    FILING_STATUS = "status", word!(FilingStatus), "the platform's word on the filing";
}

/// Whether a record that exists can stand without a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Asked of every record, deleted ones too.
    Always,
    Required,
    Optional,
}

use Need::{Always, Optional, Required};

/// The fields of a kind of record, in the order in which they are written down.
pub fn fields_of(kind: RecordKind) -> &'static [(Field, Need)] {
    match kind {
        RecordKind::Wage => &[
            (RECORD_ID, Always),
            (UPDATED_AT, Always),
            (DELETED, Optional),
            (ID_NUMBER, Required),
            (NAME, Required),
            (PAYER_USCC, Required),
            (PERIOD, Required),
            (AMOUNT, Required),
            (PAID_ON, Optional),
        ],
        RecordKind::Insurance => &[
            (RECORD_ID, Always),
            (UPDATED_AT, Always),
            (DELETED, Optional),
            (ID_NUMBER, Required),
            (NAME, Required),
            (INSURED_USCC, Optional),
            (SCHEME, Required),
            (COVERAGE, Required),
            (PERIOD, Required),
            (CONTRIBUTION_STATUS, Required),
            (ARRIVED_ON, Optional),
            (PAYMENT, Optional),
        ],
        RecordKind::Certificate => &[
            (RECORD_ID, Always),
            (UPDATED_AT, Always),
            (DELETED, Optional),
            (ID_NUMBER, Required),
            (NAME, Required),
            (KIND, Required),
            (CERTIFICATE_NUMBER, Required),
            (LEVEL, Required),
            (CATEGORY, Optional),
            (VALID_FROM, Required),
            (VALID_TO, Optional),
            (CERTIFICATE_STATUS, Required),
            (STATUS_SINCE, Optional),
        ],
        RecordKind::DispatchFiling => &[
            (RECORD_ID, Always),
            (UPDATED_AT, Always),
            (DELETED, Optional),
            (DISPATCH_USCC, Required),
            (DISPATCH_NAME, Required),
            (LICENCE_NUMBER, Required),
            (PROVINCE, Required),
            (VALID_FROM, Required),
            (VALID_TO, Optional),
            (FILING_STATUS, Required),
        ],
    }
}

/// The JSON Schema (2020-12) of a kind of record.
pub fn schema_of(kind: RecordKind) -> Value {
    let names = |wanted: Need| -> Vec<&str> {
        fields_of(kind).iter().filter(|(_, need)| *need == wanted).map(|(field, _)| field.name).collect()
    };
    let properties: Map<String, Value> =
        fields_of(kind).iter().map(|(field, _)| (field.name.to_owned(), property(field))).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": kind.as_str(),
        "description": "One record as an agency delivers it; a job maps other names, words and forms onto these. Further fields are noted and not kept.",
        "type": "object",
        "properties": properties,
        "required": names(Always),
        "if": { "properties": { "deleted": { "const": true } }, "required": ["deleted"] },
        "else": { "required": names(Required) },
    })
}

fn property(field: &Field) -> Value {
    let mut schema = match field.form {
        Form::RecordId | Form::Text => json!({ "type": "string", "minLength": 1 }),
        Form::Instant => json!({ "type": "string", "format": "date-time" }),
        Form::Flag => json!({ "type": "boolean" }),
        Form::ResidentId => json!({ "type": "string", "pattern": "^([0-9]{17}[0-9Xx]|[0-9]{15})$" }),
        Form::Name => json!({ "type": "string", "minLength": 1, "maxLength": 100 }),
        Form::Uscc => json!({ "type": "string", "pattern": "^[0-9A-HJ-NPQRTUWXY]{18}$" }),
        Form::Month => json!({ "type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$" }),
        Form::Amount => json!({ "type": ["string", "number"], "pattern": r"^-?[0-9]+(\.[0-9]{1,2})?$" }),
        Form::Day => json!({ "type": "string", "format": "date" }),
        Form::Word(words) => json!({ "enum": words() }),
        Form::Number { least, most } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Form::Division => json!({ "type": "string", "pattern": "^[0-9]{6}$" }),
    };
    schema["description"] = field.about.into();
    schema
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_written_schemas_are_those_by_which_records_are_read() {
        let mut outdated = Vec::new();
        for kind in RecordKind::ALL {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/records/{kind}.json"));
            let wanted = format!("{:#}\n", schema_of(*kind));
            if std::fs::read_to_string(&path).unwrap_or_default() != wanted {
                std::fs::write(&path, &wanted).expect("written");
                outdated.push(path);
            }
        }
        assert!(outdated.is_empty(), "these were out of date and are written anew, commit them: {outdated:?}");
    }

    #[test]
    fn every_field_has_a_slot_of_its_own_and_a_name_of_its_own_in_its_kind() {
        let slots: BTreeSet<usize> =
            RecordKind::ALL.iter().flat_map(|kind| fields_of(*kind)).map(|(field, _)| field.slot).collect();
        assert_eq!(slots.len(), FIELDS);
        for kind in RecordKind::ALL {
            let names: BTreeSet<&str> = fields_of(*kind).iter().map(|(field, _)| field.name).collect();
            assert_eq!(names.len(), fields_of(*kind).len(), "{kind}");
        }
    }
}
