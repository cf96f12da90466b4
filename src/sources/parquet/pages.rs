//! The parts of a Parquet column as they lie in the file, looked at before they are decoded.
//!
//! The library reserves memory for as many values as a part claims to hold; a damaged count must not end the program.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Encoding, Type as Physical};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

/// No writer makes pages of more, and every column holds one in memory.
const MAX_PAGE_BYTES: u64 = 256 << 20;

/// How much is read at once in search of a page's header.
const HEADER_BYTES: usize = 512;

fn damaged(what: impl Into<String>) -> ParquetError {
    ParquetError::General(what.into())
}

/// The file, by places.
pub(super) struct Bounded {
    file: Arc<File>,
    length: u64,
}

impl Bounded {
    pub(super) fn new(file: File, length: u64) -> Self {
        Self { file: Arc::new(file), length }
    }
}

/// Reads on from a place.
pub(super) struct Onward {
    file: Arc<File>,
    at: u64,
}

impl Read for Onward {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Length for Bounded {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Bounded {
    type T = BufReader<Onward>;

    /// Pages are read one after the other: at `start` there is always a page's header.
    fn get_read(&self, start: u64) -> Result<Self::T> {
        let mut header = [0; 24];
        let read = Onward { file: self.file.clone(), at: start }.read(&mut header)?;
        match uncompressed_size(&header[..read]) {
            Some(size) if size > MAX_PAGE_BYTES => {
                Err(damaged(format!("a page of {size} bytes: accepted are at most {MAX_PAGE_BYTES}")))
            }
            _ => Ok(BufReader::with_capacity(HEADER_BYTES, Onward { file: self.file.clone(), at: start })),
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.length) {
            return Err(ParquetError::EOF("a page past the file's end".to_owned()));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(Bytes::from(bytes))
    }
}

/// The second field of a page's header, which writers put in the order of the format: kind of page, size, size compressed.
fn uncompressed_size(header: &[u8]) -> Option<u64> {
    /// "The next field, a 32-bit integer" in Thrift's compact form.
    const NEXT_I32: u8 = 0x15;
    let mut rest = header.strip_prefix(&[NEXT_I32])?;
    variable(&mut rest)?;
    let mut rest = rest.strip_prefix(&[NEXT_I32])?;
    // signed: the lowest bit is the sign
    variable(&mut rest).map(|size| size >> 1)
}

/// A number in groups of seven bits, lowest first.
pub(super) fn variable(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// The pages of one column of a row group.
pub(super) struct Pages {
    inner: SerializedPageReader<Bounded>,
    next: Option<Page>,
    /// The least bytes of a value in a dictionary.
    width: usize,
    has_dictionary: bool,
    max_definition: i16,
    max_repetition: i16,
}

impl Pages {
    pub(super) fn open(file: &Arc<Bounded>, chunk: &ColumnChunkMetaData, rows: usize) -> Result<Self> {
        let start = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
        let end = start.checked_add(chunk.compressed_size());
        let inside = start >= 0 && chunk.compressed_size() >= 0;
        if !inside || end.is_none_or(|end| end as u64 > file.length) {
            return Err(damaged("it does not lie inside the file"));
        }
        if chunk.file_path().is_some() {
            return Err(damaged("it lies in another file"));
        }
        let descriptor = chunk.column_descr();
        let width = match descriptor.physical_type() {
            Physical::BOOLEAN => 1,
            Physical::INT32 | Physical::FLOAT | Physical::BYTE_ARRAY => 4,
            Physical::INT64 | Physical::DOUBLE => 8,
            Physical::INT96 => 12,
            Physical::FIXED_LEN_BYTE_ARRAY => usize::try_from(descriptor.type_length()).unwrap_or(0).max(1),
        };
        Ok(Self {
            inner: SerializedPageReader::new(file.clone(), chunk, rows, None)?,
            next: None,
            width,
            has_dictionary: false,
            max_definition: descriptor.max_def_level(),
            max_repetition: descriptor.max_rep_level(),
        })
    }

    /// The next page that holds anything.
    fn read(&mut self) -> Result<Option<Page>> {
        while let Some(page) = self.inner.get_next_page()? {
            self.check(&page)?;
            if page.num_values() > 0 || page.is_dictionary_page() {
                return Ok(Some(page));
            }
        }
        Ok(None)
    }

    fn check(&mut self, page: &Page) -> Result<()> {
        let values = match page {
            Page::DictionaryPage { buf, num_values, .. } => {
                self.has_dictionary = true;
                let fits = (*num_values as usize).checked_mul(self.width).is_some_and(|bytes| bytes <= buf.len());
                return if fits { Ok(()) } else { Err(damaged("a dictionary of more values than bytes")) };
            }
            Page::DataPage { buf, .. } => {
                let mut values = buf.as_ref();
                // The levels' size stands before them, except in the oldest files, which have no such encodings.
                for _ in [self.max_repetition, self.max_definition].iter().filter(|level| **level > 0) {
                    let sized = values.split_first_chunk::<4>();
                    let after = sized.and_then(|(size, rest)| rest.get(u32::from_le_bytes(*size) as usize..));
                    values = after.unwrap_or_default();
                }
                values
            }
            Page::DataPageV2 { buf, rep_levels_byte_len, def_levels_byte_len, .. } => {
                let levels = u64::from(*rep_levels_byte_len) + u64::from(*def_levels_byte_len);
                buf.get(levels as usize..).ok_or_else(|| damaged("levels longer than their page"))?
            }
        };
        let fits = |count: u64| count <= u64::from(page.num_values());
        let fit = match page.encoding() {
            Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY => self.has_dictionary,
            Encoding::DELTA_LENGTH_BYTE_ARRAY => delta(values).is_none_or(|(count, _)| fits(count)),
            Encoding::DELTA_BYTE_ARRAY => delta(values).is_none_or(|(prefixes, end)| {
                let suffixes = values.get(end..).and_then(delta);
                fits(prefixes) && suffixes.is_none_or(|(count, _)| fits(count))
            }),
            _ => true,
        };
        if fit { Ok(()) } else { Err(damaged("a page of other values than it claims to hold")) }
    }
}

/// How many integers a delta encoding claims to hold, and where it ends; the end of all where it is cut off.
fn delta(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut rest = bytes;
    let block = variable(&mut rest)?;
    let parts = variable(&mut rest)?;
    let count = variable(&mut rest)?;
    let end = delta_end(rest, count, parts, block.checked_div(parts)?);
    Some((count, end.map_or(bytes.len(), |rest| bytes.len() - rest.len())))
}

/// What stands after the blocks of a delta encoding: each has its least delta, the width of each of its parts, and the parts.
fn delta_end(mut rest: &[u8], count: u64, parts: u64, of_part: u64) -> Option<&[u8]> {
    variable(&mut rest)?;
    let mut left = count.saturating_sub(1);
    while left > 0 {
        variable(&mut rest)?;
        let (widths, after) = rest.split_at_checked(usize::try_from(parts).ok()?)?;
        rest = after;
        for width in widths {
            if left == 0 {
                break;
            }
            let size = u64::from(*width).checked_mul(of_part)? / 8;
            rest = rest.get(usize::try_from(size).ok()?..)?;
            left = left.saturating_sub(of_part.max(1));
        }
    }
    Some(rest)
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        match self.next.take() {
            Some(page) => Ok(Some(page)),
            None => self.read(),
        }
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        if self.next.is_none() {
            self.next = self.read()?;
        }
        Ok(self.next.as_ref().map(|page| match page {
            Page::DictionaryPage { .. } => PageMetadata { num_rows: None, num_levels: None, is_dict: true },
            Page::DataPage { num_values, .. } => {
                PageMetadata { num_rows: None, num_levels: Some(*num_values as usize), is_dict: false }
            }
            Page::DataPageV2 { num_values, num_rows, .. } => PageMetadata {
                num_rows: Some(*num_rows as usize),
                num_levels: Some(*num_values as usize),
                is_dict: false,
            },
        }))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.get_next_page().map(drop)
    }
}
