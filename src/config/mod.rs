//! Settings (flags, then `RENZHENG_*`, then `renzheng.toml`) and job files; the only place that reads the environment.

pub mod alerts;
pub mod check;
pub mod cron;
pub mod deliver;
pub mod duration;
pub mod environment;
pub mod error;
pub mod events;
pub mod job;
pub mod job_folder;
mod picked;
pub mod record;
mod remind;
mod retention;
pub mod settings;
pub mod source;
pub mod tax;
pub mod zone;

pub use alerts::{AlertSettings, MailSettings, WebhookSettings};
pub use check::check_jobs;
pub use cron::{ClockChange, Cron, Tick};
pub use deliver::{DeliverKind, DeliverSettings, DeliverTo, DirectorySettings, S3Settings, SftpSettings};
pub use duration::{Days, Span};
pub use environment::{Environment, Secret, UnsetVariable, machine_name, system_user};
pub use error::ConfigError;
pub use events::EventSettings;
pub use job::{
    AmountUnit, Covers, Delivery, Formats, Gates, Job, JobKind, Keep, Key, Misfire, Missing, Overlap, Retry, StampFrom,
    ZeroRows, read_jobs,
};
pub use job_folder::JobFolder;
pub use picked::{Origin, SettingLine};
pub use remind::RemindSettings;
pub use settings::{LogFormat, Options, Settings};
pub use source::{Auth, DatabaseSource, Encoding, FileFormat, FileSource, HttpSource, Paging, SourceSettings};
pub use tax::{ClientCertificate, PreviousKey, TaxMode, TaxSettings};
pub use zone::Zone;
