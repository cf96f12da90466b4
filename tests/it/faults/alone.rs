//! Faults that go ways of their own: certificates, windows of changes, corrections, odd stamps, locked tables, old files.

use std::future::Future;
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use renzheng::config::Environment;
use renzheng::domain::ids::ResidentId;
use renzheng::errors;
use renzheng::ingest::PullOutcome;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::scene::{check_books, http_job, in_force, installation, left_over, model, pull, today, yesterday};
use super::{Ends, case};
use crate::agency::{Agency, Wage, id_number};
use crate::harness::{Harness, Scratch, jobs_of};
use crate::http_agency::WageAgency;

type Way = Pin<Box<dyn Future<Output = ()>>>;

/// Where the authority of [`expired_certificate`] is written.
const AUTHORITY_FILE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/fault-authority.pem");
pub const AUTHORITY: &str = concat!("ca_file = \"", env!("CARGO_TARGET_TMPDIR"), "/fault-authority.pem\"");

/// A server that shows a certificate of an authority of its own; no request may reach it.
fn secured(authority_file: Option<&str>, alter: impl FnOnce(&mut CertificateParams)) -> String {
    let mut authority = CertificateParams::new(Vec::<String>::new()).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let mut parameters = CertificateParams::new(["localhost".to_owned()]).expect("parameters");
    alter(&mut parameters);
    let certificate = parameters.signed_by(&key, &authority).expect("a certificate");
    if let Some(file) = authority_file {
        std::fs::write(file, authority.pem()).expect("written");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let config =
        config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).expect("a key that fits");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("https://localhost:{}", listener.local_addr().expect("an address").port());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(config.clone()).expect("a connection");
            let mut stream = StreamOwned::new(connection, stream.expect("a connection"));
            let read = stream.read(&mut [0; 4096]).unwrap_or(0);
            // who asks all the same gets nothing, and the run says otherwise than is expected
            assert_eq!(read, 0, "a request was sent to whom nobody trusts");
        }
    });
    url
}

pub fn expired_certificate() -> String {
    secured(Some(AUTHORITY_FILE), |parameters| {
        parameters.not_before = date_time_ymd(2020, 1, 1);
        parameters.not_after = date_time_ymd(2021, 1, 1);
    })
}

pub fn foreign_certificate() -> String {
    secured(None, |_| ())
}

/// A job that reads CSV files from a folder, and the folder's records.
async fn files(name: &str, keys: &str, source: &str) -> Agency {
    let mut agency = Agency::begin(name, &format!("keep = \"all\"\n{keys}"), source).await;
    agency.settings(&format!("keep = \"all\"\n{keys}"), source).await;
    agency
}

pub fn overlapping_windows() -> Way {
    Box::pin(async {
        let asks = super::with(
            case(super::How::Desk(|_| ()), Ends::Published, ""),
            "",
            "since = \"since\"\noverlap = \"30d\"",
        );
        let desk = WageAgency::start(yesterday(), 5).await;
        let agency = installation("s15", &http_job(&asks)).await;
        pull(&agency, &desk.environment()).await.expect("yesterday");
        for _ in 0..2 {
            desk.change(|desk| desk.records = today());
            let report = pull(&agency, &desk.environment()).await.expect("today");
            assert!(
                report.counts.balance() && report.counts.read == 30,
                "the window reaches back: {:?}",
                report.counts
            );
            assert_eq!(in_force(&agency.harness).await, model(&today()));
        }
        let last = pull(&agency, &desk.environment()).await.expect("again");
        assert_eq!((last.outcome, last.counts.same), (PullOutcome::Unchanged, 30));
        check_books(&agency.harness, "S15").await;
    })
}

