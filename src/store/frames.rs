//! Binary COPY in and out: rows of our tables as columns of integers, and rows on their way in.

use bytes::{Buf, Bytes, BytesMut};
use chrono::{DateTime, NaiveDate, Utc};
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::copying::Copying;

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";

/// Null in a column of [`Column::Int4`].
pub const NULL_4: i32 = i32::MIN;
/// Null in a column of [`Column::Int8`].
pub const NULL_8: i64 = i64::MIN;

/// The width of a column of a COPY OUT: `integer` and `date` (days since 2000-01-01), or `bigint` and `timestamptz`
/// (microseconds since 2000-01-01).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    Four,
    Eight,
}

/// One column; nulls are [`NULL_4`] and [`NULL_8`].
#[derive(Debug)]
pub enum Column {
    Int4(Vec<i32>),
    Int8(Vec<i64>),
}

impl Column {
    pub fn into_int4(self) -> Result<Vec<i32>, StoreError> {
        match self {
            Self::Int4(values) => Ok(values),
            Self::Int8(_) => Err(StoreError::frame("a wide column where a narrow one was asked for")),
        }
    }

    pub fn into_int8(self) -> Result<Vec<i64>, StoreError> {
        match self {
            Self::Int8(values) => Ok(values),
            Self::Int4(_) => Err(StoreError::frame("a narrow column where a wide one was asked for")),
        }
    }
}

/// Runs `COPY (query) TO STDOUT (FORMAT binary)` and collects its integer columns. The query is made of our own text and
/// integers only: COPY takes no parameters.
pub async fn copy_out(connection: &mut PgConnection, query: &str, widths: &[Width]) -> Result<Vec<Column>, StoreError> {
    let mut columns: Vec<Column> = widths
        .iter()
        .map(|width| match width {
            Width::Four => Column::Int4(Vec::new()),
            Width::Eight => Column::Int8(Vec::new()),
        })
        .collect();
    let copying = Copying;
    let stream = connection.copy_out_raw(&format!("copy ({query}) to stdout (format binary)")).await?;
    let read = read_columns(stream, &mut columns).await;
    // where Postgres fails on the way, that is read to its end; where it refuses to begin, it is not
    if matches!(read, Ok(_) | Err(StoreError::Driver(sqlx::Error::Database(_)))) {
        copying.ended();
    }
    if read? { Ok(columns) } else { Err(StoreError::frame("copy data ended early")) }
}

/// Reads the copy to its end; true if its trailer was seen.
async fn read_columns(
    mut stream: BoxStream<'_, Result<Bytes, sqlx::Error>>,
    columns: &mut [Column],
) -> Result<bool, StoreError> {
    let mut pending = BytesMut::new();
    let mut header_read = false;
    let mut ended = false;
    while let Some(chunk) = stream.try_next().await? {
        pending.extend_from_slice(&chunk);
        if !header_read {
            if pending.len() < 19 {
                continue;
            }
            if &pending[..11] != SIGNATURE {
                return Err(StoreError::frame("not binary copy data"));
            }
            pending.advance(19);
            header_read = true;
        }
        ended |= take_rows(&mut pending, columns)?;
    }
    Ok(ended)
}

/// Moves whole rows out of `pending` into the columns; true once the trailer is seen.
fn take_rows(pending: &mut BytesMut, columns: &mut [Column]) -> Result<bool, StoreError> {
    loop {
        let mut row: &[u8] = pending;
        if row.len() < 2 {
            return Ok(false);
        }
        let fields = row.get_i16();
        if fields == -1 {
            return Ok(true);
        }
        if fields as usize != columns.len() {
            return Err(StoreError::frame("another number of columns than asked for"));
        }
        let mut end = 2;
        for _ in 0..fields {
            if row.len() < 4 {
                return Ok(false);
            }
            let length = row.get_i32().max(0) as usize;
            if row.len() < length {
                return Ok(false);
            }
            row.advance(length);
            end += 4 + length;
        }
        let mut row = &pending[2..end];
        for column in &mut *columns {
            let length = row.get_i32();
            match (column, length) {
                (Column::Int4(values), 4) => values.push(row.get_i32()),
                (Column::Int4(values), -1) => values.push(NULL_4),
                (Column::Int8(values), 8) => values.push(row.get_i64()),
                (Column::Int8(values), -1) => values.push(NULL_8),
                _ => return Err(StoreError::frame("a column of another width than asked for")),
            }
        }
        pending.advance(end);
    }
}

/// Rows for `COPY … FROM STDIN (FORMAT binary)`.
#[derive(Debug)]
pub struct CopyRows {
    bytes: Vec<u8>,
    rows: u64,
}

impl Default for CopyRows {
    fn default() -> Self {
        let mut bytes = Vec::with_capacity(1 << 16);
        bytes.extend_from_slice(SIGNATURE);
        bytes.extend_from_slice(&[0; 8]);
        Self { bytes, rows: 0 }
    }
}

