//! Job files: what is pulled, verified, pushed, from where, when, and with which gates.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IntoDeserializer;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::cron::Cron;
use super::deliver::DeliverSettings;
use super::duration::{Days, Span};
use super::error::ConfigError;
use super::source::SourceSettings;
use super::zone::Zone;
use crate::domain::facts::{RecordKind, Scheme, words};

words! {
    /// What a job does.
    JobKind {
        Pull = "pull",
        Verify = "verify",
        Push = "push",
        Reconcile = "reconcile",
        Export = "export",
        Remind = "remind",
        Maintain = "maintain",
        DeliverEvents = "deliver_events",
    }
}
words! {
    /// What happens to fires that were missed while nothing ran.
    Misfire { Last = "last", All = "all", Skip = "skip" }
}
words! {
    /// What happens to a fire while the run before it still goes on.
    Overlap { Skip = "skip", QueueOne = "queue_one" }
}
words! {
    /// Whose records are kept: those of certificate holders and placed persons, or everyone's.
    Keep { Concerned = "concerned", All = "all" }
}
words! {
    /// Whether a delivery holds what changed or all there is.
    Delivery { Incremental = "incremental", Full = "full" }
}
words! {
    /// What a record means that a full delivery no longer holds.
    Missing { Ignore = "ignore", Close = "close" }
}
words! {
    /// What a delivery without rows means.
    ZeroRows { Hold = "hold", Allow = "allow" }
}
words! {
    /// The unit in which amounts are written.
    AmountUnit { Yuan = "yuan", Fen = "fen" }
}
words! {
    /// Where a record's instant comes from when the source has none.
    StampFrom { Delivery = "delivery" }
}

/// One job file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The file's stem.
    #[serde(skip)]
    pub name: String,
    #[serde(skip)]
    pub path: PathBuf,
    /// The file as it stands: what is versioned, and what places errors.
    #[serde(skip)]
    pub text: String,
    pub kind: JobKind,
    pub record: Option<RecordKind>,
    pub schedule: Option<Cron>,
    #[serde(default)]
    pub timezone: Zone,
    #[serde(default)]
    pub after: Vec<String>,
    #[serde(default = "default_after_patience")]
    pub after_patience: Span,
    #[serde(default = "default_timeout")]
    pub timeout: Span,
    #[serde(default)]
    pub retry: Retry,
    #[serde(default = "default_misfire")]
    pub misfire: Misfire,
    #[serde(default = "default_overlap")]
    pub overlap: Overlap,
    /// The job begins so much later than its schedule says at most, always by the same: not all jobs at once.
    #[serde(default = "default_jitter")]
    pub jitter: Span,
    /// Failed runs in a row after which the job is paused; left out, never.
    pub pause_after: Option<u32>,
    /// A pull that lands no page for so long is ended and tried again; left out, only `timeout` ends it.
    pub no_progress_timeout: Option<Span>,
    /// Of reminders: days before the end of the window, each told once.
    #[serde(default = "default_days_before")]
    pub days_before: Vec<u16>,
    #[serde(default = "default_settles_after")]
    pub settles_after: Days,
    #[serde(default = "default_stale_after")]
    pub stale_after: Days,
    #[serde(default)]
    pub covers: Covers,
    #[serde(rename = "keep")]
    pub(super) keep_given: Option<Keep>,
    #[serde(default = "default_delivery")]
    pub delivery: Delivery,
    #[serde(rename = "missing")]
    pub(super) missing_given: Option<Missing>,
    #[serde(skip)]
    pub(super) source: Option<SourceSettings>,
    /// Ours = theirs; a field not named here has the same name on both sides.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    #[serde(default)]
    pub key: Key,
    #[serde(default)]
    pub constants: BTreeMap<String, String>,
    #[serde(default)]
    pub formats: Formats,
    /// Per field of ours: their word = ours.
    #[serde(default)]
    pub values: BTreeMap<String, BTreeMap<String, String>>,
    #[serde(default)]
    pub gates: Gates,
    /// Of exports: where the files go.
    pub deliver: Option<DeliverSettings>,
}

