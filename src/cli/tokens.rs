//! `renzheng token`: made and shown once, listed, revoked.

use clap::Subcommand;
use serde::Serialize;

use super::context::Context;
use super::output::Output;
use super::table::table;
use super::users::told;
use super::{Common, Ended};
use crate::clock::rfc3339;
use crate::declare::users::{MOST_DAYS, add_token, revoke_token};
use crate::domain::access::Action;
use crate::store::users::TokenLine;

#[derive(Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token for a user; it is shown this once and kept nowhere
    Add {
        /// Whose
        account: String,
        /// How long it holds
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_DAYS)))]
        days: u32,
    },
    /// List tokens: whose, until when, last used when
    List {
        /// Only those of this user
        account: Option<String>,
    },
    /// End a token at once
    Revoke {
        /// Its number
        id: i32,
        /// Why; written to the audit log
        #[arg(long)]
        why: String,
    },
}

#[derive(Serialize)]
struct Issued {
    token_id: i32,
    account: String,
    token: String,
    expires_at: String,
}

pub(super) async fn run(common: &Common, command: &TokenCommand, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::ManageUsers).await?;
    let outcome = act(&context, command, out).await;
    context.close().await?;
    outcome
}

async fn act(context: &Context, command: &TokenCommand, out: Output) -> anyhow::Result<Ended> {
    let (store, actor) = (&context.store, &context.actor);
    match command {
        TokenCommand::Add { account, days } => {
            let issued = add_token(store, actor, account, *days).await?;
            let issued = Issued {
                token_id: issued.token_id,
                account: account.clone(),
                token: issued.token,
                expires_at: rfc3339(issued.expires_at),
            };
            out.value(&issued, |issued| issued.token.clone())?;
            eprintln!(
                "token {} of {account} holds until {}; it is shown this once: keep it in RENZHENG_TOKEN",
                issued.token_id, issued.expires_at
            );
        }
        TokenCommand::List { account } => {
            let tokens = store.list_tokens(account.as_deref()).await?;
            if out.is_json() {
                for token in &tokens {
                    out.json(token)?;
                }
            } else {
                let rows: Vec<Vec<String>> = tokens.iter().map(row).collect();
                out.line(table(&["id", "account", "made", "by", "until", "last used", "revoked"], &rows, &[0]))?;
            }
        }
        TokenCommand::Revoke { id, why } => {
            revoke_token(store, actor, *id, why).await?;
            out.value(&serde_json::json!({ "revoked": id }), |_| format!("token {id} holds no more"))?;
        }
    }
    Ok(Ended::Done)
}

fn row(token: &TokenLine) -> Vec<String> {
    vec![
        token.token_id.to_string(),
        token.account.clone(),
        rfc3339(token.created_at),
        token.created_by.clone(),
        rfc3339(token.expires_at),
        token.last_used_at.map(rfc3339).unwrap_or_default(),
        token.revoked.as_ref().map(told).unwrap_or_default(),
    ]
}
