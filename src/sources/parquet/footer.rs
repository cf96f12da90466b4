//! The end of a Parquet file: whether what stands before it needs a key.
//!
//! The library reads the footer; without keys it passes over the one field that says that columns are encrypted.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::pages::variable;

/// What stands at a file's end when not even its footer can be read without a key.
const ENCRYPTED: &[u8] = b"PARE";

/// Length of the footer and what stands at the end.
const TAIL_BYTES: u64 = 8;

/// The field of the footer that names how columns are encrypted.
const ENCRYPTION_ALGORITHM: u64 = 8;

/// Lists in lists and so on, deeper than any footer has.
const MAX_DEPTH: usize = 16;

/// Whether the file, or a part of it, is encrypted; `length` is the file's. A damaged end is left to be found by who reads it.
pub(super) fn is_encrypted(file: &File, length: u64) -> io::Result<bool> {
    let Some(tail_at) = length.checked_sub(TAIL_BYTES) else { return Ok(false) };
    let mut tail = [0; TAIL_BYTES as usize];
    file.read_exact_at(&mut tail, tail_at)?;
    let [a, b, c, d, magic @ ..] = tail;
    if magic == ENCRYPTED {
        return Ok(true);
    }
    let size = u32::from_le_bytes([a, b, c, d]);
    let Some(footer_at) = tail_at.checked_sub(u64::from(size)) else { return Ok(false) };
    let mut footer = vec![0; size as usize];
    file.read_exact_at(&mut footer, footer_at)?;
    Ok(holds_field(&footer, ENCRYPTION_ALGORITHM))
}

/// Whether a structure in Thrift's compact form has a field.
fn holds_field(mut bytes: &[u8], wanted: u64) -> bool {
    let mut id = 0;
    while let Some(kind) = next_field(&mut bytes, &mut id) {
        if id == wanted {
            return true;
        }
        if skip(&mut bytes, kind, 0).is_none() {
            return false;
        }
    }
    false
}

/// The kind of the next field, its number in `id`; `None` after the last.
fn next_field(bytes: &mut &[u8], id: &mut u64) -> Option<u8> {
    let (&head, rest) = bytes.split_first()?;
    *bytes = rest;
    if head == 0 {
        return None;
    }
    // numbers are written as the distance to the one before, or twice where that is far
    *id = match head >> 4 {
        0 => variable(bytes)? >> 1,
        distance => id.saturating_add(u64::from(distance)),
    };
    Some(head & 0x0f)
}

/// Goes past a value; `None` where it is cut off.
fn skip(bytes: &mut &[u8], kind: u8, depth: usize) -> Option<()> {
    if depth > MAX_DEPTH {
        return None;
    }
    match kind {
        // a truth is in its field's kind
        1 | 2 => {}
        3 => *bytes = bytes.get(1..)?,
        4..=6 => drop(variable(bytes)?),
        7 => *bytes = bytes.get(8..)?,
        8 => {
            let size = usize::try_from(variable(bytes)?).ok()?;
            *bytes = bytes.get(size..)?;
        }
        9 | 10 => {
            let (&head, rest) = bytes.split_first()?;
            *bytes = rest;
            let count = if head >> 4 == 15 { variable(bytes)? } else { u64::from(head >> 4) };
            // in a list a truth is a byte
            let kind = if matches!(head & 0x0f, 1 | 2) { 3 } else { head & 0x0f };
            for _ in 0..count {
                skip(bytes, kind, depth + 1)?;
            }
        }
        12 => {
            let mut id = 0;
            while let Some(kind) = next_field(bytes, &mut id) {
                skip(bytes, kind, depth + 1)?;
            }
        }
        _ => return None,
    }
    Some(())
}
