//! `renzheng evidence`: files that prove what a check could not see.

use std::io::{Read, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use chrono::NaiveDate;
use clap::{Args, Subcommand};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWriteExt};

use super::context::{Context, usage};
use super::explain::parse_language;
use super::output::Output;
use super::table::table;
use super::{Common, Ended};
use crate::clock::rfc3339;
use crate::declare::Declaring;
use crate::declare::evidence::{Attaching, Form, Scanner, Withdrawing, attach, list, open, show, withdraw};
use crate::declare::needs::{needs, text};
use crate::domain::access::Action;
use crate::domain::evidence::{FILE_BYTES, Format, Subject, ending_of};
use crate::domain::facts::{ContractKind, UnitId};
use crate::domain::ids::Uscc;
use crate::domain::month::Month;
use crate::domain::review::Ground;
use crate::domain::said::Language;
use crate::store::audit::Act;
use crate::store::evidence::{Evidence, EvidenceUse};

#[derive(Subcommand)]
pub(super) enum EvidenceCommand {
    /// Take in a file and say what it proves: one thing or many, of one year or several
    Attach(AttachArgs),
    /// The files of an employer's year, and what each is in use for
    List(Whose),
    /// One file with all that it is or was in use for
    Show {
        #[arg(value_name = "ID")]
        evidence_id: i64,
    },
    /// Hand out a file, as it came or drawn anew; every use is audited
    Open(OpenArgs),
    /// Which documents the failing months ask for, and which of them are there
    Needs {
        #[command(flatten)]
        whose: Whose,
        /// Language of the text: en, or zh for the employer's handler; JSON holds both
        #[arg(long, default_value = "en", value_parser = parse_language)]
        lang: Language,
    },
    /// End uses of a file, while the declaration is open and no decision rests on them; the file stays
    Withdraw(WithdrawArgs),
}

#[derive(Args)]
pub(super) struct Whose {
    /// The employer (USCC)
    #[arg(long, value_name = "USCC")]
    employer: String,
    /// Business year
    #[arg(long)]
    year: i32,
}

/// A person is a `person_id`, as `evidence needs` and `results` print it.
#[derive(Args)]
pub(super) struct AttachArgs {
    /// The file, or `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The employer (USCC)
    #[arg(long, value_name = "USCC")]
    employer: String,
    /// The file's name where that is not the one it has here
    #[arg(long)]
    name: Option<String>,
    /// Months of a placement, and what the file proves for them: `17:2025-02..2025-05,2025-08:wage,pension`
    #[arg(long, value_name = "PERSON:MONTHS:GROUNDS", value_parser = parse_cells)]
    cell: Vec<Cells>,
    /// That a unit is an affiliate: `2025:913…`
    #[arg(long, value_name = "YEAR:USCC", value_parser = parse_affiliate)]
    affiliate: Vec<(i16, Uscc)>,
    /// A contract that is entered: `2025:17:labour:2024-01-01`
    #[arg(long, value_name = "YEAR:PERSON:KIND:STARTS_ON", value_parser = parse_contract)]
    contract: Vec<Subject>,
    /// The dispatch agreement of a dispatched person: `2025:17`
    #[arg(long, value_name = "YEAR:PERSON", value_parser = parse_agreement)]
    agreement: Vec<Subject>,
    /// The original of a person's certificate: `2025:17`
    #[arg(long, value_name = "YEAR:PERSON", value_parser = parse_original)]
    original: Vec<Subject>,
}

#[derive(Args)]
pub(super) struct OpenArgs {
    #[arg(value_name = "ID")]
    evidence_id: i64,
    /// Where it is written, a new file; `-` is standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The picture drawn anew, without what a camera wrote into it; a PDF or OFD has none
    #[arg(long)]
    rendition: bool,
}

#[derive(Args)]
pub(super) struct WithdrawArgs {
    #[arg(value_name = "ID")]
    evidence_id: i64,
    /// Numbers of the uses, as `evidence show` prints them
    #[arg(long = "use", value_name = "USE", required = true, value_delimiter = ',')]
    uses: Vec<i64>,
    /// The reason, which is kept
    #[arg(long)]
    why: String,
}

