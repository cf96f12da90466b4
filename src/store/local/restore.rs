//! Restoring a dump into a database of a private server, by Postgres' own programs.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{LocalServer, Places};

/// Why a dump could not be restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("the dump {path} cannot be read")]
    Read { path: PathBuf, source: io::Error },
    #[error("the dump {path} is cut off: a whole one ends with `PostgreSQL database dump complete`")]
    CutOff { path: PathBuf },
    #[error("`{0}` is not found on the PATH or in /usr/lib/postgresql; it comes with Postgres")]
    NoProgram(&'static str),
    #[error("`{program}` cannot be run")]
    Run { program: PathBuf, source: io::Error },
    #[error("the dump {path} cannot be restored: {said}")]
    Refused { path: PathBuf, said: String },
}

/// With this begins what `pg_dump --format custom` writes.
const CUSTOM: &[u8] = b"PGDMP";
/// With this, or nearly, ends what `pg_dump` writes as text.
const LAST_WORDS: &[u8] = b"PostgreSQL database dump complete";

impl LocalServer {
    /// Restores what `pg_dump` wrote, as text or in its custom form, into an empty database of this server. Who owned what there is
    /// left out.
    pub fn restore(&self, database: &str, dump: &Path, places: &Places) -> Result<(), RestoreError> {
        let failed = |source| RestoreError::Read { path: dump.to_owned(), source };
        let mut file = File::open(dump).map_err(failed)?;
        let mut head = Vec::new();
        Read::by_ref(&mut file).take(CUSTOM.len() as u64).read_to_end(&mut head).map_err(failed)?;
        let url = self.url(database);
        if head == CUSTOM {
            let mut command = program("pg_restore", places)?;
            command.args(["--no-owner", "--no-privileges", "--exit-on-error", "--dbname", &url]).arg(dump);
            return run(command, dump);
        }
        let length = file.seek(SeekFrom::End(0)).map_err(failed)?;
        file.seek(SeekFrom::Start(length.saturating_sub(4096))).map_err(failed)?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail).map_err(failed)?;
        if !tail.windows(LAST_WORDS.len()).any(|part| part == LAST_WORDS) {
            return Err(RestoreError::CutOff { path: dump.to_owned() });
        }
        let roles = roles_of(dump).map_err(failed)?;
        let psql = || {
            let mut command = program("psql", places)?;
            command.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", &url]);
            Ok::<_, RestoreError>(command)
        };
        for role in roles {
            let mut command = psql()?;
            command.args(["--command", &format!("create role {role}")]);
            run(command, dump)?;
        }
        let mut command = psql()?;
        command.arg("--file").arg(dump);
        run(command, dump)
    }
}

/// Roles that a dump gives things to, as it writes them; those of the server itself are there already.
fn roles_of(dump: &Path) -> io::Result<BTreeSet<String>> {
    let mut roles = BTreeSet::new();
    let mut in_data = false;
    for line in BufReader::new(File::open(dump)?).split(b'\n') {
        let line = line?;
        in_data = if in_data { line != b"\\." } else { line.starts_with(b"COPY ") };
        if in_data {
            continue;
        }
        let Ok(line) = std::str::from_utf8(&line) else { continue };
        let owner = line.strip_prefix("ALTER ").and_then(|rest| rest.rsplit_once(" OWNER TO "));
        let granted = line.strip_prefix("GRANT ").and_then(|rest| rest.rsplit_once(" TO "));
        roles.extend(owner.or(granted).and_then(|(_, role)| role.strip_suffix(';')).map(str::to_owned));
    }
    for present in [super::ROLE, "PUBLIC", "postgres"] {
        roles.remove(present);
    }
    Ok(roles)
}

/// A program of Postgres with nothing of our environment: it may hold keys and passwords.
fn program(name: &'static str, places: &Places) -> Result<Command, RestoreError> {
    let mut found = places.binaries.iter().map(|directory| directory.join(name));
    let program = found.find(|program| program.is_file()).ok_or(RestoreError::NoProgram(name))?;
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C").stdin(Stdio::null());
    Ok(command)
}

fn run(mut command: Command, dump: &Path) -> Result<(), RestoreError> {
    let output = command.output();
    let output = output.map_err(|source| RestoreError::Run { program: command.get_program().into(), source })?;
    if output.status.success() {
        return Ok(());
    }
    // the first error says what is wrong; those after it, and the context of each, may quote values
    let words = String::from_utf8_lossy(&output.stderr);
    let said = words.lines().find(|line| line.to_lowercase().contains("error:")).unwrap_or("nothing");
    Err(RestoreError::Refused { path: dump.to_owned(), said: said.to_owned() })
}
