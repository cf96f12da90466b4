//! The command line: arguments, what each command prints, exit codes. Data on stdout, words on stderr.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::{ConfigError, Options, Secret};
use crate::declare::import::ImportKind;
use crate::errors;
use crate::policy::PolicyError;

mod affiliate;
mod alerts;
mod amend;
mod announcement;
mod as_of;
mod audit;
mod backfill;
mod certification;
mod check;
mod config;
mod connect;
mod consent;
mod context;
mod contract;
mod db;
mod declare;
mod demo;
mod deregister;
mod employer;
mod evidence;
mod explain;
mod export;
mod foresight;
mod import;
mod jobs;
mod keys;
mod levy;
mod look_up;
mod notice;
mod objection;
mod output;
mod person;
mod placement;
mod push;
mod push_text;
mod quarantine;
mod reconcile;
mod results;
mod reverify;
mod review;
mod review_conflict;
mod review_text;
mod reward;
mod run;
mod run_record;
mod runs;
mod runs_decide;
mod sandbox;
mod serve;
mod subscriptions;
mod table;
mod tick;
mod tokens;
mod users;
mod verify;
mod withdraw;
mod worth;

use context::UsageError;
use output::Output;

/// Certifies employers' employment of disabled people (残疾人按比例就业认证) and hands the result to the tax department.
#[derive(Parser)]
#[command(name = "renzheng", version, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// Settings that every command takes; what is not given comes from `RENZHENG_*` variables, then from `renzheng.toml`.
#[derive(Args)]
struct Common {
    /// Text for people, or JSON lines for programs
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Folder of the job files [default: jobs]
    #[arg(long, global = true, value_name = "DIR")]
    jobs: Option<PathBuf>,
    /// Folder of the private Postgres, keys and files [default: var]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Policy file of the province [default: Jiangxi, built in]
    #[arg(long, global = true, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Show ID numbers and names whole; every use is audited
    #[arg(long, global = true)]
    reveal: bool,
}

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// Run the whole road on a synthetic province: agencies, nightly chain, one declaration, the tax department's receipt
    Demo(demo::DemoArgs),
    /// Validate configuration, jobs and policy
    Check(check::CheckArgs),
    /// Print every setting in force, and where it comes from
    Config,
    /// Run everything: migrations, the clockwork, the workers; until Ctrl-C or SIGTERM
    ///
    /// Policy and settings are read at the start, job files also when they change. Any number of processes may serve one database: they share the work.
    Serve(serve::ServeArgs),
    /// List the jobs; their fires, and why one did not run; pause and resume them
    Jobs(jobs::JobsArgs),
    /// Run one job now, to its end, or queue it
    Run(run::RunArgs),
    /// Pull a long range of days part by part
    Backfill {
        #[command(subcommand)]
        command: backfill::BackfillCommand,
    },
    /// List what ran; show it; release or discard what is held, retry or discard what was given up
    Runs(runs::RunsArgs),
    /// What is wrong and not over yet, and whom it was told
    Alerts(alerts::AlertsArgs),
    /// Take in employers' own data
    Import(import::ImportArgs),
    /// Ask whether name, ID number and certificate number belong together in the register (three lines on standard input)
    LookUp(look_up::LookUpArgs),
    /// Register placements (安置信息) one by one, or carry last year's list over
    Placement {
        #[command(subcommand)]
        command: placement::PlacementCommand,
    },
    /// Contracts of a placement (合同管理)
    Contract {
        #[command(subcommand)]
        command: contract::ContractCommand,
    },
    /// Affiliates and dispatch companies of an employer (关联单位)
    Affiliate {
        #[command(subcommand)]
        command: affiliate::AffiliateCommand,
    },
    /// An employer's own data (单位基本信息)
    Employer {
        #[command(subcommand)]
        command: employer::EmployerCommand,
    },
    /// What employers and staff were told
    Notice {
        #[command(subcommand)]
        command: notice::NoticeCommand,
    },
    /// What the federation tells everybody (通知公告)
    Announcement {
        #[command(subcommand)]
        command: announcement::AnnouncementCommand,
    },
    /// The code by which a person opens what is kept of them
    Person {
        #[command(subcommand)]
        command: person::PersonCommand,
    },
    /// What persons object to, and the answers of staff
    Objection {
        #[command(subcommand)]
        command: objection::ObjectionCommand,
    },
    /// Judge a business year: what changed since the last time, or everything; only what differs is written
    Verify(verify::VerifyArgs),
    /// Read results
    Results(results::ResultsArgs),
    /// Show the evidence behind every check of one month, and what puts it right
    Explain(explain::ExplainArgs),
    /// Show what every month that does not count costs the employer
    Worth(worth::WorthArgs),
    /// Show what will fail soon: certificates and contracts that end, insurance gaps, a rising minimum wage
    Foresight(foresight::ForesightArgs),
    /// Refused records: look at them, read them once more, discard them
    Quarantine {
        #[command(subcommand)]
        command: quarantine::QuarantineCommand,
    },
    /// The dated rules of the province
    Policy {
        #[command(subcommand)]
        command: check::PolicyCommand,
    },
    /// Declare an employer's year from the counter
    Declare {
        #[command(subcommand)]
        command: declare::DeclareCommand,
    },
    /// Review what employers handed in (审核): the queue, decisions on months, conflicts between employers
    Review {
        #[command(subcommand)]
        command: review::ReviewCommand,
    },
    /// Take a completed declaration back (年审申报撤回)
    Withdraw {
        #[command(subcommand)]
        command: withdraw::WithdrawCommand,
    },
    /// Change single person-months of a completed declaration (更正)
    Amend {
        #[command(subcommand)]
        command: amend::AmendCommand,
    },
    /// Enter that a unit is being deregistered (单位注销安置登记): it declares the running year
    Deregister(deregister::DeregisterArgs),
    /// Files that prove what a check could not see
    Evidence {
        #[command(subcommand)]
        command: evidence::EvidenceCommand,
    },
    /// The document of a certification (认定书): show it, print it, check one
    Certification {
        #[command(subcommand)]
        command: certification::CertificationCommand,
    },
    /// Hand messages over to the tax department
    Push {
        #[command(subcommand)]
        command: push::PushCommand,
    },
    /// Compare with the tax department what both sides hold; the differences, and following it where a person decided so
    Reconcile(reconcile::ReconcileArgs),
    /// Write messages as files for the tax department, or take its answers from one
    Export(export::ExportArgs),
    /// Apply for the reward for exceeding the ratio (超比例奖励申请)
    Reward {
        #[command(subcommand)]
        command: reward::RewardCommand,
    },
    /// Calculate the levy (残保金)
    Levy(levy::LevyArgs),
    /// Who may do what, where and how long: users and what is granted to them
    User {
        #[command(subcommand)]
        command: users::UserCommand,
    },
    /// By what users are known: the tokens that `RENZHENG_TOKEN` takes
    Token {
        #[command(subcommand)]
        command: tokens::TokenCommand,
    },
    /// Programs of users that hear of what happens (events by webhook)
    Subscription {
        #[command(subcommand)]
        command: subscriptions::SubscriptionCommand,
    },
    /// Who did or looked at what; whether the audit log is what it was
    Audit {
        #[command(subcommand)]
        command: audit::AuditCommand,
    },
    /// Make and keep the keys of personal data
    Keys {
        #[command(subcommand)]
        command: keys::KeysCommand,
    },
    /// Look after the database
    Db {
        #[command(subcommand)]
        command: db::DbCommand,
    },
    /// Run the agencies and the tax department on loopback, to develop and test against
    Sandbox(sandbox::SandboxArgs),
}

