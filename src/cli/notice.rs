//! `renzheng notice`: what employers and staff were told.

use clap::Subcommand;

use super::context::{Context, usage};
use super::output::Output;
use super::{Common, Ended};
use crate::clock::rfc3339;
use crate::declare::register::notices::{NoticeTold, Wanted, list_notices, read_notice};
use crate::domain::access::Action;

#[derive(Subcommand)]
pub(super) enum NoticeCommand {
    /// List notices that nobody has read yet, newest first
    List {
        /// Also those that were read
        #[arg(long)]
        all: bool,
        /// Only those before this one, to page
        #[arg(long, value_name = "ID")]
        before: Option<i64>,
        /// How many
        #[arg(long, default_value_t = 50)]
        limit: i64,
        /// en or zh
        #[arg(long, default_value = "en", value_parser = ["en", "zh"])]
        lang: String,
    },
    /// Note that a notice was read
    Read {
        /// The notice's number
        id: i64,
    },
}

pub(super) async fn run(common: &Common, command: &NoticeCommand, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::ReadResults).await?;
    let outcome = act(&context, command, out).await;
    context.close().await?;
    outcome
}

async fn act(context: &Context, command: &NoticeCommand, out: Output) -> anyhow::Result<Ended> {
    match command {
        NoticeCommand::List { all, before, limit, lang } => {
            let wanted = Wanted { all: *all, before: *before, limit: *limit };
            let notices = list_notices(&context.store, &context.actor, &wanted).await?;
            if notices.is_empty() {
                eprintln!("there is no notice to be read");
            }
            for notice in &notices {
                out.value(notice, |notice| text(notice, lang))?;
            }
        }
        NoticeCommand::Read { id } => {
            let new = read_notice(&context.store, &context.actor, *id)
                .await
                .map_err(|error| usage(format!("notice {id}: {error}")))?;
            out.value(&serde_json::json!({ "notice_id": id, "new": new }), |_| {
                if new { format!("notice {id} is read") } else { format!("notice {id} was read before") }
            })?;
        }
    }
    Ok(Ended::Done)
}

fn text(notice: &NoticeTold, lang: &str) -> String {
    let words = if lang == "zh" { &notice.zh } else { &notice.en };
    let read = notice.read_at.map(|at| format!(", read {}", rfc3339(at))).unwrap_or_default();
    format!("{}  {}  to {}{read}: {words}", notice.notice_id, rfc3339(notice.created_at), notice.addressee)
}
