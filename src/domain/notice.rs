//! Notices to employers and staff: what is told, rendered in both languages from a kind and its parameters.

use serde::{Deserialize, Serialize};

use super::facts::{PersonId, words};
use super::ids::Uscc;
use super::month::{Month, spans};

words! {
    /// What a notice is about.
    NoticeKind {
        /// Two employers have months of one person in common.
        DoubleClaim = "double_claim",
        /// A person objects to months for which an employer counts them.
        Objection = "objection",
        /// A program that subscribed to events took none for too long.
        SubscriptionPaused = "subscription_paused",
    }
}

/// The parameters of a [`NoticeKind::DoubleClaim`]. They hold no name and no number of the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoubleClaim {
    pub person: PersonId,
    pub year: i16,
    pub months: Vec<Month>,
    /// Both, for staff; an employer does not hear who the other is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub employers: Vec<Uscc>,
}

/// The parameters of a [`NoticeKind::SubscriptionPaused`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionPaused {
    pub subscription_id: i64,
    /// Whose.
    pub account: String,
    /// Where it leads.
    pub host: String,
}

impl SubscriptionPaused {
    pub fn english(&self) -> String {
        let Self { subscription_id, account, host } = self;
        format!(
            "the receiver at {host} took no event of subscription {subscription_id} ({account}) for a week, so that nothing more is sent there. \
             What happens is kept for it for some time; once it works again, {account} resumes the subscription"
        )
    }

    pub fn chinese(&self) -> String {
        let Self { subscription_id, account, host } = self;
        format!(
            "接收端 {host} 一周未接收订阅 {subscription_id}（{account}）的任何事件，已暂停发送。其间的事件保留一段时间；接收端恢复后，由 {account} 恢复该订阅。"
        )
    }
}

impl DoubleClaim {
    /// `who` is the person, masked as its reader may see them.
    pub fn english(&self, who: &str) -> String {
        let months = spans(&self.months).iter().map(|(first, last)| span(*first, *last, " to ")).collect::<Vec<_>>();
        let months = months.join(", ");
        match self.employers.as_slice() {
            [one, other] => format!(
                "{who} is placed at or claimed by both {one} and {other} for {months}: if both declare them, contract or dispatch \
                 agreement decides which of them counts the months"
            ),
            _ => format!(
                "{who} is also placed at or claimed by another employer for {months}. A month counts for one employer \
                 only: make sure that contract and dates are right; where both declare it, staff decide by contract or \
                 dispatch agreement"
            ),
        }
    }

    /// As [`DoubleClaim::english`].
    pub fn chinese(&self, who: &str) -> String {
        let months = spans(&self.months).iter().map(|(first, last)| span(*first, *last, "至")).collect::<Vec<_>>();
        let months = months.join("、");
        match self.employers.as_slice() {
            [one, other] => format!(
                "{who}在{months}同时被{one}和{other}登记安置或申报；如双方均申报，依据劳动合同或劳务派遣协议裁定。"
            ),
            _ => format!(
                "{who}在{months}同时被另一用人单位登记安置或申报。同一月份只能由一个单位计入，请核对劳动合同及起止日期；\
                 如双方均申报，由残联依据劳动合同或劳务派遣协议裁定。"
            ),
        }
    }
}

/// The parameters of a [`NoticeKind::Objection`]: neither what the person says nor of which kind it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objected {
    pub person: PersonId,
    pub months: Vec<Month>,
}

impl Objected {
    /// `who` is the person, masked as its reader may see them.
    pub fn english(&self, who: &str) -> String {
        let months = spans(&self.months).iter().map(|(first, last)| span(*first, *last, " to ")).collect::<Vec<_>>();
        format!(
            "{who} objects to being counted for {}. Nothing changes by that: the federation looks into it; make sure that the placement, \
             its months and wages are right",
            months.join(", ")
        )
    }

    /// As [`Objected::english`].
    pub fn chinese(&self, who: &str) -> String {
        let months = spans(&self.months).iter().map(|(first, last)| span(*first, *last, "至")).collect::<Vec<_>>();
        format!(
            "{who}对被计入{}提出异议。认定结果不因此改变，由残联核实；请核对安置信息、申报月份及工资。",
            months.join("、")
        )
    }
}

/// What a notice says, read from its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    DoubleClaim(DoubleClaim),
    Objection(Objected),
    SubscriptionPaused(SubscriptionPaused),
}

impl Told {
    /// The person whom it is about.
    pub fn person(&self) -> Option<PersonId> {
        match self {
            Self::DoubleClaim(claim) => Some(claim.person),
            Self::Objection(objected) => Some(objected.person),
            Self::SubscriptionPaused(_) => None,
        }
    }

    /// `who` is the person, masked as its reader may see them.
    pub fn english(&self, who: &str) -> String {
        match self {
            Self::DoubleClaim(claim) => claim.english(who),
            Self::Objection(objected) => objected.english(who),
            Self::SubscriptionPaused(paused) => paused.english(),
        }
    }