pub fn correction() -> Way {
    Box::pin(async {
        let agency = files("s24", "", "").await;
        agency.take(&[yesterday()]).await;
        let before = agency.versions().await.len();
        let mut corrected = yesterday();
        corrected[4] = Wage::new("r04", 2000, 4, "-150.25");
        let report = agency.take(&[corrected.clone()]).await;
        assert_eq!((report.counts.changed, report.counts.same), (1, 24));
        assert_eq!(in_force(&agency.harness).await, model(&corrected));
        let versions = agency.versions().await;
        assert_eq!(versions.len(), before + 1, "what was handed over by the old one can still be told");
        assert_eq!(versions.iter().filter(|line| line.ends_with(" f")).count(), 1);
        check_books(&agency.harness, "S24").await;
    })
}

async fn vanished(name: &str, keys: &str, stays: bool) {
    let agency = files(name, keys, "").await;
    agency.take(&[yesterday()]).await;
    let fewer: Vec<Wage> = yesterday().into_iter().filter(|wage| wage.person != 7).collect();
    let report = agency.take(std::slice::from_ref(&fewer)).await;
    assert_eq!(report.counts.closed, u64::from(!stays));
    let expected = if stays { yesterday() } else { fewer };
    assert_eq!(in_force(&agency.harness).await, model(&expected));
    agency.take(&[yesterday()]).await;
    assert_eq!(in_force(&agency.harness).await, model(&yesterday()), "it is back");
    check_books(&agency.harness, name).await;
    assert_eq!(left_over(&agency.harness).await, 0);
}

pub fn vanished_ignored() -> Way {
    Box::pin(vanished("s25_ignored", "delivery = \"full\"", true))
}

pub fn vanished_closed() -> Way {
    Box::pin(vanished("s25_closed", "delivery = \"full\"\nmissing = \"close\"", false))
}

pub fn twice_with_other_values() -> Way {
    Box::pin(async {
        let agency = files("s26", "", "").await;
        agency.take(&[yesterday()]).await;
        let mut twice = today();
        twice.push(Wage::new("r00", 1000, 0, "1.00"));
        twice.push(Wage::new("of-the-same-person", 1000, 0, "77"));
        let report = agency.take(&[twice]).await;
        assert_eq!((report.counts.refused, report.counts.balance()), (1, true));
        assert_eq!(agency.refused().await, ["stamp_reused updated_at"]);
        let mut expected = today();
        expected.push(Wage::new("of-the-same-person", 1000, 0, "77"));
        assert_eq!(in_force(&agency.harness).await, model(&expected), "the first stands; two records are two");
        check_books(&agency.harness, "S26").await;
    })
}

pub fn odd_stamps() -> Way {
    Box::pin(async {
        let agency = files("s27", "", "").await;
        agency.deliver(&[Vec::new()]);
        let of = |record: &str, stamp: &str, person: u32, amount: u32| {
            let id = id_number(person);
            format!("{record},{stamp},false,{id},某人,{},2025-03,{amount}\n", crate::agency::PAYER)
        };
        let text = [
            "record_id,updated_at,deleted,id_number,name,payer_uscc,period,amount\n".to_owned(),
            of("future", "2099-12-31T23:59:59+08:00", 1, 1),
            of("without-zone", "2026-01-01 00:00:10", 2, 2),
            of("utc", "2025-03-31T17:00:00Z", 3, 3),
            of("a-day", "2026-01-01", 4, 4),
        ]
        .concat();
        let file = agency.scratch.path().join("out/page-000.csv");
        std::fs::write(&file, &text).expect("written");
        assert_eq!(agency.pull().await.counts.new, 4);
        let mut connection = agency.harness.connection().await;
        let rows: Vec<(i64, i32, i64)> = sqlx::query_as(
            "select amount_fen, period, extract(epoch from updated_at - timestamptz '2026-01-01 00:00:00+08')::bigint from wage order by 1",
        )
        .fetch_all(&mut connection)
        .await
        .expect("rows");
        assert!(rows.iter().all(|row| row.1 == rows[0].1), "the month is that of the business field: {rows:?}");
        assert_eq!(rows[1..].iter().map(|row| row.2).collect::<Vec<_>>(), [10, -(274 * 24 + 23) * 3600, 0]);
        let reached: Option<bool> = sqlx::query_scalar("select max(watermark) <= max(began_at) from batch")
            .fetch_one(&mut connection)
            .await
            .expect("a watermark");
        assert_eq!(reached, Some(true), "a stamp of the future hides nothing that comes before it is reached");
        // the future one cannot be superseded by an earlier stamp, and says so
        std::fs::write(
            &file,
            text.replace("2099-12-31T23:59:59+08:00", "2026-04-01T00:00:00+08:00").replace(",1\n", ",9\n"),
        )
        .expect("written");
        let report = agency.pull().await;
        assert_eq!((report.counts.older, report.counts.same), (1, 3));
        check_books(&agency.harness, "S27").await;
    })
}

