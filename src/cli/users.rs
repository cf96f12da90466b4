//! `renzheng user`: who is known here, and what is granted to them.

use anyhow::Context as _;
use chrono::NaiveDate;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::context::{Context, usage};
use super::output::Output;
use super::table::table;
use super::{Common, Ended};
use crate::clock::rfc3339;
use crate::declare::users::{self, AskedReach, Period};
use crate::domain::access::{Action, Role, Scope};
use crate::domain::grant::{Reach, scope_on};
use crate::domain::ids::{Uscc, mask_name};
use crate::store::audit::Act;
use crate::store::users::{GrantLine, Revoked, UserLine};

#[derive(Subcommand)]
pub(super) enum UserCommand {
    /// Make a user known, to whom nothing is granted yet; the role stays what it is
    Add {
        /// What the audit calls them: a short word such as li.hua
        account: String,
        /// employer, handler, reviewer, supervisor, operator, auditor or `tax_department`
        #[arg(long, value_parser = parse_role)]
        role: Role,
        /// Their name, or `-` for the name on standard input; kept encrypted
        #[arg(long)]
        name: String,
    },
    /// List the users; names in full only with --reveal, which is audited
    List,
    /// Show one user with everything that was ever granted to them
    Show { account: String },
    /// Grant a user's role somewhere, for a time: to employers and handlers one employer, to others a division or everything
    Grant(GrantArgs),
    /// End one grant, or the user for good, at once; what was stays on record
    Revoke {
        account: String,
        /// Only this grant: its number
        #[arg(long, value_name = "ID")]
        grant: Option<i32>,
        /// Why; written to the audit log
        #[arg(long)]
        why: String,
    },
}

#[derive(Args)]
pub(super) struct GrantArgs {
    account: String,
    #[command(flatten)]
    reach: ReachArgs,
    /// First day [default: today]
    #[arg(long, value_name = "DATE")]
    from: Option<NaiveDate>,
    /// Last day, included [default: until it is revoked; a handler needs one]
    #[arg(long, value_name = "DATE")]
    until: Option<NaiveDate>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct ReachArgs {
    /// An employer, by its unified social credit code
    #[arg(long, value_name = "USCC")]
    unit: Option<String>,
    /// Two, four or six digits of the division in charge: the federation's, of a tax department its own
    #[arg(long, value_name = "DIGITS")]
    division: Option<String>,
    /// All there is
    #[arg(long)]
    everything: bool,
}

fn parse_role(text: &str) -> Result<Role, String> {
    let all = || Role::OF_USERS.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ");
    Role::parse(text).filter(|role| Role::OF_USERS.contains(role)).ok_or_else(|| format!("accepted are {}", all()))
}

/// A user as shown.
#[derive(Serialize)]
struct Shown {
    account: String,
    /// Masked, unless revealed.
    name: String,
    role: Role,
    /// Whether anything is granted today.
    holds: bool,
    created_at: String,
    created_by: String,
    revoked: Option<Revoked>,
    grants: Vec<GrantLine>,
}

pub(super) async fn run(common: &Common, command: &UserCommand, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::ManageUsers).await?;
    let outcome = act(&context, command, out).await;
    context.close().await?;
    outcome
}

async fn act(context: &Context, command: &UserCommand, out: Output) -> anyhow::Result<Ended> {
    let (store, actor) = (&context.store, &context.actor);
    match command {
        UserCommand::Add { account, role, name } => {
            users::add_user(store, actor, account, &given_name(name)?, *role).await?;
            out.value(&serde_json::json!({ "added": account }), |_| {
                format!("added {account}, {role}; `renzheng user grant {account}` says where and how long")
            })?;
        }
        UserCommand::List => list(context, out).await?,
        UserCommand::Show { account } => {
            let shown = shown(context, Some(account), out).await?.pop();
            let shown = shown.ok_or_else(|| users::UserError::Unknown(account.clone()))?;
            out.value(&shown, describe)?;
        }
        UserCommand::Grant(args) => {
            let reach = reach_of(&args.reach)?;
            let period = Period { from: args.from, until: args.until };
            let grant_id = users::grant(store, actor, &args.account, &reach, period).await?.grant_id;
            out.value(&serde_json::json!({ "granted": grant_id, "account": args.account }), |_| {
                format!("grant {grant_id} of {} holds on its days", args.account)
            })?;
        }
        UserCommand::Revoke { account, grant, why } => {
            users::revoke(store, actor, account, *grant, why).await?;
            let value = serde_json::json!({ "revoked": account, "grant": grant });
            out.value(&value, |_| match grant {
                Some(grant) => format!("grant {grant} of {account} holds no more"),
                None => format!("{account} is revoked for good, with all grants and tokens"),
            })?;
        }
    }
    Ok(Ended::Done)
}

