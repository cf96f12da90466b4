//! Whether a PDF holds anything that acts: it is read as bytes from first to last, not as the document that its tables describe.
//!
//! Programs differ in what they take a damaged or doubled table for, and superseded versions of an object lie in the file of every
//! signed document. So every name anywhere counts, wherever an object can begin. What cannot be looked into (encryption, object streams in
//! other encodings) is refused, and so is an object that begins where no object is expected, inside of a text, a remark or a stream.

use std::io::Read;

use flate2::read::ZlibDecoder;
use memchr::memmem;

use crate::domain::evidence::{
    Format, PDF_DEPTH, PDF_INFLATED_BYTES, PDF_OBJECT_STREAM_BYTES, PDF_OBJECTS, PDF_STREAM_BYTES, PDF_TRAILER_BYTES,
    Refusal, second_format,
};

/// Names of what acts by itself, asks a program to act, or carries another file.
const ACTIVE: [&str; 13] = [
    "JavaScript",
    "JS",
    "Launch",
    "EmbeddedFile",
    "EmbeddedFiles",
    "EF",
    "FileAttachment",
    "RichMedia",
    "XFA",
    "AA",
    "SubmitForm",
    "ImportData",
    "GoToE",
];

const FLATE: [&[u8]; 2] = [b"FlateDecode", b"Fl"];
/// Filters of one stream that stand behind each other.
const MOST_FILTERS: usize = 4;
const BOMB: Refusal = Refusal::Bomb(Format::Pdf);

/// Refuses what acts, what cannot be looked into, and what breaks off.
pub fn inspect(content: &[u8]) -> Result<(), Refusal> {
    check_end(content)?;
    let mut reader = Reader { content, at: 0, header: Header::default(), depth: 0, objects: 0, inflated: 0 };
    while let Some(token) = reader.next_token() {
        reader.take(&token)?;
    }
    Ok(())
}

/// After the last end mark stand blanks, or a seal that is no other file.
fn check_end(content: &[u8]) -> Result<(), Refusal> {
    const TRUNCATED: Refusal = Refusal::Truncated(Format::Pdf);
    let end = memmem::rfind(content, b"%%EOF").ok_or(TRUNCATED)?;
    memmem::rfind(&content[..end], b"startxref").ok_or(TRUNCATED)?;
    let trailer = &content[end + 5..];
    if trailer.iter().all(|byte| is_blank(*byte)) {
        return Ok(());
    }
    if trailer.len() > PDF_TRAILER_BYTES || begins_object(trailer) {
        return Err(TRUNCATED);
    }
    let begin = trailer.iter().position(|byte| !is_blank(*byte)).unwrap_or_default();
    let second = if trailer[begin..].starts_with(b"PK\x03\x04") {
        Some("ZIP")
    } else {
        // looked at as a picture would be: nothing of a document is in it any more
        second_format(trailer, Format::Png)
    };
    second.map_or(Ok(()), |second| Err(Refusal::SecondFormat { format: Format::Pdf, second }))
}

