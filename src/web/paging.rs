//! Lists come in pages, each with a cursor to the next.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::problem::Problem;

/// Rows of a page at most, and where nothing is said.
pub(super) const MOST: u16 = 500;
const USUAL: u16 = 100;

/// Which page.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    /// `next` of the page before; without it the first page is given.
    #[schemars(length(max = 200))]
    pub(super) after: Option<String>,
    /// Rows of the page at most; 100 where nothing is said.
    #[schemars(range(min = 1, max = 500))]
    pub(super) limit: Option<u16>,
}

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// Give it as `after` for the next page; null: this was the last.
    pub(super) next: Option<String>,
}

impl Paging {
    /// Rows of the page at most.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        limit_of(self.limit)
    }

    /// The place after which the page begins.
    pub(super) fn after<T: FromStr>(&self) -> Result<Option<T>, Problem> {
        cursor(self.after.as_deref())
    }
}

/// Rows of a page at most, as they were asked for.
pub(super) fn limit_of(asked: Option<u16>) -> Result<usize, Problem> {
    match asked.unwrap_or(USUAL) {
        limit @ 1..=MOST => Ok(limit.into()),
        _ => {
            let detail = format!("`limit` is 1 to {MOST}");
            Err(Problem::bad_request("bad_limit", detail, format!("limit 须为1至{MOST}。")))
        }
    }
}

/// The place after which a page begins, as it was given out.
pub(super) fn cursor<T: FromStr>(asked: Option<&str>) -> Result<Option<T>, Problem> {
    asked.map(|after| after.parse().map_err(|_| bad_cursor())).transpose()
}

/// `after` is none of the cursors that were given.
pub(super) fn bad_cursor() -> Problem {
    let detail = "`after` is no cursor of this list: take `next` of the page before";
    Problem::bad_request("bad_cursor", detail, "after 不是该列表的游标。")
}

impl<T> Page<T> {
    /// Everything there is: a list that is short by its nature.
    pub(super) fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }

    /// Of one row more than the limit, which only shows that there is more.
    pub(super) fn of(mut items: Vec<T>, limit: usize, place: impl Fn(&T) -> String) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(place);
        Self { items, next }
    }
}