pub fn locked_table() -> Way {
    Box::pin(async {
        let front = Harness::new("s29_front").await;
        let mut theirs = front.connection().await;
        let insert = |wages: Vec<Wage>| {
            let rows: Vec<String> = wages
                .iter()
                .map(|wage| {
                    let line = wage.line();
                    let cells: Vec<&str> = line.trim_end().split(',').collect();
                    format!(
                        "('{}','{}',{},'{}','{}','{}','{}',{})",
                        cells[0], cells[1], cells[2], cells[3], cells[4], cells[5], cells[6], cells[7]
                    )
                })
                .collect();
            format!("truncate pay; insert into pay values {}", rows.join(","))
        };
        let run = async |connection: &mut sqlx::PgConnection, sql: String| {
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await.expect("executed");
        };
        run(
            &mut theirs,
            "create table pay (record_id text primary key, updated_at timestamptz, deleted boolean, id_number text, name text, \
             payer_uscc text, period text, amount numeric(18,2))"
                .to_owned(),
        )
        .await;
        run(&mut theirs, insert(yesterday())).await;
        let job = "kind = \"pull\"\nrecord = \"wage\"\nkeep = \"all\"\ntimeout = \"1s\"\n\
                   [source]\ntype = \"database\"\nurl = \"${FRONT}\"\ntable = \"pay\"\nkey = \"record_id\"\nwatermark = \"updated_at\"\n";
        let agency = installation("s29", job).await;
        let environment = Environment::only([("FRONT", front.url().as_str())]);
        pull(&agency, &environment).await.expect("yesterday");
        run(&mut theirs, insert(today())).await;
        run(&mut theirs, "begin; lock table pay".to_owned()).await;
        let error = pull(&agency, &environment).await.expect_err("locked");
        let said = errors::chain(&error);
        assert!(said.contains("lock") || said.contains("took longer"), "{said}");
        assert_eq!(in_force(&agency.harness).await, model(&yesterday()));
        check_books(&agency.harness, "S29").await;
        run(&mut theirs, "rollback; alter table pay rename amount to amount_yuan".to_owned()).await;
        let report = pull(&agency, &environment).await.expect("read");
        assert_eq!(report.outcome, PullOutcome::Held, "{:?}", report.why);
        assert_eq!(in_force(&agency.harness).await, model(&yesterday()), "its form changed: nothing of it is visible");
        run(&mut theirs, "alter table pay rename amount_yuan to amount".to_owned()).await;
        let report = pull(&agency, &environment).await.expect("free");
        assert_eq!((report.outcome, report.counts.read), (PullOutcome::Published, 30), "the watermark itself included");
        assert_eq!(in_force(&agency.harness).await, model(&today()));
        check_books(&agency.harness, "S29").await;
    })
}

