//! Delivery by SFTP: the server is known by its key, each file gets its name once it is there, the manifest last.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;

use russh::Preferred;
use russh::client::{self, AuthResult, Handle};
use russh::keys::{Algorithm, PrivateKeyWithHashAlg, PublicKeyOrCertificate, load_secret_key, ssh_key};
use russh_sftp::client::SftpSession;
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::protocol::StatusCode;

use super::DeliveryError;
use crate::config::{Environment, SftpSettings};
use crate::push::export::{Export, MANIFEST};

/// A server that says nothing for so long is gone.
const SILENCE: Duration = Duration::from_mins(1);
/// For the whole delivery.
const LONGEST: Duration = Duration::from_mins(30);

/// Accepts one key and no other.
struct Pinned(ssh_key::PublicKey);

impl client::Handler for Pinned {
    type Error = russh::Error;

    fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send {
        let ours: Ready<_> = ready(Ok(match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => key.key_data() == self.0.key_data(),
            PublicKeyOrCertificate::Certificate(_) => false,
        }));
        ours
    }
}

pub(super) async fn deliver(
    export: &Export,
    settings: &SftpSettings,
    environment: &Environment,
) -> Result<(), DeliveryError> {
    let delivered = tokio::time::timeout(LONGEST, upload(export, settings, environment)).await;
    delivered.map_err(|_| DeliveryError::Unreachable(format!("it took longer than {} s", LONGEST.as_secs())))?
}

async fn upload(export: &Export, settings: &SftpSettings, environment: &Environment) -> Result<(), DeliveryError> {
    let session = connect(settings, environment).await?;
    let channel = session.channel_open_session().await.map_err(|error| broke(&error))?;
    channel.request_subsystem(true, "sftp").await.map_err(|error| broke(&error))?;
    let sftp = SftpSession::new(channel.into_stream()).await.map_err(|error| failed("sftp", &error))?;
    let folder = format!("{}/{}", environment.resolve(&settings.path)?.trim_end_matches('/'), export.name);
    if !exists(&sftp, &folder).await? {
        sftp.create_dir(&folder).await.map_err(|error| failed(&folder, &error))?;
    }
    let files = export.files.iter().map(|file| (file.name, &file.bytes));
    for (name, bytes) in files.chain([(MANIFEST, &export.manifest_bytes)]) {
        put(&sftp, &folder, name, bytes).await?;
    }
    // the server has all it should have; how it says goodbye changes nothing
    let _closed = sftp.close().await;
    let _ended = session.disconnect(russh::Disconnect::ByApplication, "", "").await;
    Ok(())
}

/// A server with several keys is to show the one that is known.
fn preferring(pinned: &ssh_key::PublicKey) -> Preferred {
    let usual = Preferred::default();
    let is_own = |algorithm: &Algorithm| match (algorithm, pinned.algorithm()) {
        // the hash is chosen anew each time
        (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
        (algorithm, own) => *algorithm == own,
    };
    let (own, others): (Vec<Algorithm>, Vec<Algorithm>) = usual.key.iter().cloned().partition(is_own);
    Preferred { key: own.into_iter().chain(others).collect(), ..usual }
}

async fn connect(settings: &SftpSettings, environment: &Environment) -> Result<Handle<Pinned>, DeliveryError> {
    let host = environment.resolve(&settings.host)?;
    let pinned = ssh_key::PublicKey::from_openssh(&environment.resolve(&settings.host_key)?).map_err(|_| {
        DeliveryError::Credentials(
            "`deliver.host_key` is no public key such as `ssh-ed25519 AAAA…`, which `ssh-keyscan` prints".to_owned(),
        )
    })?;
    let preferred = preferring(&pinned);
    let config = client::Config { inactivity_timeout: Some(SILENCE), preferred, ..client::Config::default() };
    let mut session =
        client::connect(Arc::new(config), (host.as_str(), settings.port), Pinned(pinned)).await.map_err(|error| {
            match error {
                russh::Error::UnknownKey => {
                    DeliveryError::Credentials("its key is not `deliver.host_key`: it may be another server".to_owned())
                }
                other => broke(&other),
            }
        })?;
    let user = environment.resolve(&settings.user)?;
    let answer = match (&settings.key_file, &settings.password) {
        (Some(file), _) => {
            let file = environment.resolve(file)?;
            let key = load_secret_key(&file, None)
                .map_err(|error| DeliveryError::Credentials(format!("the key file {file} cannot be used: {error}")))?;
            let hash = session.best_supported_rsa_hash().await.map_err(|error| broke(&error))?.flatten();
            session.authenticate_publickey(user, PrivateKeyWithHashAlg::new(Arc::new(key), hash)).await
        }
        (None, Some(password)) => session.authenticate_password(user, environment.resolve(password.reveal())?).await,
        (None, None) => return Err(DeliveryError::Credentials("neither key nor password is set".to_owned())),
    };
    match answer.map_err(|error| broke(&error))? {
        AuthResult::Success => Ok(session),
        AuthResult::Failure { .. } => {
            Err(DeliveryError::Credentials("it knows neither user nor key or password".to_owned()))
        }
    }
}

/// Under a temporary name first. A file that has its name already is whole, since it got it last: it must be the same, byte for byte.
async fn put(sftp: &SftpSession, folder: &str, name: &str, bytes: &[u8]) -> Result<(), DeliveryError> {
    let (whole, part) = (format!("{folder}/{name}"), format!("{folder}/.{name}.part"));
    if exists(sftp, &whole).await? {
        let size = sftp.metadata(&whole).await.map_err(|error| failed(&whole, &error))?.size;
        // what is of another size need not be fetched
        let may_be_same = size.is_none_or(|size| size == bytes.len() as u64);
        return if may_be_same && sftp.read(&whole).await.map_err(|error| failed(&whole, &error))? == bytes {
            Ok(())
        } else {
            Err(DeliveryError::Refused(format!("{whole} is there already and is another: nothing is overwritten")))
        };
    }
    // what an upload that was cut off left
    if exists(sftp, &part).await? {
        sftp.remove_file(&part).await.map_err(|error| failed(&part, &error))?;
    }
    let write = async {
        use tokio::io::AsyncWriteExt;
        let mut file = sftp.create(&part).await?;
        file.write_all(bytes).await?;
        file.flush().await?;
        // not every server knows how
        let _synced = file.sync_all().await;
        file.shutdown().await?;
        Ok::<(), SftpError>(())
    };
    write.await.map_err(|error| failed(&part, &error))?;
    let there = sftp.metadata(&part).await.map_err(|error| failed(&part, &error))?;
    if there.size.is_some_and(|size| size != bytes.len() as u64) {
        return Err(DeliveryError::Unreachable(format!("{part} is shorter than what was sent")));
    }
    sftp.rename(&part, &whole).await.map_err(|error| failed(&whole, &error))
}

async fn exists(sftp: &SftpSession, path: &str) -> Result<bool, DeliveryError> {
    sftp.try_exists(path).await.map_err(|error| failed(path, &error))
}

fn broke(error: &russh::Error) -> DeliveryError {
    DeliveryError::Unreachable(error.to_string())
}

fn failed(path: &str, error: &SftpError) -> DeliveryError {
    match error {
        SftpError::Status(status)
            if matches!(status.status_code, StatusCode::PermissionDenied | StatusCode::NoSuchFile) =>
        {
            DeliveryError::Refused(format!("the server refuses {path}: {}", status.error_message))
        }
        other => DeliveryError::Unreachable(format!("{path}: {other}")),
    }
}
