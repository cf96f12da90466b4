//! Pictures: whether they can be drawn, and how a reviewer sees them, drawn anew without anything that a camera wrote into them.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use crate::domain::evidence::{Format, PIXELS, Refusal};

/// Of what a reviewer sees: good enough to read small print by.
const QUALITY: u8 = 90;
/// Bytes that decoding may take besides what is there: eight bytes a pixel, and room to turn the picture.
const MEMORY: u64 = 16 * PIXELS;

/// Refuses what is cut off, too large or no picture.
pub fn inspect(content: &[u8], format: Format) -> Result<(), Refusal> {
    check_end(content, format)?;
    decode(content, format).map(drop)
}

/// The picture drawn anew in its own format, the right way up. Names, places and dates that were in the file are gone.
pub fn rendition(content: &[u8], format: Format) -> Result<Vec<u8>, Refusal> {
    let picture = decode(content, format)?;
    let mut drawn = Cursor::new(Vec::new());
    let done = match format {
        Format::Jpeg => picture.write_with_encoder(JpegEncoder::new_with_quality(&mut drawn, QUALITY)),
        _ => picture.write_to(&mut drawn, ImageFormat::Png),
    };
    done.map_err(|_| Refusal::UnreadablePicture(format))?;
    Ok(drawn.into_inner())
}

fn decode(content: &[u8], format: Format) -> Result<DynamicImage, Refusal> {
    let unreadable = |_| Refusal::UnreadablePicture(format);
    let kind = match format {
        Format::Jpeg => ImageFormat::Jpeg,
        Format::Png => ImageFormat::Png,
        Format::Pdf | Format::Ofd => return Err(Refusal::NoRendition(format)),
    };
    let mut limits = Limits::default();
    limits.max_alloc = Some(MEMORY);
    let mut reader = ImageReader::with_format(Cursor::new(content), kind);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    // before anything is drawn: a picture of one colour is small however large it is
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > PIXELS {
        return Err(Refusal::TooManyPixels { width, height });
    }
    let orientation = decoder.orientation().map_err(unreadable)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Decoders draw the missing half of a picture grey; here it is missing. Behind the end there is nothing, or what cameras add there.
fn check_end(content: &[u8], format: Format) -> Result<(), Refusal> {
    let whole = match format {
        Format::Jpeg => memchr::memmem::rfind(content, b"\xff\xd9").is_some(),
        _ => png_ends(content)?,
    };
    if whole { Ok(()) } else { Err(Refusal::Truncated(format)) }
}

/// Whether the chunks of a PNG follow each other up to its end, and nothing follows that.
fn png_ends(content: &[u8]) -> Result<bool, Refusal> {
    let mut rest = &content[8..];
    while let [a, b, c, d, kind @ ..] = rest {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let Some(next) = kind.get(4 + length + 4..) else { return Ok(false) };
        if kind.starts_with(b"IEND") {
            let blank = next.iter().all(|byte| *byte == 0);
            return if blank { Ok(true) } else { Err(Refusal::UnreadablePicture(Format::Png)) };
        }
        rest = next;
    }
    Ok(false)
}
