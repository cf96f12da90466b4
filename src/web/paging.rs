//! Lists come in pages, each with a cursor to the next.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use crate::domain::facts::PersonId;

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

/// Leaves of lines by person those of so many persons after one; the cursor to the next.
pub(super) fn cut_by_person<T>(
    lines: &mut Vec<T>,
    person: impl Fn(&T) -> PersonId,
    after: Option<i64>,
    limit: usize,
) -> Option<String> {
    lines.retain(|line| after.is_none_or(|after| person(line).0 > after));
    lines.sort_by_key(&person);
    let mut persons = lines.chunk_by(|one, other| person(one) == person(other));
    let kept: usize = persons.by_ref().take(limit).map(<[T]>::len).sum();
    persons.next()?;
    lines.truncate(kept);
    lines.last().map(|line| person(line).0.to_string())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_between_persons_and_the_next_page_goes_on_there() {
        let all = [(7, 'c'), (1, 'a'), (1, 'b'), (3, 'c'), (3, 'd'), (3, 'e')];
        let page = |after, limit| {
            let mut lines = all.to_vec();
            let next = cut_by_person(&mut lines, |line| PersonId(line.0), after, limit);
            (lines.iter().map(|line| line.1).collect::<String>(), next)
        };
        assert_eq!(page(None, 2), ("abcde".to_owned(), Some("3".to_owned())));
        assert_eq!(page(Some(3), 2), ("c".to_owned(), None));
        assert_eq!(page(None, 3), ("abcdec".to_owned(), None));
        assert_eq!(page(Some(1), 1), ("cde".to_owned(), Some("3".to_owned())));
        assert_eq!(page(Some(7), 1), (String::new(), None));
    }
}
