//! `renzheng review`: the queue of staff, decisions on months, documents shown at the counter.

use chrono::NaiveDate;
use clap::{Args, Subcommand};

use super::context::{Context, usage};
use super::output::Output;
use super::review_conflict::{self, ConflictCommand};
use super::review_text::{opened_text, queue_text};
use super::{Common, Ended};
use crate::declare::Declaring;
use crate::declare::review::counter::{OriginalRead, Shown, see_original, show_evidence};
use crate::declare::review::decide::{Deciding, Seconding, decide, second, undo};
use crate::declare::review::{next, open, queue, release};
use crate::domain::access::Action;
use crate::domain::facts::CertificateKind;
use crate::domain::month::Month;
use crate::domain::review::{Ground, Grounds};
use crate::domain::ruling::{ApprovalReason, RejectionReason, Ruling, Word};
use crate::store::review_cases::CaseKey;
use crate::store::review_queue::Place;

#[derive(Subcommand)]
pub(super) enum ReviewCommand {
    /// List cases that wait, oldest handing-in first
    Queue {
        /// How many
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// The place that the page before ended with
        #[arg(long, value_name = "PLACE")]
        after: Option<Place>,
    },
    /// Take the oldest case that nobody works on, for half an hour
    Next {
        /// Look only after this place
        #[arg(long, value_name = "PLACE")]
        after: Option<Place>,
    },
    /// Open a case; it is written to the audit log
    Show(CaseArgs),
    /// Approve or reject a month of a case that you took
    Decide(DecideArgs),
    /// As the second person, agree to a proposed decision, or refuse it
    Approve {
        #[command(flatten)]
        cell: CellArgs,
        /// Refuse it instead
        #[arg(long)]
        refuse: bool,
        /// Why
        #[arg(long)]
        why: Option<String>,
    },
    /// Take a decision or a proposal back, until completion
    Undo {
        #[command(flatten)]
        cell: CellArgs,
        /// Why
        #[arg(long)]
        why: Option<String>,
    },
    /// Give a case back
    Release(CaseArgs),
    /// 窗口出示原件: record that documents were shown on paper, as evidence
    Shown {
        #[command(flatten)]
        case: CaseArgs,
        /// The months, YYYY-MM, separated by commas
        #[arg(long, value_name = "YYYY-MM,…", value_delimiter = ',', required = true)]
        months: Vec<Month>,
        /// What they prove: wage, pension, medical, certificate, age, contract, dispatch, conflict
        #[arg(long, value_name = "GROUND,…", value_delimiter = ',', required = true, value_parser = parse_ground)]
        grounds: Vec<Ground>,
    },
    /// Record that the original of a certificate was seen today
    Original(OriginalArgs),
    /// Months that several employers would count
    Conflict {
        #[command(subcommand)]
        command: ConflictCommand,
    },
}

#[derive(Args)]
pub(super) struct CaseArgs {
    /// The employer (USCC)
    #[arg(long, value_name = "USCC")]
    employer: String,
    /// Business year
    #[arg(long)]
    year: i32,
    /// A `person_id`, or `-` for an ID number on standard input
    #[arg(long)]
    person: String,
}

#[derive(Args)]
pub(super) struct CellArgs {
    /// The employer (USCC)
    #[arg(long, value_name = "USCC")]
    employer: String,
    /// A `person_id`, or `-` for an ID number on standard input
    #[arg(long)]
    person: String,
    /// The month, YYYY-MM
    #[arg(long, value_name = "YYYY-MM")]
    month: Month,
}

#[derive(Args)]
pub(super) struct DecideArgs {
    #[command(flatten)]
    cell: CellArgs,
    /// Approve, with a reason for each ground
    #[arg(long, value_name = "REASON,…", value_delimiter = ',', value_parser = parse_approval, required_unless_present = "reject", conflicts_with = "reject")]
    approve: Vec<ApprovalReason>,
    /// Reject, with reasons
    #[arg(long, value_name = "REASON,…", value_delimiter = ',', value_parser = parse_rejection)]
    reject: Vec<RejectionReason>,
    /// What explains it; needed for the reason `other`
    #[arg(long)]
    note: Option<String>,
    /// The grounds that you saw: if others stand in the way now, nothing is decided
    #[arg(long, value_name = "GROUND,…", value_delimiter = ',', value_parser = parse_ground)]
    seen: Vec<Ground>,
}

#[derive(Args)]
pub(super) struct OriginalArgs {
    #[command(flatten)]
    case: CaseArgs,
    /// `disabled_person` or `disabled_soldier`
    #[arg(long, value_parser = parse_kind, default_value = "disabled_person")]
    kind: CertificateKind,
    #[arg(long)]
    level: u8,
    #[arg(long, value_name = "YYYY-MM-DD")]
    valid_from: NaiveDate,
    /// Without it the certificate has no end
    #[arg(long, value_name = "YYYY-MM-DD")]
    valid_to: Option<NaiveDate>,
}

fn parse_word<T>(text: &str, found: Option<T>, all: impl Iterator<Item = &'static str>) -> Result<T, String> {
    found.ok_or_else(|| format!("`{text}`, where {} are accepted", all.collect::<Vec<_>>().join(", ")))
}

fn parse_ground(text: &str) -> Result<Ground, String> {
    parse_word(text, Ground::parse(text), Ground::ALL.iter().map(|ground| ground.as_str()))
}

