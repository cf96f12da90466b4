//! Every way in which a source is known to fail, one row each: what it does, how the pull ends, what holds afterwards.
//!
//! Beside what a row says, the same is checked after each: yesterday's version is in force unless the pull was published, nothing of an
//! unpublished batch is visible, every row that was read is accounted for; and once the source is well again, one pull makes the state
//! that of an undisturbed one.

mod alone;
pub mod scene;
mod ways;

use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;

use crate::agency::Wage;
use crate::http_agency::{Desk, Tamper};

/// One fault of sources.
pub struct Row {
    id: &'static str,
    /// What the source does.
    source: &'static str,
    /// What holds afterwards, besides what always does.
    then: &'static str,
    cases: &'static [Case],
}

/// One form of a fault.
pub struct Case {
    how: How,
    ends: Ends,
    /// What the cause, the reason or the notes say.
    says: &'static str,
    /// Further keys of the job, and of its source.
    keys: &'static str,
    source: &'static str,
}

/// How a fault is brought about.
pub enum How {
    /// The address leads nowhere.
    Nowhere(fn() -> String),
    /// Answers to this page, or any, are spoilt on their way so many times.
    Http { page: Option<usize>, times: usize, tamper: Tamper },
    /// The agency has or does something else.
    Desk(fn(&mut Desk)),
    /// Today's records are put down in another way.
    File(fn(&Path, &[Wage])),
    /// A way of its own.
    Alone(fn() -> Pin<Box<dyn Future<Output = ()>>>),
}

/// How the pull that meets the fault ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// What came is all there is.
    Published,
    /// So many records are in quarantine, all others are in.
    Refused(u64),
    Held,
    /// It failed; pages that are in are kept for the next run, or not.
    Failed {
        kept: bool,
    },
}

/// More often than any patience.
const ALWAYS: usize = usize::MAX;
const FAILED: Ends = Ends::Failed { kept: true };
const FAILED_FOR_GOOD: Ends = Ends::Failed { kept: false };
const FULL: &str = "delivery = \"full\"";
const TOKEN: &str =
    "auth = { type = \"bearer\", token_url = \"${AGENCY}/token\", client_id = \"us\", client_secret = \"s\" }";

const fn case(how: How, ends: Ends, says: &'static str) -> Case {
    Case { how, ends, says, keys: "", source: "" }
}

/// The fourth page, each time it is asked for.
const fn always(tamper: Tamper, ends: Ends, says: &'static str) -> Case {
    case(How::Http { page: Some(3), times: ALWAYS, tamper }, ends, says)
}

/// The fourth page, once.
const fn once(tamper: Tamper) -> Case {
    case(How::Http { page: Some(3), times: 1, tamper }, Ends::Published, "")
}

const fn desk(change: fn(&mut Desk), ends: Ends, says: &'static str) -> Case {
    case(How::Desk(change), ends, says)
}

const fn file(put: fn(&Path, &[Wage]), ends: Ends, says: &'static str, source: &'static str) -> Case {
    Case { how: How::File(put), ends, says, keys: "", source }
}

const fn with(case: Case, keys: &'static str, source: &'static str) -> Case {
    Case { keys, source, ..case }
}

