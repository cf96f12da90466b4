//! Lines of a text file as raw bytes, of bounded length, each with its place; and their strict decoding.
//!
//! In GB18030 the second byte of a character can be an ASCII letter, digit or sign (0x30 to 0x7E), a delimiter among
//! them; line ends (0x0A) and quotes (0x22) lie below and are safe. So lines are split on bytes, decoded whole, and only
//! then split into fields.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};

use bytes::Bytes;

use crate::config::Encoding;

/// A line beyond this is refused and only its beginning kept.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// Where a line begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub offset: u64,
    /// From 1.
    pub line: u64,
}

/// What stood at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// The buffer holds the line with its end.
    Whole,
    /// The buffer holds the beginning of a line that is too long.
    TooLong,
    End,
}

/// What is read from.
pub enum Content {
    /// A file on disk.
    File(File),
    /// What somebody sent, which is to rest nowhere.
    Held(Cursor<Bytes>),
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Held(held) => held.read(buffer),
        }
    }
}

impl Seek for Content {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::File(file) => file.seek(to),
            Self::Held(held) => held.seek(to),
        }
    }
}

pub struct Lines {
    reader: BufReader<Content>,
    place: Place,
}

impl Lines {
    pub fn new(content: Content) -> Self {
        Self { reader: BufReader::with_capacity(256 << 10, content), place: Place { offset: 0, line: 1 } }
    }

    /// Where the next line begins.
    pub fn place(&self) -> Place {
        self.place
    }

    pub fn go_to(&mut self, place: Place) -> io::Result<()> {
        self.reader.seek(SeekFrom::Start(place.offset))?;
        self.place = place;
        Ok(())
    }

    pub fn at_end(&mut self) -> io::Result<bool> {
        Ok(self.reader.fill_buf()?.is_empty())
    }

    /// Appends the next line to the buffer.
    pub fn append(&mut self, buffer: &mut Vec<u8>) -> io::Result<Line> {
        let before = buffer.len();
        let read = (&mut self.reader).take(MAX_LINE_BYTES as u64).read_until(b'\n', buffer)?;
        self.place.offset += read as u64;
        if read == 0 {
            return Ok(Line::End);
        }
        self.place.line += 1;
        if buffer.last() == Some(&b'\n') || read < MAX_LINE_BYTES {
            return Ok(Line::Whole);
        }
        self.skip_line()?;
        buffer.truncate(before + (64 << 10));
        Ok(Line::TooLong)
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let available = self.reader.fill_buf()?;
            let found = available.iter().position(|byte| *byte == b'\n');
            let used = found.map_or(available.len(), |at| at + 1);
            self.reader.consume(used);
            self.place.offset += used as u64;
            if found.is_some() || used == 0 {
                return Ok(());
            }
        }
    }
}

/// A line without its end.
pub fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The text of bytes, or nothing if any of them does not belong to the encoding.
pub fn decode(encoding: Encoding, bytes: &[u8]) -> Option<Cow<'_, str>> {
    match encoding {
        Encoding::Utf8 => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Encoding::Gb18030 => encoding_rs::GB18030.decode_without_bom_handling_and_without_replacement(bytes),
    }
}

/// A text without the byte order mark that may stand before it.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{FEFF}').unwrap_or(text)
}