    /// As [`Told::english`].
    pub fn chinese(&self, who: &str) -> String {
        match self {
            Self::DoubleClaim(claim) => claim.chinese(who),
            Self::Objection(objected) => objected.chinese(who),
            Self::SubscriptionPaused(paused) => paused.chinese(),
        }
    }
}

fn span(first: Month, last: Month, to: &str) -> String {
    if first == last { first.to_string() } else { format!("{first}{to}{last}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(months: &[u32], employers: &[&str]) -> DoubleClaim {
        DoubleClaim {
            person: PersonId(17),
            year: 2025,
            months: months.iter().filter_map(|number| Month::new(2025, *number)).collect(),
            employers: employers.iter().filter_map(|code| Uscc::parse(code).ok()).collect(),
        }
    }

    #[test]
    fn an_employer_hears_that_there_is_another_and_staff_hear_who() {
        let to_employer = claim(&[1, 2, 3, 6], &[]);
        insta::assert_snapshot!(to_employer.english("王* …0019"), @"
        王* …0019 is also placed at or claimed by another employer for 2025-01 to 2025-03, 2025-06. A month counts for one employer only: make sure that contract and dates are right; where both declare it, staff decide by contract or dispatch agreement
        ");
        insta::assert_snapshot!(to_employer.chinese("王* …0019"), @"
        王* …0019在2025-01至2025-03、2025-06同时被另一用人单位登记安置或申报。同一月份只能由一个单位计入，请核对劳动合同及起止日期；如双方均申报，由残联依据劳动合同或劳务派遣协议裁定。
        ");
        let to_staff = claim(&[12], &["91369900MA00000152", "91369900MA0TEXT12D"]);
        insta::assert_snapshot!(to_staff.english("person 17"), @"
        person 17 is placed at or claimed by both 91369900MA00000152 and 91369900MA0TEXT12D for 2025-12: if both declare them, contract or dispatch agreement decides which of them counts the months
        ");
        insta::assert_snapshot!(to_staff.chinese("person 17"), @"person 17在2025-12同时被91369900MA00000152和91369900MA0TEXT12D登记安置或申报；如双方均申报，依据劳动合同或劳务派遣协议裁定。");
    }

    #[test]
    fn an_employer_hears_of_an_objection_without_what_was_said() {
        let objected = Objected { person: PersonId(17), months: claim(&[1, 2, 5], &[]).months };
        insta::assert_snapshot!(objected.english("王* …0019"), @"王* …0019 objects to being counted for 2025-01 to 2025-02, 2025-05. Nothing changes by that: the federation looks into it; make sure that the placement, its months and wages are right");
        insta::assert_snapshot!(objected.chinese("王* …0019"), @"王* …0019对被计入2025-01至2025-02、2025-05提出异议。认定结果不因此改变，由残联核实；请核对安置信息、申报月份及工资。");
    }

    #[test]
    fn whose_receiver_takes_nothing_hears_where_and_what_to_do() {
        let paused =
            SubscriptionPaused { subscription_id: 7, account: "li.hua".to_owned(), host: "hooks.example".to_owned() };
        let english = "the receiver at hooks.example took no event of subscription 7 (li.hua) for a week, so that nothing more is sent there. \
                       What happens is kept for it for some time; once it works again, li.hua resumes the subscription";
        assert_eq!(paused.english(), english);
        let chinese = "接收端 hooks.example 一周未接收订阅 7（li.hua）的任何事件，已暂停发送。其间的事件保留一段时间；接收端恢复后，由 li.hua 恢复该订阅。";
        assert_eq!(paused.chinese(), chinese);
    }

    #[test]
    fn what_is_told_is_about_a_person_or_a_program_and_says_what_its_kind_says() {
        let (double, months) = (claim(&[1, 2], &[]), claim(&[1], &[]).months);
        let objected = Objected { person: PersonId(18), months };
        let paused =
            SubscriptionPaused { subscription_id: 7, account: "li.hua".to_owned(), host: "hooks.example".to_owned() };
        let who = "王* …0019";
        for (told, person, english, chinese) in [
            (Told::DoubleClaim(double.clone()), Some(PersonId(17)), double.english(who), double.chinese(who)),
            (Told::Objection(objected.clone()), Some(PersonId(18)), objected.english(who), objected.chinese(who)),
            (Told::SubscriptionPaused(paused.clone()), None, paused.english(), paused.chinese()),
        ] {
            assert_eq!((told.person(), told.english(who), told.chinese(who)), (person, english, chinese));
        }
    }

    #[cfg(feature = "pipeline")]
    #[test]
    fn the_parameters_are_read_back() {
        let params = claim(&[1, 2], &[]);
        let json = serde_json::to_value(&params).expect("written");
        assert_eq!(json, serde_json::json!({ "person": 17, "year": 2025, "months": ["2025-01", "2025-02"] }));
        assert_eq!(serde_json::from_value::<DoubleClaim>(json).expect("read"), params);
    }
}
