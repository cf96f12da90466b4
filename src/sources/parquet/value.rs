//! What the values of a Parquet column mean, and each as the exact text of itself.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use num_bigint::BigInt;
use parquet::basic::{ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::schema::types::{ColumnDescriptor, Type};
use uuid::Uuid;

use crate::sources::page::CellKind;

/// A value as it lies in the file.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Boolean(bool),
    Int32(i32),
    Int64(i64),
    /// Nanoseconds of the day (the low two, low part first) and the Julian day.
    Int96(&'a [u32]),
    Float(f32),
    Double(f64),
    Bytes(&'a [u8]),
}

impl Value<'_> {
    /// How many bytes it takes at most that a file may have chosen; others are short.
    pub(super) fn size(self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            _ => 0,
        }
    }
}

/// Ticks of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Millis = 1_000,
    Micros = 1_000_000,
    Nanos = 1_000_000_000,
}

/// What a column's values mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Signed,
    Unsigned,
    Float,
    Decimal {
        scale: usize,
    },
    Date,
    Time(Unit),
    Timestamp {
        unit: Unit,
        utc: bool,
    },
    /// Nothing in the file says whether it is UTC.
    Timestamp96,
    Uuid,
    Text,
    /// Rows that hold such a value are undecodable.
    Unreadable(&'static str),
}

/// Decimals of more digits after the point, or of more bytes, are nobody's amounts.
const MAX_SCALE: i32 = 150;
const MAX_DECIMAL_BYTES: usize = 64;

const DAY_SECONDS: i64 = 86_400;
const JULIAN_DAY_OF_1970: i64 = 2_440_588;

/// What stands in a row that holds a value which cannot be read as its column says.
const NO_SUCH_DAY: &str = "a day that is not in the years 0 to 9999";
const NO_SUCH_TIME: &str = "a time of day past midnight";
const NOT_AS_DECLARED: &str = "a value that is not of its column's type";

impl Kind {
    /// Of a field of the file's schema; `leaf` is the field itself or its first part.
    pub(super) fn of(field: &Type, leaf: &ColumnDescriptor) -> Self {
        let info = field.get_basic_info();
        let repeated = info.has_repetition() && info.repetition() == Repetition::REPEATED;
        match (info.logical_type_ref(), info.converted_type()) {
            (Some(LogicalType::Map), _) | (_, ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE) => {
                return Self::Unreadable("a map");
            }
            (Some(LogicalType::List), _) | (_, ConvertedType::LIST) => return Self::Unreadable("a list"),
            _ if repeated => return Self::Unreadable("a list"),
            _ if field.is_group() => return Self::Unreadable("a group"),
            _ => {}
        }
        match leaf.physical_type() {
            Physical::BOOLEAN => Self::Boolean,
            Physical::INT32 | Physical::INT64 => Self::of_integer(leaf),
            Physical::INT96 => Self::Timestamp96,
            Physical::FLOAT | Physical::DOUBLE => Self::Float,
            Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY => Self::of_bytes(leaf),
        }
    }

    fn of_integer(leaf: &ColumnDescriptor) -> Self {
        let logical = match leaf.logical_type_ref() {
            Some(LogicalType::Integer(integer)) if !integer.is_signed => Some(Self::Unsigned),
            Some(LogicalType::Timestamp(timestamp)) => {
                Some(Self::Timestamp { unit: Unit::of(timestamp.unit), utc: timestamp.is_adjusted_to_u_t_c })
            }
            Some(LogicalType::Time(time)) => Some(Self::Time(Unit::of(time.unit))),
            _ => None,
        };
        logical.unwrap_or_else(|| match leaf.converted_type() {
            ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64 => {
                Self::Unsigned
            }
            ConvertedType::DECIMAL => Self::of_decimal(leaf),
            ConvertedType::DATE => Self::Date,
            ConvertedType::TIME_MILLIS => Self::Time(Unit::Millis),
            ConvertedType::TIME_MICROS => Self::Time(Unit::Micros),
            // By the format's word the older annotations mean UTC.
            ConvertedType::TIMESTAMP_MILLIS => Self::Timestamp { unit: Unit::Millis, utc: true },
            ConvertedType::TIMESTAMP_MICROS => Self::Timestamp { unit: Unit::Micros, utc: true },
            _ => Self::Signed,
        })
    }

    fn of_bytes(leaf: &ColumnDescriptor) -> Self {
        match leaf.logical_type_ref() {
            Some(LogicalType::Uuid) => return Self::Uuid,
            Some(LogicalType::Float16) => return Self::Unreadable("a half-precision number"),
            Some(LogicalType::Geometry(_) | LogicalType::Geography(_)) => return Self::Unreadable("a shape on a map"),
            _ => {}
        }
        match leaf.converted_type() {
            ConvertedType::DECIMAL => Self::of_decimal(leaf),
            ConvertedType::INTERVAL => Self::Unreadable("a span of time"),
            ConvertedType::BSON => Self::Unreadable("a BSON document"),
            _ => Self::Text,
        }
    }

    fn of_decimal(leaf: &ColumnDescriptor) -> Self {
        match leaf.type_scale() {
            scale @ 0..=MAX_SCALE => Self::Decimal { scale: scale as usize },
            _ => Self::Unreadable("a decimal of absurd scale"),
        }
    }

