//! Files made by the tests: pictures, documents, archives, good ones and bad ones.

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use image::{DynamicImage, ImageFormat, RgbImage};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A picture whose left half is red and whose right half is blue.
fn picture(width: u32, height: u32) -> DynamicImage {
    let mut picture = RgbImage::new(width, height);
    for (x, _, pixel) in picture.enumerate_pixels_mut() {
        pixel.0 = if x < width / 2 { [250, 10, 10] } else { [10, 10, 250] };
    }
    picture.into()
}

pub fn jpeg() -> Vec<u8> {
    encoded(ImageFormat::Jpeg)
}

pub fn png() -> Vec<u8> {
    encoded(ImageFormat::Png)
}

fn encoded(format: ImageFormat) -> Vec<u8> {
    let mut content = Cursor::new(Vec::new());
    picture(64, 32).write_to(&mut content, format).expect("encoded");
    content.into_inner()
}

/// Where a camera says that it was, and that the picture stands on its side (to be turned by 90° clockwise).
pub const PLACE: &[u8] = b"28.6829N 115.8579E synthetic";

/// EXIF (TIFF, big-endian): the orientation, and a remark that holds [`PLACE`].
fn exif() -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x02".to_vec();
    exif.extend(b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0");
    exif.extend(b"\x01\x0e\0\x02");
    exif.extend((PLACE.len() as u32 + 1).to_be_bytes());
    exif.extend(38_u32.to_be_bytes());
    exif.extend([0; 4]);
    exif.extend(PLACE);
    exif.push(0);
    exif
}

/// A photograph with what its camera wrote into it.
pub fn photograph() -> Vec<u8> {
    let (plain, exif) = (jpeg(), exif());
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&plain[..2], b"\xff\xe1", &length, &exif, &plain[2..]].concat()
}

/// The CRC of PNG and ZIP.
fn crc(content: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(content);
    crc.sum()
}

fn chunk(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let body = [kind.as_slice(), content].concat();
    [&(content.len() as u32).to_be_bytes(), body.as_slice(), &crc(&body).to_be_bytes()].concat()
}

/// A PNG that says it has this size; its pixels are packed well, or are not there at all.
pub fn png_of_size(width: u32, height: u32, pixels: bool) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[1, 0, 0, 0, 0]].concat();
    let rows = if pixels { vec![0; (width as usize / 8 + 1) * height as usize] } else { Vec::new() };
    let content = [chunk(*b"IHDR", &header), chunk(*b"IDAT", &deflated(&rows)), chunk(*b"IEND", b"")].concat();
    [b"\x89PNG\r\n\x1a\n".as_slice(), &content].concat()
}

pub fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).expect("written");
    encoder.finish().expect("finished")
}

/// A PDF with these objects besides its catalogue.
pub fn pdf(objects: &[u8]) -> Vec<u8> {
    let head = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [] /Count 0 >>\nendobj\n";
    let end = b"\nxref\n0 1\n0000000000 65535 f \ntrailer\n<< /Root 1 0 R /Size 3 >>\nstartxref\n150\n%%EOF\n";
    [head.as_slice(), objects, end].concat()
}

/// A stream with this dictionary.
pub fn stream(dictionary: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("9 0 obj\n<< {dictionary} /Length {} >>\nstream\n", content.len());
    [head.as_bytes(), content, b"\nendstream\nendobj\n"].concat()
}

/// Objects that are packed into a stream.
pub fn object_stream(objects: &str) -> Vec<u8> {
    let content = format!("10 0 {objects}");
    stream("/Type /ObjStm /N 1 /First 5 /Filter /FlateDecode", &deflated(content.as_bytes()))
}

/// A signed PDF: a second revision was appended whose signature covers the bytes before it.
pub fn signed_pdf() -> Vec<u8> {
    let signature = "abcdef0123456789".repeat(40);
    let revision = format!(
        "12 0 obj\n<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /adbe.pkcs7.detached /ByteRange [0 100 800 300] /Contents <{signature}> >>\nendobj\n\
         xref\n12 1\n0000000400 00000 n \ntrailer\n<< /Root 1 0 R /Size 13 /Prev 150 >>\nstartxref\n900\n%%EOF\r\n"
    );
    let seal = [0x53, 0x45, 0x00, 0xff, 0xfe, 0x0d, 0x0a, 0x1a, 0x80];
    [&pdf(&stream("/Filter /FlateDecode", &deflated(b"BT (synthetic) Tj ET")))[..], revision.as_bytes(), &seal].concat()
}

/// An archive of these entries.
pub fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, content) in entries {
        writer.start_file(*name, options).expect("an entry");
        writer.write_all(content).expect("written");
    }
    writer.finish().expect("finished").into_inner()
}

pub const OFD_XML: (&str, &[u8]) = (
    "OFD.xml",
    b"<?xml version=\"1.0\" encoding=\"UTF-8\"?><ofd:OFD xmlns:ofd=\"http://www.ofdspec.org/2016\" Version=\"1.1\"><ofd:DocBody/></ofd:OFD>",
);

/// An OFD with these entries besides its root.
pub fn ofd(entries: &[(&str, &[u8])]) -> Vec<u8> {
    archive(&[&[OFD_XML], entries].concat())
}