#[rustfmt::skip]
const TABLE: &[Row] = &[
    Row { id: "S1", source: "refuses connections, or hangs up", then: "goes on at the same page", cases: &[
        case(How::Nowhere(ways::closed_port), FAILED_FOR_GOOD, "the agency cannot be reached"),
        always(ways::hang_up, FAILED, "the agency cannot be reached"),
        once(ways::hang_up),
    ] },
    Row { id: "S2", source: "has no route to it", then: "no request was answered, none is repeated without end", cases: &[
        case(How::Nowhere(ways::no_route), FAILED_FOR_GOOD, "the agency cannot be reached"),
    ] },
    Row { id: "S3", source: "shows an expired certificate, or one of nobody trusted", then: "not a byte of a request was sent", cases: &[
        with(case(How::Nowhere(alone::expired_certificate), FAILED_FOR_GOOD, "the agency's certificate has expired"), "", alone::AUTHORITY),
        case(How::Nowhere(alone::foreign_certificate), FAILED_FOR_GOOD, "the agency's certificate comes from nobody who is trusted"),
    ] },
    Row { id: "S4", source: "no longer takes the token in the middle", then: "one new token was fetched, not more", cases: &[
        with(desk(ways::token_ends, Ends::Published, ""), "", TOKEN),
        with(desk(ways::tokens_are_stale, FAILED_FOR_GOOD, "refuses our credentials, and a new token too: it answered 401"), "", TOKEN),
        with(always(ways::forbidden, FAILED_FOR_GOOD, "refuses our credentials, and a new token too: it answered 403"), "", TOKEN),
        always(ways::forbidden, FAILED_FOR_GOOD, "refuses our credentials: it answered 403"),
    ] },
    Row { id: "S5", source: "asks to be left alone: in seconds, until a date, without a time, for a year, for -1 s", then: "what is longer than the job waits ends the run, which goes on later", cases: &[
        once(ways::too_many_wait_none),
        always(ways::too_many_wait_minute, FAILED, "the agency answered 429"),
        always(ways::too_many_until_date, FAILED, "the agency answered 429"),
        once(ways::too_many_until_past),
        once(ways::too_many),
        always(ways::too_many, FAILED, "the agency answered 429"),
        always(ways::too_many_wait_year, FAILED, "the agency answered 429"),
        once(ways::too_many_wait_negative),
    ] },
    Row { id: "S6", source: "answers 500, 502, 503, 504", then: "goes on at the same page", cases: &[
        once(ways::internal_error),
        always(ways::internal_error, FAILED, "the agency answered 500"),
        always(ways::bad_gateway, FAILED, "the agency answered 502"),
        always(ways::unavailable, FAILED, "the agency answered 503"),
        always(ways::gateway_timeout, FAILED, "the agency answered 504"),
        case(How::Http { page: Some(0), times: ALWAYS, tamper: ways::unavailable }, FAILED_FOR_GOOD, "the agency answered 503"),
    ] },
    Row { id: "S7", source: "sends its first byte never", then: "the silence ends it", cases: &[
        once(ways::silent),
        always(ways::silent, FAILED, "the agency cannot be reached"),
    ] },
    Row { id: "S8", source: "sends a byte now and then, or nothing after the head", then: "the silence ends it, or the job's time", cases: &[
        always(ways::drip, FAILED, "took longer than `timeout`"),
        once(ways::silent_after_head),
        always(ways::silent_after_head, FAILED, "an answer that breaks off"),
    ] },
    Row { id: "S9", source: "sends less than it announced, or no last chunk", then: "such a page is not in", cases: &[
        once(ways::short),
        always(ways::short, FAILED, "an answer that breaks off"),
        once(ways::no_last_chunk),
        always(ways::no_last_chunk, FAILED, "an answer that breaks off"),
    ] },
    Row { id: "S10", source: "sends a whole answer of cut JSON or NDJSON, or a web page", then: "such a page is not in", cases: &[
        once(ways::cut_json),
        always(ways::cut_json, FAILED, "what is not JSON (it breaks off)"),
        always(ways::cut_ndjson, FAILED, "NDJSON whose last line breaks off"),
        always(ways::web_page, FAILED, "a web page where JSON is expected"),
    ] },
    Row { id: "S11", source: "sends gzip that is none, or that explodes", then: "no more is held in memory than `max_body`", cases: &[
        once(ways::gzip_garbage),
        always(ways::gzip_garbage, FAILED, "an answer that breaks off"),
        always(ways::gzip_bomb, FAILED_FOR_GOOD, "an answer of more than 65536 bytes"),
    ] },
    Row { id: "S12", source: "sends a page twice", then: "each record is in once", cases: &[
        desk(ways::page_twice, Ends::Published, ""),
    ] },
    Row { id: "S13", source: "sends its pages in another order", then: "the state is the same", cases: &[
        desk(ways::pages_reversed, Ends::Published, ""),
    ] },
    Row { id: "S14", source: "leaves a page out", then: "it is read once more, and held", cases: &[
        desk(ways::page_missing, Ends::Held, "the source announced 30 records and 25 came"),
    ] },
    Row { id: "S15", source: "sends overlapping windows of changes", then: "what came before is counted as the same", cases: &[
        case(How::Alone(alone::overlapping_windows), Ends::Published, ""),
    ] },
    Row { id: "S16", source: "leads back to a page that was read", then: "the circle is left at once", cases: &[
        always(ways::circle, FAILED_FOR_GOOD, "the same cursor again and again"),
    ] },
    Row { id: "S17", source: "announces another number of records than comes", then: "it is read once more, and held", cases: &[
        desk(ways::announces_more, Ends::Held, "the source announced 31 records and 30 came"),
        desk(ways::announces_fewer, Ends::Held, "the source announced 29 records and 30 came"),
        desk(ways::announces_more_at_first, Ends::Published, "it was read again"),
    ] },
    Row { id: "S18", source: "moves its records between pages while it is read", then: "it is read once more", cases: &[
        desk(ways::moves, Ends::Published, "it was read again"),
    ] },
    Row { id: "S19", source: "has nothing, or a third less than usual", then: "a person decides", cases: &[
        with(desk(ways::empty, Ends::Held, "the delivery is empty"), FULL, ""),
        with(desk(ways::shrunken, Ends::Held, "a drop beyond max_drop_ratio"), FULL, ""),
        with(desk(ways::empty, Ends::Held, "the delivery is empty"), "gates = { zero_rows = \"hold\" }", ""),
    ] },
    Row { id: "S20", source: "leaves a field out, renames it, has a new one, another type; IDs as 3.6E+17", then: "held, or each such record refused", cases: &[
        desk(ways::field_missing, Ends::Held, "no column `amount`"),
        desk(ways::field_renamed, Ends::Held, "no column `id_number`"),
        desk(ways::field_new, Ends::Published, "columns that are not read: shoe_size"),
        desk(ways::ids_are_numbers, Ends::Held, "30 of 30 records are refused, more than max_invalid_ratio"),
        desk(ways::one_id_is_a_float, Ends::Refused(1), ""),
        desk(ways::one_field_is_an_object, Ends::Refused(1), ""),
    ] },
    Row { id: "S21", source: "writes GBK where UTF-8 was agreed", then: "such lines keep their bytes", cases: &[
        file(ways::some_lines_gbk, Ends::Refused(3), "", ""),
    ] },
    Row { id: "S22", source: "writes four-byte characters, a BOM, U+FFFD, full-width digits, private-use and Ext-B names", then: "names are kept as they are", cases: &[
        case(How::Alone(alone::rare_characters), Ends::Published, ""),
        file(ways::byte_order_mark, Ends::Published, "", ""),
        file(ways::replacement_character, Ends::Refused(1), "", ""),
    ] },
    Row { id: "S23", source: "has poison among its records: 10 MB in a field, NUL, 2025-02-30, a bad check digit", then: "that record alone is refused", cases: &[
        file(ways::ten_megabytes, Ends::Refused(1), "", ""),
        file(ways::no_such_day, Ends::Refused(1), "", ""),
        file(ways::check_digit, Ends::Refused(1), "", ""),
        file(ways::nul_in_amount, Ends::Published, "", ""),
        file(ways::nul_in_word, Ends::Refused(1), "", ""),
        desk(ways::nul_in_a_new_name, Ends::Published, "columns that are not read: shoe"),
        desk(ways::nul_in_a_field_renamed, Ends::Held, "no column `amount`"),
        case(How::Alone(alone::nul_in_a_filing), Ends::Published, ""),
    ] },
    Row { id: "S24", source: "corrects a period that was handed over", then: "a new version, the old one is kept", cases: &[
        case(How::Alone(alone::correction), Ends::Published, ""),
    ] },
    Row { id: "S25", source: "no longer has a record", then: "it stays, or is closed where the job says so, and comes back", cases: &[
        case(How::Alone(alone::vanished_ignored), Ends::Published, ""),
        case(How::Alone(alone::vanished_closed), Ends::Published, ""),
    ] },
    Row { id: "S26", source: "has the same record twice with other values, or two records of one person", then: "the first stands and the other is refused; two records are two", cases: &[
        case(How::Alone(alone::twice_with_other_values), Ends::Refused(1), ""),
    ] },
    Row { id: "S27", source: "stamps in the future, without zone, in UTC at a month's end", then: "the month is the business field's, by Shanghai's clock", cases: &[
        case(How::Alone(alone::odd_stamps), Ends::Published, ""),
    ] },
    Row { id: "S28", source: "is still writing, sets no marker, another checksum, other bytes under the same name", then: "only whole files come in", cases: &[
        file(ways::without_marker, FAILED_FOR_GOOD, "its marker `*.done` is missing", "done_marker = \"*.done\""),
        file(ways::half_a_file, FAILED_FOR_GOOD, "is not the file that its manifest", "done_marker = \"*.sha256\""),
        file(ways::same_name_other_bytes, FAILED_FOR_GOOD, "is not the file that its manifest", "done_marker = \"*.sha256\""),
        file(ways::no_manifest, FAILED_FOR_GOOD, "the manifest", "done_marker = \"*.sha256\""),
        file(ways::nothing_there, FAILED_FOR_GOOD, "there is no file", ""),
        file(ways::same_name_new_bytes, Ends::Published, "", ""),
        file(ways::only_a_part_is_marked, Ends::Published, "", "done_marker = \"*.done\""),
    ] },
    Row { id: "S29", source: "is a database whose table is locked, or changes under the reader", then: "waits no longer than the job does", cases: &[
        case(How::Alone(alone::locked_table), FAILED_FOR_GOOD, ""),
    ] },
    Row { id: "S30", source: "sends an old file once more", then: "stored, not published: nothing newer goes", cases: &[
        case(How::Alone(alone::old_file_again), Ends::Published, ""),
    ] },
];

