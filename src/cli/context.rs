//! What a command works with: settings, keys, database (our own server if none is named), store, and who is asking.

use std::collections::HashSet;
use std::path::Path;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use tracing_subscriber::filter::LevelFilter;

use super::Common;
use crate::clock::rfc3339;
use crate::config::{Environment, Job, LogFormat, Settings, check_jobs, read_jobs, system_user};
use crate::crypto::Keys;
use crate::declare::operate::may_operate;
use crate::declare::users::{TokenError, actor_of_token, may_manage};
use crate::domain::access::{Action, Actor, Denied, Scope};
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::ids::{ResidentId, Uscc};
use crate::domain::retention::RetentionClass;
use crate::ingest;
use crate::policy::{self, Reading};
use crate::store::Store;
use crate::store::audit::Act;
use crate::store::journal::RunLines;
use crate::store::local::{LocalServer, Places};
use crate::store::runs::RunLine;

/// The database that the private server keeps for us.
pub(super) const DATABASE: &str = "renzheng";

/// The caller asked for something that cannot be meant: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct UsageError(pub(super) String);

pub(super) fn usage(text: impl Into<String>) -> anyhow::Error {
    UsageError(text.into()).into()
}

/// The lines of standard input, one for each thing that is asked for, as they are.
pub(super) fn stdin_lines<const N: usize>(asked: [&str; N]) -> anyhow::Result<[String; N]> {
    let mut lines: [String; N] = std::array::from_fn(|_| String::new());
    for (number, line) in lines.iter_mut().enumerate() {
        let read = std::io::stdin().read_line(line).context("cannot read standard input")?;
        if read == 0 {
            let all = asked.join(", ");
            return Err(usage(format!("standard input ends after {number} lines; it holds {N}, in this order: {all}")));
        }
    }
    Ok(lines)
}

