//! `renzheng reward`: 超比例奖励申请, applied for by the employer and decided by staff.

use clap::{Args, Subcommand};

use super::context::Context;
use super::declare::Whose;
use super::output::Output;
use super::table::table;
use super::{Common, Ended};
use crate::declare::reward::{Applied, Deciding, Eligibility, apply, decide, list, show, withdraw};
use crate::domain::access::Action;
use crate::domain::reward::Reward;
use crate::domain::reward_application::{ApprovalReason, RejectionReason, Ruling, Word};
use crate::store::place::Place;

#[derive(Subcommand)]
pub(super) enum RewardCommand {
    /// Whether the employer may apply, each step of the amount, and its applications
    Show(Whose),
    /// Apply by the result in force: the calculation is kept as it is now
    Apply(Whose),
    /// Take the open application back
    Withdraw(Whose),
    /// Approve or reject the open application
    Decide {
        #[command(flatten)]
        whose: Whose,
        #[command(flatten)]
        reason: Reason,
        /// What explains it; needed for the reason `other`
        #[arg(long)]
        note: Option<String>,
        /// The application that you saw: if another is open now, nothing is decided
        #[arg(long, value_name = "ID")]
        seen: Option<i64>,
    },
    /// What waits for a decision, the oldest first
    List {
        /// The place that the page before ended with
        #[arg(long, value_name = "PLACE")]
        after: Option<Place>,
        /// How many, up to 100
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct Reason {
    /// Yes: `result_confirmed`, `materials_checked` or `other`
    #[arg(long, value_name = "REASON", value_parser = parse_approval)]
    approve: Option<ApprovalReason>,
    /// No: `headcount_wrong`, `placement_in_doubt`, `levy_owed`, `rewarded_elsewhere` or `other`
    #[arg(long, value_name = "REASON", value_parser = parse_rejection)]
    reject: Option<RejectionReason>,
}

impl Reason {
    /// `None` where neither is given, which the arguments do not allow.
    fn word(&self) -> Option<Word> {
        self.approve.map(Word::Approve).or(self.reject.map(Word::Reject))
    }
}

fn parse_approval(text: &str) -> Result<ApprovalReason, String> {
    let all = ApprovalReason::ALL.iter().map(|reason| reason.as_str());
    ApprovalReason::parse(text).ok_or_else(|| format!("accepted are {}", all.collect::<Vec<_>>().join(", ")))
}

fn parse_rejection(text: &str) -> Result<RejectionReason, String> {
    let all = RejectionReason::ALL.iter().map(|reason| reason.as_str());
    RejectionReason::parse(text).ok_or_else(|| format!("accepted are {}", all.collect::<Vec<_>>().join(", ")))
}

pub(super) async fn run(common: &Common, command: &RewardCommand, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::ReadResults).await?;
    let outcome = act(&context, command, out).await;
    context.close().await?;
    outcome
}

async fn act(context: &Context, command: &RewardCommand, out: Output) -> anyhow::Result<Ended> {
    let (store, actor) = (&context.store, &context.actor);
    match command {
        RewardCommand::Show(whose) => {
            let policy = context.policy()?.policy;
            out.value(&show(store, &policy, actor, whose.declaring(context).await?).await?, eligibility_text)?;
        }
        RewardCommand::Apply(whose) => {
            let declaring = whose.declaring(context).await?;
            out.value(&apply(store, &context.policy()?, actor, declaring).await?, applied_text)?;
        }
        RewardCommand::Withdraw(whose) => {
            let declaring = whose.declaring(context).await?;
            out.value(&withdraw(store, actor, declaring).await?, applied_text)?;
        }
        RewardCommand::Decide { whose, reason, note, seen } => {
            let declaring = whose.declaring(context).await?;
            let word = reason.word().ok_or_else(|| super::context::usage("say --approve or --reject"))?;
            let deciding = Deciding { ruling: Ruling { word, note: note.clone() }, seen: *seen };
            out.value(&decide(store, actor, declaring, &deciding).await?, applied_text)?;
        }
        RewardCommand::List { after, limit } => {
            let page = list(store, actor, *after, *limit).await?;
            if out.is_json() {
                for applied in &page.applications {
                    out.json(applied)?;
                }
            } else {
                let rows: Vec<Vec<String>> = page.applications.iter().map(row).collect();
                let header = ["id", "employer", "year", "version", "excess", "amount, yuan", "applied", "by"];
                out.line(table(&header, &rows, &[0, 2, 3, 4, 5]))?;
            }
            if let Some(next) = page.next {
                eprintln!("there may be more: --after {next}");
            }
        }
    }
    Ok(Ended::Done)
}

fn row(applied: &Applied) -> Vec<String> {
    vec![
        applied.application_id.to_string(),
        applied.employer_uscc.to_string(),
        applied.year.to_string(),
        applied.basis.version.to_string(),
        applied.calculation.excess.to_string(),
        applied.calculation.amount.to_string(),
        applied.applied_at.clone(),
        applied.applied_by.clone(),
    ]
}

fn applied_text(applied: &Applied) -> String {
    let head = format!(
        "application {} of {} for {}: {} ({}), {} yuan by version {} and policy {}",
        applied.application_id,
        applied.employer_uscc,
        applied.year,
        applied.state,
        applied.state_zh,
        applied.calculation.amount,
        applied.basis.version,
        applied.policy_version
    );
    let mut lines = vec![head, format!("applied {} by {}", applied.applied_at, applied.applied_by)];
    if let (Some(at), Some(by)) = (&applied.ended_at, &applied.ended_by) {
        let reason = applied.reason.zip(applied.reason_zh).map(|(word, zh)| format!(": {word} ({zh})"));
        let note = applied.note.as_ref().map(|note| format!(", {note}"));
        lines.push(format!("ended {at} by {by}{}{}", reason.unwrap_or_default(), note.unwrap_or_default()));
        if !applied.rests_on_result_in_force {
            lines.push("the result it rests on is not in force any more".to_owned());
        }
    }
    lines.join("\n  ")
}

fn eligibility_text(eligibility: &Eligibility) -> String {
    let mut lines =
        vec![format!("{} {}, policy {}", eligibility.employer_uscc, eligibility.year, eligibility.policy_version)];
    if let Some(result) = &eligibility.result {
        let (version, number) = (result.basis.version, &result.certification_number);
        lines.push(format!("in force: version {version}, certification {number}, accepted {}", result.accepted_at));
    }
    lines.extend(eligibility.calculation.as_ref().map(steps));
    lines.push(match &eligibility.obstacle {
        None => "the employer may apply (可以申请)".to_owned(),
        Some(obstacle) => format!("no application now: {}: {} ({})", obstacle.code, obstacle.en, obstacle.zh),
    });
    lines.extend(eligibility.applications.iter().map(applied_text));
    lines.join("\n")
}

fn steps(reward: &Reward) -> String {
    let unknown = || "unknown".to_owned();
    let wage = reward
        .minimum_wage
        .map_or_else(unknown, |wage| format!("{} (class {}, on {})", wage.amount, wage.class, wage.on));
    let counted = if reward.whole_persons { "whole persons of it" } else { "persons that are paid for" };
    let steps = [
        (
            "placed persons = weighted months ÷ 12",
            format!("{} ÷ 12 = {}", reward.weighted_person_months, reward.placed),
        ),
        (
            "required persons = headcount × ratio",
            format!("{} × {} = {}", reward.headcount, reward.required_ratio, reward.required),
        ),
        ("excess = placed − required", reward.excess.to_string()),
        ("smallest excess that is rewarded", reward.minimum_excess.to_string()),
        (counted, reward.counted.to_string()),
        ("minimum wage a month", wage),
        ("minimum wages a person and year", reward.factor.as_ref().map_or_else(unknown, ToString::to_string)),
        ("outcome", format!("{} ({})", reward.outcome, reward.outcome.chinese())),
        ("reward, yuan", reward.amount.to_string()),
    ];
    let rows: Vec<Vec<String>> = steps.into_iter().map(|(step, value)| vec![step.to_owned(), value]).collect();
    table(&["step", "value"], &rows, &[])
}
