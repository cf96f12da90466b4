//! Files as agencies put them down: which ones are there and complete, in which order, and their pages.
//!
//! Reading and decoding run on a thread of their own, one page ahead of who stores them.

mod manifest;

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

use self::manifest::Said;
use super::csv::{CsvReader, HeaderFault};
use super::error::Fault;
use super::json;
use super::lines::{Content, Line, Lines, Place, decode, without_end, without_mark};
use super::page::{Limits, Page, RawPage};
use super::{Start, parquet, xlsx};
use crate::config::{Encoding, FileFormat, FileSource};

/// Where reading goes on: in which file, as it then was, and where in it. The name comes last: it may hold anything.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FilePlace {
    /// For workbooks and Parquet files the row alone counts.
    offset: u64,
    line: u64,
    size: u64,
    modified_ns: u128,
    name: String,
}

impl fmt::Display for FilePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:{}:{}", self.offset, self.line, self.size, self.modified_ns, self.name)
    }
}

impl FromStr for FilePlace {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let parse = || {
            let mut parts = text.splitn(5, ':');
            Some(Self {
                offset: parts.next()?.parse().ok()?,
                line: parts.next()?.parse().ok()?,
                size: parts.next()?.parse().ok()?,
                modified_ns: parts.next()?.parse().ok()?,
                name: parts.next()?.to_owned(),
            })
        };
        parse().ok_or(Fault::BadResume)
    }
}

/// Size and modification of a file: whether it is still the one that was begun.
fn stamp(metadata: &Metadata) -> (u64, u128) {
    let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    (metadata.len(), modified.map_or(0, |since| since.as_nanos()))
}

/// The pages of one or several files.
pub struct FileReader {
    path: PathBuf,
    pages: mpsc::Receiver<Result<RawPage, Fault>>,
    finished: bool,
    /// The reading thread came to its end.
    done: Arc<AtomicBool>,
}

impl FileReader {
    /// Finds the files and begins to read. The path's placeholders are filled in already.
    pub(super) fn open(settings: &FileSource, start: Start) -> Result<Self, Fault> {
        if !settings.format.is_in_this_build() {
            return Err(Fault::NotInThisBuild("parquet"));
        }
        let after = start.after.as_ref().map(|resume| resume.place.parse::<FilePlace>()).transpose()?;
        let mut files = find_files(Path::new(&settings.path), settings.done_marker.as_deref())?;
        if let Some(after) = &after {
            files.retain(|file| name_of(file) >= after.name);
            if files.first().is_none_or(|file| name_of(file) != after.name) {
                let path = Path::new(&settings.path).with_file_name(&after.name);
                return Err(Fault::Changed { path });
            }
        }
        let number = start.after.map_or(0, |resume| resume.page + 1);
        Ok(Self::begin(settings, start.limits, number, move |work| {
            work.after = after;
            work.read_files(&files)
        }))
    }

    /// Begins to read what somebody sent, which is to rest nowhere; the settings' path stands for it in errors.
    pub(super) fn open_held(settings: &FileSource, content: Bytes, limits: Limits) -> Self {
        Self::begin(settings, limits, 0, move |work| work.read_held(content))
    }

    fn begin(
        settings: &FileSource,
        limits: Limits,
        number: u32,
        read: impl FnOnce(&mut Work) -> Result<(), Stop> + Send + 'static,
    ) -> Self {
        let (sender, pages) = mpsc::channel(2);
        let done = Arc::new(AtomicBool::new(false));
        let path = PathBuf::from(&settings.path);
        let mut work = Work { settings: settings.clone(), limits, sender, number, after: None };
        let thread_done = done.clone();
        tokio::task::spawn_blocking(move || {
            match read(&mut work) {
                // Nobody waits for the error of an abandoned read.
                Err(Stop::Fault(fault)) => drop(work.sender.blocking_send(Err(fault))),
                Ok(()) | Err(Stop::Abandoned) => {}
            }
            thread_done.store(true, Ordering::Release);
        });
        Self { path, pages, finished: false, done }
    }

    /// Whether there are files to read; what was found.
    pub(super) fn probe(settings: &FileSource) -> Result<String, Fault> {
        let files = find_files(Path::new(&settings.path), settings.done_marker.as_deref())?;
        for file in &files {
            File::open(file).map_err(|source| Fault::File { path: file.clone(), source })?;
        }
        Ok(format!("files to read: {}", files.len()))
    }

