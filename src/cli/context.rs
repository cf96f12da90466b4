//! What a command works with: settings, keys, database (our own server if none is named), store, and who is asking.

use std::path::Path;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use tracing_subscriber::filter::LevelFilter;

use super::Common;
use crate::clock::rfc3339;
use crate::config::{Environment, Job, LogFormat, Settings, check_jobs, read_jobs, system_user};
use crate::crypto::Keys;
use crate::domain::access::Actor;
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::ids::{ResidentId, Uscc};
use crate::domain::retention::RetentionClass;
use crate::ingest;
use crate::policy::{self, Reading};
use crate::store::Store;
use crate::store::journal::RunLines;
use crate::store::local::{LocalServer, Places};

/// The database that the private server keeps for us.
pub(super) const DATABASE: &str = "renzheng";

/// The caller asked for something that cannot be meant: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct UsageError(pub(super) String);

pub(super) fn usage(text: impl Into<String>) -> anyhow::Error {
    UsageError(text.into()).into()
}

/// An opened installation.
pub(super) struct Context {
    pub(super) settings: Settings,
    pub(super) environment: Environment,
    pub(super) store: Store,
    /// Who is asking: whoever holds the token that is shown, else the person at the machine.
    pub(super) actor: Actor,
    /// A connection URL of the same server, for whoever needs a database of its own on it.
    pub(super) database_url: String,
    server: Option<LocalServer>,
}

pub(super) fn settings(common: &Common) -> anyhow::Result<(Settings, Environment)> {
    let environment = Environment::process();
    let settings = Settings::load(common.options(), &environment, Path::new("."))?;
    Ok((settings, environment))
}

impl Context {
    pub(super) async fn open(common: &Common) -> anyhow::Result<Self> {
        let (settings, environment) = settings(common)?;
        Self::open_with(settings, environment).await
    }

    pub(super) async fn open_with(settings: Settings, environment: Environment) -> anyhow::Result<Self> {
        start_logging(&settings);
        let (server, database_url) = match &settings.database_url {
            Some(url) => (None, url.reveal().to_owned()),
            None => {
                let server = start_server(&settings, &environment).await?;
                (Some(server), String::new())
            }
        };
        let fresh = match &server {
            Some(server) => !has_database(&server.url("postgres")).await?,
            None => false,
        };
        let keys = load_keys(&settings, fresh)?;
        let database_url = match &server {
            Some(server) => {
                if fresh {
                    create_database(&server.url("postgres")).await?;
                }
                server.url(DATABASE)
            }
            None => database_url,
        };
        let store = Store::open(&database_url, keys).await.context("cannot open the database")?;
        let store = store.keep_evidence_in(&settings.evidence_dir);
        let actor = Actor::operator(format!("operator {}", system_user()));
        Ok(Self { settings, environment, store, actor, database_url, server })
    }

    /// Gives everything back; the last user of the private server stops it.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        self.store.close().await;
        if let Some(server) = self.server {
            tokio::task::spawn_blocking(move || server.stop()).await??;
        }
        Ok(())
    }

    /// The policy in force: the file that is set, or the built-in one.
    pub(super) fn policy(&self) -> anyhow::Result<Reading> {
        Ok(policy::load(self.settings.policy.as_deref())?)
    }

    /// The jobs, if all of them are as they should be, registered in the database.
    pub(super) async fn jobs(&self) -> anyhow::Result<Vec<Job>> {
        let jobs = checked_jobs(&self.settings)?;
        let at = self.store.now().await?;
        self.store.save_jobs(&ingest::settings_of(&jobs), at).await?;
        Ok(jobs)
    }

    /// Refuses to look back to an instant before which what the look needs is no longer whole.
    pub(super) async fn refuse_before_horizon(&self, class: RetentionClass, at: DateTime<Utc>) -> anyhow::Result<()> {
        match self.store.find_horizon(class).await? {
            Some(horizon) if at < horizon => Err(usage(format!(
                "nothing is known of {} any more: `retention.{class}` keeps the past since {}",
                rfc3339(at),
                rfc3339(horizon)
            ))),
            _ => Ok(()),
        }
    }

    pub(super) async fn employer(&self, code: &str) -> anyhow::Result<UnitId> {
        let parsed =
            Uscc::parse(code).map_err(|error| usage(format!("`{code}` is no unified social credit code: {error}")))?;
        self.store.find_unit(&parsed).await?.ok_or_else(|| usage(format!("no unit {parsed} is known here")))
    }

    /// A person by `person_id`, by `-` (an ID number on standard input), or by a literal ID number, with a warning.
    pub(super) async fn person(&self, text: &str) -> anyhow::Result<PersonId> {
        if let Ok(number) = text.parse::<i64>()
            && text.len() < 15
        {
            return Ok(PersonId(number));
        }
        let id_number = if text == "-" {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).context("cannot read the ID number from standard input")?;
            line
        } else {
            eprintln!(
                "warning: an ID number on the command line stays in the shell's history; give `-` and the number on standard input"
            );
            text.to_owned()
        };
        let id = ResidentId::parse(&id_number)
            .map_err(|error| usage(format!("not a person_id and no ID number: {error}")))?;
        let found = self.store.find_person(&id).await?;
        let at = self.store.now().await?;
        let object = found.map_or_else(|| "nobody".to_owned(), |person| format!("person {}", person.0));
        self.store.audit(at, &self.actor.name, "look_up", &object, &serde_json::json!({})).await?;
        found.ok_or_else(|| usage("no person with this ID number is known here"))
    }
}

