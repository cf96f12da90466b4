//! Markers that hold checksums: a file counts as whole only if it is the one that was meant.
//!
//! Accepted are the forms of `sha256sum` (`<hex>  name`), of BSD (`SHA256 (name) = <hex>`), and beside one file its bare checksum.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use sha2::{Digest, Sha256};
use sm3::Sm3;

use crate::sources::error::Fault;

/// The digests in use; both give 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Sha256,
    Sm3,
}

/// What a manifest says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checksum {
    algorithm: Algorithm,
    hex: String,
}

/// What a marker says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It is whole.
    Whole,
    /// It is whole if it has this checksum.
    Checksum(Checksum),
    /// Nothing: the manifest speaks of other files.
    Nothing,
}

/// A manifest of tens of thousands of files; beyond that it is none.
const MAX_MANIFEST_BYTES: u64 = 4 << 20;

/// The algorithm of a manifest, by its name; `None` where a marker is just that.
fn algorithm_of(marker: &str) -> Option<Algorithm> {
    let name = marker.to_ascii_lowercase();
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    if name == "sha256sums" || ending == Some("sha256") {
        return Some(Algorithm::Sha256);
    }
    (name == "sm3sums" || ending == Some("sm3")).then_some(Algorithm::Sm3)
}

fn is_checksum(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A line's checksum and the name of the file, or nothing if it is no such line.
fn read_line(line: &str) -> Option<(&str, Option<&str>)> {
    if let Some((head, hex)) = line.rsplit_once(") = ") {
        let (_, name) = head.split_once(" (")?;
        return is_checksum(hex.trim()).then_some((hex.trim(), Some(name)));
    }
    let (hex, rest) = line.split_at_checked(64).filter(|(hex, _)| is_checksum(hex))?;
    // In `sha256sum`'s form a blank, and then a blank or `*`, stand before the name.
    let name = rest.trim_start();
    let name = name.strip_prefix('*').unwrap_or(name);
    let separated = rest.is_empty() || rest.starts_with([' ', '\t']);
    separated.then_some((hex, (!name.is_empty()).then_some(name)))
}

/// Reads what a marker says of a file, both given by path.
pub(super) fn said_of(marker: &Path, file: &Path) -> Result<Said, Fault> {
    let name_of = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (marker_name, file_name) = (name_of(marker), name_of(file));
    let Some(algorithm) = algorithm_of(&marker_name) else { return Ok(Said::Whole) };
    let unreadable = |source| Fault::File { path: marker.to_owned(), source };
    let mut bytes = Vec::new();
    let manifest = File::open(marker).map_err(unreadable)?;
    manifest.take(MAX_MANIFEST_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.trim_start_matches('\u{FEFF}').lines().map(str::trim_end);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty() && !line.starts_with(['#', ';'])).collect();
    if lines.is_empty() {
        return Ok(Said::Whole);
    }
    let no_manifest = || Fault::Manifest { path: marker.to_owned() };
    let mut said = Said::Nothing;
    for line in &lines {
        let (hex, name) = read_line(line).ok_or_else(no_manifest)?;
        let speaks_of_it = match name {
            Some(name) => name.rsplit(['/', '\\']).next() == Some(&file_name),
            None if lines.len() == 1 && !marker_name.to_ascii_lowercase().ends_with("sums") => true,
            None => return Err(no_manifest()),
        };
        if speaks_of_it {
            said = Said::Checksum(Checksum { algorithm, hex: hex.to_ascii_lowercase() });
        }
    }
    Ok(said)
}

impl Checksum {
    /// Whether an open file has it. Reads the file to its end and goes back to its beginning.
    pub(super) fn fits(&self, file: &mut File) -> io::Result<bool> {
        let found = match self.algorithm {
            Algorithm::Sha256 => digest::<Sha256>(file)?,
            Algorithm::Sm3 => digest::<Sm3>(file)?,
        };
        file.seek(SeekFrom::Start(0))?;
        Ok(found == self.hex)
    }
}

fn digest<D: Digest>(file: &mut File) -> io::Result<String> {
    let mut hasher = D::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_read_in_the_forms_in_which_they_are_written() {
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for (line, expected) in [
            (format!("{hex}  工资 1.csv"), Some((hex, Some("工资 1.csv")))),
            (format!("{hex} *a.csv"), Some((hex, Some("a.csv")))),
            (format!("SHA256 (a (1).csv) = {hex}"), Some((hex, Some("a (1).csv")))),
            (hex.to_owned(), Some((hex, None))),
            (format!("{hex}a.csv"), None),
            (format!("{}  a.csv", &hex[..40]), None),
            ("done".to_owned(), None),
        ] {
            assert_eq!(read_line(&line), expected, "{line}");
        }
        assert_eq!(algorithm_of("a.csv.SHA256"), Some(Algorithm::Sha256));
        assert_eq!(algorithm_of("a.sm3"), Some(Algorithm::Sm3));
        assert_eq!(algorithm_of("a.done"), None);
    }
}