fn default_after_patience() -> Span {
    Span::of_seconds(4 * 3600)
}

fn default_timeout() -> Span {
    Span::of_seconds(2 * 3600)
}

fn default_misfire() -> Misfire {
    Misfire::Last
}

fn default_overlap() -> Overlap {
    Overlap::Skip
}

fn default_jitter() -> Span {
    Span::of_seconds(0)
}

fn default_days_before() -> Vec<u16> {
    vec![60, 30, 14, 7, 3, 1]
}

fn default_settles_after() -> Days {
    Days(45)
}

fn default_stale_after() -> Days {
    Days(7)
}

fn default_delivery() -> Delivery {
    Delivery::Incremental
}

/// How often a failed attempt is made again, and how long is waited in between (doubled each time).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    pub attempts: u32,
    pub backoff: Span,
    pub max_backoff: Span,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 5, backoff: Span::of_seconds(30), max_backoff: Span::of_seconds(15 * 60) }
    }
}

/// What a source answers for: where it is silent, nothing was reported. An empty list is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Covers {
    pub schemes: Vec<Scheme>,
    /// Prefixes of division codes: two, four or six digits.
    pub divisions: Vec<String>,
}

/// What identifies and orders records where the source does neither.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Key {
    /// Columns of theirs that together make the record's identity.
    pub record_id: Option<Vec<String>>,
    pub updated_at: Option<StampFrom>,
}

/// How the source writes what has no words.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Formats {
    /// With `%Y` and `%m`.
    pub period: String,
    pub amount: AmountUnit,
    /// The zone of instants without offset.
    pub zone: Zone,
}

impl Default for Formats {
    fn default() -> Self {
        Self { period: "%Y-%m".to_owned(), amount: AmountUnit::Yuan, zone: Zone::default() }
    }
}

/// When a delivery is held instead of published.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gates {
    pub max_invalid_ratio: f64,
    pub max_drop_ratio: f64,
    pub zero_rows: Option<ZeroRows>,
    /// An alarm only.
    pub max_age: Option<Span>,
}

impl Default for Gates {
    fn default() -> Self {
        Self { max_invalid_ratio: 0.01, max_drop_ratio: 0.30, zero_rows: None, max_age: None }
    }
}

impl Job {
    /// Reads one job file's text; `path` names it in errors and gives the job's name.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let of_toml = |error: &toml::de::Error| ConfigError::of_toml(path, text, error);
        let mut table = DeTable::parse(text).map_err(|error| of_toml(&error))?;
        let source = table.get_mut().remove("source");
        let mut job = Self::deserialize(table.into_deserializer()).map_err(|error| of_toml(&error))?;
        job.source = source.map(|source| parse_source(path, text, source)).transpose()?;
        job.name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        path.clone_into(&mut job.path);
        text.clone_into(&mut job.text);
        Ok(job)
    }

    /// Where the job's records come from; jobs other than pulls have no source.
    pub fn source_settings(&self) -> Option<&SourceSettings> {
        self.source.as_ref()
    }

    /// Whose records are kept. Left out, those of the concerned; every record of a certificate is, and a dispatch
    /// filing has no person.
    pub fn keep(&self) -> Keep {
        match (self.keep_given, self.record) {
            (Some(keep), _) => keep,
            (None, Some(RecordKind::Certificate | RecordKind::DispatchFiling)) => Keep::All,
            (None, _) => Keep::Concerned,
        }
    }

    /// What a record means that a full delivery no longer holds.
    pub fn missing(&self) -> Missing {
        self.missing_given.unwrap_or(Missing::Ignore)
    }

    /// What a delivery without rows means: an incremental one may well have none.
    pub fn zero_rows(&self) -> ZeroRows {
        self.gates.zero_rows.unwrap_or(match self.delivery {
            Delivery::Full => ZeroRows::Hold,
            Delivery::Incremental => ZeroRows::Allow,
        })
    }

    /// An error at one of the job's keys, with its line.
    pub fn error_at(&self, key: &str, what: impl Into<String>) -> ConfigError {
        ConfigError::at_key(&self.path, &self.text, key, what)
    }
}

