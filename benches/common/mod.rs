//! What the benches share: a private Postgres, the program as a process, the machine, codes of units.

pub mod machine;
pub mod program;
pub mod server;
pub mod units;

use std::fs;
use std::path::Path;

use anyhow::Context;

/// Where Postgres lies if its user cannot reach the target directory.
pub const FALLBACK: &str = "/tmp/renzheng-bench";

/// Removes a folder that may not be there.
pub fn remove(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
