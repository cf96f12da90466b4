//! `renzheng look-up`: whether name, ID number and certificate number belong together in the register.

use clap::Args;

use super::context::{Context, stdin_lines, usage};
use super::output::Output;
use super::{Common, Ended};
use crate::clock::rfc3339;
use crate::declare::register::Register;
use crate::declare::register::look_up::{Answer, Found, LookUp};
use crate::domain::access::Action;
use crate::domain::ids::{ResidentId, Sex};

#[derive(Args)]
pub(super) struct LookUpArgs {
    /// The employer (USCC) that asks
    #[arg(long, value_name = "USCC")]
    employer: String,
}

pub(super) async fn run(common: &Common, args: &LookUpArgs, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::ReadResults).await?;
    let outcome = look_up(&context, args, out).await;
    context.close().await?;
    outcome
}

async fn look_up(context: &Context, args: &LookUpArgs, out: Output) -> anyhow::Result<Ended> {
    let employer = context.employer(Action::ReadResults, &args.employer).await?;
    let [name, id, certificate] = stdin_lines(["the name", "the ID number", "the certificate number"])?;
    let id = ResidentId::parse(&id).map_err(|error| usage(format!("the second line is no ID number: {error}")))?;
    let reading = context.policy()?;
    let register = Register { store: &context.store, policy: &reading.policy, actor: &context.actor };
    let asked = LookUp { employer, name: &name, id, certificate_number: &certificate, reveal_level: false };
    let answer = register.look_up(&asked).await?;
    out.value(&answer, text)?;
    Ok(Ended::Done)
}

fn text(answer: &Answer) -> String {
    let Some(Found { receipt, expires_at, sex, born_on, certificate }) = &answer.found else {
        return "no match".to_owned();
    };
    let sex = if *sex == Sex::Male { "男 male" } else { "女 female" };
    let until = certificate.valid_to.map_or_else(|| "without end".to_owned(), |day| format!("to {day}"));
    let today = if certificate.in_force_today { "in force today" } else { "not in force today" };
    format!(
        "match\nsex          {sex}\nborn on      {born_on}\ncertificate  {} {}, from {} {until}, {today}\nreceipt      {receipt}, until {}",
        certificate.kind,
        certificate.status,
        certificate.valid_from,
        rfc3339(*expires_at)
    )
}
