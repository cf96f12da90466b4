//! A file looked into by its format, on a thread of its own, few at a time.

use tokio::sync::Semaphore;

use super::{EvidenceError, ofd, pdf, picture};
use crate::domain::evidence::{Format, Refusal, recognise};

/// Files that are unpacked or drawn at the same time: each may take the memory of a picture of the greatest size, twice.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// Its format, and the content back, unless something is wrong with it. `file_name` is cleaned.
pub async fn inspect(content: Vec<u8>, file_name: &str) -> Result<(Vec<u8>, Format), EvidenceError> {
    let format = recognise(&content, file_name)?;
    apart(move || {
        match format {
            Format::Jpeg | Format::Png => picture::inspect(&content, format)?,
            Format::Pdf => pdf::inspect(&content)?,
            Format::Ofd => ofd::inspect(&content)?,
        }
        Ok((content, format))
    })
    .await
}

/// The picture as a reviewer sees it.
pub async fn rendition(content: Vec<u8>, format: Format) -> Result<Vec<u8>, EvidenceError> {
    apart(move || picture::rendition(&content, format)).await
}

async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, EvidenceError> {
    // it is never closed
    let _turn = AT_ONCE.acquire().await;
    Ok(tokio::task::spawn_blocking(work).await??)
}
