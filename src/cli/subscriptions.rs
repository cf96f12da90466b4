//! `renzheng subscription`: programs of users that hear of what happens.

use clap::Subcommand;

use super::context::Context;
use super::output::Output;
use super::table::table;
use super::{Common, Ended};
use crate::clock::rfc3339;
use crate::crypto::SignatureAlgorithm;
use crate::declare::subscriptions::{self, Pinged, Resumed, Subscribed, Subscribing};
use crate::domain::access::Action;
use crate::domain::event::EventKind;
use crate::store::subscriptions::SubscriptionLine;

#[derive(Subcommand)]
pub(super) enum SubscriptionCommand {
    /// Let a program of yours hear of what happens within your reach; the secret that signs is shown this once
    Add {
        /// Where it listens: an address of https in the public network
        url: String,
        /// Of what: `cell_changed`, `decision_made`, `answer_received`, parted by commas
        #[arg(long, required = true, value_delimiter = ',', value_parser = parse_kind)]
        kinds: Vec<EventKind>,
        /// By which requests are signed: hmac-sm3 or hmac-sha256
        #[arg(long, default_value = "hmac-sm3")]
        algorithm: SignatureAlgorithm,
    },
    /// List your subscriptions, and how many events wait for each
    List,
    /// End one; what waits is not delivered any more
    Remove { id: i64 },
    /// Make another secret, shown this once; the one before signs too for a day
    Rotate { id: i64 },
    /// Send a `ping` as events are sent
    Test { id: i64 },
    /// Go on with one that is paused, with everything that waits; also with what was given up of one that is not
    Resume { id: i64 },
}

fn parse_kind(text: &str) -> Result<EventKind, String> {
    let known = EventKind::SUBSCRIBED.into_iter().find(|kind| kind.as_str() == text);
    known.ok_or_else(|| format!("accepted are {}", EventKind::SUBSCRIBED.map(EventKind::as_str).join(", ")))
}

pub(super) async fn run(common: &Common, command: &SubscriptionCommand, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::Subscribe).await?;
    let outcome = act(&context, command, out).await;
    context.close().await?;
    outcome
}

async fn act(context: &Context, command: &SubscriptionCommand, out: Output) -> anyhow::Result<Ended> {
    let (store, actor) = (&context.store, &context.actor);
    match command {
        SubscriptionCommand::Add { url, kinds, algorithm } => {
            let allow_loopback = context.settings.events.allow_loopback;
            let asked = Subscribing { url, kinds, algorithm: *algorithm, allow_loopback };
            show_secret(&subscriptions::add(store, actor, &asked).await?, out)?;
        }
        SubscriptionCommand::Rotate { id } => {
            show_secret(&subscriptions::rotate(store, actor, *id).await?, out)?;
            eprintln!("the secret before signs beside it for a day");
        }
        SubscriptionCommand::List => {
            let lines = subscriptions::list(store, actor).await?;
            if out.is_json() {
                for line in &lines {
                    out.json(line)?;
                }
            } else {
                let rows: Vec<Vec<String>> = lines.iter().map(row).collect();
                let head = [
                    "id",
                    "account",
                    "address",
                    "hears of",
                    "state",
                    "waiting",
                    "failing",
                    "given up",
                    "last delivered",
                ];
                out.line(table(&head, &rows, &[0, 5, 6, 7]))?;
            }
        }
        SubscriptionCommand::Remove { id } => {
            let removed = subscriptions::remove(store, actor, *id).await?;
            out.value(&removed, |_| format!("subscription {id} has ended"))?;
        }
        SubscriptionCommand::Test { id } => {
            let pinged = subscriptions::test(store, actor, *id).await?;
            out.value(&pinged, |Pinged { event_id }| {
                format!("ping {event_id} leaves with the next delivery; `renzheng subscription list` says when something arrived")
            })?;
        }
        SubscriptionCommand::Resume { id } => {
            let resumed = subscriptions::resume(store, actor, *id).await?;
            out.value(&resumed, |Resumed { resumed, due }| {
                format!("subscription {resumed} goes on; {due} events are due")
            })?;
        }
    }
    Ok(Ended::Done)
}

fn show_secret(made: &Subscribed, out: Output) -> anyhow::Result<()> {
    out.value(made, |made| made.secret.clone())?;
    eprintln!(
        "subscription {}: this secret signs under the name {}; it is shown this once",
        made.subscription_id, made.key_id
    );
    Ok(())
}

fn row(line: &SubscriptionLine) -> Vec<String> {
    let kinds: Vec<&str> = line.kinds.iter().map(|kind| kind.as_str()).collect();
    vec![
        line.subscription_id.to_string(),
        line.account.clone(),
        line.url.clone(),
        kinds.join(","),
        line.paused_at.map_or_else(|| "active".to_owned(), |at| format!("paused {}", rfc3339(at))),
        line.waiting.to_string(),
        line.failing.to_string(),
        line.given_up.to_string(),
        line.last_delivered_at.map(rfc3339).unwrap_or_default(),
    ]
}