enum Token<'a> {
    /// Without its slash, and with its escapes read.
    Name(Vec<u8>),
    Number(&'a [u8]),
    Word(&'a [u8]),
    Text(&'a [u8]),
    /// Behind its sign, up to the end of the line.
    Remark(&'a [u8]),
    DictionaryBegins,
    DictionaryEnds,
    ArrayBegins,
    ArrayEnds,
}

/// What the dictionary before a stream says, since the last `obj`.
#[derive(Default)]
struct Header {
    /// How deep the reader stands in dictionaries, and in arrays of the outermost one.
    dictionaries: u32,
    arrays: u32,
    /// The key of the outermost dictionary whose value is to come.
    key: Option<Vec<u8>>,
    length: Option<usize>,
    filters: Vec<Vec<u8>>,
    has_parameters: bool,
    is_elsewhere: bool,
    /// A reader takes it for an object stream.
    holds_objects: bool,
}

struct Reader<'a> {
    content: &'a [u8],
    at: usize,
    header: Header,
    depth: u32,
    objects: u32,
    inflated: u64,
}

impl<'a> Reader<'a> {
    fn take(&mut self, token: &Token<'a>) -> Result<(), Refusal> {
        match token {
            Token::Name(name) => {
                check_name(name)?;
                self.header.name(name);
            }
            Token::Text(text) | Token::Remark(text) => {
                if begins_object(text) {
                    return Err(Refusal::ObscurePdf("an object inside of a text"));
                }
                if matches!(token, Token::Text(_)) {
                    self.header.value();
                }
            }
            Token::Number(digits) => self.header.number(digits),
            Token::DictionaryBegins | Token::ArrayBegins => {
                self.depth += 1;
                if self.depth > PDF_DEPTH {
                    return Err(BOMB);
                }
                self.header.opens(matches!(token, Token::DictionaryBegins));
            }
            Token::DictionaryEnds | Token::ArrayEnds => {
                self.depth = self.depth.saturating_sub(1);
                self.header.closes(matches!(token, Token::DictionaryEnds));
            }
            Token::Word(b"obj") => {
                self.objects += 1;
                if self.objects > PDF_OBJECTS {
                    return Err(BOMB);
                }
                (self.header, self.depth) = (Header::default(), 0);
            }
            Token::Word(b"stream") => self.stream()?,
            Token::Word(_) => self.header.value(),
        }
        Ok(())
    }

    /// The reader stands behind `stream`, and afterwards behind what the stream holds.
    fn stream(&mut self) -> Result<(), Refusal> {
        let header = std::mem::take(&mut self.header);
        let begin = self.at + line_end(&self.content[self.at..]);
        let rest = &self.content[begin.min(self.content.len())..];
        let said = header.length.filter(|length| {
            let after = rest.get(*length..).unwrap_or_default();
            after[line_end(after)..].starts_with(b"endstream")
        });
        // a length that stands elsewhere, or is wrong, is found as readers find it
        let length = said.or_else(|| memmem::find(rest, b"endstream")).unwrap_or(rest.len());
        let data = &rest[..length];
        self.at = begin + length;
        if begins_object(data) {
            return Err(Refusal::ObscurePdf("an object inside of a stream"));
        }
        if header.holds_objects {
            let objects = self.object_stream(&header, data)?;
            return check_objects(&objects);
        }
        self.measure(&header, data)
    }

    /// What an object stream holds.
    fn object_stream(&mut self, header: &Header, data: &[u8]) -> Result<Vec<u8>, Refusal> {
        const ENCODED: Refusal = Refusal::ObscurePdf("an object stream in an unusual encoding");
        match header.filters.as_slice() {
            [filter] if FLATE.contains(&filter.as_slice()) && !header.has_parameters && !header.is_elsewhere => {}
            _ => return Err(ENCODED),
        }
        let mut objects = Vec::new();
        let inflating = ZlibDecoder::new(data).take(PDF_OBJECT_STREAM_BYTES + 1).read_to_end(&mut objects);
        if inflating.is_err() {
            return Err(Refusal::ObscurePdf("a damaged object stream"));
        }
        self.count(objects.len() as u64)?;
        if objects.len() as u64 > PDF_OBJECT_STREAM_BYTES { Err(BOMB) } else { Ok(objects) }
    }

    /// Unpacks a stream of content, keeping nothing of it, to see how much it is.
    fn measure(&mut self, header: &Header, data: &[u8]) -> Result<(), Refusal> {
        if header.filters.len() > MOST_FILTERS {
            return Err(BOMB);
        }
        let packed = header.filters.iter().take_while(|filter| FLATE.contains(&filter.as_slice())).count();
        if packed == 0 {
            return Ok(());
        }
        let mut inflating: Box<dyn Read + '_> = Box::new(data);
        for _ in 0..packed {
            inflating = Box::new(ZlibDecoder::new(inflating).take(PDF_STREAM_BYTES + 1));
        }
        let mut size = 0;
        let mut piece = vec![0; 64 * 1024];
        // what is damaged says nothing, and does nothing
        while let Ok(read @ 1..) = inflating.read(&mut piece) {
            size += read as u64;
            self.count(read as u64)?;
        }
        if size > PDF_STREAM_BYTES { Err(BOMB) } else { Ok(()) }
    }

    fn count(&mut self, inflated: u64) -> Result<(), Refusal> {
        self.inflated += inflated;
        if self.inflated > PDF_INFLATED_BYTES { Err(BOMB) } else { Ok(()) }
    }

    fn next_token(&mut self) -> Option<Token<'a>> {
        while is_blank(*self.content.get(self.at)?) {
            self.at += 1;
        }
        let rest = &self.content[self.at..];
        let (token, length) = match rest {
            [b'%', ..] => {
                let length = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
                (Token::Remark(&rest[1..length]), length)
            }
            [b'(', ..] => {
                let length = text_length(rest);
                (Token::Text(&rest[1..length]), length)
            }
            [b'<', b'<', ..] => (Token::DictionaryBegins, 2),
            [b'>', b'>', ..] => (Token::DictionaryEnds, 2),
            [b'<', ..] => {
                let digits = rest[1..].iter().take_while(|byte| byte.is_ascii_hexdigit() || is_blank(**byte)).count();
                let closed = rest.get(1 + digits) == Some(&b'>');
                (Token::Text(&[]), 1 + digits + usize::from(closed))
            }
            [b'[', ..] => (Token::ArrayBegins, 1),
            [b']', ..] => (Token::ArrayEnds, 1),
            [b'/', ..] => {
                let length = 1 + regular_length(&rest[1..]);
                (Token::Name(name(&rest[1..length])), length)
            }
            _ => {
                let length = regular_length(rest).max(1);
                let word = &rest[..length];
                let is_number = word.iter().all(u8::is_ascii_digit);
                (if is_number { Token::Number(word) } else { Token::Word(word) }, length)
            }
        };
        self.at += length;
        Some(token)
    }
}

impl Header {
    fn is_outermost(&self) -> bool {
        self.dictionaries == 1 && self.arrays == 0
    }

    fn name(&mut self, name: &[u8]) {
        if name == b"ObjStm" {
            self.holds_objects = true;
        }
        if self.dictionaries != 1 {
            return;
        }
        if let Some(key) = &self.key {
            if key == b"Filter" {
                self.filters.push(name.to_vec());
            }
            self.value();
            return;
        }
        if self.arrays > 0 {
            return;
        }
        match name {
            // where its objects begin: some programs ask for no more
            b"First" => self.holds_objects = true,
            b"DecodeParms" | b"DP" => self.has_parameters = true,
            b"F" | b"FFilter" => self.is_elsewhere = true,
            _ => {}
        }
        self.key = Some(name.to_vec());
    }

    fn number(&mut self, digits: &[u8]) {
        if self.is_outermost() && self.key.as_deref() == Some(b"Length") {
            self.length = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        }
        self.value();
    }

    /// A value of the outermost dictionary is over, unless it is an array.
    fn value(&mut self) {
        if self.is_outermost() {
            self.key = None;
        }
    }

    fn opens(&mut self, dictionary: bool) {
        if dictionary {
            self.dictionaries += 1;
        } else if self.dictionaries == 1 {
            self.arrays += 1;
        }
    }

    fn closes(&mut self, dictionary: bool) {
        if dictionary {
            self.dictionaries = self.dictionaries.saturating_sub(1);
        } else if self.dictionaries == 1 {
            self.arrays = self.arrays.saturating_sub(1);
        }
        self.value();
    }
}

/// Refuses what acts.
fn check_name(name: &[u8]) -> Result<(), Refusal> {
    if name == b"Encrypt" {
        return Err(Refusal::EncryptedPdf);
    }
    match ACTIVE.iter().find(|active| active.as_bytes() == name) {
        Some(active) => Err(Refusal::ActivePdf(active)),
        None => Ok(()),
    }
}

/// Looks at whatever reads as a name in an object stream: its objects begin where its own numbers say, maybe inside of a text.
fn check_objects(objects: &[u8]) -> Result<(), Refusal> {
    for at in memchr::memchr_iter(b'/', objects) {
        let rest = &objects[at + 1..];
        check_name(&name(&rest[..regular_length(rest)]))?;
    }
    Ok(())
}

/// Whether a program that goes where the file's tables send it could begin to read an object in these bytes.
fn begins_object(content: &[u8]) -> bool {
    memmem::find_iter(content, b"obj").any(|at| {
        let after = content.get(at + 3).is_none_or(|byte| !is_regular(*byte));
        after && at > 0 && !is_regular(content[at - 1])
    })
}

/// A name's bytes, `#` and two digits read as the byte they stand for.
fn name(written: &[u8]) -> Vec<u8> {
    let digit = |at: usize| written.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut bytes = Vec::with_capacity(written.len());
    let mut at = 0;
    while let Some(&byte) = written.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'#', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                bytes.push(byte);
                at += 1;
            }
        }
    }
    bytes
}

