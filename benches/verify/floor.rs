//! The floor of a verification: its inputs copied out and its results copied in, by `psql`, with nothing in between.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::common::server::Server;

/// What a verification reads, table by table.
const INPUTS: [&str; 7] = [
    "select person_id, concerned_seq, born_on, sex from person",
    "select person_id, employer_id, dispatch_unit, wage_payer, pension_payer, medical_payer, retirement_track from placement where year = 2025",
    "select person_id, employer_id, kind, starts_on, ends_on, terminated_on from contract where year = 2025",
    "select person_id, version_id, amount_fen, period, payer from wage where period between 24300 and 24312",
    "select person_id, version_id, period, scheme, coverage, insured, status, payment from insurance where period between 24300 and 24312",
    "select person_id, version_id, updated_at, kind, level, valid_from, valid_to, status, status_since from certificate",
    "select person_id, month, employer_id from claim",
];
/// The columns of a stored result.
const RESULT: &str = "person_id, employer_id, year, cells, runs, seq, cause, pending";

fn timed(server: &Server, database: &str, statements: &[&str]) -> anyhow::Result<Duration> {
    let began = Instant::now();
    server.run(database, statements)?;
    Ok(began.elapsed())
}

/// All inputs, one after the other.
pub fn copy_out(server: &Server, database: &str) -> anyhow::Result<Duration> {
    let copies = INPUTS.map(|query| format!("\\copy ({query}) to '/dev/null' with (format binary)"));
    timed(server, database, &copies.each_ref().map(String::as_str))
}

/// The results in their stored form, into a table with their key.
pub fn copy_in(server: &Server, database: &str, folder: &Path) -> anyhow::Result<Duration> {
    let file = folder.join("results.bin").display().to_string();
    server.run(
        database,
        &[
            &format!("\\copy (select {RESULT} from verification order by person_id, employer_id) to '{file}' with (format binary)"),
            "create table floor (like verification including defaults including constraints)",
            "alter table floor add primary key (person_id, employer_id, year)",
        ],
    )?;
    let took = timed(server, database, &[&format!("\\copy floor ({RESULT}) from '{file}' with (format binary)")])?;
    server.run(database, &["drop table floor"])?;
    std::fs::remove_file(file)?;
    Ok(took)
}
