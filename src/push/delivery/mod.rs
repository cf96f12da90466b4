//! Where exports go: a folder of this machine, and in builds with the feature `delivery` an SFTP server or an S3-compatible store.
//!
//! Nothing half is ever seen as whole: a folder is put in place by one rename, a file on a server gets its name when it is there, and the
//! manifest comes last. Whatever was interrupted is delivered again, the same bytes under the same names; what is there already stays.

#[cfg(feature = "delivery")]
mod s3;
#[cfg(feature = "delivery")]
mod sftp;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::export::{Export, MANIFEST};
use crate::config::{DeliverTo, Environment, UnsetVariable};
use crate::crypto::{CryptoError, random_receipt};

/// Why an export was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    #[error("{path}: {what}")]
    Folder { path: PathBuf, what: &'static str, source: io::Error },
    #[error("{path} is there already, with another manifest: nothing is ever overwritten")]
    Taken { path: PathBuf },
    #[error("a placeholder of `[deliver]` cannot be filled in")]
    Unset(#[from] UnsetVariable),
    /// Passes by itself.
    #[error("the server cannot be reached, or broke off: {0}")]
    Unreachable(String),
    #[error("the server does not let us in: {0}")]
    Credentials(String),
    #[error("{0}")]
    Refused(String),
    #[error("no name for a temporary folder could be made")]
    Crypto(#[from] CryptoError),
    #[error("this build delivers to folders only; build it with `--features delivery`")]
    NotInThisBuild,
}

/// Hands an export over. Done again it changes nothing.
pub async fn deliver(export: &Export, to: &DeliverTo, environment: &Environment) -> Result<(), DeliveryError> {
    match to {
        DeliverTo::Directory(directory) => {
            let folder = PathBuf::from(environment.resolve(&directory.path)?);
            let export = export.clone();
            let written = tokio::task::spawn_blocking(move || match write_folder(&export, &folder) {
                Err(DeliveryError::Taken { .. }) if is_same(&export, &folder) => Ok(()),
                outcome => outcome.map(|_| ()),
            });
            written.await.map_err(|_| DeliveryError::Refused("the writer of files died".to_owned()))?
        }
        #[cfg(feature = "delivery")]
        DeliverTo::Sftp(settings) => sftp::deliver(export, settings, environment).await,
        #[cfg(feature = "delivery")]
        DeliverTo::S3(settings) => s3::deliver(export, settings, environment).await,
        #[cfg(not(feature = "delivery"))]
        DeliverTo::Sftp(_) | DeliverTo::S3(_) => Err(DeliveryError::NotInThisBuild),
    }
}

/// Whether the folder that is there is this export.
fn is_same(export: &Export, folder: &Path) -> bool {
    fs::read(folder.join(&export.name).join(MANIFEST)).is_ok_and(|bytes| bytes == export.manifest_bytes)
}

/// Writes an export as a folder of its own below `folder`, whole or not at all; where it is now.
pub fn write_folder(export: &Export, folder: &Path) -> Result<PathBuf, DeliveryError> {
    let whole = folder.join(&export.name);
    let failed = |path: &Path, what| {
        let path = path.to_owned();
        move |source| DeliveryError::Folder { path, what, source }
    };
    fs::create_dir_all(folder).map_err(failed(folder, "cannot be made"))?;
    let taken = || DeliveryError::Taken { path: whole.clone() };
    if whole.exists() {
        return Err(taken());
    }
    // two who write at once write beside each other; what a killed process left is nobody's
    let temporary = folder.join(format!(".{}.{}", export.name, random_receipt()?));
    let written = (|| {
        fs::create_dir(&temporary).map_err(failed(&temporary, "cannot be made"))?;
        let files = export.files.iter().map(|file| (file.name, &file.bytes));
        for (name, bytes) in files.chain([(MANIFEST, &export.manifest_bytes)]) {
            let path = temporary.join(name);
            let put = || {
                let mut file = File::create_new(&path)?;
                file.write_all(bytes)?;
                file.sync_all()
            };
            put().map_err(failed(&path, "cannot be written"))?;
        }
        sync(&temporary).map_err(failed(&temporary, "cannot be written"))?;
        // a folder takes no place that is not empty
        match fs::rename(&temporary, &whole) {
            Err(_) if whole.exists() => Err(taken()),
            renamed => renamed.map_err(failed(&whole, "cannot be put in place")),
        }?;
        sync(folder).map_err(failed(folder, "cannot be written"))?;
        Ok(whole.clone())
    })();
    if written.is_err() {
        // the failure to tell is the first one
        let _left_over = fs::remove_dir_all(&temporary);
    }
    written
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
