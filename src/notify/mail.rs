//! A message by mail.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::Undelivered;
use crate::config::MailSettings;
use crate::store::messages::OutgoingMessage;

/// For each word with the server.
const TIMEOUT: Duration = Duration::from_secs(15);
/// For all of them: shorter than the lease of an attempt, so that nobody takes a message over that is still being handed over.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(45);

/// Hands it to the mail server, with the same `Message-ID` however often.
pub(super) async fn send(settings: &MailSettings, message: &OutgoingMessage) -> Result<(), Undelivered> {
    let mailbox = |address: &str| address.parse::<Mailbox>().map_err(|_| Undelivered::Mailbox(address.to_owned()));
    let mut letter = Message::builder()
        .message_id(Some(format!("<{}@renzheng>", message.message_id)))
        .date(message.created_at.into())
        .from(mailbox(&settings.from)?)
        .subject(&message.subject)
        .header(ContentType::TEXT_PLAIN);
    for address in &settings.to {
        letter = letter.to(mailbox(address)?);
    }
    let letter = letter.body(format!("{}\n{}", message.chinese, message.text)).map_err(Undelivered::Letter)?;
    let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(settings.server.reveal()).map_err(Undelivered::Smtp)?;
    let server = server.timeout(Some(TIMEOUT)).build();
    let taken = tokio::time::timeout(TOTAL_TIMEOUT, server.send(letter)).await;
    taken.map_err(|_| Undelivered::Slow(TOTAL_TIMEOUT))?.map_err(Undelivered::Smtp)?;
    Ok(())
}
