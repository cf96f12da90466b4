//! Both sides of a whole year compared: a million employers in our outbox, and as many at a department that tells its statement from
//! the same rule.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, ensure};
use axum::extract::{Path as PathPart, State};
use axum::routing::get;
use axum::{Json, Router};
use renzheng::domain::message::MessageKind;
use renzheng::domain::statement::{Answer, InForce, Last, Row, part_of};
use renzheng::push::statement::{PartDigest, PartTotal, total_of};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Figure;
use super::common::program::{Program, Ran};
use super::common::server::Server;
use super::common::units::credit_code;

const DATABASE: &str = "push_reconcile";
const YEAR: i16 = 2025;
/// One in so many differs, once it is told so.
const DIFFERS: u64 = 1000;

/// The message of one employer.
struct Message {
    uscc: String,
    id: String,
    body: String,
    weighted: u64,
}

fn message(serial: u64) -> Message {
    let uscc = credit_code(serial);
    let id = format!("019d8ec6-1a00-7000-8000-{serial:012x}");
    let weighted = 12 + serial % 600;
    let body = json!({
        "kind": "certified", "message_id": id, "idempotency_key": format!("{uscc}:{YEAR}:1:certified"), "version": 1, "uscc": uscc,
        "employer_name": format!("合成单位{serial}"), "tax_division": "360102", "year": YEAR, "person_count": 1 + serial % 50,
        "unweighted_person_months": weighted, "weighted_person_months": weighted,
        "placed_persons": { "fraction": format!("{weighted}/12"), "decimal": "1.00" }, "months": vec![1; 12],
        "certified_at": "2026-04-15T08:00:00+08:00", "certification_number": format!("36-{YEAR}-{serial:08}"),
    });
    Message { uscc, id, body: body.to_string(), weighted }
}

/// As the department tells it.
fn row(serial: u64, altered: bool) -> Row {
    let Message { uscc, id, body, weighted } = message(serial);
    let digest = hex::encode(Sha256::digest(body));
    let weighted_person_months = weighted + u64::from(altered && serial.is_multiple_of(DIFFERS));
    let held = InForce {
        version: 1,
        message_id: id.clone(),
        digest: digest.clone(),
        receipt: format!("36{YEAR}{serial:08}"),
        person_count: 1 + serial % 50,
        weighted_person_months,
    };
    let idempotency_key = format!("{uscc}:{YEAR}:1:certified");
    let status = Answer::Accepted;
    let last = Last { version: 1, kind: MessageKind::Certified, message_id: id, idempotency_key, digest, status };
    Row { uscc, messages: 1, in_force: Some(held), last }
}

/// The department: who is in which part, and what its parts come to.
struct Department {
    parts: Vec<Vec<u64>>,
    equal: Vec<PartTotal>,
    differing: Vec<PartTotal>,
    altered: AtomicBool,
}

impl Department {
    fn new(employers: u64) -> Self {
        let mut parts: Vec<Vec<(String, u64)>> = vec![Vec::new(); 256];
        for serial in 0..employers {
            let uscc = credit_code(serial);
            parts[usize::from(part_of(&uscc))].push((uscc, serial));
        }
        for part in &mut parts {
            part.sort_unstable();
        }
        let parts: Vec<Vec<u64>> =
            parts.into_iter().map(|part| part.into_iter().map(|(_, serial)| serial).collect()).collect();
        let totals = |altered: bool| {
            let of_part = |(part, serials): (usize, &Vec<u64>)| {
                let mut digest = PartDigest::default();
                for serial in serials {
                    digest.add(&row(*serial, altered));
                }
                digest.total(part as u8)
            };
            parts.iter().enumerate().filter(|(_, serials)| !serials.is_empty()).map(of_part).collect()
        };
        let (equal, differing) = (totals(false), totals(true));
        Self { parts, equal, differing, altered: AtomicBool::new(false) }
    }

    fn year(&self) -> Value {
        let parts = if self.altered.load(Ordering::Relaxed) { &self.differing } else { &self.equal };
        let total = total_of(YEAR, parts);
        let parts: Vec<Value> =
            parts.iter().map(|part| json!({ "part": part.part, "rows": part.rows, "digest": part.digest })).collect();
        json!({ "year": YEAR, "rows": total.rows, "digest": total.digest, "parts": parts })
    }

    fn rows(&self, part: u8) -> String {
        let altered = self.altered.load(Ordering::Relaxed);
        let mut text = String::new();
        for serial in &self.parts[usize::from(part)] {
            text += &serde_json::to_string(&row(*serial, altered)).unwrap_or_default();
            text.push('\n');
        }
        text
    }
}

