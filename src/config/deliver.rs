//! The `[deliver]` of an export job: where its files go, in which forms, and where answers come back.

use serde::Deserialize;

use super::environment::Secret;
use crate::domain::facts::words;
use crate::domain::feed::ExportFormat;

words! {
    /// What takes the files.
    DeliverKind { Directory = "directory", Sftp = "sftp", S3 = "s3" }
}

impl DeliverKind {
    /// Whether this build can: servers only with the cargo feature `delivery`.
    pub fn is_in_this_build(self) -> bool {
        self == Self::Directory || cfg!(feature = "delivery")
    }
}

/// `[deliver]`. Texts may hold placeholders. Which keys belong together [`DeliverSettings::target`] says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliverSettings {
    #[serde(rename = "type")]
    pub kind: DeliverKind,
    /// The forms in which messages are written.
    #[serde(default = "default_formats")]
    pub formats: Vec<ExportFormat>,
    /// Only messages to tax divisions that begin so.
    #[serde(default)]
    pub division: String,
    /// A folder of this machine from which files of answers are taken.
    pub acknowledgements: Option<String>,
    path: Option<String>,
    host: Option<String>,
    #[serde(default = "default_port")]
    port: u16,
    user: Option<String>,
    host_key: Option<String>,
    key_file: Option<String>,
    password: Option<Secret>,
    endpoint: Option<String>,
    bucket: Option<String>,
    #[serde(default = "default_region")]
    region: String,
    #[serde(default)]
    prefix: String,
    access_key: Option<Secret>,
    secret_key: Option<Secret>,
    #[serde(default = "default_path_style")]
    path_style: bool,
    ca_file: Option<String>,
}

fn default_formats() -> Vec<ExportFormat> {
    ExportFormat::ALL.to_vec()
}

fn default_port() -> u16 {
    22
}

fn default_region() -> String {
    "us-east-1".to_owned()
}

fn default_path_style() -> bool {
    true
}

/// Where files go, with all that is needed.
#[derive(Clone, Debug)]
pub enum DeliverTo {
    Directory(DirectorySettings),
    Sftp(SftpSettings),
    S3(S3Settings),
}

/// A folder of this machine.
#[derive(Clone, Debug)]
pub struct DirectorySettings {
    pub path: String,
}

/// A folder of an SFTP server.
#[derive(Clone, Debug)]
pub struct SftpSettings {
    pub host: String,
    pub port: u16,
    pub user: String,
    /// The server's own key, as `ssh-keyscan` prints it after the host: `ssh-ed25519 AAAA…`.
    pub host_key: String,
    /// Goes before the password.
    pub key_file: Option<String>,
    pub password: Option<Secret>,
    pub path: String,
}

/// A bucket of an S3-compatible store.
#[derive(Clone, Debug)]
pub struct S3Settings {
    pub endpoint: String,
    pub bucket: String,
    pub region: String,
    pub prefix: String,
    pub access_key: Secret,
    pub secret_key: Secret,
    /// The bucket stands in the path of an address, not in its host.
    pub path_style: bool,
    /// Certificates (PEM) that are trusted besides the system's.
    pub ca_file: Option<String>,
}