/// How a command ended: 0, or 3 with refused rows or held batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Done,
    WithRefusals,
}

impl Command {
    /// Runs until Ctrl-C, which is no interruption then.
    fn ends_by_ctrl_c(&self) -> bool {
        matches!(self, Self::Serve(_) | Self::Sandbox(_) | Self::Demo(demo::DemoArgs { keep: true, .. }))
    }

    /// Ends in order by SIGTERM, of itself.
    fn ends_by_term(&self) -> bool {
        matches!(self, Self::Serve(_))
    }
}

impl Ended {
    fn of(refusals: bool) -> Self {
        if refusals { Self::WithRefusals } else { Self::Done }
    }
}

impl Common {
    fn options(&self) -> Options {
        Options {
            jobs_dir: self.jobs.clone(),
            data_dir: self.data_dir.clone(),
            policy: self.policy.clone(),
            database_url: None::<Secret>,
            key_file: None,
        }
    }
}

/// Runs the program with the process' arguments.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("renzheng: the runtime did not start: {error}");
            return ExitCode::from(1);
        }
    };
    let (ends_by_ctrl_c, ends_by_term) = (cli.command.ends_by_ctrl_c(), cli.command.ends_by_term());
    match runtime.block_on(until_stopped(run(cli), ends_by_ctrl_c, ends_by_term)) {
        Ok(Ended::Done) => ExitCode::SUCCESS,
        Ok(Ended::WithRefusals) => ExitCode::from(3),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("renzheng: {}", errors::chain(error.as_ref()));
            ExitCode::from(if is_usage(&error) { 2 } else { 1 })
        }
    }
}

/// The command, or its end by Ctrl-C or SIGTERM: then everything it holds is given back in order, the private server too.
async fn until_stopped(
    command: impl Future<Output = anyhow::Result<Ended>>,
    ends_by_ctrl_c: bool,
    ends_by_term: bool,
) -> anyhow::Result<Ended> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        outcome = command => outcome,
        _ = terminated.recv(), if !ends_by_term => Err(anyhow::anyhow!("stopped by SIGTERM; what was stored stays, run it again to go on")),
        _ = tokio::signal::ctrl_c(), if !ends_by_ctrl_c => Err(anyhow::anyhow!("stopped; what was stored stays, run it again to go on")),
    }
}

