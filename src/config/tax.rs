//! Where the tax department listens, how messages to it are signed, and how fast it takes them.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::Deserialize;

use super::environment::Secret;
use super::error::ConfigError;
use super::picked::{Shown, Sources, Wanted};
use super::source::Rate;
use crate::crypto::SignatureAlgorithm;
use crate::domain::facts::words;

/// So many messages are on their way at once where nothing else is said.
const PARALLEL: NonZeroUsize = NonZeroUsize::new(8).expect("not zero");
const MOST_PARALLEL: usize = 64;

words! {
    /// How messages reach the tax department.
    TaxMode {
        /// We send them.
        Push = "push",
        /// It fetches them over HTTP.
        Feed = "feed",
        /// Jobs of kind `export` write them to files.
        Files = "files",
    }
}

/// Where the tax department listens and how messages to it are signed.
#[derive(Clone, Debug)]
pub struct TaxSettings {
    pub url: String,
    pub key_id: String,
    pub key: Secret,
    pub algorithm: SignatureAlgorithm,
    /// Used once more for a request that the department refuses under the key above.
    pub previous: Option<PreviousKey>,
    /// Certificates (PEM) that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// By which we are known to the department's server.
    pub client: Option<ClientCertificate>,
    /// How many messages may be on their way at once, from 1.
    pub parallel: NonZeroUsize,
    /// How many requests the department takes; `None`: as many as it answers.
    pub rate: Option<Rate>,
}

/// The key that the department knew us by before, or still does.
#[derive(Clone, Debug)]
pub struct PreviousKey {
    pub key_id: String,
    pub key: Secret,
}

/// Files in PEM form.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// With the certificates of its issuers, if the server needs them.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl TaxSettings {
    /// One key, no certificates but the system's, no limit.
    pub fn new(
        url: impl Into<String>,
        key_id: impl Into<String>,
        key: impl Into<String>,
        algorithm: SignatureAlgorithm,
    ) -> Self {
        Self {
            url: url.into(),
            key_id: key_id.into(),
            key: Secret::new(key),
            algorithm,
            previous: None,
            ca_file: None,
            client: None,
            parallel: PARALLEL,
            rate: None,
        }
    }
}

/// `[tax]` in `renzheng.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TaxFile {
    pub(super) mode: Option<TaxMode>,
    url: Option<String>,
    key_id: Option<String>,
    key: Option<String>,
    algorithm: Option<SignatureAlgorithm>,
    previous_key_id: Option<String>,
    previous_key: Option<String>,
    ca_file: Option<String>,
    client_certificate: Option<String>,
    client_key: Option<String>,
    parallel: Option<u32>,
    rate: Option<String>,
}