/// Serves it on a thread of its own; the address.
fn serve(department: Arc<Department>) -> anyhow::Result<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let url = format!("http://{}", listener.local_addr()?);
    let router = Router::new()
        .route(
            "/statements",
            get(async |State(department): State<Arc<Department>>| {
                let mut year = department.year();
                year.as_object_mut().map(|year| year.remove("parts"));
                Json(json!({ "years": [year] }))
            }),
        )
        .route("/statements/{year}", get(async |State(department): State<Arc<Department>>| Json(department.year())))
        .route(
            "/statements/{year}/{part}",
            get(async |State(department): State<Arc<Department>>, PathPart((_, part)): PathPart<(u16, u8)>| {
                department.rows(part)
            }),
        )
        .with_state(department);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            axum::serve(listener, router).await
        })
    });
    Ok(url)
}

pub fn measure(program: &Program, server: &Server, work: &Path, employers: u64) -> anyhow::Result<Vec<Figure>> {
    eprintln!("making {employers} employers' years");
    server.create(DATABASE, None)?;
    program.prepare(server.url(DATABASE))?;
    fill(server, work, employers)?;
    let department = Arc::new(Department::new(employers));
    let variables = [
        ("DATABASE_URL", server.url(DATABASE)),
        ("RENZHENG_TAX_URL", serve(department.clone())?),
        ("RENZHENG_TAX_KEY_ID", "bench".to_owned()),
        ("RENZHENG_TAX_KEY", "bench".to_owned()),
    ];
    let reconcile = |differing: u64| {
        let command = ["reconcile"];
        // 3: the two sides differ
        let ran = if differing == 0 {
            program.run(&command, &variables)?
        } else {
            program.run_to(3, &command, &variables)?
        };
        let open = ran.report["open"]["other_content"].as_u64().unwrap_or_default();
        let whole = ran.report["rows_here"] == json!(employers) && ran.report["rows_there"] == json!(employers);
        ensure!(open == differing && whole, "{differing} differ: {} {}", ran.report, ran.words);
        Ok::<Ran, anyhow::Error>(ran)
    };
    let figure = |title, ran, goal| Figure { title, ran, goal };
    let mut figures = vec![figure("reconcile, both sides equal", reconcile(0)?, Some("goal ≤ 60 s for a million"))];
    department.altered.store(true, Ordering::Relaxed);
    let differing = employers.div_ceil(DIFFERS);
    figures.push(figure(
        "reconcile, one in a thousand differs",
        reconcile(differing)?,
        Some("goal ≤ 60 s for a million"),
    ));
    figures.push(figure("reconcile, the same differences again", reconcile(differing)?, None));
    department.altered.store(false, Ordering::Relaxed);
    figures.push(figure("reconcile, equal again", reconcile(0)?, None));
    server.drop(DATABASE)?;
    Ok(figures)
}

/// Units and their accepted messages, by COPY.
fn fill(server: &Server, work: &Path, employers: u64) -> anyhow::Result<()> {
    let (units, outbox) = (work.join("units.tsv"), work.join("outbox.tsv"));
    let mut unit_lines = std::io::BufWriter::new(std::fs::File::create(&units)?);
    let mut outbox_lines = std::io::BufWriter::new(std::fs::File::create(&outbox)?);
    for serial in 0..employers {
        let Message { uscc, id, body, .. } = message(serial);
        let unit = serial + 1;
        writeln!(unit_lines, "{unit}\t{uscc}")?;
        writeln!(
            outbox_lines,
            "{id}\t{unit}\t{YEAR}\t1\tcertified\t1\t{uscc}:{YEAR}:1:certified\t\\\\x{}\t\\\\x{}\taccepted\t2026-04-15 00:00Z\t2026-04-15 \
             00:00Z\t36{YEAR}{serial:08}\t1",
            hex::encode(&body),
            hex::encode(Sha256::digest(&body)),
        )?;
    }
    unit_lines.flush().and_then(|()| outbox_lines.flush()).context("the rows were not written")?;
    let copy = |table: &str, file: &Path| format!("\\copy {table} from '{}'", file.display());
    server.run(
        DATABASE,
        &[
            "insert into publish (seq, published_at, cause) values (1, '2026-04-15', 'completion')",
            "update publish_head set seq = 1",
        ],
    )?;
    server.run(DATABASE, &[&copy("unit (unit_id, uscc)", &units)])?;
    let columns = "outbox (message_id, employer_id, year, version, kind, attempt, idempotency_key, body, digest, state, created_at, \
                   next_attempt_at, receipt, seq)";
    server.run(DATABASE, &[&copy(columns, &outbox)])?;
    std::fs::remove_file(units)?;
    std::fs::remove_file(outbox)?;
    server.settle(DATABASE)
}
