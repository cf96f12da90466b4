//! `renzheng declare tick|untick|hand-in|standing`: months chosen, a placement handed in, where every month stands.

use clap::Args;

use super::Ended;
use super::context::Context;
use super::declare::Whose;
use super::output::Output;
use super::run::verify_year;
use super::table::{month_spans, table};
use crate::clock::rfc3339;
use crate::declare::hand_in;
use crate::declare::standing::{MonthLine, MonthView, PlacementLine, PlacementView, placements};
use crate::declare::tick::{Choosing, choose};
use crate::domain::facts::PersonId;
use crate::domain::month::Month;
use crate::domain::review::MonthStanding;
use crate::verify::Selection;

#[derive(Args)]
pub(super) struct Placed {
    #[command(flatten)]
    whose: Whose,
    /// A `person_id`, or `-` for an ID number on standard input
    #[arg(long)]
    person: String,
}

#[derive(Args)]
pub(super) struct TickArgs {
    #[command(flatten)]
    placed: Placed,
    /// The months, YYYY-MM, separated by commas
    #[arg(long, value_name = "YYYY-MM,…", value_delimiter = ',', required = true)]
    months: Vec<Month>,
    /// The unit is being deregistered: months that are not known yet may be ticked
    #[arg(long)]
    deregistering: bool,
}

#[derive(Args)]
pub(super) struct UntickArgs {
    #[command(flatten)]
    placed: Placed,
    /// The months, YYYY-MM, separated by commas
    #[arg(long, value_name = "YYYY-MM,…", value_delimiter = ',', required = true)]
    months: Vec<Month>,
}

#[derive(Args)]
pub(super) struct HandInArgs {
    #[command(flatten)]
    placed: Placed,
    /// The unit is being deregistered: outside the window too
    #[arg(long)]
    deregistering: bool,
}

pub(super) async fn tick(context: &Context, args: &TickArgs, out: Output) -> anyhow::Result<Ended> {
    chosen(context, &args.placed, &args.months, true, args.deregistering, out).await
}

pub(super) async fn untick(context: &Context, args: &UntickArgs, out: Output) -> anyhow::Result<Ended> {
    chosen(context, &args.placed, &args.months, false, false, out).await
}

async fn chosen(
    context: &Context,
    placed: &Placed,
    months: &[Month],
    ticked: bool,
    deregisters: bool,
    out: Output,
) -> anyhow::Result<Ended> {
    let choosing = Choosing {
        declaring: placed.whose.declaring(context).await?,
        person: context.person(&placed.person).await?,
        months: months.to_vec(),
        ticked,
        deregisters,
    };
    let reading = context.policy()?;
    let chosen = choose(&context.store, &reading.policy, &context.actor, &choosing).await?;
    out.value(&chosen, |chosen| {
        let word = if ticked { "ticked" } else { "unticked" };
        format!("{} months {word}, {} of them newly", chosen.months.len(), chosen.changed)
    })?;
    if chosen.changed > 0 {
        reverify(context, placed.whose.year, choosing.person).await;
    }
    Ok(Ended::Done)
}

/// Other employers of the person see it at once; if not, the night shows them.
pub(super) async fn reverify(context: &Context, year: i32, person: PersonId) {
    let selection = Selection::of_persons(vec![person]);
    if let Err(error) = verify_year(context, year, &selection).await {
        eprintln!("warning: results of others were not judged anew: {}", crate::errors::chain(error.as_ref()));
    }
}

pub(super) async fn hand_in(context: &Context, args: &HandInArgs, out: Output) -> anyhow::Result<Ended> {
    let whose = args.placed.whose.declaring(context).await?;
    let person = context.person(&args.placed.person).await?;
    let policy = context.policy()?.policy;
    let handed_in =
        hand_in::hand_in(&context.store, &policy, &context.actor, whose, person, args.deregistering).await?;
    out.value(&handed_in, |handed_in| {
        let months: Vec<String> = handed_in.months.iter().map(ToString::to_string).collect();
        format!("handed in at {}: {}", rfc3339(handed_in.at), months.join(", "))
    })?;
    Ok(Ended::Done)
}

fn told(line: &MonthLine) -> String {
    let missing: Vec<&str> = line.missing.iter().map(|ground| ground.as_str()).collect();
    let missing = if missing.is_empty() { String::new() } else { format!(" ({})", missing.join(", ")) };
    format!("{} {}{missing}", line.month, line.standing)
}

pub(super) async fn standing(context: &Context, whose: &Whose, out: Output) -> anyhow::Result<Ended> {
    let employer = whose.declaring(context).await?;
    let views = placements(&context.store, employer).await?;
    if out.is_json() {
        for view in &views {
            out.json(&PlacementLine::of(view))?;
        }
        return Ok(Ended::Done);
    }
    let row = |view: &PlacementView| {
        let of = |is_so: &dyn Fn(&MonthView) -> bool| {
            month_spans(&view.months.iter().filter(|month| is_so(month)).map(|month| month.month).collect::<Vec<_>>())
        };
        let open: Vec<String> = view.awaiting().map(|month| told(&MonthLine::of(month))).collect();
        vec![
            view.person.0.to_string(),
            view.standing().to_string(),
            of(&|month| month.standing.is_confirmed()),
            of(&|month| month.standing == MonthStanding::Unticked),
            open.join("; "),
        ]
    };
    let rows: Vec<Vec<String>> = views.iter().map(row).collect();
    out.line(table(&["person", "standing", "confirmed", "unticked", "open"], &rows, &[0]))?;
    Ok(Ended::Done)
}