async fn run(cli: Cli) -> anyhow::Result<Ended> {
    let out = Output::new(cli.common.format, cli.common.reveal);
    let common = cli.common;
    match cli.command {
        Command::Demo(args) => demo::run(&common, &args, out).await,
        Command::Check(args) => check::run(&common, &args, out).await,
        Command::Config => config::run(&common, out),
        Command::Alerts(args) => alerts::run(&common, &args, out).await,
        Command::Db { command } => db::run(&common, &command, out).await,
        Command::Serve(args) => serve::run(&common, &args).await,
        Command::Jobs(args) => jobs::run(&common, &args, out).await,
        Command::Run(args) => run::run(&common, &args, out).await,
        Command::Backfill { command } => backfill::run(&common, &command, out).await,
        Command::Runs(args) => runs::run(&common, &args, out).await,
        Command::Import(args) => import::run(&common, &args, out).await,
        Command::LookUp(args) => look_up::run(&common, &args, out).await,
        Command::Placement { command } => placement::run(&common, &command, out).await,
        Command::Contract { command } => contract::run(&common, &command, out).await,
        Command::Affiliate { command } => affiliate::run(&common, &command, out).await,
        Command::Employer { command } => employer::run(&common, &command, out).await,
        Command::Notice { command } => notice::run(&common, &command, out).await,
        Command::Announcement { command } => announcement::run(&common, &command, out).await,
        Command::Person { command } => person::run(&common, &command, out).await,
        Command::Objection { command } => objection::run(&common, &command, out).await,
        Command::Verify(args) => verify::run(&common, &args, out).await,
        Command::Results(args) => results::run(&common, &args, out).await,
        Command::Explain(args) => explain::run(&common, &args, out).await,
        Command::Worth(args) => worth::run(&common, &args, out).await,
        Command::Foresight(args) => foresight::run(&common, &args, out).await,
        Command::Quarantine { command } => quarantine::run(&common, &command, out).await,
        Command::Policy { command } => check::policy(&common, &command, out).await,
        Command::Declare { command } => declare::run(&common, &command, out).await,
        Command::Review { command } => review::run(&common, &command, out).await,
        Command::Withdraw { command } => withdraw::run(&common, &command, out).await,
        Command::Amend { command } => amend::run(&common, &command, out).await,
        Command::Deregister(args) => deregister::run(&common, &args, out).await,
        Command::Evidence { command } => evidence::run(&common, &command, out).await,
        Command::Push { command } => push::run(&common, &command, out).await,
        Command::Reconcile(args) => reconcile::run(&common, &args, out).await,
        Command::Certification { command } => certification::run(&common, &command, out).await,
        Command::Export(args) => export::run(&common, &args, out).await,
        Command::Reward { command } => reward::run(&common, &command, out).await,
        Command::Levy(args) => levy::run(&common, &args, out),
        Command::User { command } => users::run(&common, &command, out).await,
        Command::Token { command } => tokens::run(&common, &command, out).await,
        Command::Subscription { command } => subscriptions::run(&common, &command, out).await,
        Command::Audit { command } => audit::run(&common, &command, out).await,
        Command::Keys { command } => keys::run(&common, &command, out).await,
        Command::Sandbox(args) => sandbox::run(&common, &args, out).await,
    }
}

/// Wrong usage or configuration: the caller must change something, and nothing was done.
fn is_usage(error: &anyhow::Error) -> bool {
    use crate::declare::announcements::AnnouncementError;
    use crate::declare::certification::DocumentError;
    use crate::declare::discard::DiscardError;
    use crate::declare::import::ImportError;
    use crate::declare::operate::OperateError;
    use crate::declare::person::PersonError;
    use crate::declare::reward::RewardError;
    use crate::declare::subscriptions::SubscriptionError;
    use crate::declare::users::UserError;
    use crate::domain::access::Denied;
    error.is::<UsageError>()
        || error.is::<Denied>()
        || error.downcast_ref::<DocumentError>().is_some_and(|error| error.code().is_some())
        || error.downcast_ref::<AnnouncementError>().is_some_and(|error| error.code().is_some())
        || error.downcast_ref::<RewardError>().is_some_and(|error| error.code().is_some())
        || error.downcast_ref::<PersonError>().is_some_and(|error| error.code().is_some())
        || error.downcast_ref::<OperateError>().is_some_and(|error| error.code().is_some())
        || error.downcast_ref::<DiscardError>().is_some_and(|error| error.code().is_some())
        || error.downcast_ref::<UserError>().is_some_and(UserError::is_refusal)
        || error.downcast_ref::<SubscriptionError>().is_some_and(|error| error.code().is_some())
        || error.is::<ConfigError>()
        || error.is::<PolicyError>()
        || error.downcast_ref::<ImportError>().is_some_and(ImportError::is_usage)
}

/// Whether whoever reads what is said has read enough. A pipe that breaks deeper down is a database or a peer that died.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// A kind of import, as the argument spells it.
fn parse_import_kind(text: &str) -> Result<ImportKind, String> {
    ImportKind::parse(text).ok_or_else(|| "accepted are employers, affiliates, placements, contracts".to_owned())
}