fn parse_approval(text: &str) -> Result<ApprovalReason, String> {
    parse_word(text, ApprovalReason::parse(text), ApprovalReason::ALL.iter().map(|reason| reason.as_str()))
}

fn parse_rejection(text: &str) -> Result<RejectionReason, String> {
    parse_word(text, RejectionReason::parse(text), RejectionReason::ALL.iter().map(|reason| reason.as_str()))
}

fn parse_kind(text: &str) -> Result<CertificateKind, String> {
    parse_word(text, CertificateKind::parse(text), CertificateKind::ALL.iter().map(|kind| kind.as_str()))
}

fn grounds(list: &[Ground]) -> Grounds {
    list.iter().fold(Grounds::NONE, |all, ground| all.with(*ground))
}

impl CaseArgs {
    async fn key(&self, context: &Context) -> anyhow::Result<CaseKey> {
        let employer = context.employer(Action::ReadResults, &self.employer).await?;
        let person = context.person(&self.person).await?;
        Ok(Declaring { employer, year: self.year }.case(person))
    }
}

impl CellArgs {
    async fn key(&self, context: &Context) -> anyhow::Result<CaseKey> {
        let employer = context.employer(Action::ReadResults, &self.employer).await?;
        let person = context.person(&self.person).await?;
        Ok(Declaring { employer, year: self.month.year() }.case(person))
    }
}

pub(super) async fn run(common: &Common, command: &ReviewCommand, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::ReadResults).await?;
    let outcome = act(&context, command, out).await;
    context.close().await?;
    outcome
}

async fn act(context: &Context, command: &ReviewCommand, out: Output) -> anyhow::Result<Ended> {
    let (store, actor) = (&context.store, &context.actor);
    match command {
        ReviewCommand::Queue { limit, after } => {
            if *limit == 0 {
                return Err(usage("--limit 0: a page holds a case at least"));
            }
            let page = queue(store, actor, *after, *limit).await?;
            if out.is_json() {
                for case in &page.cases {
                    out.json(case)?;
                }
            } else {
                out.line(queue_text(store, &page.cases).await?)?;
            }
            if let Some(next) = page.next {
                eprintln!("there may be more: --after {next}");
            }
        }
        ReviewCommand::Next { after } => match next(store, actor, *after).await? {
            Some(opened) => out.line(opened_text(store, &opened, out.is_json()).await?)?,
            None => eprintln!("no case waits for you"),
        },
        ReviewCommand::Show(case) => {
            let opened = open(store, actor, case.key(context).await?).await?;
            out.line(opened_text(store, &opened, out.is_json()).await?)?;
        }
        ReviewCommand::Decide(args) => {
            let word = if args.reject.is_empty() {
                Word::Approve(args.approve.clone())
            } else {
                Word::Reject(args.reject.clone())
            };
            let deciding = Deciding {
                case: args.cell.key(context).await?,
                month: args.cell.month,
                ruling: Ruling { word, note: args.note.clone() },
                seen: (!args.seen.is_empty()).then(|| grounds(&args.seen)),
            };
            let decided = decide(store, &context.policy()?.policy, actor, &deciding).await?;
            out.value(&decided, |decided| {
                let word = if decided.approved { "approved" } else { "rejected" };
                let waits = if decided.second_asked { "; it waits for a second person" } else { "" };
                format!("{} {word} for {}{waits}", decided.month, decided.grounds)
            })?;
        }
        ReviewCommand::Approve { cell, refuse, why } => {
            let seconding =
                Seconding { case: cell.key(context).await?, month: cell.month, agrees: !refuse, why: why.clone() };
            second(store, actor, &seconding).await?;
            let value = serde_json::json!({ "month": cell.month, "agreed": !refuse });
            out.value(&value, |_| format!("{} {}", cell.month, if *refuse { "refused" } else { "agreed to" }))?;
        }
        ReviewCommand::Undo { cell, why } => {
            undo(store, actor, cell.key(context).await?, cell.month, why.as_deref()).await?;
            let value = serde_json::json!({ "month": cell.month, "undone": true });
            out.value(&value, |_| format!("{} is open again", cell.month))?;
        }
        ReviewCommand::Release(case) => {
            let case = case.key(context).await?;
            release(store, actor, case).await?;
            out.value(&case, |_| "given back".to_owned())?;
        }
        ReviewCommand::Shown { case, months, grounds: shown } => {
            let shown = Shown { case: case.key(context).await?, months: months.clone(), grounds: grounds(shown) };
            let new = show_evidence(store, actor, &shown).await?;
            out.value(&serde_json::json!({ "new": new.new }), |_| format!("recorded, {} newly", new.new))?;
        }
        ReviewCommand::Original(args) => {
            let OriginalArgs { case, kind, level, valid_from, valid_to } = args;
            let read = OriginalRead { kind: *kind, level: *level, valid_from: *valid_from, valid_to: *valid_to };
            let seen = see_original(store, actor, case.key(context).await?, read).await?;
            out.value(&serde_json::json!({ "seen_on": seen.seen_on, "original": read }), |_| {
                format!("the original was seen on {}", seen.seen_on)
            })?;
        }
        ReviewCommand::Conflict { command } => return review_conflict::act(context, command, out).await,
    }
    Ok(Ended::Done)
}
