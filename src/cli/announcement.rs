//! `renzheng announcement`: 通知公告, published by staff, listed and searched by everybody.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono::NaiveDate;
use clap::Subcommand;

use super::context::{Context, usage};
use super::output::Output;
use super::table::table;
use super::{Common, Ended};
use crate::declare::announcements::{
    Announced, Announcement, Correcting, Publishing, Wanted, correct, list, publish, show, withdraw,
};
use crate::domain::access::Action;
use crate::domain::announcement::LONGEST_TEXT;
use crate::store::place::Place;

#[derive(Subcommand)]
pub(super) enum AnnouncementCommand {
    /// Tell everybody of a division something
    Publish {
        /// One line
        #[arg(long)]
        title: String,
        /// File of the text, or `-` for standard input
        #[arg(long, value_name = "FILE", default_value = "-")]
        text: PathBuf,
        /// Whom it is for: the first two, four or six digits of their divisions
        #[arg(long, value_name = "DIGITS")]
        division: String,
        /// First day [default: today]
        #[arg(long, value_name = "YYYY-MM-DD")]
        from: Option<NaiveDate>,
        /// Last day [default: none]
        #[arg(long, value_name = "YYYY-MM-DD")]
        until: Option<NaiveDate>,
    },
    /// Let it say something else; what is not given stays, and the former text stays on record
    Correct {
        /// The announcement's number
        id: i64,
        #[command(flatten)]
        changes: Changes,
    },
    /// Take it back
    Withdraw {
        /// The announcement's number
        id: i64,
        /// Why
        #[arg(long, value_name = "REASON")]
        why: String,
    },
    /// List what is told to you, newest first
    List {
        /// Words parted by blanks, each of which must stand in title or text
        #[arg(long, value_name = "WORDS", default_value = "")]
        search: String,
        /// For staff: also what is withdrawn, over or not in force yet
        #[arg(long)]
        all: bool,
        /// The place that the page before ended with
        #[arg(long, value_name = "PLACE")]
        after: Option<Place>,
        /// How many, up to 100
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Read one; for staff with what it said before
    Show {
        /// The announcement's number
        id: i64,
    },
}

#[derive(clap::Args)]
#[group(required = true, multiple = true)]
pub(super) struct Changes {
    /// One line
    #[arg(long)]
    title: Option<String>,
    /// File of the text, or `-` for standard input
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// First day
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: Option<NaiveDate>,
    /// Last day
    #[arg(long, value_name = "YYYY-MM-DD", conflicts_with = "no_until")]
    until: Option<NaiveDate>,
    /// It has no last day
    #[arg(long)]
    no_until: bool,
}

pub(super) async fn run(common: &Common, command: &AnnouncementCommand, out: Output) -> anyhow::Result<Ended> {
    let action = match command {
        AnnouncementCommand::List { .. } | AnnouncementCommand::Show { .. } => Action::ReadAnnouncements,
        _ => Action::PublishAnnouncement,
    };
    let context = Context::open(common, action).await?;
    let outcome = act(&context, command, out).await;
    context.close().await?;
    outcome
}

async fn act(context: &Context, command: &AnnouncementCommand, out: Output) -> anyhow::Result<Ended> {
    let (store, actor) = (&context.store, &context.actor);
    match command {
        AnnouncementCommand::Publish { title, text, division, from, until } => {
            let publishing = Publishing {
                division: division.clone(),
                title: title.clone(),
                text: read_text(text)?,
                from_on: *from,
                until_on: *until,
            };
            out.value(&publish(store, &context.policy()?.policy, actor, &publishing).await?, told)?;
        }
        AnnouncementCommand::Correct { id, changes } => {
            let now = show(store, actor, *id).await?;
            let until_on = if changes.no_until { None } else { changes.until.or(now.announced.until_on) };
            let text = match &changes.text {
                Some(path) => read_text(path)?,
                None => now.text,
            };
            let correcting = Correcting {
                of_version: now.announced.version,
                title: changes.title.clone().unwrap_or(now.announced.title),
                text,
                from_on: changes.from.unwrap_or(now.announced.from_on),
                until_on,
            };
            out.value(&correct(store, actor, *id, &correcting).await?, told)?;
        }
        AnnouncementCommand::Withdraw { id, why } => out.value(&withdraw(store, actor, *id, why).await?, told)?,
        AnnouncementCommand::Show { id } => out.value(&show(store, actor, *id).await?, told)?,
        AnnouncementCommand::List { search, all, after, limit } => {
            let wanted = Wanted { search: search.clone(), all: *all, after: *after, limit: *limit };
            let page = list(store, actor, &wanted).await?;
            if out.is_json() {
                for announced in &page.announcements {
                    out.json(announced)?;
                }
            } else {
                let rows: Vec<Vec<String>> = page.announcements.iter().map(row).collect();
                out.line(table(&["id", "division", "from", "until", "state", "version", "title"], &rows, &[0, 5]))?;
            }
            if let Some(next) = page.next {
                eprintln!("there are more: --after {next}");
            }
        }
    }
    Ok(Ended::Done)
}

fn row(announced: &Announced) -> Vec<String> {
    vec![
        announced.announcement_id.to_string(),
        announced.division.clone(),
        announced.from_on.to_string(),
        announced.until_on.map(|day| day.to_string()).unwrap_or_default(),
        announced.state.to_string(),
        announced.version.to_string(),
        announced.title.clone(),
    ]
}

/// The text of a file or of standard input; more than could be accepted is not read.
fn read_text(path: &Path) -> anyhow::Result<String> {
    // four bytes a sign, and as much again for blanks that are left out
    const MOST_BYTES: u64 = 8 * LONGEST_TEXT as u64;
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        let stdin = std::io::stdin().lock();
        stdin.take(MOST_BYTES + 1).read_to_end(&mut bytes).context("cannot read standard input")?;
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
    }
    if bytes.len() as u64 > MOST_BYTES {
        return Err(usage(format!("the text is longer than {LONGEST_TEXT} signs")));
    }
    String::from_utf8(bytes).map_err(|_| usage("the text is not UTF-8"))
}

fn told(announcement: &Announcement) -> String {
    let Announcement { announced, text, earlier } = announcement;
    let until = announced.until_on.map_or_else(|| "on".to_owned(), |day| format!("until {day}"));
    let by = announced.published_by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let corrected = announced.corrected_at.as_ref().map(|at| format!(", corrected {at}")).unwrap_or_default();
    let mut lines = vec![
        announced.title.clone(),
        format!(
            "announcement {}, version {}, for {}, from {} {until}: {} ({})",
            announced.announcement_id,
            announced.version,
            announced.division,
            announced.from_on,
            announced.state,
            announced.state_zh
        ),
        format!("published {}{by}{corrected}", announced.published_at),
    ];
    if let (Some(at), Some(by), Some(why)) =
        (&announced.withdrawn_at, &announced.withdrawn_by, &announced.withdrawn_why)
    {
        lines.push(format!("withdrawn {at} by {by}: {why}"));
    }
    lines.extend([String::new(), text.clone()]);
    for version in earlier {
        let written =
            format!("---- version {}, written {} by {}", version.version, version.written_at, version.written_by);
        lines.extend([
            String::new(),
            written,
            version.content.title.clone(),
            String::new(),
            version.content.text.clone(),
        ]);
    }
    lines.join("\n")
}