    /// What stands in a column of which no value can be read.
    pub(super) fn unreadable(self) -> Option<&'static str> {
        match self {
            Self::Unreadable(what) => Some(what),
            _ => None,
        }
    }

    /// Appends the value's text; the error says what stands there instead of one, without the value.
    pub(super) fn write(self, value: Value<'_>, text: &mut String) -> Result<CellKind, &'static str> {
        match (self, value) {
            (Self::Boolean, Value::Boolean(value)) => text.push_str(if value { "true" } else { "false" }),
            (Self::Signed, Value::Int32(value)) => return Ok(number(text, value)),
            (Self::Signed, Value::Int64(value)) => return Ok(number(text, value)),
            (Self::Unsigned, Value::Int32(value)) => return Ok(number(text, value as u32)),
            (Self::Unsigned, Value::Int64(value)) => return Ok(number(text, value as u64)),
            // `Display` of a float is its shortest decimal that reads back as the same float, without exponent.
            (Self::Float, Value::Float(value)) if value.is_finite() => return Ok(number(text, value)),
            (Self::Float, Value::Double(value)) if value.is_finite() => return Ok(number(text, value)),
            (Self::Float, Value::Float(_) | Value::Double(_)) => return Err("no number (NaN or infinity)"),
            (Self::Decimal { scale }, value) => {
                push_decimal(text, &unscaled(value)?, scale);
                return Ok(CellKind::Number);
            }
            (Self::Date, Value::Int32(days)) => {
                let day = instant(i64::from(days) * DAY_SECONDS, 0)?;
                push(text, day.format("%Y-%m-%d"));
            }
            (Self::Time(unit), Value::Int32(ticks)) => push_time(text, i64::from(ticks), unit)?,
            (Self::Time(unit), Value::Int64(ticks)) => push_time(text, ticks, unit)?,
            (Self::Timestamp { unit, utc }, Value::Int64(ticks)) => {
                let (seconds, nanos) = unit.split(ticks);
                push(text, instant(seconds, nanos)?.format("%Y-%m-%dT%H:%M:%S%.f"));
                text.push_str(if utc { "Z" } else { "" });
            }
            (Self::Timestamp96, Value::Int96(&[low, high, day])) => {
                let nanos_of_day = (u64::from(high) << 32 | u64::from(low)).cast_signed();
                let (seconds, nanos) = Unit::Nanos.split(nanos_of_day);
                let days = i64::from(day.cast_signed()) - JULIAN_DAY_OF_1970;
                let moment = instant(days * DAY_SECONDS + seconds, nanos)?;
                push(text, moment.format("%Y-%m-%dT%H:%M:%S%.f"));
            }
            (Self::Uuid, Value::Bytes(bytes)) => {
                let uuid = Uuid::from_slice(bytes).map_err(|_| NOT_AS_DECLARED)?;
                push(text, uuid.hyphenated());
            }
            (Self::Text, Value::Bytes(bytes)) => {
                text.push_str(std::str::from_utf8(bytes).map_err(|_| "bytes that are not valid utf-8")?);
            }
            (Self::Unreadable(what), _) => return Err(what),
            _ => return Err(NOT_AS_DECLARED),
        }
        Ok(CellKind::Text)
    }
}

impl Unit {
    fn of(unit: TimeUnit) -> Self {
        match unit {
            TimeUnit::MILLIS => Self::Millis,
            TimeUnit::MICROS => Self::Micros,
            TimeUnit::NANOS => Self::Nanos,
        }
    }

    /// Whole seconds, and the nanoseconds after them.
    fn split(self, ticks: i64) -> (i64, u32) {
        let of_second = self as i64;
        (ticks.div_euclid(of_second), (ticks.rem_euclid(of_second) * (Self::Nanos as i64 / of_second)) as u32)
    }
}

fn push(text: &mut String, value: impl std::fmt::Display) {
    // Writing into a text never fails.
    let _ = write!(text, "{value}");
}

fn number(text: &mut String, value: impl std::fmt::Display) -> CellKind {
    push(text, value);
    CellKind::Number
}

/// A moment of the years that four digits can write.
fn instant(seconds: i64, nanos: u32) -> Result<DateTime<Utc>, &'static str> {
    const FIRST: i64 = -62_167_219_200;
    const LAST: i64 = 253_402_300_799;
    if !(FIRST..=LAST).contains(&seconds) {
        return Err(NO_SUCH_DAY);
    }
    DateTime::from_timestamp(seconds, nanos).ok_or(NO_SUCH_DAY)
}

fn push_time(text: &mut String, ticks: i64, unit: Unit) -> Result<(), &'static str> {
    let (seconds, nanos) = unit.split(ticks);
    if !(0..DAY_SECONDS).contains(&seconds) {
        return Err(NO_SUCH_TIME);
    }
    push(text, instant(seconds, nanos)?.format("%H:%M:%S%.f"));
    Ok(())
}

/// The digits of a decimal, its point left out.
fn unscaled(value: Value<'_>) -> Result<String, &'static str> {
    match value {
        Value::Int32(value) => Ok(value.to_string()),
        Value::Int64(value) => Ok(value.to_string()),
        Value::Bytes(bytes) if (1..=MAX_DECIMAL_BYTES).contains(&bytes.len()) => {
            Ok(BigInt::from_signed_bytes_be(bytes).to_string())
        }
        Value::Bytes(_) => Err("a decimal of no or of too many bytes"),
        _ => Err(NOT_AS_DECLARED),
    }
}

/// Puts the point where it belongs: `-5` at scale 2 is `-0.05`.
fn push_decimal(text: &mut String, unscaled: &str, scale: usize) {
    let digits = match unscaled.strip_prefix('-') {
        Some(digits) => {
            text.push('-');
            digits
        }
        None => unscaled,
    };
    if scale == 0 {
        text.push_str(digits);
        return;
    }
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    text.push_str(whole);
    text.push('.');
    text.push_str(fraction);
}
