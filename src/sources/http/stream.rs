//! NDJSON while it arrives: a record a line, of bounded length, made into pages; memory does not grow with the answer.

use std::ops::Range;

use reqwest::Response;
use serde_json::value::RawValue;

use crate::http::BodyError;
use crate::sources::answer::{Progress, Reach};
use crate::sources::error::Fault;
use crate::sources::json::push_record;
use crate::sources::page::{Limits, Page};

/// The records of an answer that is still under way.
pub(super) struct RecordStream {
    response: Response,
    max_line_bytes: u64,
    buffer: Vec<u8>,
    /// Where in the buffer the next line begins, and up to where it has no end.
    start: usize,
    searched: usize,
    arrived: bool,
    /// The next record, found already.
    waiting: Option<Range<usize>>,
    progress: Progress,
    /// What was read before and is to be passed over.
    before: Option<Reach>,
}

impl RecordStream {
    pub fn new(response: Response, max_line_bytes: u64, before: Reach) -> Self {
        Self {
            response,
            max_line_bytes,
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            arrived: false,
            waiting: None,
            progress: Progress::default(),
            before: Some(before),
        }
    }

    /// How far the answer is read.
    pub fn reach(&self) -> Reach {
        self.progress.reach()
    }

    /// Appends records to the page until it is full; says whether there are more.
    pub async fn read_into(&mut self, page: &mut Page, limits: Limits) -> Result<bool, Fault> {
        if let Some(before) = self.before.take() {
            while self.progress.records() < before.records && self.find_record().await? {
                self.pass();
            }
            self.progress.expect(&before)?;
        }
        while self.find_record().await? {
            if page.is_full(limits) {
                return Ok(true);
            }
            let Some(record) = self.pass() else { break };
            let (row, bytes) = (self.progress.records(), &self.buffer[record]);
            match std::str::from_utf8(bytes) {
                Ok(text) => push_record(page, row, text),
                Err(_) => page.push_undecodable(row, "not valid utf-8", bytes),
            }
        }
        Ok(false)
    }

    fn pass(&mut self) -> Option<Range<usize>> {
        let record = self.waiting.take()?;
        self.progress.pass(&self.buffer[record.clone()]);
        Some(record)
    }

    /// Finds the next line that holds something, waiting for it to arrive; `false` at the end of the answer.
    async fn find_record(&mut self) -> Result<bool, Fault> {
        while self.waiting.is_none() {
            let Some((line, whole)) = self.next_line().await? else { return Ok(false) };
            let record = self.trimmed(line);
            if record.is_empty() {
                continue;
            }
            // Where the transport does not say how long an answer is, a cut shows only in its last line.
            if !whole && serde_json::from_slice::<&RawValue>(&self.buffer[record.clone()]).is_err() {
                return Err(Fault::Answer {
                    found: "NDJSON whose last line breaks off".to_owned(),
                    accepted: "a whole record a line",
                });
            }
            self.waiting = Some(record);
        }
        Ok(true)
    }

    /// The next line, and whether it has its end.
    async fn next_line(&mut self) -> Result<Option<(Range<usize>, bool)>, Fault> {
        loop {
            let found = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n');
            let end = found.map_or(self.buffer.len(), |at| self.searched + at);
            if (end - self.start) as u64 > self.max_line_bytes {
                return Err(Fault::Body(BodyError::LineTooLarge { limit_bytes: self.max_line_bytes }));
            }
            let line = self.start..end;
            if found.is_some() {
                self.start = end + 1;
                self.searched = self.start;
                return Ok(Some((line, true)));
            }
            self.searched = end;
            if self.arrived {
                self.start = end;
                return Ok((!line.is_empty()).then_some((line, false)));
            }
            self.buffer.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
            match self.response.chunk().await {
                Ok(Some(chunk)) => self.buffer.extend_from_slice(&chunk),
                Ok(None) => self.arrived = true,
                Err(error) => return Err(Fault::Body(BodyError::Broken(error.without_url()))),
            }
        }
    }

    /// A line without blanks around it, and without the marks that may stand before a record.
    fn trimmed(&self, line: Range<usize>) -> Range<usize> {
        const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();
        const RECORD_SEPARATOR: &[u8] = b"\x1E";
        let mut bytes = &self.buffer[line.clone()];
        for mark in [BYTE_ORDER_MARK, RECORD_SEPARATOR] {
            bytes = bytes.strip_prefix(mark).unwrap_or(bytes);
        }
        let leading = line.len() - bytes.trim_ascii_start().len();
        let length = bytes.trim_ascii().len();
        line.start + leading..line.start + leading + length
    }
}
