//! `renzheng certification`: the document of a certification (认定书), and whether one that somebody holds is ours.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;

use super::context::{Context, usage};
use super::declare::Whose;
use super::output::Output;
use super::{Common, Ended};
use crate::declare::certification::{Issued, Names, check, issue};
use crate::domain::access::Action;
use crate::web::pages::certification_page;

#[derive(Subcommand)]
pub(super) enum CertificationCommand {
    /// Show the document of the result in force; the first time it is issued, and kept as it is then
    Show {
        #[command(flatten)]
        whose: Whose,
        /// Of this version, if a document was issued of it [default: the one in force]
        #[arg(long = "of-version", value_name = "N")]
        of_version: Option<u32>,
        /// With the names of the persons: surname and `*`, in full only with --reveal, which is audited
        #[arg(long)]
        names: bool,
        /// Write it as a page to print; the file must not be there yet
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
    },
    /// Whether number and check code belong to a document of ours, and whether it is in force
    Check { number: String, code: String },
}

pub(super) async fn run(common: &Common, command: &CertificationCommand, out: Output) -> anyhow::Result<Ended> {
    let action = match command {
        CertificationCommand::Show { .. } => Action::IssueDocument,
        CertificationCommand::Check { .. } => Action::ReadResults,
    };
    let context = Context::open(common, action).await?;
    let outcome = act(&context, command, out).await;
    context.close().await?;
    outcome
}

async fn act(context: &Context, command: &CertificationCommand, out: Output) -> anyhow::Result<Ended> {
    let store = &context.store;
    match command {
        CertificationCommand::Show { whose, of_version, names, html } => {
            let employer = context.employer(Action::IssueDocument, &whose.employer).await?;
            let declaring = crate::declare::Declaring { employer, year: whose.year };
            let names = match (names, out.reveal) {
                (false, _) => Names::Without,
                (true, false) => Names::Masked,
                (true, true) => Names::Full,
            };
            let policy = context.policy()?.policy;
            let issued = issue(store, &policy, &context.actor, declaring, *of_version, names).await?;
            if let Some(file) = html {
                let page = certification_page(&issued);
                write_whole(file, page.as_bytes())
                    .with_context(|| format!("cannot write {}, which must not be there yet", file.display()))?;
            }
            out.value(&issued, told)?;
        }
        CertificationCommand::Check { number, code } => match check(store, number, code).await? {
            Some(issued) => out.value(&issued, told)?,
            None => return Err(usage("there is no document with this number and this code")),
        },
    }
    Ok(Ended::Done)
}

/// A file that only its owner reads, whole or not at all, and never in the place of another.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let part = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        // unlike a rename, takes no place that is not free
        std::fs::hard_link(&part, path)
    })();
    let _gone = std::fs::remove_file(&part);
    written
}

fn told(issued: &Issued) -> String {
    let Issued { document, check_code, validity, issued_at, names } = issued;
    let mut lines = vec![
        format!(
            "认定书编号 {}　version {}: {validity} ({})",
            document.certification_number,
            document.version,
            validity.chinese()
        ),
        format!("用人单位 {} {}　{}年", document.employer_name, document.uscc, document.year),
        format!(
            "安置 {}人　{}人月（不加权）　{}人月（加权）　{}人（{}）",
            document.person_count,
            document.unweighted_person_months,
            document.weighted_person_months,
            document.placed_persons.decimal,
            document.placed_persons.fraction
        ),
        format!("各月加权人数 {}", document.months.map(|count| count.to_string()).join(" ")),
        format!(
            "完成申报 {}　税务部门接收 {}　回执 {}",
            document.certified_at.to_rfc3339(),
            document.accepted_at.to_rfc3339(),
            document.receipt
        ),
        format!("认定机构 {}　首次出具 {issued_at}", document.issued_by),
        format!("校验码 {check_code}"),
    ];
    lines.extend(names.as_ref().map(|names| format!("安置残疾人 {}", names.join("、"))));
    lines.join("\n")
}
