//! The `[source]` of a job file: which of the three kinds it is, and its keys.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use super::duration::Span;
use super::environment::Secret;
use crate::crypto::SignatureAlgorithm;
use crate::domain::facts::words;

/// Rows of a page at most, and the default.
pub const MAX_PAGE_ROWS: u32 = 5000;

/// Where records come from. Texts may hold placeholders; they are filled in when the source is opened.
#[derive(Clone, Debug)]
pub enum SourceSettings {
    Http(Box<HttpSource>),
    File(FileSource),
    Database(DatabaseSource),
}

impl SourceSettings {
    /// Every text that may hold placeholders, by its key.
    pub fn texts(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Http(http) => {
                let mut texts = vec![("source.url", http.url.as_str())];
                texts.extend(http.ca_file.as_deref().map(|file| ("source.ca_file", file)));
                texts.extend(http.person.as_ref().map(|person| ("source.person.url", person.url.as_str())));
                match &http.auth {
                    Some(Auth::Bearer { token, token_url, client_id, client_secret }) => {
                        let given = [
                            ("source.auth.token", token.as_ref().map(Secret::reveal)),
                            ("source.auth.token_url", token_url.as_deref()),
                            ("source.auth.client_id", client_id.as_deref()),
                            ("source.auth.client_secret", client_secret.as_ref().map(Secret::reveal)),
                        ];
                        texts.extend(given.into_iter().filter_map(|(key, text)| Some((key, text?))));
                    }
                    Some(Auth::Hmac { key_id, key, .. }) => {
                        texts.extend([("source.auth.key_id", key_id.as_str()), ("source.auth.key", key.reveal())]);
                    }
                    Some(Auth::Basic { user, password }) => {
                        texts
                            .extend([("source.auth.user", user.as_str()), ("source.auth.password", password.reveal())]);
                    }
                    None => {}
                }
                texts
            }
            Self::File(file) => vec![("source.path", file.path.as_str())],
            Self::Database(database) => vec![("source.url", database.url.reveal())],
        }
    }
}

words! {
    /// How an answer leads to the next.
    Paging { Cursor = "cursor", Page = "page", Link = "link" }
}

/// `type = "http"`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSource {
    pub url: String,
    /// One answer holds everything where this is left out.
    pub paging: Option<Paging>,
    /// Asked for as `page_size`; not sent where left out.
    pub page_size: Option<u32>,
    /// JSON pointer to the array of records; an answer that is itself an array needs none.
    #[serde(default = "default_records")]
    pub records: String,
    /// JSON pointer to the next cursor, or with `link` to the next address (else the `Link` header is read).
    pub next: Option<String>,
    /// JSON pointer to the number of records that the agency announces.
    pub totals: Option<String>,
    /// The parameter that takes the watermark.
    pub since: Option<String>,
    /// How far before the watermark reading begins again.
    pub overlap: Option<Span>,
    #[serde(default = "default_idle_timeout")]
    pub idle_timeout: Span,
    #[serde(default = "default_max_body")]
    pub max_body: Size,
    pub rate: Option<Rate>,
    pub ca_file: Option<String>,
    pub auth: Option<Auth>,
    pub person: Option<HttpPerson>,
}

fn default_records() -> String {
    "/records".to_owned()
}

fn default_idle_timeout() -> Span {
    Span::of_seconds(30)
}

fn default_max_body() -> Size {
    Size(64 << 20)
}

/// How the agency knows us: `auth = { type = "bearer", token = "${WAGE_TOKEN}" }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum Auth {
    /// `token`, or `token_url` with `client_id` and `client_secret` (OAuth 2 client credentials).
    Bearer {
        token: Option<Secret>,
        token_url: Option<String>,
        client_id: Option<String>,
        client_secret: Option<Secret>,
    },
    Basic {
        user: String,
        password: Secret,
    },
    /// Requests signed as ours to the tax department are; HMAC-SM3 where nothing else is said.
    Hmac {
        key_id: String,
        key: Secret,
        #[serde(default = "default_algorithm")]
        algorithm: SignatureAlgorithm,
    },
}

fn default_algorithm() -> SignatureAlgorithm {
    SignatureAlgorithm::HmacSm3
}

/// `[source.person]` of an HTTP source: asking for one person. The ID number travels in the body, never in a URL.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpPerson {
    #[serde(default = "default_method")]
    pub method: String,
    pub url: String,
    /// The name in the JSON body that takes the ID number.
    #[serde(default = "default_body")]
    pub body: String,
}

