//! One column of a Parquet row group, some rows at a time.

use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::{
    BoolType, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType, Int32Type, Int64Type, Int96Type,
};
use parquet::errors::{ParquetError, Result};
use parquet::schema::types::{ColumnDescPtr, SchemaDescriptor};

use super::pages::Pages;
use super::value::{Kind, Value};

/// Rows of lists and groups are told by their levels alone; so many at a time bounds what their values take.
const NESTED_ROWS: usize = 64;

/// A column of the table: a field of the file's schema.
pub(super) struct Field {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// The column in the file that is read for it: its own, or of what is nested its first.
    pub(super) leaf: usize,
    descriptor: ColumnDescPtr,
    /// What is nested in it: of that is only read that it is there.
    nested: Option<&'static str>,
    /// The definition level from which on a row holds the field.
    present_from: i16,
}

impl Field {
    /// The fields of a schema, in its order.
    pub(super) fn all(schema: &SchemaDescriptor) -> Vec<Self> {
        let mut fields: Vec<Self> = Vec::new();
        let mut last = None;
        for leaf in 0..schema.num_columns() {
            let root = schema.get_column_root_idx(leaf);
            if last.replace(root) == Some(root) {
                continue;
            }
            let (field, descriptor) = (schema.get_column_root(leaf), schema.column(leaf));
            let kind = Kind::of(field, &descriptor);
            let is_nested = field.is_group() || descriptor.max_rep_level() > 0;
            fields.push(Self {
                name: field.name().to_owned(),
                kind,
                leaf,
                nested: if is_nested { kind.unreadable() } else { None },
                present_from: i16::from(field.is_optional()),
                descriptor,
            });
        }
        fields
    }
}

/// The values of a column, of whichever type.
enum Values {
    Boolean(Typed<BoolType>),
    Int32(Typed<Int32Type>),
    Int64(Typed<Int64Type>),
    Int96(Typed<Int96Type>),
    Float(Typed<FloatType>),
    Double(Typed<DoubleType>),
    Bytes(Typed<ByteArrayType>),
    Fixed(Typed<FixedLenByteArrayType>),
}

struct Typed<T: DataType> {
    reader: ColumnReaderImpl<T>,
    values: Vec<T::T>,
}

#[derive(Default)]
struct Levels {
    definition: Vec<i16>,
    repetition: Vec<i16>,
}

impl<T: DataType> Typed<T> {
    fn new(reader: ColumnReaderImpl<T>) -> Self {
        Self { reader, values: Vec::new() }
    }

    /// Reads the next rows; how many there were, and of how many levels.
    fn fill(&mut self, rows: usize, levels: &mut Levels) -> Result<(usize, usize)> {
        self.values.clear();
        let Levels { definition, repetition } = levels;
        let (rows, _, levels) = self.reader.read_records(rows, Some(definition), Some(repetition), &mut self.values)?;
        Ok((rows, levels))
    }
}

impl Values {
    fn new(reader: ColumnReader) -> Self {
        match reader {
            ColumnReader::BoolColumnReader(reader) => Self::Boolean(Typed::new(reader)),
            ColumnReader::Int32ColumnReader(reader) => Self::Int32(Typed::new(reader)),
            ColumnReader::Int64ColumnReader(reader) => Self::Int64(Typed::new(reader)),
            ColumnReader::Int96ColumnReader(reader) => Self::Int96(Typed::new(reader)),
            ColumnReader::FloatColumnReader(reader) => Self::Float(Typed::new(reader)),
            ColumnReader::DoubleColumnReader(reader) => Self::Double(Typed::new(reader)),
            ColumnReader::ByteArrayColumnReader(reader) => Self::Bytes(Typed::new(reader)),
            ColumnReader::FixedLenByteArrayColumnReader(reader) => Self::Fixed(Typed::new(reader)),
        }
    }

    fn fill(&mut self, rows: usize, levels: &mut Levels) -> Result<(usize, usize)> {
        levels.definition.clear();
        levels.repetition.clear();
        match self {
            Self::Boolean(typed) => typed.fill(rows, levels),
            Self::Int32(typed) => typed.fill(rows, levels),
            Self::Int64(typed) => typed.fill(rows, levels),
            Self::Int96(typed) => typed.fill(rows, levels),
            Self::Float(typed) => typed.fill(rows, levels),
            Self::Double(typed) => typed.fill(rows, levels),
            Self::Bytes(typed) => typed.fill(rows, levels),
            Self::Fixed(typed) => typed.fill(rows, levels),
        }
    }