/// `[source]` by its `type`. Read apart from the rest so that its errors keep their lines.
fn parse_source(path: &Path, text: &str, source: Spanned<DeValue<'_>>) -> Result<SourceSettings, ConfigError> {
    const ACCEPTED: &str = "accepted are `http`, `file` and `database`";
    let span = source.span();
    let DeValue::Table(mut table) = source.into_inner() else {
        return Err(ConfigError::at_key(path, text, "source", "is not a table"));
    };
    let Some(kind) = table.remove("type") else {
        return Err(ConfigError::at_key(path, text, "source", format!("has no `type`: {ACCEPTED}")));
    };
    let source = Spanned::new(span, DeValue::Table(table)).into_deserializer();
    let settings = match kind.get_ref().as_str() {
        Some("http") => Deserialize::deserialize(source).map(SourceSettings::Http),
        Some("file") => Deserialize::deserialize(source).map(SourceSettings::File),
        Some("database") => Deserialize::deserialize(source).map(SourceSettings::Database),
        _ => return Err(ConfigError::at_key(path, text, "source.type", format!("is no kind of source: {ACCEPTED}"))),
    };
    settings.map_err(|error| ConfigError::of_toml(path, text, &error))
}

/// Every `*.toml` of a folder, in the order of their names: the jobs that could be read, and what was wrong with the
/// others.
pub fn read_jobs(folder: &Path) -> (Vec<Job>, Vec<ConfigError>) {
    let unreadable =
        |path: &Path, error: &std::io::Error| ConfigError::of_file(path, format!("cannot be read: {error}"));
    let entries = match std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(entries) => entries,
        Err(error) => return (Vec::new(), vec![unreadable(folder, &error)]),
    };
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let (mut jobs, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error));
        match text.and_then(|text| Job::parse(&path, &text)) {
            Ok(job) => jobs.push(job),
            Err(error) => errors.push(error),
        }
    }
    (jobs, errors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::{Encoding, FileFormat};

    fn parse(text: &str) -> Result<Job, String> {
        Job::parse(Path::new("jobs/pull-wage.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_short_job_has_the_documented_defaults() {
        let job = parse(
            "kind = \"pull\"\nrecord = \"insurance\"\ncovers = { schemes = [\"pension\"] }\nschedule = \"30 1 * * *\"\n\
             timezone = \"Asia/Shanghai\"\nkeep = \"all\"\n[source]\ntype = \"file\"\npath = \"in/*.csv\"\nformat = \"csv\"\n",
        )
        .expect("a short job");
        assert_eq!(job.name, "pull-wage");
        assert_eq!((job.after_patience.to_string(), job.timeout.to_string()), ("4h".to_owned(), "2h".to_owned()));
        assert_eq!(job.retry, Retry::default());
        assert_eq!((job.misfire, job.overlap), (Misfire::Last, Overlap::Skip));
        assert_eq!((job.settles_after, job.stale_after), (Days(45), Days(7)));
        assert_eq!((job.delivery, job.missing(), job.keep()), (Delivery::Incremental, Missing::Ignore, Keep::All));
        assert_eq!(job.zero_rows(), ZeroRows::Allow);
        assert_eq!(job.formats, Formats::default());
        let Some(SourceSettings::File(file)) = job.source_settings() else { unreachable!("it is a file") };
        assert_eq!(
            (file.format, file.encoding, file.delimiter, file.rereadable),
            (FileFormat::Csv, Encoding::Utf8, ',', false)
        );
    }

    #[test]
    fn every_key_of_the_documented_file_is_known() {
        let text = r#"
kind = "pull"
record = "wage"
schedule = "30 1 * * *"
timezone = "Asia/Shanghai"
after = ["pull-certificate"]
after_patience = "4h"
timeout = "2h"
retry = { attempts = 5, backoff = "30s", max_backoff = "15m" }
misfire = "last"
overlap = "skip"
settles_after = "45d"
stale_after = "7d"
covers = { }
keep = "concerned"
delivery = "full"
missing = "close"
[source]
type = "http"
url = "${WAGE_AGENCY_URL}/v1/wages"
paging = "cursor"
page_size = 500
records = "/data/rows"
next = "/data/next"
totals = "/data/total"
since = "updated_since"
overlap = "1h"
idle_timeout = "20s"
max_body = "16MiB"
rate = "20/s"
ca_file = "/etc/ssl/agency.pem"
auth = { type = "bearer", token = "${WAGE_TOKEN}" }
[source.person]
method = "POST"
url = "${WAGE_AGENCY_URL}/v1/wages/person"
body = "zjhm"
[fields]
id_number = "zjhm"
[key]
record_id = ["zjhm", "nsrsbh", "skssq"]
updated_at = "delivery"
[constants]
payer_uscc = "913699000000000000"
[formats]
period = "%Y%m"
amount = "fen"
zone = "Asia/Shanghai"
[values.status]
"1" = "paid"
[gates]
max_invalid_ratio = 0.01
max_drop_ratio = 0.30
zero_rows = "hold"
max_age = "36h"
"#;
        let job = parse(text).expect("every key is known");
        assert_eq!(job.values["status"]["1"], "paid");
        assert_eq!((job.missing(), job.zero_rows()), (Missing::Close, ZeroRows::Hold));
    }

    #[test]
    fn an_error_names_line_key_and_what_is_accepted() {
        let pull = "kind = \"pull\"\nrecord = \"wage\"\n";
        for (rest, expected) in [
            (
                "settle_after = \"45d\"\n",
                "jobs/pull-wage.toml:3: `settle_after`: unknown field `settle_after`, expected one of",
            ),
            ("settles_after = \"45x\"\n", "jobs/pull-wage.toml:3: `settles_after`: `45x` is not a span of time"),
            ("schedule = \"61 * * * *\"\n", "jobs/pull-wage.toml:3: `schedule`: `61` is not a minute: accepted are"),
            ("timezone = \"Mars/Olympus\"\n", "jobs/pull-wage.toml:3: `timezone`: `Mars/Olympus` is not a time zone"),
            (
                "keep = \"some\"\n",
                "jobs/pull-wage.toml:3: `keep`: unknown variant `some`, expected `concerned` or `all`",
            ),
            ("[retry]\nattempt = 3\n", "jobs/pull-wage.toml:4: `retry.attempt`: unknown field `attempt`"),
            ("[source]\nurl = \"x\"\n", "jobs/pull-wage.toml:3: `source`: has no `type`: accepted are"),
            ("[source]\ntype = \"ftp\"\n", "jobs/pull-wage.toml:4: `source.type`: is no kind of source"),
            (
                "[source]\ntype = \"http\"\nurl = \"x\"\npagesize = 1\n",
                "jobs/pull-wage.toml:6: `source.pagesize`: unknown field `pagesize`, expected one of",
            ),
            (
                "[source]\ntype = \"http\"\nurl = \"x\"\nmax_body = \"9PiB\"\n",
                "jobs/pull-wage.toml:6: `source.max_body`: invalid value",
            ),
            ("[source\n", "jobs/pull-wage.toml:3"),
        ] {
            let error = parse(&format!("{pull}{rest}")).expect_err("a mistake");
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn a_bad_file_does_not_hide_the_good_ones() {
        let folder = std::env::temp_dir().join(format!("renzheng-jobs-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("made");
        std::fs::write(folder.join("b.toml"), "kind = \"verify\"\n").expect("written");
        std::fs::write(folder.join("a.toml"), "kind = \"dance\"\n").expect("written");
        std::fs::write(folder.join("readme.txt"), "no job").expect("written");
        let (jobs, errors) = read_jobs(&folder);
        std::fs::remove_dir_all(&folder).expect("removed");
        assert_eq!(jobs.iter().map(|job| job.name.as_str()).collect::<Vec<_>>(), ["b"]);
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].line, Some(1));
        assert_eq!(read_jobs(&folder).1.len(), 1, "a missing folder is an error");
    }
}
