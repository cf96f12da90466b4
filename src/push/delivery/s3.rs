//! Delivery to an S3-compatible store: objects appear whole or not at all, and the manifest, which comes last, says that all are there.

use std::path::Path;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, IF_NONE_MATCH};
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};

use super::DeliveryError;
use crate::config::{Environment, S3Settings};
use crate::errors::chain;
use crate::http::{HttpSettings, client};
use crate::push::export::{Export, MANIFEST};

/// A signature holds no longer.
const SIGNED_FOR: Duration = Duration::from_mins(10);

pub(super) async fn deliver(
    export: &Export,
    settings: &S3Settings,
    environment: &Environment,
) -> Result<(), DeliveryError> {
    let endpoint = environment.resolve(&settings.endpoint)?;
    let endpoint =
        endpoint.parse().map_err(|_| DeliveryError::Refused("`deliver.endpoint` is no address".to_owned()))?;
    let style = if settings.path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
    let (bucket, region) = (environment.resolve(&settings.bucket)?, environment.resolve(&settings.region)?);
    let bucket = Bucket::new(endpoint, style, bucket, region)
        .map_err(|error| DeliveryError::Refused(format!("`deliver.endpoint` cannot be used: {error}")))?;
    let key = environment.resolve(settings.access_key.reveal())?;
    let credentials = Credentials::new(key, environment.resolve(settings.secret_key.reveal())?);
    let ca_file = settings.ca_file.as_ref().map(|file| environment.resolve(file)).transpose()?.map(Into::into);
    let http = client(&HttpSettings { total_timeout: Some(SIGNED_FOR), ca_file, ..HttpSettings::default() })
        .map_err(|error| DeliveryError::Refused(chain(&error)))?;
    let prefix = environment.resolve(&settings.prefix)?;
    let prefix = prefix.trim_matches('/');
    let place = |name: &str| match prefix {
        "" => format!("{}/{name}", export.name),
        prefix => format!("{prefix}/{}/{name}", export.name),
    };
    let files = export.files.iter().map(|file| (file.name, &file.bytes));
    for (name, bytes) in files.chain([(MANIFEST, &export.manifest_bytes)]) {
        let place = place(name);
        let put = bucket.put_object(Some(&credentials), &place).sign(SIGNED_FOR);
        let kind = if Path::new(name).extension().is_some_and(|ending| ending == "csv") {
            "text/csv"
        } else {
            "application/json"
        };
        // only where nothing is yet
        let request = http.put(put).header(CONTENT_TYPE, kind).header(IF_NONE_MATCH, "*").body(bytes.clone());
        let answer = request.send().await.map_err(|error| unreachable(error, &place))?;
        match answer.status() {
            status if status.is_success() => {}
            StatusCode::PRECONDITION_FAILED => {
                let asked = bucket.get_object(Some(&credentials), &place).sign(SIGNED_FOR);
                let answer = http.get(asked).send().await.map_err(|error| unreachable(error, &place))?;
                if !answer.status().is_success() {
                    return Err(refused(answer.status(), &place));
                }
                let there = answer.bytes().await.map_err(|error| unreachable(error, &place))?;
                if there != bytes.as_slice() {
                    let what = format!("{place} is there already and is another: nothing is overwritten");
                    return Err(DeliveryError::Refused(what));
                }
            }
            status => return Err(refused(status, &place)),
        }
    }
    Ok(())
}

fn unreachable(error: reqwest::Error, place: &str) -> DeliveryError {
    DeliveryError::Unreachable(format!("{place}: {}", chain(&error.without_url())))
}

fn refused(status: StatusCode, place: &str) -> DeliveryError {
    match status.as_u16() {
        401 | 403 => DeliveryError::Credentials(format!("it answers {status} to {place}")),
        408 | 409 | 429 | 500..=599 => DeliveryError::Unreachable(format!("it answers {status} to {place}")),
        _ => DeliveryError::Refused(format!("it answers {status} to {place}: check endpoint, bucket and region")),
    }
}
