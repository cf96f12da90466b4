//! `renzheng declare consent`: the employer's standing consent, given or revoked at the counter.

use clap::Args;

use super::context::{Context, usage};
use super::output::Output;
use crate::declare::Declaring;
use crate::declare::consent::{ConsentError, give, revoke};
use crate::domain::access::Action;

#[derive(Args)]
pub(super) struct ConsentArgs {
    /// The employer (USCC)
    #[arg(long, value_name = "USCC")]
    employer: String,
    /// Business year
    #[arg(long)]
    year: i32,
    /// Version of the commitment text that the employer read and accepted; `declare commitment` prints it
    #[arg(long, value_name = "VERSION", required_unless_present = "revoke", conflicts_with = "revoke")]
    accept_commitment: Option<String>,
    /// Take the consent back
    #[arg(long)]
    revoke: bool,
}

pub(super) async fn run(context: &Context, args: &ConsentArgs, out: Output) -> anyhow::Result<()> {
    let declaring =
        Declaring { employer: context.employer(Action::ReadResults, &args.employer).await?, year: args.year };
    let (uscc, year) = (&args.employer, args.year);
    match &args.accept_commitment {
        Some(version) => {
            let reading = context.policy()?;
            let consent = give(&context.store, &reading, declaring, &context.actor, version).await.map_err(refused)?;
            out.value(&consent, |_| {
                format!(
                    "{uscc} {year}: on the last day the program completes what is ticked, if all of it passes by itself"
                )
            })?;
        }
        None => {
            revoke(&context.store, declaring, &context.actor).await.map_err(refused)?;
            let value = serde_json::json!({ "employer_uscc": uscc, "year": year, "revoked": true });
            out.value(&value, |_| format!("{uscc} {year}: the consent is revoked; nothing is completed by itself"))?;
        }
    }
    Ok(())
}

fn refused(error: ConsentError) -> anyhow::Error {
    match error {
        ConsentError::Declare(error) => error.into(),
        refused => usage(refused.to_string()),
    }
}
