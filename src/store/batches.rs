//! Deliveries: opened, and gone on with after a crash. How they end is in `endings`, what makes them visible in `publish_batch`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::endings::{delete_rows, end_batch};
use super::jobs::{JobSettings, SourceId, word};
use super::page_log::add_page;
use super::partitions::ensure_partition;
use super::{Store, StoreError};
use crate::crypto::Place;
use crate::domain::facts::{RecordKind, words};

words! {
    /// What a source was asked for.
    Asked {
        Everything = "everything",
        Changes = "changes",
        Range = "range",
        Persons = "persons",
        Replay = "replay",
    }
}

impl Asked {
    /// Whether silence means something: nothing else was left out.
    pub fn is_whole(self) -> bool {
        matches!(self, Self::Everything | Self::Changes)
    }
}

/// What happened to the rows that were read: `read = new + changed + same + older + refused + dropped`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    pub read: u64,
    pub new: u64,
    pub changed: u64,
    pub same: u64,
    pub older: u64,
    pub refused: u64,
    pub dropped: u64,
    /// Records in force that a full delivery no longer held, and that were closed for it; they were not read.
    pub closed: u64,
}

impl Counts {
    pub fn add(&mut self, other: Self) {
        self.read += other.read;
        self.new += other.new;
        self.changed += other.changed;
        self.same += other.same;
        self.older += other.older;
        self.refused += other.refused;
        self.dropped += other.dropped;
        self.closed += other.closed;
    }

    /// Takes in what a second reading made of records that the first had dropped.
    pub(super) fn add_second(&mut self, other: Self) {
        let Self { new, changed, older, refused, .. } = other;
        self.add(Self { new, changed, older, refused, ..Self::default() });
        self.dropped = self.dropped.saturating_sub(new + changed + older + refused);
    }

    /// Of the same rows once more: what was stored is the same now.
    pub(super) fn known_again(self) -> Self {
        let Self { read, refused, dropped, .. } = self;
        Self { read, refused, dropped, same: read - refused - dropped, ..Self::default() }
    }

    /// Whether it is known of every row that was read what became of it.
    pub fn balance(&self) -> bool {
        self.read == self.accounted()
    }

    pub(super) fn accounted(&self) -> u64 {
        self.written() + self.same + self.refused + self.dropped
    }

    /// Rows that were stored.
    pub fn written(&self) -> u64 {
        self.new + self.changed + self.older
    }
}

/// What a delivery is to be.
#[derive(Clone, Debug)]
pub struct Opening<'a> {
    pub source: SourceId,
    pub settings: &'a JobSettings,
    /// Hash of the settings by which it is read.
    pub contract: &'a str,
    /// Records bear the moment of their delivery: what is said again is not news.
    pub stamped_by_delivery: bool,
    /// What a delivery of everything no longer holds is closed.
    pub closes_absent: bool,
    pub asked: Asked,
    pub since: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    /// People concerned at this publish are complete afterwards, where only those concerned are kept.
    pub complete_seq: Option<i64>,
    pub run_id: Uuid,
}

/// A batch that is being fetched.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts of their own, of which any may go with any")]
pub struct Batch {
    pub batch_id: i32,
    /// The run that brings it in: another that went on with it since has it now.
    pub run_id: Uuid,
    pub source: SourceId,
    pub record: RecordKind,
    pub concerned_only: bool,
    pub stamped_by_delivery: bool,
    /// Keys of all records are remembered, to see which are absent.
    pub remember_all: bool,
    pub asked: Asked,
    pub since: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    pub began_at: DateTime<Utc>,
    pub contract: String,
    /// 1, or 2: the delivery is read once more for records that were dropped.
    pub reading: i16,
    /// It has to be.
    pub again: bool,
    /// The page to go on with, and where it is; `None` from the start.
    pub next_page: u32,
    pub resume: Option<String>,
    /// Pages that an earlier run brought in.
    pub resumed: bool,
    /// The last page is in: nothing is left to fetch.
    pub complete: bool,
    pub counts: Counts,
    pub watermark: Option<DateTime<Utc>>,
    /// Records that the source announced last, and at most.
    pub announced: Option<u64>,
    pub announced_at_most: Option<u64>,
    /// The source said that nothing changed since its last delivery.
    pub unchanged: bool,
    /// Batches of the source that are held: their rows are there and count for nothing.
    pub(super) held: Vec<i32>,
}