fn parse_person(text: &str) -> Result<crate::domain::facts::PersonId, String> {
    // a longer number is an ID number, and would stay in the shell's history
    let number = text.parse().ok().filter(|_| text.len() < 15);
    number.map(crate::domain::facts::PersonId).ok_or_else(|| "a person is named by `person_id`".to_owned())
}

/// One argument's cells.
#[derive(Clone, Debug)]
struct Cells(Vec<Subject>);

fn parse_cells(text: &str) -> Result<Cells, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let [person, months, grounds] = parts.as_slice() else {
        return Err("accepted is PERSON:MONTHS:GROUNDS, such as 17:2025-02..2025-05:wage,pension".to_owned());
    };
    let person = parse_person(person)?;
    let month = |text: &str| text.parse::<Month>().map_err(|error| format!("`{text}`: {error}"));
    let mut cells = Vec::new();
    for span in months.split(',') {
        let (first, last) = span.split_once("..").unwrap_or((span, span));
        let (first, last) = (month(first)?, month(last)?);
        let count = last.index() - first.index();
        if !(0..120).contains(&count) {
            return Err(format!("`{span}` is no span of months, the earlier first"));
        }
        for ground in grounds.split(',') {
            let ground = Ground::parse(ground).ok_or_else(|| {
                let known: Vec<&str> = Ground::ALL.iter().map(|ground| ground.as_str()).collect();
                format!("`{ground}`: accepted are {}", known.join(", "))
            })?;
            cells.extend((0..=count).map(|ahead| Subject::Cell { person, month: first.plus(ahead), ground }));
        }
    }
    Ok(Cells(cells))
}

fn parse_year(text: &str) -> Result<i16, String> {
    text.parse().ok().filter(|year| (2000..2200).contains(year)).ok_or_else(|| format!("`{text}` is no business year"))
}

fn parse_affiliate(text: &str) -> Result<(i16, Uscc), String> {
    let (year, unit) = text.split_once(':').ok_or("accepted is YEAR:USCC")?;
    Ok((parse_year(year)?, Uscc::parse(unit).map_err(|error| error.to_string())?))
}

fn parse_contract(text: &str) -> Result<Subject, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let [year, person, kind, starts_on] = parts.as_slice() else {
        return Err("accepted is YEAR:PERSON:KIND:STARTS_ON, such as 2025:17:labour:2024-01-01".to_owned());
    };
    Ok(Subject::Contract {
        year: parse_year(year)?,
        person: parse_person(person)?,
        kind: ContractKind::parse(kind).ok_or("a contract is `labour` or `establishment`")?,
        starts_on: starts_on.parse::<NaiveDate>().map_err(|error| error.to_string())?,
    })
}

fn parse_agreement(text: &str) -> Result<Subject, String> {
    let (year, person) = text.split_once(':').ok_or("accepted is YEAR:PERSON")?;
    Ok(Subject::Agreement { year: parse_year(year)?, person: parse_person(person)? })
}

fn parse_original(text: &str) -> Result<Subject, String> {
    let (year, person) = text.split_once(':').ok_or("accepted is YEAR:PERSON")?;
    Ok(Subject::Original { year: parse_year(year)?, person: parse_person(person)? })
}

pub(super) async fn run(common: &Common, command: &EvidenceCommand, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::ReadResults).await?;
    let outcome = act(&context, command, out).await;
    context.close().await?;
    outcome.map(|()| Ended::Done)
}

