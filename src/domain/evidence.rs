//! Files that prove what a check could not see: which are taken, how large, what they may be for, and why one is refused.

use chrono::NaiveDate;

use super::facts::{ContractKind, PersonId, UnitId, words};
use super::month::Month;
use super::review::Ground;

/// Bytes of one file.
pub const FILE_BYTES: usize = 10 * 1024 * 1024;
/// Files that are in use for one placement of a year.
pub const FILES_PER_PLACEMENT: u32 = 20;
/// Bytes of all files that were ever put to use for one employer and year.
pub const BYTES_PER_EMPLOYER: u64 = 2 * 1024 * 1024 * 1024;
/// Pixels of one picture: an A4 page at 600 dots an inch has 35 million.
pub const PIXELS: u64 = 40_000_000;
/// Objects of one PDF.
pub const PDF_OBJECTS: u32 = 200_000;
/// How deep dictionaries and arrays of a PDF stand in each other.
pub const PDF_DEPTH: u32 = 500;
/// Inflated bytes of one stream of a PDF: a picture of [`PIXELS`] in three colours.
pub const PDF_STREAM_BYTES: u64 = 3 * PIXELS;
/// Inflated bytes of all streams of a PDF.
pub const PDF_INFLATED_BYTES: u64 = 512 * 1024 * 1024;
/// Inflated bytes of one object stream of a PDF, which is held in memory.
pub const PDF_OBJECT_STREAM_BYTES: u64 = 16 * 1024 * 1024;
/// Bytes that may follow the end mark of a PDF: some seals are put there.
pub const PDF_TRAILER_BYTES: usize = 64 * 1024;
/// Entries of one OFD.
pub const OFD_ENTRIES: usize = 2_000;
/// Inflated bytes of one entry of an OFD.
pub const OFD_ENTRY_BYTES: u64 = 64 * 1024 * 1024;
/// Inflated bytes of all entries of an OFD.
pub const OFD_INFLATED_BYTES: u64 = 256 * 1024 * 1024;
/// Inflated bytes of one XML file of an OFD, which is held in memory.
pub const OFD_XML_BYTES: u64 = 16 * 1024 * 1024;
/// Characters of a file's name.
pub const FILE_NAME_CHARS: usize = 120;
/// What one call may put a file to use for.
pub const USES_AT_ONCE: usize = 5_000;

words! {
    /// The formats that are taken.
    Format { Jpeg = "jpeg", Png = "png", Pdf = "pdf", Ofd = "ofd" }
}

impl Format {
    /// By the first bytes. An OFD is a ZIP archive: whether it is one, its content says.
    pub fn detect(content: &[u8]) -> Option<Self> {
        const MAGIC: [(&[u8], Format); 4] = [
            (b"\xff\xd8\xff", Format::Jpeg),
            (b"\x89PNG\r\n\x1a\n", Format::Png),
            (b"%PDF-", Format::Pdf),
            (b"PK\x03\x04", Format::Ofd),
        ];
        MAGIC.iter().find(|(magic, _)| content.starts_with(magic)).map(|(_, format)| *format)
    }

    /// Endings of file names, the usual one first.
    pub const fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Jpeg => &["jpg", "jpeg", "jpe"],
            Self::Png => &["png"],
            Self::Pdf => &["pdf"],
            Self::Ofd => &["ofd"],
        }
    }

    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Pdf => "application/pdf",
            Self::Ofd => "application/ofd",
        }
    }

    /// Whether a reviewer can be shown it drawn anew; else the inspected original is handed out as an attachment.
    pub const fn has_rendition(self) -> bool {
        matches!(self, Self::Jpeg | Self::Png)
    }
}