    pub(super) async fn next_page(&mut self) -> Result<Option<RawPage>, Fault> {
        if self.finished {
            return Ok(None);
        }
        match self.pages.recv().await {
            Some(Ok(page)) => Ok(Some(page)),
            Some(Err(fault)) => {
                self.finished = true;
                Err(fault)
            }
            None => {
                self.finished = true;
                // The thread sets the flag before its sender is gone, unless it was cut off.
                let whole = self.done.load(Ordering::Acquire);
                if whole { Ok(None) } else { Err(Fault::Interrupted { path: self.path.clone() }) }
            }
        }
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Whether a name fits a pattern in which `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = name.find(part) else { return false };
        name = &name[at + part.len()..];
    }
    name.ends_with(last)
}

/// The files a path names, complete ones only, in the order of their names.
fn find_files(path: &Path, done_marker: Option<&str>) -> Result<Vec<PathBuf>, Fault> {
    let pattern = name_of(path);
    let mut files = if pattern.contains('*') {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let unreadable = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => Fault::NoFile(path.to_owned()),
            _ => Fault::File { path: folder.to_owned(), source },
        };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path();
            let name = name_of(&file);
            let is_marker = done_marker.is_some_and(|marker| fits(marker, &name));
            if fits(&pattern, &name) && !name.starts_with('.') && !is_marker && file.is_file() {
                files.push(file);
            }
        }
        files
    } else if path.is_file() {
        vec![path.to_owned()]
    } else {
        Vec::new()
    };
    if files.is_empty() {
        return Err(Fault::NoFile(path.to_owned()));
    }
    if let Some(marker) = done_marker {
        let mut whole = Vec::with_capacity(files.len());
        for file in files {
            let marker = find_marker(&file, marker);
            let said = marker.map_or(Ok(Said::Nothing), |marker| manifest::said_of(&marker, &file))?;
            if said != Said::Nothing {
                whole.push(file);
            }
        }
        files = whole;
        if files.is_empty() {
            return Err(Fault::NotReady { path: path.to_owned(), marker: marker.to_owned() });
        }
    }
    files.sort_by_key(|file| name_of(file));
    Ok(files)
}

/// The marker that lies beside a file.
fn find_marker(file: &Path, marker: &str) -> Option<PathBuf> {
    let name = name_of(file);
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    [name, stem].iter().map(|name| file.with_file_name(marker.replace('*', name))).find(|marker| marker.is_file())
}

/// Refuses a file that is not the one its marker speaks of.
fn verify(file: &mut File, path: &Path, done_marker: &str) -> Result<(), Fault> {
    let not_ready = || Fault::NotReady { path: path.to_owned(), marker: done_marker.to_owned() };
    let marker = find_marker(path, done_marker).ok_or_else(not_ready)?;
    match manifest::said_of(&marker, path)? {
        Said::Whole => Ok(()),
        Said::Nothing => Err(not_ready()),
        Said::Checksum(checksum) => {
            let fits = checksum.fits(file).map_err(|source| Fault::File { path: path.to_owned(), source })?;
            let differs = || Fault::NotAsInManifest { path: path.to_owned(), marker: name_of(&marker) };
            if fits { Ok(()) } else { Err(differs()) }
        }
    }
}

/// Why reading ends early.
pub(super) enum Stop {
    Fault(Fault),
    /// Nobody takes the pages any more.
    Abandoned,
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What the reading thread does.
struct Work {
    settings: FileSource,
    limits: Limits,
    sender: mpsc::Sender<Result<RawPage, Fault>>,
    /// Of the next page.
    number: u32,
    after: Option<FilePlace>,
}

/// One file on its way, and where its pages go.
pub(super) struct Delivery<'a> {
    path: &'a Path,
    name: String,
    stamp: (u64, u128),
    /// It lies on disk, where somebody may still write.
    rests: bool,
    is_last: bool,
    /// Bytes of the files before it, and of all.
    before: u64,
    all: u64,
    work: &'a mut Work,
}

impl Work {
    fn read_files(&mut self, files: &[PathBuf]) -> Result<(), Stop> {
        let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        let all = files.iter().map(size).sum();
        let mut before = 0;
        for (at, path) in files.iter().enumerate() {
            let is_last = at + 1 == files.len();
            let fault = |source| Fault::File { path: path.clone(), source };
            let mut file = File::open(path).map_err(fault)?;
            let stamp = stamp(&file.metadata().map_err(fault)?);
            let after = self.after.take();
            if after.as_ref().is_some_and(|after| (after.size, after.modified_ns) != stamp) {
                return Err(Fault::Changed { path: path.clone() }.into());
            }
            if let Some(marker) = &self.settings.done_marker {
                verify(&mut file, path, marker)?;
            }
            let place = after.map(|after| Place { offset: after.offset, line: after.line });
            let name = name_of(path);
            let delivery = Delivery { path, name, stamp, rests: true, is_last, before, all, work: self };
            delivery.read(Content::File(file), place)?;
            before += stamp.0;
        }
        Ok(())
    }

    fn read_held(&mut self, content: Bytes) -> Result<(), Stop> {
        let (path, size) = (PathBuf::from(&self.settings.path), content.len() as u64);
        let (name, stamp) = (name_of(&path), (size, 0));
        let held = Delivery { path: &path, name, stamp, rests: false, is_last: true, before: 0, all: size, work: self };
        held.read(Content::Held(Cursor::new(content)), None)
    }
}

impl Delivery<'_> {
    fn read(mut self, content: Content, place: Option<Place>) -> Result<(), Stop> {
        let FileSource { format, encoding, delimiter, .. } = self.work.settings;
        let (sheet, line) = (self.work.settings.sheet.clone(), place.map(|place| place.line));
        match (format, content) {
            (FileFormat::Csv, content) => self.read_csv(content, encoding, delimiter, place),
            (FileFormat::Ndjson, content) => self.read_ndjson(content, encoding, place),
            (FileFormat::Xlsx, content) => xlsx::read(&mut self, content, sheet.as_deref(), line),
            (FileFormat::Parquet, Content::File(file)) => parquet::read(&mut self, file, line),
            (FileFormat::Parquet, Content::Held(_)) => Err(Fault::NotInThisBuild("parquet").into()),
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.path
    }

    pub(super) fn new_page(&self) -> Page {
        let mut page = Page::new(self.work.number);
        page.began = self.began();
        page
    }

    /// When the file was last written.
    fn began(&self) -> Option<DateTime<Utc>> {
        i64::try_from(self.stamp.1).ok().map(DateTime::<Utc>::from_timestamp_nanos)
    }

    pub(super) fn is_full(&self, page: &Page) -> bool {
        page.is_full(self.work.limits)
    }

    /// Hands a page on; `place` is where reading goes on in this file, `at_end` says that it has no more.
    pub(super) fn send(&mut self, page: impl Into<RawPage>, place: Place, at_end: bool) -> Result<(), Stop> {
        let mut page = page.into();
        let (size, modified_ns) = self.stamp;
        if at_end && self.rests {
            // A file that is still being written must not pass for a whole one.
            let metadata = std::fs::metadata(self.path);
            let metadata = metadata.map_err(|source| Fault::File { path: self.path.to_owned(), source })?;
            if stamp(&metadata) != self.stamp {
                return Err(Fault::Changed { path: self.path.to_owned() }.into());
            }
        }
        if !(at_end && self.is_last) {
            let name = self.name.clone();
            let place = FilePlace { offset: place.offset, line: place.line, size, modified_ns, name };
            page.resume = Some(place.to_string());
        }
        page.through = Some((self.before + place.offset.min(size), self.all));
        self.work.number += 1;
        self.work.sender.blocking_send(Ok(page)).map_err(|_| Stop::Abandoned)
    }

    fn io(&self, source: io::Error) -> Fault {
        Fault::File { path: self.path.to_owned(), source }
    }

    fn read_csv(
        &mut self,
        content: Content,
        encoding: Encoding,
        delimiter: char,
        place: Option<Place>,
    ) -> Result<(), Stop> {
        let mut reader = CsvReader::open(Lines::new(content), encoding, delimiter).map_err(|fault| match fault {
            HeaderFault::Io(source) => self.io(source),
            HeaderFault::Bad { line, what } => Fault::Header { path: self.path.to_owned(), line, what },
        })?;
        if let Some(place) = place {
            reader.lines().go_to(place).map_err(|error| self.io(error))?;
        }
        let mut resumed = place.is_some();
        loop {
            let block = reader.next_block(self.work.limits).map_err(|error| self.io(error))?;
            let at_end = reader.lines().at_end().map_err(|error| self.io(error))?;
            let mut page = RawPage::csv(self.work.number, block);
            page.began = self.began();
            // Nothing after what was stored already: no page for it.
            if !(resumed && at_end && page.holds_nothing()) {
                self.send(page, reader.lines().place(), at_end)?;
            }
            if at_end {
                return Ok(());
            }
            resumed = false;
        }
    }

    fn read_ndjson(&mut self, content: Content, encoding: Encoding, place: Option<Place>) -> Result<(), Stop> {
        let mut lines = Lines::new(content);
        if let Some(place) = place {
            lines.go_to(place).map_err(|error| self.io(error))?;
        }
        let mut resumed = place.is_some();
        let mut raw = Vec::new();
        loop {
            let mut page = self.new_page();
            while !self.is_full(&page) {
                let begin = lines.place();
                raw.clear();
                match lines.append(&mut raw).map_err(|error| self.io(error))? {
                    Line::End => break,
                    Line::TooLong => page.push_undecodable(begin.line, "a line longer than a mebibyte", &raw),
                    Line::Whole => push_json_line(&mut page, begin, &raw, encoding),
                }
            }
            let at_end = lines.at_end().map_err(|error| self.io(error))?;
            if !(resumed && at_end && page.holds_nothing()) {
                self.send(page, lines.place(), at_end)?;
            }
            if at_end {
                return Ok(());
            }
            resumed = false;
        }
    }
}

fn push_json_line(page: &mut Page, begin: Place, raw: &[u8], encoding: Encoding) {
    let content = without_end(raw);
    match decode(encoding, content) {
        None => page.push_undecodable(begin.line, format!("not valid {encoding}"), content),
        Some(text) => {
            let text = if begin.offset == 0 { without_mark(&text) } else { &*text };
            if !text.trim().is_empty() {
                json::push_record(page, begin.line, text);
            }
        }
    }
}

#[cfg(test)]
mod tests;
