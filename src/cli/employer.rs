//! `renzheng employer`: an employer's own data, and that they still hold.

use clap::{Args, Subcommand};

use super::context::{Context, stdin_lines};
use super::output::Output;
use super::{Common, Ended};
use crate::clock::rfc3339;
use crate::declare::register::employer::{EmployerView, Jurisdictions};
use crate::declare::register::{Outcome, Register};
use crate::domain::access::Action;
use crate::domain::entry::Contact;
use crate::store::audit::Act;

#[derive(Subcommand)]
pub(super) enum EmployerCommand {
    /// Show the employer's own data, and whether they are confirmed for the year
    Show {
        /// The employer (USCC)
        employer: String,
        /// Business year [default: the running one]
        #[arg(long)]
        year: Option<i16>,
    },
    /// Enter who handles the declarations: name, phone, address and mail address on standard input, a line each
    Contact {
        /// The employer (USCC)
        employer: String,
    },
    /// Change the three jurisdictions; what is not given stays
    Change {
        /// The employer (USCC)
        employer: String,
        #[command(flatten)]
        jurisdictions: JurisdictionArgs,
    },
    /// Say that what is entered of the employer holds for a year
    Confirm {
        /// The employer (USCC)
        employer: String,
        /// Business year
        #[arg(long)]
        year: i16,
    },
}

#[derive(Args)]
pub(super) struct JurisdictionArgs {
    /// 行政所属区, six digits
    #[arg(long)]
    division: Option<String>,
    /// 残联主管部门, six digits
    #[arg(long)]
    federation_division: Option<String>,
    /// 税务主管部门, six digits
    #[arg(long)]
    tax_division: Option<String>,
}

pub(super) async fn run(common: &Common, command: &EmployerCommand, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::ReadResults).await?;
    let outcome = act(&context, command, out).await;
    context.close().await?;
    outcome
}

async fn act(context: &Context, command: &EmployerCommand, out: Output) -> anyhow::Result<Ended> {
    let reading = context.policy()?;
    let register = Register { store: &context.store, policy: &reading.policy, actor: &context.actor };
    let running = |today| chrono::Datelike::year(&today) as i16;
    match command {
        EmployerCommand::Show { employer, year } => {
            let employer = context.employer(Action::ReadResults, employer).await?;
            let year = year.unwrap_or(running(context.store.today().await?));
            let view = shown(context, register.employer(employer, year).await?, out).await?;
            out.value(&view, text)?;
        }
        EmployerCommand::Contact { employer } => {
            let employer = context.employer(Action::ReadResults, employer).await?;
            let [handler, phone, address, email] =
                stdin_lines(["the handler's name", "the phone", "the address", "the mail address (may be empty)"])?;
            let email = Some(email.trim().to_owned()).filter(|email| !email.is_empty());
            let line = |text: String| text.trim().to_owned();
            let contact = Contact { handler: line(handler), phone: line(phone), address: line(address), email };
            tell(out, register.save_contact(employer, &contact).await?)?;
        }
        EmployerCommand::Change { employer, jurisdictions: wanted } => {
            let employer = context.employer(Action::ReadResults, employer).await?;
            let view = register.employer(employer, running(context.store.today().await?)).await?;
            let stands = view.jurisdictions;
            let wanted = Jurisdictions {
                division: wanted.division.clone().unwrap_or(stands.division),
                federation_division: wanted.federation_division.clone().unwrap_or(stands.federation_division),
                tax_division: wanted.tax_division.clone().unwrap_or(stands.tax_division),
            };
            tell(out, register.change_jurisdictions(employer, &wanted).await?)?;
        }
        EmployerCommand::Confirm { employer, year } => {
            let employer = context.employer(Action::ReadResults, employer).await?;
            tell(out, register.confirm_employer(employer, *year).await?)?;
        }
    }
    Ok(Ended::Done)
}

fn tell(out: Output, outcome: Outcome) -> anyhow::Result<()> {
    out.value(&serde_json::json!({ "outcome": outcome }), |_| {
        let what = if outcome == Outcome::Same { "stands so already; nothing changed" } else { "saved" };
        what.to_owned()
    })
}

/// The contact as it may be shown.
async fn shown(context: &Context, view: EmployerView, out: Output) -> anyhow::Result<EmployerView> {
    if out.reveal {
        context.actor.may_at_all(Action::Reveal)?;
        let object = format!("contact {}", view.uscc);
        context.store.record(&Act::read(context.store.now().await?, &context.actor, Action::Reveal, object)).await?;
        return Ok(view);
    }
    Ok(view.masked())
}

fn text(view: &EmployerView) -> String {
    let Jurisdictions { division, federation_division, tax_division } = &view.jurisdictions;
    let mut lines = vec![
        format!("{}  {}  {}", view.uscc, view.name, view.kind),
        format!("行政所属区      {division}"),
        format!("残联主管部门    {federation_division}"),
        format!("税务主管部门    {tax_division}"),
    ];
    match &view.contact {
        Some(contact) => {
            let Contact { handler, phone, address, email } = contact;
            let email = email.as_ref().map(|email| format!("  {email}")).unwrap_or_default();
            lines.push(format!("经办人          {handler}  {phone}  {address}{email}"));
        }
        None => lines.push("经办人          not entered: `renzheng employer contact`".to_owned()),
    }
    lines.push(match &view.confirmed {
        Some(confirmed) => format!("confirmed for {} at {}", view.year, rfc3339(confirmed.confirmed_at)),
        None => format!("not confirmed for {} yet: `renzheng employer confirm`", view.year),
    });
    lines.join("\n")
}