pub(super) fn pick(sources: &Sources<'_>, file: TaxFile) -> Result<Option<TaxSettings>, ConfigError> {
    let pick = |key, variable, shown, in_file| {
        sources.pick(&Wanted { key, variable: Some(variable), shown, default: None }, None, in_file)
    };
    let url = pick("tax.url", "RENZHENG_TAX_URL", Shown::Url, file.url)?;
    let key_id = pick("tax.key_id", "RENZHENG_TAX_KEY_ID", Shown::Plain, file.key_id)?;
    let key = pick("tax.key", "RENZHENG_TAX_KEY", Shown::Secret, file.key)?;
    let algorithm = sources.pick_read(
        &Wanted {
            key: "tax.algorithm",
            variable: Some("RENZHENG_TAX_ALGORITHM"),
            shown: Shown::Plain,
            default: Some("hmac-sm3"),
        },
        file.algorithm.map(|algorithm| algorithm.to_string()),
        |word| word.parse().ok(),
        "`hmac-sm3`, `hmac-sha256`",
    )?;
    let previous_key_id =
        pick("tax.previous_key_id", "RENZHENG_TAX_PREVIOUS_KEY_ID", Shown::Plain, file.previous_key_id)?;
    let previous_key = pick("tax.previous_key", "RENZHENG_TAX_PREVIOUS_KEY", Shown::Secret, file.previous_key)?;
    let ca_file = pick("tax.ca_file", "RENZHENG_TAX_CA_FILE", Shown::Plain, file.ca_file)?;
    let certificate =
        pick("tax.client_certificate", "RENZHENG_TAX_CLIENT_CERTIFICATE", Shown::Plain, file.client_certificate)?;
    let client_key = pick("tax.client_key", "RENZHENG_TAX_CLIENT_KEY", Shown::Plain, file.client_key)?;
    let parallel = sources.pick_read(
        &Wanted {
            key: "tax.parallel",
            variable: Some("RENZHENG_TAX_PARALLEL"),
            shown: Shown::Plain,
            default: Some("8"),
        },
        file.parallel.map(|parallel| parallel.to_string()),
        |text| text.parse().ok().filter(|parallel: &NonZeroUsize| parallel.get() <= MOST_PARALLEL),
        "the whole numbers from 1 to 64",
    )?;
    let rate = sources.pick_read(
        &Wanted {
            key: "tax.rate",
            variable: Some("RENZHENG_TAX_RATE"),
            shown: Shown::Plain,
            default: Some("no limit"),
        },
        file.rate,
        |text| Rate::try_from(text.to_owned()).ok(),
        "the rates such as `20/s`, `30/m` or `500/h`",
    )?;
    let pair = |first: Option<String>, second: Option<String>, what: &str| match (first, second) {
        (None, None) => Ok(None),
        (Some(first), Some(second)) => Ok(Some((first, second))),
        _ => Err(sources.error_at("tax", what)),
    };
    let previous = pair(
        previous_key_id,
        previous_key,
        "a previous key needs both `tax.previous_key_id` and `tax.previous_key`, or neither",
    )?;
    let client = pair(
        certificate,
        client_key,
        "a client certificate needs both `tax.client_certificate` and `tax.client_key`, or neither",
    )?;
    match (url, key_id, key) {
        (None, None, None) => Ok(None),
        (Some(url), Some(key_id), Some(key)) => Ok(Some(TaxSettings {
            previous: previous.map(|(key_id, key)| PreviousKey { key_id, key: Secret::new(key) }),
            ca_file: ca_file.map(PathBuf::from),
            client: client
                .map(|(certificate, key)| ClientCertificate { certificate: certificate.into(), key: key.into() }),
            parallel: parallel.unwrap_or(PARALLEL),
            rate,
            ..TaxSettings::new(url, key_id, key, algorithm.unwrap_or(SignatureAlgorithm::HmacSm3))
        })),
        _ => Err(sources.error_at(
            "tax",
            "the tax department needs all of RENZHENG_TAX_URL, RENZHENG_TAX_KEY_ID and RENZHENG_TAX_KEY (or `url`, \
             `key_id` and `key` under `[tax]`), or none",
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::environment::Environment;
    use super::super::settings::{Options, Settings};
    use super::*;

    fn load(more: &[(&str, &str)]) -> Result<TaxSettings, String> {
        let known = [("RENZHENG_TAX_URL", "https://tax"), ("RENZHENG_TAX_KEY_ID", "b"), ("RENZHENG_TAX_KEY", "new")];
        let environment = Environment::only(known.into_iter().chain(more.iter().copied()));
        let settings = Settings::load(Options::default(), &environment, Path::new("/nowhere"));
        settings.map(|settings| settings.tax.expect("set")).map_err(|error| error.to_string())
    }

    #[test]
    fn the_department_may_want_a_certificate_and_a_pace_and_know_our_former_key() {
        let plain = load(&[]).expect("settings");
        assert_eq!((plain.parallel.get(), plain.rate), (8, None));
        assert!(plain.previous.is_none() && plain.client.is_none() && plain.ca_file.is_none());
        let tax = load(&[
            ("RENZHENG_TAX_PREVIOUS_KEY_ID", "a"),
            ("RENZHENG_TAX_PREVIOUS_KEY", "s3cret"),
            ("RENZHENG_TAX_CA_FILE", "/ca.pem"),
            ("RENZHENG_TAX_CLIENT_CERTIFICATE", "/us.pem"),
            ("RENZHENG_TAX_CLIENT_KEY", "/us.key"),
            ("RENZHENG_TAX_PARALLEL", "2"),
            ("RENZHENG_TAX_RATE", "20/s"),
        ])
        .expect("settings");
        assert_eq!(tax.previous.as_ref().map(|previous| previous.key_id.as_str()), Some("a"));
        assert_eq!(tax.client.as_ref().map(|client| client.key.as_path()), Some(Path::new("/us.key")));
        assert_eq!(tax.rate.map(Rate::interval), Some(std::time::Duration::from_millis(50)));
        assert_eq!(tax.parallel.get(), 2);
        assert!(!format!("{tax:?}").contains("s3cret"));
    }

    #[test]
    fn halves_and_numbers_that_cannot_be_meant_are_refused() {
        for (variable, value, said) in [
            ("RENZHENG_TAX_PREVIOUS_KEY", "x", "needs both `tax.previous_key_id`"),
            ("RENZHENG_TAX_CLIENT_KEY", "x", "needs both `tax.client_certificate`"),
            ("RENZHENG_TAX_PARALLEL", "0", "the whole numbers from 1 to 64"),
            ("RENZHENG_TAX_PARALLEL", "65", "the whole numbers from 1 to 64"),
            ("RENZHENG_TAX_RATE", "often", "the rates such as `20/s`"),
        ] {
            let error = load(&[(variable, value)]).expect_err("refused");
            assert!(error.contains(said), "{variable}: {error}");
        }
    }
}