/// A second format that hides in a file of another: such a file means one thing to us and another to whoever opens it.
///
/// Looked for are the heads that programs accept away from the first byte, and the end by which a ZIP archive is known.
pub fn second_format(content: &[u8], own: Format) -> Option<&'static str> {
    const LOOKED_AT: usize = 1024;
    const ANYWHERE: [(&[u8], &str); 5] = [
        (b"Rar!\x1a\x07", "RAR"),
        (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
        (b"<script", "HTML"),
        (b"<!DOCTYPE", "HTML"),
        (b"<?php", "PHP"),
    ];
    let head = &content[..content.len().min(LOOKED_AT)];
    if own != Format::Pdf && holds(head, b"%PDF-") {
        return Some("PDF");
    }
    if own != Format::Ofd && ends_as_zip(content) {
        return Some("ZIP");
    }
    let whole = match own {
        // what pages of a document say, and what archives of it are named, is looked at by whoever reads them
        Format::Pdf | Format::Ofd => head,
        Format::Jpeg | Format::Png => content,
    };
    ANYWHERE.iter().find(|(sign, _)| holds(whole, sign)).map(|(_, name)| *name)
}

/// Whether bytes hold others, of whatever case.
pub fn holds(content: &[u8], wanted: &[u8]) -> bool {
    let Some(first) = wanted.first() else { return true };
    let begins = |byte: &u8| byte.eq_ignore_ascii_case(first);
    let mut rest = content;
    while let Some(at) = rest.iter().position(begins) {
        rest = &rest[at..];
        if rest.get(..wanted.len()).is_some_and(|window| window.eq_ignore_ascii_case(wanted)) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

/// Whether a program for ZIP archives would find one that ends in these bytes.
fn ends_as_zip(content: &[u8]) -> bool {
    const END: &[u8] = b"PK\x05\x06";
    const END_BYTES: usize = 22;
    let begin = content.len().saturating_sub(END_BYTES + usize::from(u16::MAX));
    let number = |at: usize| -> Option<u64> {
        content.get(at..at + 4)?.try_into().ok().map(|bytes| u64::from(u32::from_le_bytes(bytes)))
    };
    content[begin..].windows(END.len()).enumerate().filter(|(_, window)| *window == END).any(|(offset, _)| {
        let at = begin + offset;
        // the directory that the end names lies before it
        number(at + 12).zip(number(at + 16)).is_some_and(|(size, offset)| size + offset <= at as u64)
    })
}

/// The name under which a file is shown: its last part, without what cannot be seen or turns the text around, shortened.
pub fn clean_file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let seen = last.chars().filter(|sign| !is_invisible(*sign)).map(|sign| match sign {
        '"' | '<' | '>' | '|' | ':' | '*' | '?' | ';' | '%' => '_',
        sign if sign.is_whitespace() => ' ',
        sign => sign,
    });
    let text: String = seen.collect();
    let text = text.trim_matches(['.', ' ']);
    let chars = text.chars().count();
    if chars == 0 {
        return "file".to_owned();
    }
    if chars <= FILE_NAME_CHARS {
        return text.to_owned();
    }
    let ending = ending_of(text).map(|ending| format!(".{ending}")).unwrap_or_default();
    let kept = FILE_NAME_CHARS - ending.chars().count();
    text.chars().take(kept).collect::<String>() + &ending
}

/// Controls, marks of direction, and signs without width.
fn is_invisible(sign: char) -> bool {
    sign.is_control()
        || matches!(sign, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// What stands after the last dot of a cleaned name, in lower case, if that looks like an ending.
pub fn ending_of(name: &str) -> Option<String> {
    let (_, ending) = name.rsplit_once('.')?;
    let looks = (1..=8).contains(&ending.len()) && ending.bytes().all(|byte| byte.is_ascii_alphanumeric());
    looks.then(|| ending.to_ascii_lowercase())
}

/// The format that the content shows and the name does not deny.
pub fn recognise(content: &[u8], name: &str) -> Result<Format, Refusal> {
    if content.is_empty() {
        return Err(Refusal::Empty);
    }
    if content.len() > FILE_BYTES {
        return Err(Refusal::TooLarge);
    }
    let format = Format::detect(content).ok_or(Refusal::UnknownFormat)?;
    if let Some(ending) = ending_of(name)
        && !format.endings().contains(&ending.as_str())
    {
        return Err(Refusal::EndingDisagrees { ending, format });
    }
    match second_format(content, format) {
        Some(second) => Err(Refusal::SecondFormat { format, second }),
        None => Ok(format),
    }
}

/// What a file is put to use for: what it proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
#[serde(tag = "subject", rename_all = "snake_case")]
pub enum Subject {
    /// One month of a placement, for one thing that stands in its way.
    Cell { person: PersonId, month: Month, ground: Ground },
    /// That a unit is related to the employer.
    Affiliate { year: i16, unit: UnitId },
    /// A contract of a placement.
    Contract { year: i16, person: PersonId, kind: ContractKind, starts_on: NaiveDate },
    /// The agreement that names a dispatched person and the side that counts them.
    Agreement { year: i16, person: PersonId },
    /// The original of a person's certificate.
    Original { year: i16, person: PersonId },
}

impl Subject {
    /// The business year.
    pub fn year(&self) -> i16 {
        match self {
            Self::Cell { month, .. } => month.year() as i16,
            Self::Affiliate { year, .. }
            | Self::Contract { year, .. }
            | Self::Agreement { year, .. }
            | Self::Original { year, .. } => *year,
        }
    }

    /// The person whose placement it belongs to.
    pub fn person(&self) -> Option<PersonId> {
        match self {
            Self::Affiliate { .. } => None,
            Self::Cell { person, .. }
            | Self::Contract { person, .. }
            | Self::Agreement { person, .. }
            | Self::Original { person, .. } => Some(*person),
        }
    }
}

/// Why a file or a use of one is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    Empty,
    TooLarge,
    UnknownFormat,
    EndingDisagrees {
        ending: String,
        format: Format,
    },
    SecondFormat {
        format: Format,
        second: &'static str,
    },
    Truncated(Format),
    /// Width times height.
    TooManyPixels {
        width: u32,
        height: u32,
    },
    UnreadablePicture(Format),
    EncryptedPdf,
    /// The name of what acts, as PDF spells it.
    ActivePdf(&'static str),
    /// Where something lies that not every program would read alike, or that cannot be looked into.
    ObscurePdf(&'static str),
    /// What there is too much of.
    Bomb(Format),
    NoOfd,
    UnreadableOfd,
    /// Names of entries that lead elsewhere, stand twice or cannot be shown.
    OfdEntryName,
    /// Entries that are neither pages, pictures, fonts nor signatures.
    OfdEntry,
    Infected,
    ScannerAway,
    NoUse,
    TooManyUses,
    TooManyFiles,
    OverQuota,
    UnknownSubject(Box<Subject>),
    NoSuchEvidence,
    NoSuchUse,
    DeclarationClosed {
        year: i16,
    },
    DecisionRests,
    /// The proof of an affiliate is only ever added to.
    ProofStays,
    NoRendition(Format),
}

impl Refusal {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLarge => "too_large",
            Self::UnknownFormat => "unknown_format",
            Self::EndingDisagrees { .. } => "ending_disagrees",
            Self::SecondFormat { .. } => "second_format",
            Self::Truncated(_) => "truncated",
            Self::TooManyPixels { .. } => "too_many_pixels",
            Self::UnreadablePicture(_) => "unreadable_picture",
            Self::EncryptedPdf => "encrypted_pdf",
            Self::ActivePdf(_) => "active_pdf",
            Self::ObscurePdf(_) => "obscure_pdf",
            Self::Bomb(_) => "bomb",
            Self::NoOfd => "no_ofd",
            Self::UnreadableOfd => "unreadable_ofd",
            Self::OfdEntryName => "ofd_entry_name",
            Self::OfdEntry => "ofd_entry",
            Self::Infected => "infected",
            Self::ScannerAway => "scanner_away",
            Self::NoUse => "no_use",
            Self::TooManyUses => "too_many_uses",
            Self::TooManyFiles => "too_many_files",
            Self::OverQuota => "over_quota",
            Self::UnknownSubject(_) => "unknown_subject",
            Self::NoSuchEvidence => "no_such_evidence",
            Self::NoSuchUse => "no_such_use",
            Self::DeclarationClosed { .. } => "declaration_closed",
            Self::DecisionRests => "decision_rests",
            Self::ProofStays => "proof_stays",
            Self::NoRendition(_) => "no_rendition",
        }
    }

    /// Whether the same may go well later.
    pub fn helps_later(&self) -> bool {
        matches!(self, Self::ScannerAway)
    }

    pub fn chinese(&self) -> String {
        match self {
            Self::Empty => "文件为空，请重新选择文件。".to_owned(),
            Self::TooLarge => format!("文件超过{}MB，请压缩或分开上传。", FILE_BYTES / 1024 / 1024),
            Self::UnknownFormat => "仅接受JPEG、PNG图片和PDF、OFD文件，请转换格式后上传。".to_owned(),
            Self::EndingDisagrees { ending, format } => {
                format!("文件后缀为.{ending}，内容却是{format}，请使用与内容一致的后缀。")
            }
            Self::SecondFormat { format, second } => {
                format!("该{format}文件中还藏有{second}内容，请从原系统重新导出后上传。")
            }
            Self::Truncated(format) => format!("该{format}文件不完整，请重新下载或扫描后上传。"),
            Self::TooManyPixels { width, height } => {
                format!("图片为{width}×{height}像素，超过{}万像素，请降低分辨率后上传。", PIXELS / 10_000)
            }
            Self::UnreadablePicture(format) => format!("该{format}图片无法读取，请重新拍摄或扫描后上传。"),
            Self::EncryptedPdf => "PDF文件已加密，无法检查，请上传未设密码的文件。".to_owned(),
            Self::ActivePdf(what) => format!("PDF文件含有脚本、附件或自动操作（/{what}），请上传不含此类内容的文件。"),
            Self::ObscurePdf(_) => "PDF文件的结构无法安全检查，请从原系统重新导出后上传。".to_owned(),
            Self::Bomb(format) => format!("该{format}文件解压后内容过大或过多，请重新导出后上传。"),
            Self::NoOfd => "该压缩包不是OFD文件，不接受压缩包。".to_owned(),
            Self::UnreadableOfd => "OFD文件无法读取，请重新下载后上传。".to_owned(),
            Self::OfdEntryName => "OFD文件内含有不合规的文件名，请从原系统重新导出后上传。".to_owned(),
            Self::OfdEntry => "OFD文件内含有附件、程序或脚本，请上传不含此类内容的文件。".to_owned(),
            Self::Infected => "文件未通过病毒检查，请清除病毒后重新上传。".to_owned(),
            Self::ScannerAway => "病毒检查暂时不可用，文件未保存，请稍后重试。".to_owned(),
            Self::NoUse => "请指明该文件证明的内容。".to_owned(),
            Self::TooManyUses => format!("一次最多关联{USES_AT_ONCE}项，请分次提交。"),
            Self::TooManyFiles => format!("同一人员同一年度最多使用{FILES_PER_PLACEMENT}个文件。"),
            Self::OverQuota => format!("本单位该年度文件总量超过{}GB。", BYTES_PER_EMPLOYER / 1024 / 1024 / 1024),
            Self::UnknownSubject(_) => "未登记该文件所证明的人员、关联单位或合同，请先登记。".to_owned(),
            Self::NoSuchEvidence => "没有该证明文件。".to_owned(),
            Self::NoSuchUse => "没有该关联，或已撤回。".to_owned(),
            Self::DeclarationClosed { year } => format!("{year}年度申报已完成，证明文件不能撤回。"),
            Self::DecisionRests => "审核意见以该文件为依据，不能撤回。".to_owned(),
            Self::ProofStays => "关联单位的证明材料只能补充，不能撤回。".to_owned(),
            Self::NoRendition(format) => format!("{format}文件没有预览图，请下载原件查看。"),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty: choose it again"),
            Self::TooLarge => {
                write!(f, "the file has more than {} MB: compress it or divide it", FILE_BYTES / 1024 / 1024)
            }
            Self::UnknownFormat => f.write_str(
                "the content is none of the formats that are taken, JPEG, PNG, PDF and OFD: convert the file",
            ),
            Self::EndingDisagrees { ending, format } => {
                write!(f, "the name ends in .{ending}, but the content is {format}: name the file as what it is")
            }
            Self::SecondFormat { format, second } => {
                write!(f, "in the {format} hides {second} as well: export the file anew where it comes from")
            }
            Self::Truncated(format) => {
                write!(f, "the {format} breaks off before its end: download or scan it again")
            }
            Self::TooManyPixels { width, height } => write!(
                f,
                "the picture has {width} × {height} pixels, accepted are {} million in all: lower the resolution",
                PIXELS / 1_000_000
            ),
            Self::UnreadablePicture(format) => {
                write!(f, "the {format} cannot be read as a picture: photograph or scan it again")
            }
            Self::EncryptedPdf => {
                f.write_str("the PDF is encrypted and cannot be looked into: hand in one without a password")
            }
            Self::ActivePdf(what) => write!(
                f,
                "the PDF holds a script, an attachment or an action (/{what}): hand in one without, such as the official download"
            ),
            Self::ObscurePdf(what) => {
                write!(f, "the PDF cannot be looked into safely ({what}): export it anew where it comes from")
            }
            Self::Bomb(format) => {
                write!(f, "the {format} unpacks to more than is taken: export it anew where it comes from")
            }
            Self::NoOfd => f.write_str("the archive is no OFD, and other archives are not taken: hand in the files"),
            Self::UnreadableOfd => f.write_str("the OFD cannot be read: download it again"),
            Self::OfdEntryName => {
                f.write_str("an entry of the OFD has a name that is not accepted: export it anew where it comes from")
            }
            Self::OfdEntry => f.write_str("the OFD holds an attachment, a program or a script: hand in one without"),
            Self::Infected => f.write_str("the virus scanner refuses the file: clean it and hand it in again"),
            Self::ScannerAway => {
                f.write_str("the virus scanner does not answer, so that nothing was kept: try again later")
            }
            Self::NoUse => f.write_str("it is not said what the file proves: name at least one thing"),
            Self::TooManyUses => write!(f, "more than {USES_AT_ONCE} uses at once: divide them over several calls"),
            Self::TooManyFiles => {
                write!(f, "a placement takes {FILES_PER_PLACEMENT} files a year: put several pages into one file")
            }
            Self::OverQuota => write!(
                f,
                "the employer's files of the year would have more than {} GB: hand in smaller ones",
                BYTES_PER_EMPLOYER / 1024 / 1024 / 1024
            ),
            Self::UnknownSubject(subject) => {
                write!(f, "{} is not entered: enter it before its proof", SubjectInWords(subject))
            }
            Self::NoSuchEvidence => f.write_str("there is no such file"),
            Self::NoSuchUse => f.write_str("there is no such use of a file, or it was withdrawn"),
            Self::DeclarationClosed { year } => {
                write!(f, "the declaration of {year} is no longer open, and its evidence stays as it is")
            }
            Self::DecisionRests => f.write_str("a reviewer's decision rests on this use, and it stays"),
            Self::ProofStays => f.write_str("the proof of an affiliate stays: attach another beside it"),
            Self::NoRendition(format) => {
                write!(f, "a {format} is not drawn anew: have the inspected original as an attachment")
            }
        }
    }
}

impl std::error::Error for Refusal {}

/// A subject in English, without personal data.
struct SubjectInWords<'a>(&'a Subject);

impl std::fmt::Display for SubjectInWords<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Subject::Cell { person, month, .. } => write!(f, "a placement of person {} in {}", person.0, month.year()),
            Subject::Affiliate { year, .. } => write!(f, "the unit as an affiliate in {year}"),
            Subject::Contract { year, person, kind, starts_on } => {
                write!(f, "a {kind} contract of person {} in {year} that starts on {starts_on}", person.0)
            }
            Subject::Agreement { year, person } => write!(f, "a dispatched placement of person {} in {year}", person.0),
            Subject::Original { year, person } => write!(f, "a placement of person {} in {year}", person.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_its_last_part_without_what_cannot_be_seen() {
        for (name, shown) in [
            ("../../etc/流水.pdf", "流水.pdf"),
            ("C:\\Users\\x\\a.png", "a.png"),
            ("a\0b\r\n.pdf", "ab.pdf"),
            ("invoice\u{202e}gpj.exe", "invoicegpj.exe"),
            ("\u{200b}\u{feff}.\u{2066}x\u{2069}", "x"),
            ("..", "file"),
            ("", "file"),
            ("a\u{3000}b\t\"c\";.pdf", "a b_c__.pdf"),
        ] {
            assert_eq!(clean_file_name(name), shown, "{name:?}");
        }
        let long = clean_file_name(&format!("{}.pdf", "长".repeat(500)));
        assert_eq!((long.chars().count(), long.ends_with("长.pdf")), (FILE_NAME_CHARS, true));
    }

    #[test]
    fn content_and_ending_must_agree() {
        let pdf = b"%PDF-1.7 and more";
        assert_eq!(recognise(pdf, "a.PDF"), Ok(Format::Pdf));
        assert_eq!(recognise(pdf, "a"), Ok(Format::Pdf));
        let refused = recognise(pdf, "a.pdf.jpg").map_err(|refusal| refusal.code());
        assert_eq!(refused, Err("ending_disagrees"));
        assert_eq!(recognise(b"GIF89a", "a.gif"), Err(Refusal::UnknownFormat));
        assert_eq!(recognise(b" %PDF-1.7", "a.pdf"), Err(Refusal::UnknownFormat), "not at the first byte");
    }

    #[test]
    fn a_second_format_is_found_where_a_program_would_find_it() {
        let end = |size: u8| [b"PK\x05\x06".as_slice(), &[0; 8], &[size, 0, 0, 0], &[0; 6]].concat();
        let jpeg = b"\xff\xd8\xff\xe0 picture";
        assert_eq!(second_format(&[jpeg, end(9).as_slice()].concat(), Format::Jpeg), Some("ZIP"));
        assert_eq!(second_format(&[jpeg, end(200).as_slice()].concat(), Format::Jpeg), None, "no directory there");
        assert_eq!(second_format(&[jpeg, b"%PDF-1.4".as_slice()].concat(), Format::Jpeg), Some("PDF"));
        assert_eq!(second_format(&[jpeg, b"<ScRiPt>".as_slice()].concat(), Format::Jpeg), Some("HTML"));
    }

    #[test]
    fn the_end_of_an_archive_is_found_wherever_a_program_looks_for_it() {
        let end = |offset: u8| [b"PK\x05\x06".as_slice(), &[0; 8], &[4, 0, 0, 0, offset, 0, 0, 0], &[0; 2]].concat();
        let jpeg = b"\xff\xd8\xff\xe0 picture";
        let longest = vec![0; usize::from(u16::MAX)];
        let with = |offset: u8, comment: &[u8]| [jpeg, end(offset).as_slice(), comment].concat();
        assert_eq!(second_format(&with(0, &longest), Format::Jpeg), Some("ZIP"), "with the longest comment");
        assert_eq!(second_format(&with(0, &[longest.as_slice(), b"."].concat()), Format::Jpeg), None, "beyond it");
        assert_eq!(second_format(&with(jpeg.len() as u8 - 4, b""), Format::Jpeg), Some("ZIP"), "right before its end");
        assert_eq!(second_format(&with(jpeg.len() as u8 - 3, b""), Format::Jpeg), None, "its directory would be later");
    }

    #[test]
    fn a_file_has_ten_mebibytes_at_most() {
        let pdf = |bytes: usize| [b"%PDF-1.7".as_slice(), &vec![b' '; bytes - 8]].concat();
        assert_eq!(recognise(&pdf(10 << 20), "a.pdf"), Ok(Format::Pdf));
        assert_eq!(recognise(&pdf((10 << 20) + 1), "a.pdf"), Err(Refusal::TooLarge));
    }

    #[test]
    fn what_is_unpacked_is_bounded() {
        assert_eq!(BYTES_PER_EMPLOYER, 2_147_483_648, "2 GiB");
        let of_a_pdf = [PDF_STREAM_BYTES, PDF_INFLATED_BYTES, PDF_OBJECT_STREAM_BYTES, PDF_TRAILER_BYTES as u64];
        assert_eq!(of_a_pdf, [120_000_000, 536_870_912, 16_777_216, 65_536]);
        let of_an_ofd = [OFD_ENTRY_BYTES, OFD_INFLATED_BYTES, OFD_XML_BYTES];
        assert_eq!(of_an_ofd, [67_108_864, 268_435_456, 16_777_216]);
    }

    #[test]
    fn what_a_file_proves_is_of_a_year_and_mostly_of_a_person() {
        let (person, starts_on) = (PersonId(7), "2024-03-01".parse().expect("a day"));
        let cell = Subject::Cell { person, month: "2025-03".parse().expect("a month"), ground: Ground::Wage };
        let contract = Subject::Contract { year: 2025, person, kind: ContractKind::Labour, starts_on };
        for subject in
            [cell, contract, Subject::Agreement { year: 2025, person }, Subject::Original { year: 2025, person }]
        {
            assert_eq!((subject.year(), subject.person()), (2025, Some(person)), "{subject:?}");
        }
        let affiliate = Subject::Affiliate { year: 2025, unit: UnitId(3) };
        assert_eq!((affiliate.year(), affiliate.person()), (2025, None));
    }

    #[test]
    fn each_format_is_told_to_browsers_and_pictures_are_drawn_anew() {
        let told: Vec<_> = Format::ALL.iter().map(|format| (format.media_type(), format.has_rendition())).collect();
        let expected =
            [("image/jpeg", true), ("image/png", true), ("application/pdf", false), ("application/ofd", false)];
        assert_eq!(told, expected);
    }

    #[test]
    fn an_ending_is_letters_and_digits_and_no_longer_than_eight() {
        for (name, ending) in [
            ("a.PDF", Some("pdf")),
            ("a.b.12345678", Some("12345678")),
            ("a.123456789", None),
            ("a.p-f", None),
            ("a.", None),
        ] {
            assert_eq!(ending_of(name).as_deref(), ending, "{name}");
        }
    }

    /// One of each.
    fn every_refusal() -> Vec<Refusal> {
        let (person, year) = (PersonId(17), 2025);
        let starts_on: NaiveDate = "2025-03-01".parse().expect("a day");
        let cell = Subject::Cell { person, month: "2025-03".parse().expect("a month"), ground: Ground::Wage };
        let subjects = [
            cell,
            Subject::Affiliate { year, unit: UnitId(3) },
            Subject::Contract { year, person, kind: ContractKind::Labour, starts_on },
            Subject::Agreement { year, person },
            Subject::Original { year, person },
        ];
        let mut refusals = vec![
            Refusal::Empty,
            Refusal::TooLarge,
            Refusal::UnknownFormat,
            Refusal::EndingDisagrees { ending: "jpg".to_owned(), format: Format::Pdf },
            Refusal::SecondFormat { format: Format::Png, second: "ZIP" },
            Refusal::Truncated(Format::Jpeg),
            Refusal::TooManyPixels { width: 10_000, height: 9_000 },
            Refusal::UnreadablePicture(Format::Png),
            Refusal::EncryptedPdf,
            Refusal::ActivePdf("JavaScript"),
            Refusal::ObscurePdf("an object stream"),
            Refusal::Bomb(Format::Ofd),
            Refusal::NoOfd,
            Refusal::UnreadableOfd,
            Refusal::OfdEntryName,
            Refusal::OfdEntry,
            Refusal::Infected,
            Refusal::ScannerAway,
            Refusal::NoUse,
            Refusal::TooManyUses,
            Refusal::TooManyFiles,
            Refusal::OverQuota,
            Refusal::NoSuchEvidence,
            Refusal::NoSuchUse,
            Refusal::DeclarationClosed { year },
            Refusal::DecisionRests,
            Refusal::ProofStays,
            Refusal::NoRendition(Format::Pdf),
        ];
        refusals.extend(subjects.map(|subject| Refusal::UnknownSubject(Box::new(subject))));
        refusals
    }

    #[test]
    fn only_the_scanner_that_is_away_makes_it_worth_to_come_again() {
        let later: Vec<_> = every_refusal().into_iter().filter(Refusal::helps_later).collect();
        assert_eq!(later, [Refusal::ScannerAway]);
    }

    #[test]
    fn every_refusal_of_a_file_in_both_languages() {
        let told: Vec<String> =
            every_refusal().iter().map(|one| format!("{}: {one} {}", one.code(), one.chinese())).collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        empty: the file is empty: choose it again 文件为空，请重新选择文件。
        too_large: the file has more than 10 MB: compress it or divide it 文件超过10MB，请压缩或分开上传。
        unknown_format: the content is none of the formats that are taken, JPEG, PNG, PDF and OFD: convert the file 仅接受JPEG、PNG图片和PDF、OFD文件，请转换格式后上传。
        ending_disagrees: the name ends in .jpg, but the content is pdf: name the file as what it is 文件后缀为.jpg，内容却是pdf，请使用与内容一致的后缀。
        second_format: in the png hides ZIP as well: export the file anew where it comes from 该png文件中还藏有ZIP内容，请从原系统重新导出后上传。
        truncated: the jpeg breaks off before its end: download or scan it again 该jpeg文件不完整，请重新下载或扫描后上传。
        too_many_pixels: the picture has 10000 × 9000 pixels, accepted are 40 million in all: lower the resolution 图片为10000×9000像素，超过4000万像素，请降低分辨率后上传。
        unreadable_picture: the png cannot be read as a picture: photograph or scan it again 该png图片无法读取，请重新拍摄或扫描后上传。
        encrypted_pdf: the PDF is encrypted and cannot be looked into: hand in one without a password PDF文件已加密，无法检查，请上传未设密码的文件。
        active_pdf: the PDF holds a script, an attachment or an action (/JavaScript): hand in one without, such as the official download PDF文件含有脚本、附件或自动操作（/JavaScript），请上传不含此类内容的文件。
        obscure_pdf: the PDF cannot be looked into safely (an object stream): export it anew where it comes from PDF文件的结构无法安全检查，请从原系统重新导出后上传。
        bomb: the ofd unpacks to more than is taken: export it anew where it comes from 该ofd文件解压后内容过大或过多，请重新导出后上传。
        no_ofd: the archive is no OFD, and other archives are not taken: hand in the files 该压缩包不是OFD文件，不接受压缩包。
        unreadable_ofd: the OFD cannot be read: download it again OFD文件无法读取，请重新下载后上传。
        ofd_entry_name: an entry of the OFD has a name that is not accepted: export it anew where it comes from OFD文件内含有不合规的文件名，请从原系统重新导出后上传。
        ofd_entry: the OFD holds an attachment, a program or a script: hand in one without OFD文件内含有附件、程序或脚本，请上传不含此类内容的文件。
        infected: the virus scanner refuses the file: clean it and hand it in again 文件未通过病毒检查，请清除病毒后重新上传。
        scanner_away: the virus scanner does not answer, so that nothing was kept: try again later 病毒检查暂时不可用，文件未保存，请稍后重试。
        no_use: it is not said what the file proves: name at least one thing 请指明该文件证明的内容。
        too_many_uses: more than 5000 uses at once: divide them over several calls 一次最多关联5000项，请分次提交。
        too_many_files: a placement takes 20 files a year: put several pages into one file 同一人员同一年度最多使用20个文件。
        over_quota: the employer's files of the year would have more than 2 GB: hand in smaller ones 本单位该年度文件总量超过2GB。
        no_such_evidence: there is no such file 没有该证明文件。
        no_such_use: there is no such use of a file, or it was withdrawn 没有该关联，或已撤回。
        declaration_closed: the declaration of 2025 is no longer open, and its evidence stays as it is 2025年度申报已完成，证明文件不能撤回。
        decision_rests: a reviewer's decision rests on this use, and it stays 审核意见以该文件为依据，不能撤回。
        proof_stays: the proof of an affiliate stays: attach another beside it 关联单位的证明材料只能补充，不能撤回。
        no_rendition: a pdf is not drawn anew: have the inspected original as an attachment pdf文件没有预览图，请下载原件查看。
        unknown_subject: a placement of person 17 in 2025 is not entered: enter it before its proof 未登记该文件所证明的人员、关联单位或合同，请先登记。
        unknown_subject: the unit as an affiliate in 2025 is not entered: enter it before its proof 未登记该文件所证明的人员、关联单位或合同，请先登记。
        unknown_subject: a labour contract of person 17 in 2025 that starts on 2025-03-01 is not entered: enter it before its proof 未登记该文件所证明的人员、关联单位或合同，请先登记。
        unknown_subject: a dispatched placement of person 17 in 2025 is not entered: enter it before its proof 未登记该文件所证明的人员、关联单位或合同，请先登记。
        unknown_subject: a placement of person 17 in 2025 is not entered: enter it before its proof 未登记该文件所证明的人员、关联单位或合同，请先登记。
        ");
    }
}
