//! What the whole program is told: flags first, then variables, then `renzheng.toml`, then defaults.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::alerts::{AlertSettings, AlertsFile};
use super::environment::{Environment, Secret};
use super::error::ConfigError;
use super::events::{EventSettings, EventsFile};
use super::picked::{SettingLine, Shown, Sources, Wanted};
use super::remind::RemindFile;
use super::retention::{self, RetentionFile};
use super::tax::{self, TaxFile, TaxMode, TaxSettings};
use crate::domain::facts::words;
use crate::domain::retention::Keep;

words! {
    /// How the log is written on standard error.
    LogFormat { Text = "text", Json = "json" }
}

/// What the command line said.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub jobs_dir: Option<PathBuf>,
    pub data_dir: Option<PathBuf>,
    pub database_url: Option<Secret>,
    pub policy: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
}

/// The program's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `jobs` where nothing else is said.
    pub jobs_dir: PathBuf,
    /// `./var` where nothing else is said.
    pub data_dir: PathBuf,
    /// `None`: a private Postgres is kept under `data_dir`.
    pub database_url: Option<Secret>,
    /// Folder of `initdb` and `postgres` for the private server; `None`: the search path and the usual folders.
    pub postgres_bin: Option<PathBuf>,
    /// `None`: the policy that is built in.
    pub policy: Option<PathBuf>,
    /// `keys` in `data_dir` where nothing else is said.
    pub key_file: PathBuf,
    /// The keys themselves, which then are not read from `key_file`.
    pub keys: Option<Secret>,
    /// Whoever holds it acts; `None`: the user of the operating system, as an operator.
    pub token: Option<Secret>,
    /// Where the files of evidence lie; `evidence` in `data_dir` where nothing else is said.
    pub evidence_dir: PathBuf,
    /// Where the virus scanner listens: the path of a socket, or host and port. `None`: there is none.
    pub clamd: Option<String>,
    /// `None`: nothing can be handed over.
    pub tax: Option<TaxSettings>,
    pub tax_mode: TaxMode,
    /// Whose word is taken for the address of whoever asks over HTTP: proxies before `serve`.
    pub trusted_proxies: Vec<IpAddr>,
    /// A filter as `tracing` reads it: `warn` where nothing else is said.
    pub log: String,
    pub log_format: LogFormat,
    /// Where `serve` answers over HTTP: an address and a port.
    pub listen: SocketAddr,
    pub alerts: AlertSettings,
    pub events: EventSettings,
    /// How long each class of data is kept.
    pub retention: Keep,
    /// Every setting, and where it comes from.
    pub lines: Vec<SettingLine>,
}

/// `renzheng.toml`. Texts may hold placeholders.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SettingsFile {
    jobs_dir: Option<String>,
    data_dir: Option<String>,
    database_url: Option<String>,
    postgres_bin: Option<String>,
    policy: Option<String>,
    key_file: Option<String>,
    evidence_dir: Option<String>,
    clamd: Option<String>,
    log: Option<String>,
    log_format: Option<LogFormat>,
    listen: Option<String>,
    trusted_proxies: Vec<String>,
    tax: TaxFile,
    alerts: AlertsFile,
    events: EventsFile,
    remind: RemindFile,
    retention: RetentionFile,
}

const FILE_NAME: &str = "renzheng.toml";

fn pick_tax_mode(sources: &Sources<'_>, in_file: Option<TaxMode>) -> Result<TaxMode, ConfigError> {
    let mode = sources.pick_read(
        &Wanted { key: "tax.mode", variable: Some("RENZHENG_TAX_MODE"), shown: Shown::Plain, default: Some("push") },
        in_file.map(|mode| mode.as_str().to_owned()),
        TaxMode::parse,
        "`push`, `feed`, `files`",
    )?;
    Ok(mode.unwrap_or(TaxMode::Push))
}

fn pick_proxies(sources: &Sources<'_>, in_file: &[String]) -> Result<Vec<IpAddr>, ConfigError> {
    let key = "trusted_proxies";
    let proxies = sources.pick_read(
        &Wanted { key, variable: Some("RENZHENG_TRUSTED_PROXIES"), shown: Shown::Plain, default: None },
        Some(in_file.join(",")).filter(|text| !text.is_empty()),
        |text| text.split(',').map(|one| one.trim().parse().ok()).collect::<Option<Vec<IpAddr>>>(),
        "the lists of IP addresses, parted by commas",
    )?;
    Ok(proxies.unwrap_or_default())
}