fn given_name(text: &str) -> anyhow::Result<String> {
    if text != "-" {
        return Ok(text.to_owned());
    }
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).context("cannot read the name from standard input")?;
    Ok(line)
}

fn reach_of(args: &ReachArgs) -> anyhow::Result<AskedReach> {
    match (&args.unit, &args.division) {
        (Some(code), _) => Uscc::parse(code)
            .map(AskedReach::Unit)
            .map_err(|error| usage(format!("`{code}` is no unified social credit code: {error}"))),
        (None, Some(division)) => Ok(AskedReach::Division(division.clone())),
        (None, None) => Ok(AskedReach::Everything),
    }
}

/// Users as they may be shown; that they are revealed, if they are, is written to the audit log.
async fn shown(context: &Context, account: Option<&str>, out: Output) -> anyhow::Result<Vec<Shown>> {
    let at = context.store.now().await?;
    let today = crate::clock::business_date(at);
    if out.reveal {
        let object = account.map_or_else(|| "names of all users".to_owned(), |account| format!("user {account}"));
        context.store.record(&Act::read(at, &context.actor, Action::Reveal, object)).await?;
    }
    let users = context.store.list_users(account).await?;
    let show = |user: UserLine| {
        let scope: Option<Scope> = scope_on(&user.domain_grants(), today);
        Shown {
            holds: user.revoked.is_none() && scope.is_some(),
            name: if out.reveal { user.name } else { mask_name(&user.name) },
            account: user.account,
            role: user.role,
            created_at: rfc3339(user.created_at),
            created_by: user.created_by,
            revoked: user.revoked,
            grants: user.grants,
        }
    };
    Ok(users.into_iter().map(show).collect())
}

async fn list(context: &Context, out: Output) -> anyhow::Result<()> {
    let users = shown(context, None, out).await?;
    if out.is_json() {
        for user in &users {
            out.json(user)?;
        }
        return Ok(());
    }
    let row = |user: &Shown| {
        let state = match (&user.revoked, user.holds) {
            (Some(_), _) => "revoked",
            (None, true) => "holds",
            (None, false) => "nothing granted today",
        };
        let standing = user.grants.iter().filter(|grant| grant.revoked.is_none()).map(reach);
        vec![
            user.account.clone(),
            user.name.clone(),
            user.role.to_string(),
            state.to_owned(),
            standing.collect::<Vec<_>>().join(", "),
        ]
    };
    let rows: Vec<Vec<String>> = users.iter().map(row).collect();
    Ok(out.line(table(&["account", "name", "role", "state", "grants"], &rows, &[]))?)
}

fn reach(grant: &GrantLine) -> String {
    match (&grant.reach, &grant.uscc) {
        (Reach::Everything, _) => "everything".to_owned(),
        (Reach::Division(division), _) => format!("division {division}"),
        (Reach::Unit(_), code) => code.clone().unwrap_or_default(),
    }
}

fn describe(user: &Shown) -> String {
    let mut lines = vec![format!("{}  {}  {}", user.account, user.name, user.role)];
    lines.push(format!("added {} by {}", user.created_at, user.created_by));
    lines.extend(user.revoked.as_ref().map(|revoked| format!("revoked for good {}", told(revoked))));
    lines.extend(user.grants.iter().map(|grant| {
        let until = grant.until_on.map_or_else(|| "on".to_owned(), |day| format!("until {day}"));
        let revoked = grant.revoked.as_ref().map(|revoked| format!("; revoked {}", told(revoked))).unwrap_or_default();
        format!(
            "grant {}: {}, from {} {until}; by {}{revoked}",
            grant.grant_id,
            reach(grant),
            grant.from_on,
            grant.granted_by
        )
    }));
    lines.join("\n")
}

pub(super) fn told(revoked: &Revoked) -> String {
    format!("{} by {}: {}", rfc3339(revoked.at), revoked.by, revoked.why)
}