/// From the parenthesis that opens a text to behind the one that closes it, or to the end of the file.
fn text_length(content: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = content.get(at) {
        match byte {
            b'\\' => at += 1,
            b'(' => depth += 1,
            b')' if depth == 1 => return at + 1,
            b')' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    content.len()
}

fn regular_length(content: &[u8]) -> usize {
    content.iter().position(|byte| !is_regular(*byte)).unwrap_or(content.len())
}

/// One end of a line, if the bytes begin with it.
fn line_end(content: &[u8]) -> usize {
    match content {
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => 0,
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b'\n' | 0x0c | b'\r' | b' ')
}

fn is_regular(byte: u8) -> bool {
    !is_blank(byte) && !matches!(byte, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(objects: &str) -> Vec<u8> {
        format!("%PDF-1.7\n{objects}\nxref\n0 1\ntrailer\n<< /Root 1 0 R >>\nstartxref\n9\n%%EOF\n").into_bytes()
    }

    fn code(objects: &str) -> Result<(), &'static str> {
        inspect(&document(objects)).map_err(|refusal| refusal.code())
    }

    #[test]
    fn names_count_wherever_an_object_can_begin_and_however_they_are_written() {
        assert_eq!(code("1 0 obj << /Type /Catalog /OpenAction [2 0 R /Fit] >> endobj"), Ok(()));
        for objects in [
            "1 0 obj << /OpenAction << /S /JavaScript /JS (app.alert(1)) >> >> endobj",
            "1 0 obj<</S/J#61vaScript>>endobj",
            "1 0 obj<</#4a#53 5 0 R>>endobj",
            "1 0 obj <</S\n%a remark\n/Launch>> endobj",
            "1 0 obj [ << << /AA 3 0 R >> ] endobj",
            "1 0 obj (unbalanced \\) endobj \n) /XFA",
        ] {
            assert_eq!(code(objects), Err("active_pdf"), "{objects}");
        }
        assert_eq!(code("1 0 obj (a text that says /JS) endobj"), Ok(()));
        assert_eq!(code("1 0 obj << /JSX /Launcher /EFG /A#41A >> endobj"), Ok(()));
        assert_eq!(code("trailer << /Encrypt 3 0 R >>"), Err("encrypted_pdf"));
    }

    #[test]
    fn an_object_that_hides_in_a_text_a_remark_or_a_stream_is_refused() {
        for objects in [
            "1 0 obj ( never closed endobj 2 0 obj << /S /JavaScript >> endobj",
            "% 2 0 obj << /S /JavaScript >> endobj",
            "1 0 obj << /Length 62 >> stream\nxx 2 0 obj << /S /JavaScript /JS (app.alert(1)) >> endobj xxxxx\nendstream",
            "1 0 obj << /Length 5 0 R >> stream\n2 0 %\nobj<< >> endobj\nendstream",
        ] {
            assert_eq!(code(objects), Err("obscure_pdf"), "{objects}");
        }
    }

    #[test]
    fn what_is_behind_the_end_mark_is_blank_or_a_seal() {
        let whole = document("");
        assert_eq!(inspect(&[&whole, b"\r\n\0\0".as_slice()].concat()), Ok(()));
        assert_eq!(inspect(&[&whole, b"SEAL\x01\x02\xff".as_slice()].concat()), Ok(()));
        assert_eq!(inspect(&whole[..whole.len() - 7]), Err(Refusal::Truncated(Format::Pdf)));
        let second = inspect(&[&whole, b"PK\x03\x04".as_slice()].concat()).map_err(|refusal| refusal.code());
        assert_eq!(second, Err("second_format"));
    }
}