impl Batch {
    /// A delivery that is only compared with what is stored.
    pub fn for_comparison(opening: &Opening<'_>, began_at: DateTime<Utc>, held: Vec<i32>) -> Self {
        Self {
            batch_id: 0,
            run_id: opening.run_id,
            source: opening.source,
            record: opening.settings.record,
            concerned_only: opening.settings.concerned_only,
            stamped_by_delivery: opening.stamped_by_delivery,
            remember_all: false,
            asked: opening.asked,
            since: opening.since,
            until: opening.until,
            began_at,
            contract: opening.contract.to_owned(),
            reading: 1,
            again: false,
            next_page: 0,
            resume: None,
            resumed: false,
            complete: false,
            counts: Counts::default(),
            watermark: None,
            announced: None,
            announced_at_most: None,
            unchanged: false,
            held,
        }
    }

    /// A record that was dropped turned out to be one that is kept: reads everything once more, for such records alone.
    pub fn read_again(&mut self) {
        self.reading = 2;
        self.resume = None;
    }

    /// The first reading is over, and there has to be a second.
    pub fn needs_second_reading(&self) -> bool {
        self.again && self.reading == 1
    }
}

/// A row of `batch` that is being fetched.
struct OpenBatch {
    batch_id: i32,
    began_at: DateTime<Utc>,
    state: String,
    contract: String,
    asked: String,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    again: bool,
    record: i16,
    announced: Option<i64>,
    announced_at_most: Option<i64>,
    unchanged: bool,
}

impl OpenBatch {
    /// Only the same question goes on: half an answer to another is none to this.
    fn answers(&self, opening: &Opening<'_>) -> bool {
        let Some(asked) = Asked::parse(&self.asked) else { return false };
        self.contract == opening.contract
            && match opening.asked {
                Asked::Everything | Asked::Changes => asked.is_whole(),
                Asked::Range => asked == Asked::Range && (self.since, self.until) == (opening.since, opening.until),
                Asked::Persons | Asked::Replay => false,
            }
    }
}