fn default_method() -> String {
    "POST".to_owned()
}

fn default_body() -> String {
    "id_number".to_owned()
}

words! {
    /// What a file is made of.
    FileFormat { Csv = "csv", Ndjson = "ndjson", Xlsx = "xlsx", Parquet = "parquet" }
}

impl FileFormat {
    /// Whether files of this format can be read: Parquet only with the cargo feature of that name.
    pub fn is_in_this_build(self) -> bool {
        self != Self::Parquet || cfg!(feature = "parquet")
    }
}

words! {
    /// How text files write their characters.
    Encoding { Utf8 = "utf-8", Gb18030 = "gb18030" }
}

/// `type = "file"`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSource {
    /// A file, or a pattern with `*` in its last part; files are read in the order of their names.
    pub path: String,
    pub format: FileFormat,
    #[serde(default = "default_encoding")]
    pub encoding: Encoding,
    #[serde(default = "default_delimiter")]
    pub delimiter: char,
    /// The sheet of a workbook; the first where left out.
    pub sheet: Option<String>,
    /// The file beside a data file that says it is whole: `*.done` (`*` stands for the data file's name, with or
    /// without its extension), or one name for the whole folder such as `_SUCCESS`. One whose name ends in `.sha256` or
    /// `.sm3`, or is `SHA256SUMS`, is a manifest if it holds anything: the file must have the checksum it gives.
    pub done_marker: Option<String>,
    /// The files stay, so that they can be read again for a person who becomes concerned later.
    #[serde(default)]
    pub rereadable: bool,
}

impl FileSource {
    /// A file as it is read where nothing else is said: UTF-8, comma, first sheet.
    pub fn new(path: impl Into<String>, format: FileFormat) -> Self {
        Self {
            path: path.into(),
            format,
            encoding: default_encoding(),
            delimiter: default_delimiter(),
            sheet: None,
            done_marker: None,
            rereadable: false,
        }
    }
}

fn default_encoding() -> Encoding {
    Encoding::Utf8
}

fn default_delimiter() -> char {
    ','
}

/// `type = "database"`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSource {
    /// `postgres://…` or `mysql://…`
    pub url: Secret,
    /// `table` or `schema.table`; or else `query`.
    pub table: Option<String>,
    pub query: Option<String>,
    /// The column by which pages follow each other; without NULLs, best indexed.
    pub key: String,
    /// The column that is compared with the watermark.
    pub watermark: Option<String>,
    pub person: Option<DatabasePerson>,
}

/// `[source.person]` of a database: a condition on the table or query in which `$1` (for MySQL also `?`) is the ID number.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabasePerson {
    #[serde(rename = "where")]
    pub condition: String,
}

/// A number of bytes: `65536`, `"64MiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes such as 65536, `512KiB` or `64MiB`, at most 1GiB")
            }

            fn visit_i64<E: Error>(self, bytes: i64) -> Result<Size, E> {
                let size = u64::try_from(bytes).ok().filter(|bytes| (1..=1 << 30).contains(bytes));
                size.map(Size).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Signed(bytes), &self))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Size, E> {
                let invalid = || E::invalid_value(serde::de::Unexpected::Str(text), &self);
                let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(invalid)?;
                let (number, unit) = text.split_at(unit_at);
                let shift = match unit.trim_start() {
                    "B" => 0,
                    "KiB" => 10,
                    "MiB" => 20,
                    "GiB" => 30,
                    _ => return Err(invalid()),
                };
                let number: u64 = number.parse().map_err(|_| invalid())?;
                let size = number.checked_mul(1 << shift).filter(|bytes| (1..=1 << 30).contains(bytes));
                size.map(Size).ok_or_else(invalid)
            }
        }
        deserializer.deserialize_any(Bytes)
    }
}

/// How often an agency may be asked: `20/s`, `30/m`, `500/h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Rate {
    requests: u32,
    per: Duration,
}

impl Rate {
    /// The time from one request to the next.
    pub fn interval(self) -> Duration {
        self.per / self.requests
    }
}

impl TryFrom<String> for Rate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parse = || {
            let (requests, unit) = text.split_once('/')?;
            let per = Duration::from_secs(match unit {
                "s" => 1,
                "m" => 60,
                "h" => 3600,
                _ => return None,
            });
            let requests = requests.parse().ok().filter(|requests| (1..=100_000).contains(requests))?;
            Some(Self { requests, per })
        };
        parse().ok_or_else(|| format!("`{text}` is not a rate such as `20/s`, `30/m` or `500/h`"))
    }
}
