//! Whether an OFD (GB/T 33190) is one, unpacks to a sane size, and holds nothing but pages, pictures, fonts and signatures.

use std::io::{Cursor, Read};

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use crate::domain::evidence::{
    Format, OFD_ENTRIES, OFD_ENTRY_BYTES, OFD_INFLATED_BYTES, OFD_XML_BYTES, Refusal, ending_of, holds,
};

/// Endings of what a document is made of. A signature's value and its seal are among them.
const ACCEPTED: [&str; 19] = [
    "xml", "xsd", "dat", "esl", "cer", "png", "jpg", "jpeg", "bmp", "gif", "tif", "tiff", "jb2", "jbig2", "gbig2",
    "ttf", "otf", "ttc", "cff",
];

/// First bytes of programs, and of files that hold others.
const FOREIGN: [&[u8]; 8] =
    [b"MZ", b"\x7fELF", b"#!", b"PK\x03\x04", b"Rar!", b"7z\xbc\xaf", b"%PDF-", b"\xca\xfe\xba\xbe"];

const BOMB: Refusal = Refusal::Bomb(Format::Ofd);

/// Refuses what is no OFD, unpacks to too much, or carries something else.
pub fn inspect(content: &[u8]) -> Result<(), Refusal> {
    // before the archive is read, which takes memory for every entry
    if announced_entries(content)? > OFD_ENTRIES {
        return Err(BOMB);
    }
    let mut archive = ZipArchive::new(Cursor::new(content)).map_err(|_| Refusal::UnreadableOfd)?;
    if archive.len() > OFD_ENTRIES {
        return Err(BOMB);
    }
    if archive.offset() != 0 || archive.has_duplicate_names() {
        return Err(Refusal::OfdEntryName);
    }
    if archive.index_for_name("OFD.xml").is_none() {
        return Err(Refusal::NoOfd);
    }
    let mut inflated = 0;
    for number in 0..archive.len() {
        let mut entry = archive.by_index(number).map_err(|error| refusal_of(&error))?;
        let name = entry.name().map_err(|_| Refusal::OfdEntryName)?.into_owned();
        check_name(&name)?;
        if entry.is_symlink() || entry.encrypted() {
            return Err(Refusal::OfdEntry);
        }
        if !matches!(entry.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
            return Err(Refusal::UnreadableOfd);
        }
        if entry.is_dir() {
            continue;
        }
        let ending = ending_of(&name).filter(|ending| ACCEPTED.contains(&ending.as_str())).ok_or(Refusal::OfdEntry)?;
        let is_xml = matches!(ending.as_str(), "xml" | "xsd");
        inflated += if is_xml { check_xml(&mut entry, &name)? } else { check_other(&mut entry)? };
        if inflated > OFD_INFLATED_BYTES {
            return Err(BOMB);
        }
    }
    Ok(())
}

/// What the end of the archive says; the end is that of the file.
fn announced_entries(content: &[u8]) -> Result<usize, Refusal> {
    const END_BYTES: usize = 22;
    let begin = content.len().saturating_sub(END_BYTES);
    let end = content[begin..].strip_prefix(b"PK\x05\x06").ok_or(Refusal::Truncated(Format::Ofd))?;
    let number = |at: usize| end.get(at..at + 2).map(|bytes| usize::from(u16::from_le_bytes([bytes[0], bytes[1]])));
    number(6).ok_or(Refusal::UnreadableOfd)
}

fn refusal_of(error: &ZipError) -> Refusal {
    match error {
        ZipError::UnsupportedArchive(_) => Refusal::OfdEntry,
        _ => Refusal::UnreadableOfd,
    }
}

/// A name leads to a place inside, by parts that anybody can see.
fn check_name(name: &str) -> Result<(), Refusal> {
    let parts_are_good = name.trim_end_matches('/').split('/').all(|part| !matches!(part, "" | "." | ".."));
    let signs_are_good =
        !name.chars().any(|sign| sign.is_control() || matches!(sign, '\\' | ':' | '\u{202a}'..='\u{202e}'));
    if parts_are_good && signs_are_good && name.len() <= 255 { Ok(()) } else { Err(Refusal::OfdEntryName) }
}

fn read(entry: &mut impl Read, most: u64) -> Result<Vec<u8>, Refusal> {
    let mut content = Vec::new();
    entry.by_ref().take(most + 1).read_to_end(&mut content).map_err(|_| Refusal::UnreadableOfd)?;
    if content.len() as u64 > most { Err(BOMB) } else { Ok(content) }
}

/// XML without a type declaration: with one it can unfold without end, or read files of whoever opens it.
fn check_xml(entry: &mut impl Read, name: &str) -> Result<u64, Refusal> {
    let content = read(entry, OFD_XML_BYTES)?;
    // in another encoding it would be read otherwise than it is looked at
    let is_plain = !content.contains(&0) && !content.starts_with(b"\xff\xfe") && !content.starts_with(b"\xfe\xff");
    if !is_plain || ["<!DOCTYPE", "<!ENTITY", "<script"].iter().any(|wanted| holds(&content, wanted.as_bytes())) {
        return Err(Refusal::OfdEntry);
    }
    if name == "OFD.xml" && !(holds(&content, b"<ofd:OFD") || holds(&content, b"<OFD")) {
        return Err(Refusal::NoOfd);
    }
    Ok(content.len() as u64)
}

fn check_other(entry: &mut impl Read) -> Result<u64, Refusal> {
    let mut head = Vec::new();
    entry.by_ref().take(8).read_to_end(&mut head).map_err(|_| Refusal::UnreadableOfd)?;
    if FOREIGN.iter().any(|foreign| head.starts_with(foreign)) {
        return Err(Refusal::OfdEntry);
    }
    let rest = std::io::copy(&mut entry.by_ref().take(OFD_ENTRY_BYTES), &mut std::io::sink());
    let size = rest.map_err(|_| Refusal::UnreadableOfd)? + head.len() as u64;
    if size > OFD_ENTRY_BYTES { Err(BOMB) } else { Ok(size) }
}