impl Store {
    /// Goes on with the source's open batch if it answers the same question under the same contract, or opens one. Another is given
    /// up: what it was to bring is asked for anew.
    pub async fn open_batch(&self, opening: &Opening<'_>) -> Result<Batch, StoreError> {
        let record = opening.settings.record;
        let at = self.now().await?;
        let mut transaction = self.begin().await?;
        self.ensure_ours(&mut transaction).await?;
        ensure_partition(&mut transaction, record, opening.source).await?;
        let open = sqlx::query_as!(
            OpenBatch,
            "select batch_id, began_at, state, contract, asked, since, until, again, record, announced, announced_at_most,
                    unchanged
             from batch
             where source_id = $1 and state in ('fetching', 'landed', 'checked') for update",
            opening.source.0
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let open = match open {
            Some(open) if open.answers(opening) => {
                sqlx::query!("update batch set run_id = $2 where batch_id = $1", open.batch_id, opening.run_id)
                    .execute(&mut *transaction)
                    .await?;
                open
            }
            given_up => {
                if let Some(open) = given_up {
                    let why = "given up: it was cut off, and what was asked for then is not asked for now";
                    end_batch(&mut transaction, open.batch_id, None, "failed", why).await?;
                    let former = word(open.record, RecordKind::from_number).unwrap_or(record);
                    delete_rows(&mut transaction, former, opening.source, open.batch_id).await?;
                }
                insert_batch(&mut transaction, opening, at).await?
            }
        };
        let held = held_batches(&mut transaction, opening.source).await?;
        let pages = self.page_log(&mut transaction, open.batch_id).await?;
        transaction.commit().await?;
        let second_begins = open.again && pages.reading == 1 && pages.ended;
        let asked = Asked::parse(&open.asked).unwrap_or(opening.asked);
        Ok(Batch {
            batch_id: open.batch_id,
            run_id: opening.run_id,
            source: opening.source,
            record,
            concerned_only: opening.settings.concerned_only,
            stamped_by_delivery: opening.stamped_by_delivery,
            remember_all: opening.closes_absent && asked == Asked::Everything,
            asked,
            since: open.since,
            until: open.until,
            began_at: open.began_at,
            contract: open.contract,
            reading: if second_begins { 2 } else { pages.reading },
            again: open.again,
            next_page: pages.next_page,
            resumed: pages.next_page > 0,
            complete: open.state != "fetching" || (pages.ended && !second_begins),
            resume: pages.resume,
            counts: pages.counts,
            watermark: None,
            announced: open.announced.map(|records| records as u64),
            announced_at_most: open.announced_at_most.map(|records| records as u64),
            unchanged: open.unchanged,
            held,
        })
    }

    async fn page_log(&self, connection: &mut PgConnection, batch_id: i32) -> Result<PageLog, StoreError> {
        let pages = sqlx::query!(
            "select page_number, resume, counts, reading from batch_page where batch_id = $1 order by page_number",
            batch_id
        )
        .fetch_all(connection)
        .await?;
        let mut log = PageLog { reading: 1, ..PageLog::default() };
        for page in &pages {
            add_page(&mut log.counts, batch_id, page.reading, &page.counts)?;
            log.reading = page.reading;
        }
        let Some(last) = pages.last() else { return Ok(log) };
        log.next_page = last.page_number as u32 + 1;
        log.ended = last.resume.is_none();
        if let Some(sealed) = &last.resume {
            let plain = self.keys().decrypt(sealed, resume_place(batch_id, last.page_number))?;
            let resume =
                String::from_utf8(plain).map_err(|_| StoreError::inconsistent("batch_page", "resume", batch_id))?;
            log.resume = Some(resume);
        }
        Ok(log)
    }
}

/// Batches of a source that are held: their rows are there and count for nothing.
async fn held_batches(connection: &mut PgConnection, source: SourceId) -> Result<Vec<i32>, StoreError> {
    Ok(sqlx::query_scalar!(
        "select batch_id from batch where source_id = $1 and state = 'held' order by batch_id",
        source.0
    )
    .fetch_all(connection)
    .await?)
}

/// What the pages of a batch say together.
#[derive(Default)]
struct PageLog {
    reading: i16,
    next_page: u32,
    resume: Option<String>,
    /// The last page has no place to go on from.
    ended: bool,
    counts: Counts,
}

async fn insert_batch(
    connection: &mut PgConnection,
    opening: &Opening<'_>,
    at: DateTime<Utc>,
) -> Result<OpenBatch, StoreError> {
    let settings = opening.settings;
    let schemes: Vec<i16> = settings.schemes.iter().map(|scheme| i16::from(scheme.number())).collect();
    let batch_id = sqlx::query_scalar!(
        "insert into batch (source_id, record, run_id, state, began_at, began_seq, asked, contract, since, until, complete_seq,
                            concerned_only, schemes, divisions)
         values ($1, $2, $3, 'fetching', $4, (select seq from publish_head), $5, $6, $7, $8, $9, $10, $11, $12)
         returning batch_id",
        opening.source.0,
        i16::from(settings.record.number()),
        opening.run_id,
        at,
        opening.asked.as_str(),
        opening.contract,
        opening.since,
        opening.until,
        opening.complete_seq,
        settings.concerned_only,
        &schemes,
        &settings.divisions
    )
    .fetch_one(connection)
    .await?;
    Ok(OpenBatch {
        batch_id,
        began_at: at,
        state: "fetching".to_owned(),
        contract: opening.contract.to_owned(),
        asked: opening.asked.as_str().to_owned(),
        since: opening.since,
        until: opening.until,
        again: false,
        record: i16::from(settings.record.number()),
        announced: None,
        announced_at_most: None,
        unchanged: false,
    })
}

/// Where a page's cursor is encrypted for.
pub(super) fn resume_place(batch_id: i32, page: i32) -> Place<'static> {
    Place { table: "batch_page", column: "resume", row: i64::from(batch_id) << 32 | i64::from(page) }
}