async fn act(context: &Context, command: &EvidenceCommand, out: Output) -> anyhow::Result<()> {
    let (store, actor) = (&context.store, &context.actor);
    match command {
        EvidenceCommand::Attach(args) => attach_file(context, args, out).await,
        EvidenceCommand::List(whose) => {
            let listed =
                list(store, actor, context.employer(Action::ReadResults, &whose.employer).await?, whose.year).await?;
            reveal_names(context, out, &format!("evidence {}: employer {}", whose.year, whose.employer)).await?;
            let shown: Vec<Shown> =
                listed.iter().map(|(evidence, uses)| Shown::of(evidence, uses, out.reveal)).collect();
            out.value(&shown, |shown| listing(shown))
        }
        EvidenceCommand::Show { evidence_id } => {
            let (evidence, uses) = show(store, actor, *evidence_id).await?;
            reveal_names(context, out, &format!("evidence {evidence_id}")).await?;
            out.value(&Shown::of(&evidence, &uses, out.reveal), described)
        }
        EvidenceCommand::Open(args) => hand_out(context, args).await,
        EvidenceCommand::Needs { whose, lang } => {
            let declaring =
                Declaring { employer: context.employer(Action::ReadResults, &whose.employer).await?, year: whose.year };
            let needs = needs(store, &context.policy()?, actor, declaring).await?;
            out.value(&needs, |needs| text(needs, *lang))
        }
        EvidenceCommand::Withdraw(args) => {
            let withdrawing = Withdrawing { evidence_id: args.evidence_id, uses: &args.uses, why: &args.why };
            let left = withdraw(store, actor, &withdrawing).await?;
            out.value(&left, |left| format!("evidence {}: {} uses are left", left.evidence_id, left.uses.len()))
        }
    }
}

async fn attach_file(context: &Context, args: &AttachArgs, out: Output) -> anyhow::Result<()> {
    let store = &context.store;
    let employer = context.employer(Action::ReadResults, &args.employer).await?;
    let mut subjects: Vec<Subject> = args.cell.iter().flat_map(|cells| cells.0.iter().copied()).collect();
    for (year, code) in &args.affiliate {
        let found = store.find_unit(code).await?;
        let unit: UnitId =
            found.ok_or_else(|| usage(format!("no unit {code} is known here: list the affiliate first")))?;
        subjects.push(Subject::Affiliate { year: *year, unit });
    }
    subjects.extend([&args.contract, &args.agreement, &args.original].into_iter().flatten());
    let own_name = args.file.file_name().map(|name| name.to_string_lossy().into_owned());
    let is_stdin = args.file.as_os_str() == "-";
    let file_name = args.name.clone().or(own_name.filter(|_| !is_stdin)).unwrap_or_default();
    let incoming: Box<dyn AsyncRead + Unpin> = if is_stdin {
        let mut read = Vec::new();
        let mut stdin = std::io::stdin().lock().take(FILE_BYTES as u64 + 1);
        tokio::task::block_in_place(|| stdin.read_to_end(&mut read)).context("cannot read standard input")?;
        Box::new(std::io::Cursor::new(read))
    } else {
        let opened = tokio::fs::File::open(&args.file).await;
        Box::new(opened.with_context(|| format!("cannot open {}", args.file.display()))?)
    };
    let scanner = context.settings.clamd.as_ref().map(Scanner::new);
    let attaching = Attaching { employer, file_name: &file_name, subjects: &subjects };
    let attached = attach(store, scanner.as_ref(), &context.actor, &attaching, incoming).await?;
    out.value(&attached, |attached| {
        format!(
            "evidence {}: {}, {} bytes, in use for {}",
            attached.evidence_id,
            attached.format,
            attached.size_bytes,
            counted(attached.uses.len())
        )
    })
}

fn counted(uses: usize) -> String {
    if uses == 1 { "1 thing".to_owned() } else { format!("{uses} things") }
}

/// Names of files may hold names of persons.
async fn reveal_names(context: &Context, out: Output, object: &str) -> anyhow::Result<()> {
    if out.reveal {
        let at = context.store.now().await?;
        context.store.record(&Act::read(at, &context.actor, Action::Reveal, object)).await?;
    }
    Ok(())
}

