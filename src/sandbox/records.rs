//! Rows as text, with the words and field names of our record contracts: spelt as the delivery spells them, flaws and all.
//!
//! The agencies translate these into their own codes; what has a flaw has it in every form.

use chrono::{Datelike, Days, NaiveDate};

use super::numbers;
use super::province::Province;
use super::rows::{
    CertificateRow, Contribution, FilingRow, Flaw, InsuranceRow, OWN_ACCOUNT, PersonIndex, UnitIndex, WageRow, Wear,
    instant,
};
use crate::domain::facts::CertificateKind;
use crate::domain::money::Fen;
use crate::domain::month::Month;

/// A wage record; of a deleted one every second has nothing but number, stamp and mark.
#[derive(Clone, PartialEq, Eq)]
pub struct WageText {
    pub record_id: String,
    pub updated_at: String,
    pub deleted: bool,
    pub id_number: String,
    pub name: String,
    pub payer_uscc: String,
    pub period: String,
    pub amount: String,
    pub paid_on: String,
}

/// An insurance record of either scheme.
#[derive(Clone, PartialEq, Eq)]
pub struct InsuranceText {
    pub record_id: String,
    pub updated_at: String,
    pub deleted: bool,
    pub id_number: String,
    pub name: String,
    /// Empty: the person's own account.
    pub insured_uscc: String,
    pub coverage: String,
    pub period: String,
    pub status: String,
    pub arrived_on: String,
    pub payment: String,
    /// The pension of the public sector, which has a code of its own at the agency.
    pub public_sector: bool,
}

/// A record of the certificate register.
#[derive(Clone, PartialEq, Eq)]
pub struct CertificateText {
    pub record_id: String,
    pub updated_at: String,
    pub deleted: bool,
    pub id_number: String,
    pub name: String,
    pub kind: String,
    pub certificate_number: String,
    pub level: String,
    pub category: String,
    pub valid_from: String,
    pub valid_to: String,
    pub status: String,
    pub status_since: String,
}

/// A filing of a dispatch company.
#[derive(Clone, PartialEq, Eq)]
pub struct FilingText {
    pub record_id: String,
    pub updated_at: String,
    pub dispatch_uscc: String,
    pub dispatch_name: String,
    pub licence_number: String,
    pub province: String,
    pub valid_from: String,
    pub valid_to: String,
    pub status: String,
}

impl Province {
    /// The ID number as registered.
    pub fn id_number(&self, person: PersonIndex) -> &str {
        numbers::text(&self.people[person as usize].id_number)
    }

    /// The unit's code.
    pub fn uscc(&self, unit: UnitIndex) -> &str {
        numbers::text(&self.units[unit as usize].uscc)
    }

    pub fn wage_text(&self, row: &WageRow) -> WageText {
        let bare = row.deleted && row.record % 2 == 1;
        let unless_bare = |text: String| if bare { String::new() } else { text };
        let period = self.period(row.period);
        let paid_on = match row.flaw {
            Flaw::ImpossibleDate => format!("{}-02-30", self.spec.year),
            _ => period.first_day().with_day(5 + row.record % 20).map(|day| day.to_string()).unwrap_or_default(),
        };
        let amount = match row.flaw {
            Flaw::ThreeDecimals => format!("{}5", Fen(i64::from(row.amount_fen))),
            Flaw::MissingField => String::new(),
            _ if row.amount_fen % 100 == 0 && row.record.is_multiple_of(7) => (row.amount_fen / 100).to_string(),
            _ => Fen(i64::from(row.amount_fen)).to_string(),
        };
        WageText {
            record_id: format!("W{}{:09}", self.spec.year, row.record),
            updated_at: instant(row.stamp_s).to_rfc3339(),
            deleted: row.deleted,
            id_number: unless_bare(self.worn_id(row.person, row.wear, row.flaw)),
            name: unless_bare(self.worn_name(row.person, row.wear)),
            payer_uscc: unless_bare(self.worn_uscc(row.payer, row.flaw)),
            period: unless_bare(period_text(period, row.flaw)),
            amount: unless_bare(amount),
            paid_on: unless_bare(paid_on),
        }
    }

    pub fn pension_text(&self, row: &InsuranceRow) -> InsuranceText {
        self.insurance_text(row, 'P')
    }

    pub fn medical_text(&self, row: &InsuranceRow) -> InsuranceText {
        self.insurance_text(row, 'M')
    }

    fn insurance_text(&self, row: &InsuranceRow, letter: char) -> InsuranceText {
        let bare = row.deleted && row.record % 2 == 1;
        let unless_bare = |text: String| if bare { String::new() } else { text };
        let (coverage, status, payment) = match row.contribution {
            Contribution::Paid | Contribution::PaidPublic => ("employee", "paid", "normal"),
            Contribution::Owed => ("employee", "owed", "normal"),
            Contribution::BackPaid => ("employee", "paid", "back_payment"),
            Contribution::ResidentPaid => ("resident", "paid", "normal"),
            Contribution::ResidentOwed => ("resident", "owed", "normal"),
        };
        let arrived_on = match row.flaw {
            Flaw::ImpossibleDate => format!("{}-02-30", self.spec.year),
            _ if status == "owed" => String::new(),
            _ => (instant(row.stamp_s).date_naive() - Days::new(2)).to_string(),
        };
        let status = match row.flaw {
            Flaw::UnknownWord => "9",
            Flaw::MissingField => "",
            _ => status,
        };
        let insured_uscc =
            if row.unit == OWN_ACCOUNT { String::new() } else { unless_bare(self.worn_uscc(row.unit, row.flaw)) };
        InsuranceText {
            record_id: format!("{letter}{}{:09}", self.spec.year, row.record),
            updated_at: instant(row.stamp_s).to_rfc3339(),
            deleted: row.deleted,
            id_number: unless_bare(self.worn_id(row.person, row.wear, row.flaw)),
            name: unless_bare(self.worn_name(row.person, row.wear)),
            insured_uscc,
            coverage: unless_bare(coverage.to_owned()),
            period: unless_bare(period_text(self.period(row.period), row.flaw)),
            status: unless_bare(status.to_owned()),
            arrived_on: unless_bare(arrived_on),
            payment: unless_bare(payment.to_owned()),
            public_sector: row.contribution == Contribution::PaidPublic,
        }
    }