/// A key of `[deliver]` and what is wrong with it.
pub type Wrong = (&'static str, String);

/// The keys that belong to servers, with whether they are there.
type Given = (&'static str, DeliverKind, bool);

impl DeliverSettings {
    /// Where the files go. Errs at the first key that is missing, or does not belong there.
    pub fn target(&self) -> Result<DeliverTo, Wrong> {
        let others = self.given().into_iter().find(|(_, kind, given)| *given && *kind != self.kind);
        if let Some((key, kind, _)) = others {
            return Err((key, format!("belongs to `type = \"{kind}\"`, not to `{}`", self.kind)));
        }
        let missing = |key, given: &Option<String>| {
            given
                .clone()
                .filter(|text| !text.is_empty())
                .ok_or_else(|| (key, format!("is missing: `{}` needs it", self.kind)))
        };
        let secret = |key, given: &Option<Secret>| {
            given.clone().ok_or_else(|| (key, format!("is missing: `{}` needs it", self.kind)))
        };
        match self.kind {
            DeliverKind::Directory => {
                Ok(DeliverTo::Directory(DirectorySettings { path: missing("deliver.path", &self.path)? }))
            }
            DeliverKind::Sftp => {
                if self.key_file.is_none() && self.password.is_none() {
                    return Err(("deliver.key_file", "is missing: accepted is `key_file` or `password`".to_owned()));
                }
                Ok(DeliverTo::Sftp(SftpSettings {
                    host: missing("deliver.host", &self.host)?,
                    port: self.port,
                    user: missing("deliver.user", &self.user)?,
                    host_key: missing("deliver.host_key", &self.host_key)?,
                    key_file: self.key_file.clone(),
                    password: self.password.clone(),
                    path: missing("deliver.path", &self.path)?,
                }))
            }
            DeliverKind::S3 => {
                if self.path.is_some() {
                    return Err(("deliver.path", "has no place here: in a bucket it is `prefix`".to_owned()));
                }
                Ok(DeliverTo::S3(S3Settings {
                    endpoint: missing("deliver.endpoint", &self.endpoint)?,
                    bucket: missing("deliver.bucket", &self.bucket)?,
                    region: self.region.clone(),
                    prefix: self.prefix.clone(),
                    access_key: secret("deliver.access_key", &self.access_key)?,
                    secret_key: secret("deliver.secret_key", &self.secret_key)?,
                    path_style: self.path_style,
                    ca_file: self.ca_file.clone(),
                }))
            }
        }
    }

    fn given(&self) -> [Given; 15] {
        use DeliverKind::{S3, Sftp};
        [
            ("deliver.host", Sftp, self.host.is_some()),
            ("deliver.port", Sftp, self.port != default_port()),
            ("deliver.user", Sftp, self.user.is_some()),
            ("deliver.host_key", Sftp, self.host_key.is_some()),
            ("deliver.key_file", Sftp, self.key_file.is_some()),
            ("deliver.password", Sftp, self.password.is_some()),
            ("deliver.endpoint", S3, self.endpoint.is_some()),
            ("deliver.bucket", S3, self.bucket.is_some()),
            ("deliver.region", S3, self.region != default_region()),
            ("deliver.prefix", S3, !self.prefix.is_empty()),
            ("deliver.access_key", S3, self.access_key.is_some()),
            ("deliver.secret_key", S3, self.secret_key.is_some()),
            ("deliver.path_style", S3, self.path_style != default_path_style()),
            ("deliver.ca_file", S3, self.ca_file.is_some()),
            ("deliver.path", self.kind, self.path.is_some()),
        ]
    }

    /// Every text that may hold placeholders, by its key.
    pub(super) fn texts(&self) -> Vec<(&'static str, &str)> {
        let plain = [
            ("deliver.acknowledgements", &self.acknowledgements),
            ("deliver.path", &self.path),
            ("deliver.host", &self.host),
            ("deliver.user", &self.user),
            ("deliver.host_key", &self.host_key),
            ("deliver.key_file", &self.key_file),
            ("deliver.endpoint", &self.endpoint),
            ("deliver.bucket", &self.bucket),
            ("deliver.ca_file", &self.ca_file),
        ];
        let secret = [
            ("deliver.password", &self.password),
            ("deliver.access_key", &self.access_key),
            ("deliver.secret_key", &self.secret_key),
        ];
        let mut texts = vec![("deliver.region", self.region.as_str()), ("deliver.prefix", self.prefix.as_str())];
        texts.extend(plain.into_iter().filter_map(|(key, text)| Some((key, text.as_deref()?))));
        texts.extend(secret.into_iter().filter_map(|(key, text)| Some((key, text.as_ref()?.reveal()))));
        texts
    }
}