/// Writes the file whole or not at all, where it is written to a file.
async fn hand_out(context: &Context, args: &OpenArgs) -> anyhow::Result<()> {
    let form = if args.rendition { Form::Rendition } else { Form::Original };
    if args.out.as_os_str() == "-" {
        let mut opened = open(&context.store, &context.actor, args.evidence_id, form).await?;
        while let Some(piece) = opened.next_piece().await? {
            std::io::stdout().write_all(&piece)?;
        }
        return Ok(std::io::stdout().flush()?);
    }
    if args.out.exists() {
        return Err(usage(format!("{} exists already: name a new file", args.out.display())));
    }
    let mut beside = args.out.file_name().unwrap_or_default().to_owned();
    beside.push(".part");
    let part = args.out.with_file_name(beside);
    let mut opened = open(&context.store, &context.actor, args.evidence_id, form).await?;
    let written = async {
        let mut file = tokio::fs::File::create(&part).await?;
        while let Some(piece) = opened.next_piece().await? {
            file.write_all(&piece).await?;
        }
        file.sync_all().await?;
        tokio::fs::rename(&part, &args.out).await?;
        anyhow::Ok(())
    };
    if let Err(error) = written.await {
        // the failure to tell is the first one
        let _left_over = tokio::fs::remove_file(&part).await;
        return Err(error.context(format!("cannot write {}", args.out.display())));
    }
    eprintln!("written to {}", args.out.display());
    Ok(())
}

/// A file as it is shown.
#[derive(Serialize)]
struct Shown<'a> {
    evidence_id: i64,
    format: Format,
    size_bytes: u32,
    file_name: String,
    received_at: String,
    received_by: &'a str,
    scanned: bool,
    uses: &'a [EvidenceUse],
}

impl<'a> Shown<'a> {
    fn of(evidence: &'a Evidence, uses: &'a [EvidenceUse], reveal: bool) -> Self {
        let ending = ending_of(&evidence.file_name).map_or_else(String::new, |ending| format!(".{ending}"));
        Self {
            evidence_id: evidence.evidence_id,
            format: evidence.format,
            size_bytes: evidence.size_bytes,
            file_name: if reveal { evidence.file_name.clone() } else { format!("*{ending}") },
            received_at: rfc3339(evidence.received_at),
            received_by: &evidence.received_by,
            scanned: evidence.scanned_at.is_some(),
            uses,
        }
    }
}

fn listing(shown: &[Shown<'_>]) -> String {
    let rows: Vec<Vec<String>> = shown
        .iter()
        .map(|one| {
            let in_use = one.uses.iter().filter(|one| one.removed_at.is_none()).count();
            vec![
                one.evidence_id.to_string(),
                one.format.to_string(),
                one.size_bytes.to_string(),
                one.file_name.clone(),
                one.received_at.clone(),
                in_use.to_string(),
            ]
        })
        .collect();
    table(&["evidence", "format", "bytes", "name", "received", "in use"], &rows, &[0, 2, 5])
}

fn described(shown: &Shown<'_>) -> String {
    let head = format!(
        "evidence {}: {}, {} bytes, {}, received {} by {}, {}",
        shown.evidence_id,
        shown.format,
        shown.size_bytes,
        shown.file_name,
        shown.received_at,
        shown.received_by,
        if shown.scanned { "scanned for viruses" } else { "not scanned for viruses" }
    );
    let rows: Vec<Vec<String>> = shown.uses.iter().map(use_row).collect();
    format!("{head}\n\n{}", table(&["use", "proves", "since", "state"], &rows, &[0]))
}

fn use_row(one: &EvidenceUse) -> Vec<String> {
    let proves = match one.subject {
        Subject::Cell { person, month, ground } => format!("{ground} of person {} in {month}", person.0),
        Subject::Affiliate { year, unit } => format!("affiliate {} in {year}", unit.0),
        Subject::Contract { year, person, kind, starts_on } => {
            format!("{kind} contract of person {} in {year} from {starts_on}", person.0)
        }
        Subject::Agreement { year, person } => format!("dispatch agreement of person {} in {year}", person.0),
        Subject::Original { year, person } => format!("original of the certificate of person {} in {year}", person.0),
    };
    let state = match (&one.removed_at, &one.relied_on_at) {
        (Some(at), _) => format!("withdrawn {}", rfc3339(*at)),
        (None, Some(_)) => "a decision rests on it".to_owned(),
        (None, None) => "in use".to_owned(),
    };
    vec![one.use_id.to_string(), proves, rfc3339(one.added_at), state]
}