/// A unified social credit code, as an argument.
pub(super) fn parse_uscc(text: &str) -> Result<Uscc, String> {
    Uscc::parse(text).map_err(|error| error.to_string())
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
    /// Opens the installation for a command that does `action`: refused where the actor may do it nowhere. `--reveal` asks for the
    /// right to it on top.
    pub(super) async fn open(common: &Common, action: Action) -> anyhow::Result<Self> {
        let (settings, environment) = settings(common)?;
        if environment.is_empty("RENZHENG_TOKEN") {
            return Err(usage(
                "RENZHENG_TOKEN is set and empty, which makes nobody an operator: unset it, or show a token",
            ));
        }
        let context = Self::open_with(settings, environment).await?;
        let refused = match action {
            // what is of the installation is of all of it
            Action::Operate => may_operate(&context.actor).map_err(Into::into),
            Action::ManageUsers => may_manage(&context.actor).map_err(|error| usage(error.to_string())),
            _ => context.actor.may_at_all(action).map_err(Into::into),
        };
        let may_reveal = if common.reveal { context.actor.may_at_all(Action::Reveal) } else { Ok(()) };
        match refused.and_then(|()| Ok(may_reveal?)) {
            Ok(()) => Ok(context),
            Err(error) => {
                context.close().await?;
                Err(error)
            }
        }
    }

    /// Whether the actor may do this to what belongs to an employer, or to everything there is.
    pub(super) async fn may(&self, action: Action, employer: Option<UnitId>) -> anyhow::Result<()> {
        let Some(employer) = employer else {
            self.actor.may_at_all(action)?;
            return match self.actor.scope {
                Scope::Everything => Ok(()),
                _ => Err(usage(format!(
                    "{} was not granted the whole installation, which this is about; name an employer where one can be named",
                    self.actor.name
                ))),
            };
        };
        let owners = self.store.owners_of_units(&[employer]).await?;
        let owner = owners.get(&employer).ok_or(Denied::NotFound)?;
        Ok(self.actor.may(action, owner.owner())?)
    }

    /// Those of these employers that the actor reaches.
    pub(super) async fn reached(&self, employers: Vec<UnitId>) -> anyhow::Result<HashSet<UnitId>> {
        match &self.actor.scope {
            Scope::Everything => Ok(employers.into_iter().collect()),
            _ => {
                let owners = self.store.owners_of_units(&employers).await?;
                let reached = owners.into_values().filter(|owned| self.actor.reaches(owned.owner()));
                Ok(reached.map(|owned| owned.employer).collect())
            }
        }
    }

    /// Writes into the audit that each of these results is looked at, before they are shown; that they are revealed, if they are.
    pub(super) async fn note_looks(&self, objects: Vec<String>, reveal: bool) -> anyhow::Result<()> {
        let at = self.store.now().await?;
        let action = if reveal { Action::Reveal } else { Action::ReadResults };
        let looks: Vec<Act<'_>> =
            objects.into_iter().map(|object| Act::read(at, &self.actor, action, object)).collect();
        Ok(self.store.record_all(&looks).await?)
    }

    /// Opens the installation for whoever shows a token, else for the user of the operating system.
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
        if fresh && settings.token.is_some() {
            return Err(usage("RENZHENG_TOKEN is set, but there is no database here yet that could know the token"));
        }
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
        let actor = match who_asks(&settings, &store).await {
            Ok(actor) => actor,
            Err(error) => {
                store.close().await;
                stop(server).await?;
                return Err(error);
            }
        };
        let store = store.keep_evidence_in(&settings.evidence_dir);
        Ok(Self { settings, environment, store, actor, database_url, server })
    }

    /// Gives everything back; the last user of the private server stops it.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        self.store.close().await;
        stop(self.server).await
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

    /// A run by its number or its id.
    pub(super) async fn run(&self, id: &str) -> anyhow::Result<RunLine> {
        let found = self.store.find_run(id).await?;
        found.ok_or_else(|| usage(format!("there is no run `{id}`; `renzheng runs` lists them")))
    }

    /// The employer of a code, to whom the actor may do this. One that the actor does not reach is not known here.
    pub(super) async fn employer(&self, action: Action, code: &str) -> anyhow::Result<UnitId> {
        let parsed =
            Uscc::parse(code).map_err(|error| usage(format!("`{code}` is no unified social credit code: {error}")))?;
        let unknown = || usage(format!("no unit {parsed} is known here"));
        let unit = self.store.find_unit(&parsed).await?.ok_or_else(unknown)?;
        match self.may(action, Some(unit)).await {
            Err(error) if error.downcast_ref() == Some(&Denied::NotFound) => Err(unknown()),
            outcome => outcome.map(|()| unit),
        }
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
        self.actor.may_at_all(Action::LookUp)?;
        let found = self.store.find_person(&id).await?;
        let at = self.store.now().await?;
        let object = found.map_or_else(|| "nobody".to_owned(), |person| format!("person {}", person.0));
        self.store.record(&Act::read(at, &self.actor, Action::LookUp, object)).await?;
        match found {
            Some(person) => Ok(person),
            None if self.actor.scope == Scope::Everything => Err(usage("no person with this ID number is known here")),
            // whether somebody is known elsewhere is nothing that one employer learns: nobody has this number
            None => Ok(NOBODY),
        }
    }
}

/// A number that no person has.
const NOBODY: PersonId = PersonId(-1);

/// A token is never passed over: whoever shows one that opens nothing is refused.
async fn who_asks(settings: &Settings, store: &Store) -> anyhow::Result<Actor> {
    let Some(token) = &settings.token else { return Ok(Actor::operator(format!("operator {}", system_user()))) };
    match actor_of_token(store, token.reveal().trim()).await {
        Ok(actor) => Ok(actor),
        Err(TokenError::Store(error)) => Err(error.into()),
        Err(refused) => Err(usage(format!("the token in RENZHENG_TOKEN is refused: {refused}"))),
    }
}

/// For a command that needs no database: nobody is asked unless a token is shown, which must be an operator's then.
pub(super) async fn refuse_strangers(common: &Common) -> anyhow::Result<()> {
    if settings(common)?.0.token.is_some() {
        Context::open(common, Action::Operate).await?.close().await?;
    }
    Ok(())
}

/// The last user of the private server stops it.
async fn stop(server: Option<LocalServer>) -> anyhow::Result<()> {
    if let Some(server) = server {
        tokio::task::spawn_blocking(move || server.stop()).await??;
    }
    Ok(())
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