async fn walk(ids: std::ops::RangeInclusive<u32>) {
    for row in TABLE {
        let number: u32 = row.id[1..].parse().expect("a number");
        if ids.contains(&number) {
            for (at, case) in row.cases.iter().enumerate() {
                Box::pin(scene::walk(row, at, case)).await;
            }
        }
    }
}

#[test]
fn every_fault_of_sources_has_its_row() {
    let listed: Vec<&str> = TABLE.iter().map(|row| row.id).collect();
    let wanted: Vec<String> = (1..=30).map(|number| format!("S{number}")).collect();
    assert_eq!(listed, wanted);
    for row in TABLE {
        assert!(!row.cases.is_empty() && !row.source.is_empty() && !row.then.is_empty(), "{}", row.id);
    }
    let told: BTreeSet<&str> = TABLE.iter().map(|row| row.source).collect();
    assert_eq!(told.len(), TABLE.len(), "each is another");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_not_there_or_does_not_let_us_in_leaves_yesterdays_version_in_force() {
    Box::pin(walk(1..=4)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_busy_is_asked_again_and_gone_on_with_at_the_same_page() {
    Box::pin(walk(5..=6)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_slow_or_breaks_off_delivers_no_half_page() {
    Box::pin(walk(7..=11)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_twice_missing_moved_or_in_any_order_make_the_same_state_or_are_held() {
    Box::pin(walk(12..=20)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn characters_and_poison_cost_their_own_records_only() {
    Box::pin(walk(21..=23)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn corrections_repeats_and_odd_stamps_make_versions_and_lose_nothing() {
    Box::pin(walk(24..=30)).await;
}