/// The path of a socket, or host and port.
fn is_listening_place(text: &str) -> bool {
    let host_and_port = |(host, port): (&str, &str)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0);
    text.starts_with('/') || text.rsplit_once(':').is_some_and(host_and_port)
}

impl Settings {
    /// Puts the settings together; `folder` is where `renzheng.toml` may lie (the working directory).
    pub fn load(options: Options, environment: &Environment, folder: &Path) -> Result<Self, ConfigError> {
        let path = folder.join(FILE_NAME);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(ConfigError::of_file(&path, format!("cannot be read: {error}"))),
        };
        let file: SettingsFile = toml::from_str(&text).map_err(|error| ConfigError::of_toml(&path, &text, &error))?;
        let sources = Sources::new(environment, path, text);
        let pick = |key, variable, shown, default, flag: Option<String>, in_file| {
            sources.pick(&Wanted { key, variable: Some(variable), shown, default }, flag, in_file)
        };
        let folder_of = |key, variable, default, given: Option<PathBuf>, in_file| {
            let given = given.map(|path| path.to_string_lossy().into_owned());
            Ok::<_, ConfigError>(pick(key, variable, Shown::Plain, default, given, in_file)?.map(PathBuf::from))
        };
        let database_url = pick(
            "database_url",
            "DATABASE_URL",
            Shown::Url,
            Some("a private server in data_dir"),
            options.database_url.map(|url| url.reveal().to_owned()),
            file.database_url,
        )?;
        let data_dir = folder_of("data_dir", "RENZHENG_DATA_DIR", Some("./var"), options.data_dir, file.data_dir)?
            .unwrap_or_else(|| PathBuf::from("./var"));
        let jobs_dir = folder_of("jobs_dir", "RENZHENG_JOBS_DIR", Some("jobs"), options.jobs_dir, file.jobs_dir)?
            .unwrap_or_else(|| PathBuf::from("jobs"));
        let policy = folder_of("policy", "RENZHENG_POLICY", Some("built in"), options.policy, file.policy)?;
        let postgres_bin = folder_of("postgres_bin", "RENZHENG_POSTGRES_BIN", None, None, file.postgres_bin)?;
        let usual_keys = data_dir.join("keys");
        let shown_keys = usual_keys.to_string_lossy().into_owned();
        let key_file = folder_of("key_file", "RENZHENG_KEY_FILE", Some(&shown_keys), options.key_file, file.key_file)?
            .unwrap_or(usual_keys);
        let keys = pick("keys", "RENZHENG_KEYS", Shown::Secret, None, None, None)?;
        let token = pick("token", "RENZHENG_TOKEN", Shown::Secret, None, None, None)?;
        let usual_evidence = data_dir.join("evidence");
        let shown_evidence = usual_evidence.to_string_lossy().into_owned();
        let evidence_dir =
            folder_of("evidence_dir", "RENZHENG_EVIDENCE_DIR", Some(&shown_evidence), None, file.evidence_dir)?
                .unwrap_or(usual_evidence);
        let clamd = sources.pick_read(
            &Wanted { key: "clamd", variable: Some("RENZHENG_CLAMD"), shown: Shown::Plain, default: None },
            file.clamd,
            |text| is_listening_place(text).then(|| text.to_owned()),
            "a host and a port, such as `127.0.0.1:3310`, or the whole path of a socket",
        )?;
        let log = pick("log", "RENZHENG_LOG", Shown::Plain, Some("warn"), None, file.log)?;
        let log_format = sources.pick_read(
            &Wanted {
                key: "log_format",
                variable: Some("RENZHENG_LOG_FORMAT"),
                shown: Shown::Plain,
                default: Some("text"),
            },
            file.log_format.map(|format| format.as_str().to_owned()),
            LogFormat::parse,
            "`text`, `json`",
        )?;
        let listen = sources.pick_read(
            &Wanted {
                key: "listen",
                variable: Some("RENZHENG_LISTEN"),
                shown: Shown::Plain,
                default: Some("127.0.0.1:7360"),
            },
            file.listen,
            |text| text.parse().ok(),
            "an IP address and a port, such as `127.0.0.1:7360` or `[::1]:0`",
        )?;
        let trusted_proxies = pick_proxies(&sources, &file.trusted_proxies)?;
        let tax_mode = pick_tax_mode(&sources, file.tax.mode)?;
        let tax = tax::pick(&sources, file.tax)?;
        let alerts = AlertSettings::pick(&sources, file.alerts, file.remind)?;
        let events = EventSettings::pick(&sources, &file.events)?;
        let retention = retention::pick(&sources, file.retention)?;
        Ok(Self {
            jobs_dir,
            postgres_bin,
            policy,
            key_file,
            data_dir,
            database_url: database_url.map(Secret::new),
            keys: keys.map(Secret::new),
            token: token.map(Secret::new),
            evidence_dir,
            clamd,
            tax,
            tax_mode,
            trusted_proxies,
            alerts,
            events,
            retention,
            log: log.unwrap_or_else(|| "warn".to_owned()),
            log_format: log_format.unwrap_or(LogFormat::Text),
            listen: listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 7360))),
            lines: sources.into_lines(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SignatureAlgorithm;

    struct Folder(PathBuf);

    impl Folder {
        fn with(name: &str, text: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("renzheng-settings-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&folder).expect("made");
            std::fs::write(folder.join(FILE_NAME), text).expect("written");
            Self(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).expect("removed");
        }
    }

    fn none() -> Environment {
        Environment::only::<String, String>([])
    }

    #[test]
    fn a_flag_goes_before_a_variable_before_the_file() {
        let folder = Folder::with("order", "jobs_dir = \"f1\"\ndata_dir = \"f2\"\nkey_file = \"${HOME_OF_KEYS}/k\"\n");
        let environment =
            Environment::only([("RENZHENG_JOBS_DIR", "v1"), ("RENZHENG_DATA_DIR", "v2"), ("HOME_OF_KEYS", "/keys")]);
        let options = Options { jobs_dir: Some(PathBuf::from("o1")), ..Options::default() };
        let settings = Settings::load(options, &environment, &folder.0).expect("settings");
        assert_eq!(settings.jobs_dir, Path::new("o1"));
        assert_eq!(settings.data_dir, Path::new("v2"));
        assert_eq!(settings.key_file, Path::new("/keys/k"));
    }

    #[test]
    fn without_anything_there_are_defaults() {
        let settings = Settings::load(Options::default(), &none(), Path::new("/nowhere")).expect("defaults");
        assert_eq!(settings.jobs_dir, Path::new("jobs"));
        assert_eq!(settings.key_file, Path::new("./var/keys"));
        assert!(settings.database_url.is_none() && settings.tax.is_none());
        assert_eq!((settings.log.as_str(), settings.log_format), ("warn", LogFormat::Text));
    }

    #[test]
    fn half_a_tax_department_is_refused_and_secrets_are_not_shown() {
        let environment = Environment::only([("RENZHENG_TAX_URL", "https://tax"), ("RENZHENG_TAX_KEY_ID", "1")]);
        let error = Settings::load(Options::default(), &environment, Path::new("/nowhere")).expect_err("no key");
        assert!(error.to_string().contains("RENZHENG_TAX_KEY"), "{error}");
        let environment =
            environment.with("RENZHENG_TAX_KEY", "s3cret").with("DATABASE_URL", "postgres://u:s3cret@h/d");
        let settings = Settings::load(Options::default(), &environment, Path::new("/nowhere")).expect("settings");
        assert_eq!(settings.tax.as_ref().map(|tax| tax.algorithm), Some(SignatureAlgorithm::HmacSm3));
        assert!(!format!("{settings:?}").contains("s3cret"));
    }

    #[test]
    fn an_unknown_key_or_unset_variable_is_named_with_its_line() {
        let folder = Folder::with("unknown", "log = \"info\"\njob_dir = \"x\"\n");
        let error = Settings::load(Options::default(), &none(), &folder.0).expect_err("unknown").to_string();
        assert!(error.contains("renzheng.toml:2: `job_dir`: unknown field"), "{error}");
        let folder = Folder::with("unset", "\n\ndata_dir = \"${NOWHERE}\"\n");
        let error = Settings::load(Options::default(), &none(), &folder.0).expect_err("unset").to_string();
        assert!(error.ends_with("renzheng.toml:3: `data_dir`: the variable `NOWHERE` is not set"), "{error}");
    }
}