    pub fn certificate_text(&self, row: &CertificateRow) -> CertificateText {
        let bare = row.deleted && row.record % 2 == 1;
        let unless_bare = |text: String| if bare { String::new() } else { text };
        let number = match row.kind {
            CertificateKind::DisabledSoldier => format!("赣军残{:06}", row.record),
            CertificateKind::DisabledPerson => {
                let reissue = if row.reissue == 0 { String::new() } else { format!("B{}", row.reissue) };
                format!("{}{}{}{reissue}", self.id_number(row.person), row.category, row.number_level)
            }
        };
        let status = match row.flaw {
            Flaw::UnknownWord => "9",
            Flaw::MissingField => "",
            _ => row.status.as_str(),
        };
        let valid_from = match row.flaw {
            Flaw::ImpossibleDate => format!("{}-02-30", row.valid_from.year()),
            _ => row.valid_from.to_string(),
        };
        CertificateText {
            record_id: format!("C{:09}", row.record),
            updated_at: instant(row.stamp_s).to_rfc3339(),
            deleted: row.deleted,
            id_number: unless_bare(self.worn_id(row.person, row.wear, row.flaw)),
            name: unless_bare(self.worn_name(row.person, row.wear)),
            kind: unless_bare(row.kind.as_str().to_owned()),
            certificate_number: unless_bare(number),
            level: unless_bare(row.level.to_string()),
            category: unless_bare(if row.category == 0 { String::new() } else { row.category.to_string() }),
            valid_from: unless_bare(valid_from),
            valid_to: unless_bare(day_text(row.valid_to)),
            status: unless_bare(status.to_owned()),
            status_since: unless_bare(day_text(row.status_since)),
        }
    }

    pub fn filing_text(&self, row: &FilingRow) -> FilingText {
        let valid_from = match row.flaw {
            Flaw::ImpossibleDate => format!("{}-02-30", row.valid_from.year()),
            _ => row.valid_from.to_string(),
        };
        FilingText {
            record_id: format!("D{:06}", row.record),
            updated_at: instant(row.stamp_s).to_rfc3339(),
            dispatch_uscc: self.worn_uscc(row.dispatcher, row.flaw),
            dispatch_name: self.units[row.dispatcher as usize].name.to_string(),
            licence_number: format!("{}{:05}", row.province / 10_000, row.dispatcher),
            province: row.province.to_string(),
            valid_from,
            valid_to: day_text(row.valid_to),
            status: if row.flaw == Flaw::UnknownWord { "9".to_owned() } else { row.status.as_str().to_owned() },
        }
    }

    fn period(&self, period: u8) -> Month {
        Month::of(NaiveDate::from_yo_opt(self.spec.year, 1).unwrap_or_default()).plus(i32::from(period))
    }

    fn worn_id(&self, person: PersonIndex, wear: Wear, flaw: Flaw) -> String {
        let id = self.id_number(person);
        if flaw == Flaw::IdChecksum {
            let check = if id.ends_with('0') { '1' } else { '0' };
            return format!("{}{check}", &id[..17]);
        }
        match wear {
            Wear::Spaced => format!("{} {} {}", &id[..6], &id[6..14], &id[14..]),
            Wear::FullWidth => id.chars().map(|c| char::from_u32(c as u32 + 0xFEE0).unwrap_or(c)).collect(),
            Wear::LowerCase => id.to_ascii_lowercase(),
            Wear::FifteenDigits if &id[6..8] == "19" => format!("{}{}", &id[..6], &id[8..17]),
            _ => id.to_owned(),
        }
    }

    fn worn_name(&self, person: PersonIndex, wear: Wear) -> String {
        let name = &*self.people[person as usize].name;
        match wear {
            Wear::NameSpaced => {
                let mut letters = name.chars();
                let first = letters.next().map(String::from).unwrap_or_default();
                format!("{first} {}", letters.as_str())
            }
            Wear::OtherDot => name.replace('·', "•"),
            _ => name.to_owned(),
        }
    }

    fn worn_uscc(&self, unit: UnitIndex, flaw: Flaw) -> String {
        let code = self.uscc(unit);
        if flaw == Flaw::UnitCode {
            let check = if code.ends_with('0') { '1' } else { '0' };
            return format!("{}{check}", &code[..17]);
        }
        code.to_owned()
    }
}

fn period_text(period: Month, flaw: Flaw) -> String {
    if flaw == Flaw::ImpossibleMonth { format!("{}-13", period.year()) } else { period.to_string() }
}

fn day_text(day: Option<NaiveDate>) -> String {
    day.map(|day| day.to_string()).unwrap_or_default()
}
