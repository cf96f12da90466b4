//! `renzheng deregister`: 单位注销安置登记, entered by staff at the counter.

use chrono::{Datelike, NaiveDate};
use clap::Args;

use super::context::Context;
use super::declare::Whose;
use super::output::Output;
use super::{Common, Ended};
use crate::declare::deregister::deregister;
use crate::domain::access::Action;

#[derive(Args)]
pub(super) struct DeregisterArgs {
    /// The employer (USCC)
    #[arg(long, value_name = "USCC")]
    employer: String,
    /// Day of its deregistration, in the running year: the months before that month can be declared, at any time
    #[arg(long, value_name = "YYYY-MM-DD")]
    on: NaiveDate,
}

pub(super) async fn run(common: &Common, args: &DeregisterArgs, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::ReadResults).await?;
    let outcome = act(&context, args, out).await;
    context.close().await?;
    outcome
}

async fn act(context: &Context, args: &DeregisterArgs, out: Output) -> anyhow::Result<Ended> {
    let employer = context.employer(Action::ReadResults, &args.employer).await?;
    let declaration = deregister(&context.store, &context.actor, employer, args.on).await?;
    Whose { employer: args.employer.clone(), year: args.on.year() }.print(&declaration, out)?;
    Ok(Ended::Done)
}
