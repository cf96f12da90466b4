//! How long what is no longer needed is kept, by class of data.

use std::collections::BTreeMap;

use super::facts::words;

words! {
    /// What goes after a time.
    RetentionClass {
        /// What was in refused records of persons whom nobody here knows.
        Strangers = "strangers",
        /// What runs said.
        RunLines = "run_lines",
        /// Pages of deliveries that are no longer needed to know the next one's again.
        Pages = "pages",
        /// Alerts that are over, with their messages.
        Messages = "messages",
        /// Fires of jobs, and work that is done.
        Tasks = "tasks",
        /// What programs that subscribed were told, or could not be.
        Events = "events",
        /// What requests that write something were answered, by which the same request is known again.
        RequestAnswers = "request_answers",
        /// Versions of records that others have superseded.
        SupersededRecords = "superseded_records",
        /// What results were before they changed.
        ResultHistory = "result_history",
    }
}

/// Days that each class is kept; what is not named is kept for ever.
pub type Keep = BTreeMap<RetentionClass, u32>;

impl RetentionClass {
    /// Where nothing else is said; `None` is for ever.
    pub const fn usual_days(self) -> Option<u32> {
        match self {
            Self::Strangers | Self::Pages => Some(30),
            Self::RunLines | Self::Tasks | Self::Events => Some(90),
            Self::Messages => Some(365),
            Self::RequestAnswers => Some(730),
            Self::SupersededRecords | Self::ResultHistory => None,
        }
    }

    /// The past that results rest on is kept for at least three years: that of a declaration, of its amendments, and of an audit. A request
    /// that is repeated within a month is not done again.
    pub const fn least_days(self) -> u32 {
        match self {
            Self::SupersededRecords | Self::ResultHistory => 3 * 366,
            Self::RequestAnswers => 30,
            _ => 1,
        }
    }
}

/// What is kept where nothing is said.
pub fn usual() -> Keep {
    RetentionClass::ALL.iter().filter_map(|class| Some((*class, class.usual_days()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_is_kept_for_ever_unless_somebody_says_otherwise() {
        let usual = usual();
        assert!(!usual.contains_key(&RetentionClass::SupersededRecords));
        assert!(!usual.contains_key(&RetentionClass::ResultHistory));
        assert_eq!(usual[&RetentionClass::Strangers], 30);
        assert!(usual.iter().all(|(class, days)| *days >= class.least_days()));
    }

    #[test]
    fn each_class_has_its_days_and_the_least_that_may_be_set() {
        let days: Vec<_> =
            RetentionClass::ALL.iter().map(|class| (class.as_str(), class.usual_days(), class.least_days())).collect();
        let expected = [
            ("strangers", Some(30), 1),
            ("run_lines", Some(90), 1),
            ("pages", Some(30), 1),
            ("messages", Some(365), 1),
            ("tasks", Some(90), 1),
            ("events", Some(90), 1),
            ("request_answers", Some(730), 30),
            ("superseded_records", None, 1098),
            ("result_history", None, 1098),
        ];
        assert_eq!(days, expected);
    }
}