/// The jobs of the folder; the first thing wrong with them is the error.
pub(super) fn checked_jobs(settings: &Settings) -> anyhow::Result<Vec<Job>> {
    let (jobs, mut errors) = read_jobs(&settings.jobs_dir);
    errors.extend(check_jobs(&jobs));
    match errors.into_iter().next() {
        Some(error) => Err(error.into()),
        None => Ok(jobs),
    }
}

/// Where the programs of Postgres are looked for.
pub(super) fn places(settings: &Settings, environment: &Environment) -> Places {
    let path = environment.get("PATH");
    let mut places = Places::usual(path.as_deref().map(std::ffi::OsStr::new));
    if let Some(folder) = &settings.postgres_bin {
        places.binaries = vec![folder.clone()];
    }
    places
}

pub(super) async fn start_server(settings: &Settings, environment: &Environment) -> anyhow::Result<LocalServer> {
    let places = places(settings, environment);
    let data_dir = settings.data_dir.clone();
    let server = tokio::task::spawn_blocking(move || LocalServer::start(&data_dir, &places)).await??;
    for note in server.notes() {
        eprintln!("{note}");
    }
    Ok(server)
}

pub(super) async fn has_database(url: &str) -> anyhow::Result<bool> {
    Ok(Store::database_exists(url, DATABASE).await?)
}

async fn create_database(url: &str) -> anyhow::Result<()> {
    Ok(Store::create_database(url, DATABASE).await?)
}

/// The keys of personal data: from the environment, or from the key file. Only an installation without a database yet
/// gets new ones: other keys could not read what is there.
pub(super) fn load_keys(settings: &Settings, fresh: bool) -> anyhow::Result<Keys> {
    if let Some(keys) = &settings.keys {
        return Keys::parse(keys.reveal()).context("RENZHENG_KEYS");
    }
    let file = &settings.key_file;
    if !file.exists() {
        if !fresh {
            return Err(usage(format!(
                "there is no key file {}; name the one that belongs to this database by RENZHENG_KEY_FILE, or make one for a \
                 new database by `renzheng keys generate`",
                file.display()
            )));
        }
        let keys = Keys::generate()?;
        keys.create_file(file).with_context(|| format!("cannot make the key file {}", file.display()))?;
        eprintln!(
            "made the key file {}: keep a copy apart from the database, without it nothing can be read",
            file.display()
        );
    }
    Keys::read_file(file).with_context(|| format!("cannot read the key file {}", file.display()))
}

fn start_logging(settings: &Settings) {
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    use tracing_subscriber::{EnvFilter, Layer};
    let filter = EnvFilter::try_new(&settings.log).unwrap_or_else(|_| EnvFilter::new("warn"));
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let words = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    let words = match settings.log_format {
        LogFormat::Text => words.with_filter(filter).boxed(),
        LogFormat::Json => words.json().with_filter(filter).boxed(),
    };
    // what a run says is kept in its record whatever is shown here
    let log = tracing_subscriber::registry().with(words).with(RunLines.with_filter(LevelFilter::INFO));
    // a second start in the same process (tests) keeps the first
    let _already_started = log.try_init().is_err();
}
