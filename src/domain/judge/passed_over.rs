//! Why a record that the judge looked at does not count.

use crate::domain::certificate::Standing;
use crate::domain::facts::words;
use crate::domain::said::Said;

words! {
    /// Why a record, a contract or a filing that was looked at does not carry the code.
    PassedOver {
        /// A wage, an employee insurance or a filing of a unit other than the one asked for.
        AnotherUnit = "another_unit",
        /// Employee insurance that the person pays on an own account (灵活就业).
        OwnAccount = "own_account",
        ResidentScheme = "resident_scheme",
        /// A month that is owed by one record of the unit asked for, and paid by another.
        Owed = "owed",
        /// A soldier's certificate of a level that is not counted.
        LevelNotCounted = "level_not_counted",
        /// A certificate or contract that is in force on no day asked for.
        OtherDates = "other_dates",
        /// By its dates it would be in force, by its status it is not.
        NotInForce = "not_in_force",
        /// A contract agreed for less than a year.
        TooShort = "too_short",
        /// A filing that nobody approved.
        NotApproved = "not_approved",
        AnotherProvince = "another_province",
        /// It would do as well; the one that began last decides.
        AnotherDecides = "another_decides",
    }
}

impl PassedOver {
    /// The reason as part of a sentence: "passed over because …".
    pub fn said(self) -> Said {
        let (en, zh) = match self {
            Self::AnotherUnit => ("it is of another unit than the one declared", "所属单位不是登记的单位"),
            Self::OwnAccount => {
                ("it is on the person's own account (flexible employment)", "以个人（灵活就业）身份参保，不是单位参保")
            }
            Self::ResidentScheme => ("residents' insurance is no employee insurance", "居民保险不是职工保险"),
            Self::Owed => (
                "it says that the month is owed, another record of the same unit says that it was paid",
                "该记录为欠费，同一单位另有已缴记录",
            ),
            Self::LevelNotCounted => ("soldiers' levels 9 and 10 are not counted", "残疾军人证九级、十级不计入"),
            Self::OtherDates => ("it is not in force on any day asked for", "有效期不在所查期间内"),
            Self::NotInForce => {
                ("its dates would cover the days asked for, its status does not", "日期覆盖所查期间，但状态无效")
            }
            Self::TooShort => ("it was agreed for less than a year", "约定期限不满一年"),
            Self::NotApproved => ("nobody approved it", "未经审核通过"),
            Self::AnotherProvince => ("it is for another province", "备案省份不是用人单位所在省"),
            Self::AnotherDecides => {
                ("it would do as well, the one that began last decides", "同样有效，以起始日期最晚的一份为准")
            }
        };
        Said::new(en, zh)
    }
}

impl From<Standing> for PassedOver {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::NotCounted => Self::LevelNotCounted,
            Standing::InForce => Self::AnotherDecides,
            Standing::BarredByStatus => Self::NotInForce,
            Standing::OtherDates => Self::OtherDates,
        }
    }
}