impl CopyRows {
    /// With room for so many bytes of rows.
    pub fn with_room(bytes: usize) -> Self {
        let mut rows = Self::default();
        rows.bytes.reserve(bytes);
        rows
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Begins a row of so many fields; they follow in the order of the statement's columns.
    pub fn begin(&mut self, fields: i16) -> &mut Self {
        self.rows += 1;
        self.bytes.extend_from_slice(&fields.to_be_bytes());
        self
    }

    pub fn null(&mut self) -> &mut Self {
        self.bytes.extend_from_slice(&(-1_i32).to_be_bytes());
        self
    }

    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(&(value.len() as i32).to_be_bytes());
        self.bytes.extend_from_slice(value);
        self
    }

    pub fn text(&mut self, value: &str) -> &mut Self {
        self.bytes(value.as_bytes())
    }

    pub fn boolean(&mut self, value: bool) -> &mut Self {
        self.bytes(&[u8::from(value)])
    }

    pub fn int2(&mut self, value: i16) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub fn int4(&mut self, value: i32) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub fn int8(&mut self, value: i64) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub fn uuid(&mut self, value: Uuid) -> &mut Self {
        self.bytes(value.as_bytes())
    }

    pub fn date(&mut self, value: NaiveDate) -> &mut Self {
        self.int4(days_since_2000(value))
    }

    pub fn instant(&mut self, value: DateTime<Utc>) -> &mut Self {
        self.int8(value.timestamp_micros() - EPOCH_2000_US)
    }

    /// A one-dimensional `integer[]`.
    pub fn int4_array(&mut self, values: &[i32]) -> &mut Self {
        const INT4_OID: i32 = 23;
        let length = 20 + 8 * values.len() as i32;
        for number in [length, 1, 0, INT4_OID, values.len() as i32, 1] {
            self.bytes.extend_from_slice(&number.to_be_bytes());
        }
        for value in values {
            self.int4(*value);
        }
        self
    }

    /// A field that may be null.
    pub fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T) -> &mut Self) -> &mut Self {
        match value {
            Some(value) => write(self, value),
            None => self.null(),
        }
    }

    /// Sends the rows to `copy {target} from stdin`; `target` is a table with its column list.
    pub async fn send(mut self, connection: &mut PgConnection, target: &str) -> Result<u64, StoreError> {
        self.bytes.extend_from_slice(&(-1_i16).to_be_bytes());
        let copying = Copying;
        let sent = async {
            let mut copy = connection.copy_in_raw(&format!("copy {target} from stdin (format binary)")).await?;
            let mut bytes = Bytes::from(self.bytes);
            while !bytes.is_empty() {
                let chunk = bytes.split_to(bytes.len().min(1 << 20));
                copy.send(chunk).await?;
            }
            copy.finish().await
        };
        let sent = sent.await;
        // what Postgres refuses is read to its end
        if matches!(sent, Ok(_) | Err(sqlx::Error::Database(_))) {
            copying.ended();
        }
        Ok(sent?)
    }
}

const EPOCH_2000_US: i64 = 946_684_800_000_000;
const EPOCH_2000_DAYS: i32 = 730_120;

/// Postgres' number of a day.
pub fn days_since_2000(day: NaiveDate) -> i32 {
    use chrono::Datelike;
    day.num_days_from_ce() - EPOCH_2000_DAYS
}

/// The day of Postgres' number; `None` for [`NULL_4`] and beyond the calendar.
pub fn day_from_2000(days: i32) -> Option<NaiveDate> {
    NaiveDate::from_num_days_from_ce_opt(days.checked_add(EPOCH_2000_DAYS)?)
}

/// The instant of Postgres' microseconds; `None` for [`NULL_8`].
pub fn instant_from_2000(microseconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(microseconds.checked_add(EPOCH_2000_US)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_2000() {
        let day = |text: &str| text.parse::<NaiveDate>().expect("day");
        assert_eq!(days_since_2000(day("2000-01-01")), 0);
        assert_eq!(days_since_2000(day("2025-02-28")), 9190);
        assert_eq!(day_from_2000(9190), Some(day("2025-02-28")));
        assert_eq!(day_from_2000(NULL_4), None);
    }

    #[test]
    fn rows_cut_anywhere_are_read_whole() {
        let mut rows = CopyRows::default();
        rows.begin(2).int4(7).null();
        rows.begin(2).null().int8(-9);
        let mut bytes = rows.bytes;
        bytes.extend_from_slice(&(-1_i16).to_be_bytes());
        for cut in 19..bytes.len() {
            let mut columns = [Column::Int4(Vec::new()), Column::Int8(Vec::new())];
            let mut pending = BytesMut::from(&bytes[19..cut]);
            let early = take_rows(&mut pending, &mut columns).expect("rows");
            assert!(!early, "the trailer is not there at {cut}");
            pending.extend_from_slice(&bytes[cut..]);
            assert!(take_rows(&mut pending, &mut columns).expect("rows"));
            let [Column::Int4(narrow), Column::Int8(wide)] = columns else { panic!("columns changed their width") };
            assert_eq!((narrow, wide), (vec![7, NULL_4], vec![NULL_8, -9]));
        }
    }
}
