//! What the whole program is told: flags first, then variables, then `renzheng.toml`, then defaults.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::environment::{Environment, Secret};
use super::error::ConfigError;
use crate::crypto::SignatureAlgorithm;
use crate::domain::facts::words;

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
    pub log: Option<String>,
    pub log_format: Option<LogFormat>,
}

/// Where the tax department listens and how messages to it are signed.
#[derive(Clone, Debug)]
pub struct TaxSettings {
    pub url: String,
    pub key_id: String,
    pub key: Secret,
    pub algorithm: SignatureAlgorithm,
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
    /// `None`: nothing can be handed over.
    pub tax: Option<TaxSettings>,
    /// A filter as `tracing` reads it: `warn` where nothing else is said.
    pub log: String,
    pub log_format: LogFormat,
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
    log: Option<String>,
    log_format: Option<LogFormat>,
    tax: TaxFile,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TaxFile {
    url: Option<String>,
    key_id: Option<String>,
    key: Option<String>,
    algorithm: Option<SignatureAlgorithm>,
}

const FILE_NAME: &str = "renzheng.toml";

/// The settings file with its text, so that what cannot be filled in is reported with its line.
struct Sources<'a> {
    environment: &'a Environment,
    path: PathBuf,
    text: String,
}

impl Sources<'_> {
    /// A variable, or else the text of the settings file.
    fn pick(&self, variable: &str, key: &str, in_file: Option<String>) -> Result<Option<String>, ConfigError> {
        if let Some(value) = self.environment.get(variable) {
            return Ok(Some(value));
        }
        let resolve = |text: String| {
            self.environment
                .resolve(&text)
                .map_err(|error| ConfigError::at_key(&self.path, &self.text, key, error.to_string()))
        };
        in_file.map(resolve).transpose()
    }

    /// A variable that holds one of a few words.
    fn pick_word<T: Copy>(
        &self,
        variable: &str,
        parse: fn(&str) -> Option<T>,
        accepted: &str,
        in_file: Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.environment.get(variable) else { return Ok(in_file) };
        let refused = || ConfigError::of_file(Path::new(variable), format!("is not one of {accepted}"));
        parse(&value).map(Some).ok_or_else(refused)
    }

    fn pick_tax(&self, file: TaxFile) -> Result<Option<TaxSettings>, ConfigError> {
        let url = self.pick("RENZHENG_TAX_URL", "tax.url", file.url)?;
        let key_id = self.pick("RENZHENG_TAX_KEY_ID", "tax.key_id", file.key_id)?;
        let key = self.pick("RENZHENG_TAX_KEY", "tax.key", file.key)?;
        let algorithm = self.pick_word(
            "RENZHENG_TAX_ALGORITHM",
            |word| word.parse().ok(),
            "`hmac-sm3`, `hmac-sha256`",
            file.algorithm,
        )?;
        match (url, key_id, key) {
            (None, None, None) => Ok(None),
            (Some(url), Some(key_id), Some(key)) => Ok(Some(TaxSettings {
                url,
                key_id,
                key: Secret::new(key),
                algorithm: algorithm.unwrap_or(SignatureAlgorithm::HmacSm3),
            })),
            _ => Err(ConfigError::at_key(
                &self.path,
                &self.text,
                "tax",
                "the tax department needs all of RENZHENG_TAX_URL, RENZHENG_TAX_KEY_ID and RENZHENG_TAX_KEY (or `url`, \
                 `key_id` and `key` under `[tax]`), or none",
            )),
        }
    }
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
        let sources = Sources { environment, path, text };
        let folder_of = |given: Option<PathBuf>, variable: &str, key: &str, in_file| {
            given.map_or_else(|| Ok(sources.pick(variable, key, in_file)?.map(PathBuf::from)), |path| Ok(Some(path)))
        };
        let data_dir = folder_of(options.data_dir, "RENZHENG_DATA_DIR", "data_dir", file.data_dir)?
            .unwrap_or_else(|| PathBuf::from("./var"));
        let database_url = match options.database_url {
            Some(url) => Some(url),
            None => sources.pick("DATABASE_URL", "database_url", file.database_url)?.map(Secret::new),
        };
        let log = match options.log {
            Some(log) => Some(log),
            None => sources.pick("RENZHENG_LOG", "log", file.log)?,
        };
        let log_format = match options.log_format {
            Some(format) => Some(format),
            None => sources.pick_word("RENZHENG_LOG_FORMAT", LogFormat::parse, "`text`, `json`", file.log_format)?,
        };
        Ok(Self {
            jobs_dir: folder_of(options.jobs_dir, "RENZHENG_JOBS_DIR", "jobs_dir", file.jobs_dir)?
                .unwrap_or_else(|| PathBuf::from("jobs")),
            postgres_bin: folder_of(None, "RENZHENG_POSTGRES_BIN", "postgres_bin", file.postgres_bin)?,
            policy: folder_of(options.policy, "RENZHENG_POLICY", "policy", file.policy)?,
            key_file: folder_of(options.key_file, "RENZHENG_KEY_FILE", "key_file", file.key_file)?
                .unwrap_or_else(|| data_dir.join("keys")),
            data_dir,
            database_url,
            keys: environment.get("RENZHENG_KEYS").map(Secret::new),
            tax: sources.pick_tax(file.tax)?,
            log: log.unwrap_or_else(|| "warn".to_owned()),
            log_format: log_format.unwrap_or(LogFormat::Text),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
