//! How long each class of data is kept: `[retention]`.

use std::collections::BTreeMap;

use super::duration::Days;
use super::error::ConfigError;
use super::picked::{Shown, Sources, Wanted};
use crate::domain::retention::{Keep, RetentionClass};

/// `[retention]`: spans by class.
pub(super) type RetentionFile = BTreeMap<RetentionClass, String>;

const VARIABLES: [(RetentionClass, &str); 9] = [
    (RetentionClass::Strangers, "RENZHENG_RETENTION_STRANGERS"),
    (RetentionClass::RunLines, "RENZHENG_RETENTION_RUN_LINES"),
    (RetentionClass::Pages, "RENZHENG_RETENTION_PAGES"),
    (RetentionClass::Messages, "RENZHENG_RETENTION_MESSAGES"),
    (RetentionClass::Tasks, "RENZHENG_RETENTION_TASKS"),
    (RetentionClass::Events, "RENZHENG_RETENTION_EVENTS"),
    (RetentionClass::RequestAnswers, "RENZHENG_RETENTION_REQUEST_ANSWERS"),
    (RetentionClass::SupersededRecords, "RENZHENG_RETENTION_SUPERSEDED_RECORDS"),
    (RetentionClass::ResultHistory, "RENZHENG_RETENTION_RESULT_HISTORY"),
];

pub(super) fn pick(sources: &Sources<'_>, mut file: RetentionFile) -> Result<Keep, ConfigError> {
    let mut keep = Keep::new();
    for (class, variable) in VARIABLES {
        let key = format!("retention.{class}");
        let usual = class.usual_days().map_or_else(|| "for ever".to_owned(), |days| Days(days).to_string());
        let wanted = Wanted { key: &key, variable: Some(variable), shown: Shown::Plain, default: Some(&usual) };
        let accepted = format!("the numbers of whole days from `{}` on", Days(class.least_days()));
        let long_enough = |text: &str| Days::parse(text).ok().filter(|days| days.0 >= class.least_days());
        let given = sources.pick_read(&wanted, file.remove(&class), long_enough, &accepted)?;
        if let Some(days) = given.map(|days| days.0).or(class.usual_days()) {
            keep.insert(class, days);
        }
    }
    Ok(keep)
}