pub fn old_file_again() -> Way {
    Box::pin(async {
        let agency = files("s30", "", "").await;
        agency.take(&[yesterday()]).await;
        agency.take(&[today()]).await;
        let old = agency.take(&[yesterday()]).await;
        assert_eq!(old.outcome, PullOutcome::Unchanged, "every version of it is known");
        assert_eq!(in_force(&agency.harness).await, model(&today()));
        // one that was never seen, of a time before
        let mut older = yesterday();
        for wage in &mut older {
            (wage.stamp, wage.amount) = (5, "1".to_owned());
        }
        let report = agency.take(&[older]).await;
        assert_eq!((report.counts.older, report.counts.written()), (25, 25));
        assert_eq!(in_force(&agency.harness).await, model(&today()), "stored, and nowhere in force");
        check_books(&agency.harness, "S30").await;
    })
}

pub fn rare_characters() -> Way {
    Box::pin(async {
        let agency = files("s22", "", "encoding = \"gb18030\"\n").await;
        agency.deliver(&[Vec::new()]);
        let names = ["王𠮷", "㐂丂", "\u{E010}某", "𫝆·买买提", "丯亼"];
        let mut text = "\u{FEFF}record_id,updated_at,deleted,id_number,name,payer_uscc,period,amount\n".to_owned();
        for (at, wage) in yesterday().iter().enumerate() {
            let line = wage.line().replace("某人", names[at % 5]);
            text += &if at % 2 == 0 { line.replace("2025-03", "２０２５－０３") } else { line };
        }
        let bytes = encoding_rs::GB18030.encode(&text).0.into_owned();
        std::fs::write(agency.scratch.path().join("out/page-000.csv"), bytes).expect("written");
        let report = agency.pull().await;
        assert_eq!((report.outcome, report.counts.new, report.counts.refused), (PullOutcome::Published, 25, 0));
        assert_eq!(in_force(&agency.harness).await, model(&yesterday()));
        let store = &agency.harness.store;
        for (at, wage) in yesterday().iter().enumerate() {
            let id = ResidentId::parse(&id_number(wage.person)).expect("an ID");
            let person = store.find_person(&id).await.expect("found").expect("a person");
            assert_eq!(store.identities(&[person]).await.expect("identities")[&person].name, names[at % 5]);
        }
        check_books(&agency.harness, "S22").await;
    })
}

/// Texts that are kept as they are hold no NUL, which the database takes for none.
pub fn nul_in_a_filing() -> Way {
    Box::pin(async {
        let (harness, scratch) = (Harness::new("s23_filing").await, Scratch::new("s23_filing"));
        harness.clock("2026-04-15".parse().expect("a date"), "02:00").await;
        let header = "record_id,updated_at,dispatch_uscc,dispatch_name,licence_number,province,valid_from,status\n";
        let row = |record: &str, name: &str, licence: &str| {
            let unit = crate::agency::PAYER;
            format!("{record},2026-01-01T00:00:00+08:00,{unit},{name},{licence},360000,2025-01-01,approved\n")
        };
        let text =
            [header, &row("a", "某\u{0}公司", "36-1"), &row("b", "某公司", "36\u{0}-2"), &row("c", "某公司", "36-3")]
                .concat();
        std::fs::write(scratch.path().join("filings.csv"), text).expect("written");
        let jobs = scratch.path().join("jobs");
        std::fs::create_dir_all(&jobs).expect("made");
        std::fs::write(jobs.join("pull-filing.toml"), filing_job(scratch.path())).expect("written");
        let jobs = jobs_of(&jobs);
        harness.register(&jobs).await;
        let report = harness.pull(&jobs[0], &Environment::default()).await;
        assert_eq!(
            (report.outcome, report.counts.read, report.counts.new + report.counts.refused),
            (PullOutcome::Published, 3, 3)
        );
        check_books(&harness, "S23").await;
    })
}

fn filing_job(folder: &Path) -> String {
    let path = folder.join("filings.csv");
    format!(
        "kind = \"pull\"\nrecord = \"dispatch_filing\"\n[source]\ntype = \"file\"\npath = \"{}\"\nformat = \"csv\"\n",
        path.display()
    )
}