    fn skip(&mut self, rows: usize) -> Result<usize> {
        match self {
            Self::Boolean(typed) => typed.reader.skip_records(rows),
            Self::Int32(typed) => typed.reader.skip_records(rows),
            Self::Int64(typed) => typed.reader.skip_records(rows),
            Self::Int96(typed) => typed.reader.skip_records(rows),
            Self::Float(typed) => typed.reader.skip_records(rows),
            Self::Double(typed) => typed.reader.skip_records(rows),
            Self::Bytes(typed) => typed.reader.skip_records(rows),
            Self::Fixed(typed) => typed.reader.skip_records(rows),
        }
    }

    fn get(&self, at: usize) -> Option<Value<'_>> {
        match self {
            Self::Boolean(typed) => typed.values.get(at).map(|value| Value::Boolean(*value)),
            Self::Int32(typed) => typed.values.get(at).map(|value| Value::Int32(*value)),
            Self::Int64(typed) => typed.values.get(at).map(|value| Value::Int64(*value)),
            Self::Int96(typed) => typed.values.get(at).map(|value| Value::Int96(value.data())),
            Self::Float(typed) => typed.values.get(at).map(|value| Value::Float(*value)),
            Self::Double(typed) => typed.values.get(at).map(|value| Value::Double(*value)),
            Self::Bytes(typed) => typed.values.get(at).map(|value| Value::Bytes(value.data())),
            Self::Fixed(typed) => typed.values.get(at).map(|value| Value::Bytes(value.data())),
        }
    }
}

/// What a column holds in a row.
pub(super) enum Held<'a> {
    Nothing,
    Value(Value<'a>),
    /// A list, map or group: which of them.
    Nested(&'static str),
}

/// A column of a row group, and some rows of it.
pub(super) struct Column {
    descriptor: ColumnDescPtr,
    nested: Option<&'static str>,
    present_from: i16,
    values: Values,
    levels: Levels,
    /// For each row at hand, where its value is; of what is nested, that there is one.
    places: Vec<Option<usize>>,
}

impl Column {
    pub(super) fn open(field: &Field, pages: Pages) -> Self {
        Self {
            descriptor: field.descriptor.clone(),
            nested: field.nested,
            present_from: field.present_from,
            values: Values::new(get_column_reader(field.descriptor.clone(), Box::new(pages))),
            levels: Levels::default(),
            places: Vec::new(),
        }
    }

    pub(super) fn skip(&mut self, rows: usize) -> Result<()> {
        if self.values.skip(rows)? == rows { Ok(()) } else { Err(ended()) }
    }

    /// Takes the next rows to hand, exactly so many.
    pub(super) fn fill(&mut self, rows: usize) -> Result<()> {
        self.places.clear();
        while self.places.len() < rows {
            let wanted = rows - self.places.len();
            let (found, levels) = if self.nested.is_some() {
                self.fill_nested(wanted.min(NESTED_ROWS))?
            } else {
                self.values.fill(wanted, &mut self.levels)?
            };
            if found == 0 || found > wanted {
                return Err(ended());
            }
            if self.nested.is_none() {
                // one reading takes all rows that there are: what is short ends early
                if found < wanted || levels != found {
                    return Err(ended());
                }
                self.place_values(rows);
            }
        }
        Ok(())
    }

    /// Whether all rows were taken: one too many is as wrong as one too few.
    pub(super) fn end(&mut self) -> Result<()> {
        if self.values.fill(1, &mut self.levels)?.0 == 0 { Ok(()) } else { Err(ended()) }
    }

    fn place_values(&mut self, rows: usize) {
        let highest = self.descriptor.max_def_level();
        if highest == 0 {
            self.places.extend((0..rows).map(Some));
            return;
        }
        let mut next = 0;
        self.places.extend(self.levels.definition.iter().map(|level| {
            (*level == highest).then(|| {
                next += 1;
                next - 1
            })
        }));
    }

    fn fill_nested(&mut self, rows: usize) -> Result<(usize, usize)> {
        let before = self.places.len();
        let (found, levels) = self.values.fill(rows, &mut self.levels)?;
        for at in 0..levels {
            if self.levels.repetition.get(at).is_none_or(|level| *level == 0) {
                let there = self.levels.definition.get(at).is_none_or(|level| *level >= self.present_from);
                self.places.push(there.then_some(0));
            }
        }
        if self.places.len() - before == found { Ok((found, levels)) } else { Err(ended()) }
    }

    /// What stands in a row at hand.
    pub(super) fn get(&self, row: usize) -> Held<'_> {
        match self.places.get(row).copied().flatten() {
            None => Held::Nothing,
            Some(at) => match self.nested {
                Some(what) => Held::Nested(what),
                None => self.values.get(at).map_or(Held::Nothing, Held::Value),
            },
        }
    }
}

fn ended() -> ParquetError {
    ParquetError::EOF("a column holds other rows than its row group".to_owned())
}
