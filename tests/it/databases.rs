//! Front-end databases of agencies, on real servers of both kinds: what is read is exact, nothing is skipped, nothing is changed.

use std::fmt::Write as _;
use std::path::Path;

use chrono::{DateTime, Utc};
use renzheng::config::{Environment, Job};
use renzheng::sources::{CellKind, Fault, Limits, Page, Resume, Source, SourceError, Start};
use sqlx::{AssertSqlSafe, Connection, MySqlConnection, PgConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::Harness;
use crate::mariadb::MariaDb;

/// An agency's database.
enum Front {
    Postgres(Box<Harness>),
    MariaDb { server: &'static MariaDb, database: String },
}

/// A session of somebody else at the agency.
enum Session {
    Postgres(Box<PgConnection>),
    MariaDb(Box<MySqlConnection>),
}

impl Session {
    async fn run(&mut self, statements: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(statements.to_owned()));
        match self {
            Self::Postgres(connection) => drop(sql.execute(connection.as_mut()).await.expect(statements)),
            Self::MariaDb(connection) => drop(sql.execute(connection.as_mut()).await.expect(statements)),
        }
    }
}

impl Front {
    async fn postgres(test: &str) -> Self {
        Self::Postgres(Box::new(Harness::new(test).await))
    }

    async fn mariadb(test: &str) -> Self {
        let server = tokio::task::spawn_blocking(MariaDb::shared).await.expect("a server");
        let mut admin = MySqlConnection::connect(&server.url("")).await.expect("a connection");
        let sql = format!("CREATE DATABASE {test} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await.expect("created");
        Self::MariaDb { server, database: test.to_owned() }
    }

    /// One of each kind.
    async fn both(test: &str) -> [Self; 2] {
        [Self::postgres(test).await, Self::mariadb(test).await]
    }

    fn url(&self) -> String {
        match self {
            Self::Postgres(harness) => harness.url(),
            Self::MariaDb { server, database } => server.url(database),
        }
    }

    async fn session(&self) -> Session {
        match self {
            Self::Postgres(harness) => Session::Postgres(Box::new(harness.connection().await)),
            Self::MariaDb { .. } => {
                Session::MariaDb(Box::new(MySqlConnection::connect(&self.url()).await.expect("a connection")))
            }
        }
    }

    async fn run(&self, statements: &str) {
        self.session().await.run(statements).await;
    }

    async fn open(&self, settings: &str, start: Start) -> Result<Source, SourceError> {
        open_at(&self.url(), settings, start).await
    }

    async fn read(&self, settings: &str, start: Start) -> Result<Vec<Page>, SourceError> {
        let mut source = self.open(settings, start).await?;
        rest_of(&mut source).await
    }

    async fn fault(&self, settings: &str) -> SourceError {
        self.read(settings, Start::default()).await.expect_err("a fault")
    }
}

async fn open_at(url: &str, settings: &str, start: Start) -> Result<Source, SourceError> {
    let text = format!(
        "kind = \"pull\"\nrecord = \"wage\"\ntimeout = \"1s\"\n[source]\ntype = \"database\"\nurl = \"${{FRONT}}\"\n{settings}"
    );
    let job = Job::parse(Path::new("wage.toml"), &text).expect("a job");
    Source::open(&job, &Environment::only([("FRONT", url)]), start).await
}

async fn rest_of(source: &mut Source) -> Result<Vec<Page>, SourceError> {
    let mut pages = Vec::new();
    while let Some(page) = source.next_page().await? {
        pages.push(page);
    }
    Ok(pages)
}

/// Rows as `name=value`, numbers with a `#`.
fn rows(pages: &[Page]) -> Vec<String> {
    let show = |page: &Page, row: usize| {
        let mut text = String::new();
        for (name, value) in page.raw(row) {
            let sign = if value.kind == CellKind::Number { "#" } else { "" };
            write!(text, " {name}={sign}{}", value.text).expect("text grows");
        }
        text.trim_start().to_owned()
    };
    pages.iter().flat_map(|page| (0..page.len()).map(move |row| show(page, row))).collect()
}

/// The column `v` of each page's rows.
fn values(pages: &[Page]) -> Vec<Vec<String>> {
    let of_page = |page: &Page| {
        let column = page.find_column("v").unwrap_or(usize::MAX);
        (0..page.len()).filter_map(|row| page.get(row, column)).map(|value| value.text.to_owned()).collect()
    };
    pages.iter().map(of_page).collect()
}

fn limited(rows: usize, text_bytes: usize) -> Start {
    Start { limits: Limits { rows, text_bytes }, ..Start::default() }
}

fn small(rows: usize) -> Start {
    limited(rows, 1 << 20)
}

fn after(page: &Page, start: Start) -> Start {
    let place = page.resume.clone().expect("not the last");
    Start { after: Some(Resume { page: page.number, place }), ..start }
}

const TABLE: &str = "table = \"pay\"\nkey = \"k\"\n";

#[tokio::test]
async fn every_value_of_a_mariadb_is_exact() {
    let front = Front::mariadb("exact_mariadb").await;
    front
        .run(
            "CREATE TABLE pay (k BIGINT UNSIGNED, amount DECIMAL(38,10), single FLOAT, twice DOUBLE, tiny TINYINT(1), bits BIT(8), \
             day DATE, at DATETIME(6), moment TIMESTAMP(3) NULL, name VARCHAR(50), gbk VARCHAR(9) CHARACTER SET gbk, exact VARCHAR(9) \
             COLLATE utf8mb4_bin, bytes VARBINARY(9), doc JSON, mood ENUM('a','b'), filled INT(5) ZEROFILL, y YEAR, none TEXT);
             SET time_zone = '+08:00';
             INSERT INTO pay VALUES (18446744073709551615, 1234567890123456789012345678.0123456789, 123456.78, 0.1, 1, b'101', \
             '2025-02-28', '2025-04-01 10:00:00.000001', '2025-04-01 10:00:00.250', '王𠮷😀', '工资', 'Ab', 'x', '{\"a\": 1}', 'b', 42, \
             2025, NULL);
             INSERT INTO pay (k, day, bytes) VALUES (1, NULL, X'FF00')",
        )
        .await;
    let pages = front.read(TABLE, Start::default()).await.expect("readable");
    assert_eq!(
        rows(&pages),
        [
            "k=#18446744073709551615 amount=#1234567890123456789012345678.0123456789 single=#123456.78 twice=#0.1 tiny=#1 bits=#5 \
          day=2025-02-28 at=2025-04-01T10:00:00.000001 moment=2025-04-01T02:00:00.250+00:00 name=王𠮷😀 gbk=工资 exact=Ab bytes=x \
          doc={\"a\": 1} mood=b filled=#00042 y=#2025"
        ]
    );
    let refused: Vec<_> = pages[0].undecodable.iter().map(|bad| (bad.row, bad.why.as_str())).collect();
    assert_eq!(refused, [(1, "the column `bytes` is not valid utf-8")]);
    assert!(pages[0].began.is_some() && pages[0].resume.is_none());
}

#[tokio::test]
async fn every_value_of_a_postgres_is_exact() {
    let front = Front::postgres("exact_postgres").await;
    front
        .run(
            "CREATE TABLE pay (k numeric, amount numeric(38,10), single real, twice double precision, yes boolean, bits bit(3), \
             day date, at timestamp, moment timestamptz, name text, fixed char(3), none text);
             SET timezone = 'Asia/Shanghai';
             INSERT INTO pay VALUES (18446744073709551615, 1234567890123456789012345678.0123456789, 123456.78, 0.1, true, b'101', \
             '2025-02-28', '2025-04-01 10:00:00.000001', '2025-04-01 10:00:00.25', '王𠮷😀', 'a', NULL)",
        )
        .await;
    let pages = front.read(TABLE, Start::default()).await.expect("readable");
    let row = &rows(&pages)[0];
    for part in [
        "k=#18446744073709551615 amount=#1234567890123456789012345678.0123456789 single=#123456.78 twice=#0.1 yes=true bits=101",
        "day=2025-02-28 at=2025-04-01T10:00:00.000001 moment=2025-04-01T",
        "name=王𠮷😀 fixed=a  ",
    ] {
        assert!(row.contains(part), "{row}");
    }
    assert!(!row.contains("none=") && pages[0].began.is_some());
}

#[tokio::test]
async fn rows_with_the_same_key_stand_on_one_page_and_any_page_can_be_gone_on_after() {
    for front in Front::both("same_key").await {
        front.run("CREATE TABLE pay (k INT NOT NULL, v INT NOT NULL)").await;
        front.run("INSERT INTO pay VALUES (1,1),(2,2),(2,3),(2,4),(3,5),(4,6),(4,7),(5,8)").await;
        let whole = front.read(TABLE, small(2)).await.expect("readable");
        let sizes: Vec<usize> = whole.iter().map(Page::len).collect();
        assert_eq!(sizes, [4, 3, 1]);
        for (at, page) in whole.iter().enumerate().take(2) {
            let rest = front.read(TABLE, after(page, small(2))).await.expect("readable");
            assert_eq!(rows(&rest), rows(&whole[at + 1..]));
            assert_eq!(rest[0].number, at as u32 + 1);
        }
        // Pages that are full by their size obey the same.
        let whole = front.read(TABLE, limited(100, 3)).await.expect("readable");
        assert_eq!(whole.iter().map(Page::len).collect::<Vec<_>>(), [4, 3, 1]);
        // All rows were on the last page.
        let whole =
            front.read("query = \"SELECT * FROM pay WHERE k < 2;\"\nkey = \"k\"\n", small(1)).await.expect("readable");
        assert_eq!(values(&whole), [["1"]]);
        let rest = front.read("query = \"SELECT * FROM pay WHERE k < 2\"\nkey = \"k\"\n", after(&whole[0], small(1)));
        assert!(whole[0].resume.is_none() || rest.await.expect("readable").is_empty());
    }
}

#[tokio::test]
async fn what_the_database_holds_to_be_the_same_key_is_the_same() {
    let mariadb = Front::mariadb("same_by_collation").await;
    mariadb.run("CREATE TABLE pay (k VARCHAR(20) COLLATE utf8mb4_general_ci, v INT, KEY (k))").await;
    mariadb.run("INSERT INTO pay VALUES ('b',4),('A',1),('a',2),('á ',3),('ｂ',5),('王''\\\\',6),('😀',7)").await;
    let postgres = Front::postgres("same_by_number").await;
    postgres.run("CREATE TABLE pay (k numeric, v int)").await;
    postgres.run("INSERT INTO pay VALUES (2,4),(1.0,1),(1.00,2),(1,3),(3,5),(4,6),(5,7)").await;
    for (front, first) in [(mariadb, "1 2 3"), (postgres, "1 2 3")] {
        for start in [small(1), limited(100, 2)] {
            let pages = front.read(TABLE, start.clone()).await.expect("readable");
            let mut seen = values(&pages);
            seen[0].sort();
            assert_eq!(seen[0].join(" "), first);
            assert_eq!(seen.concat().len(), 7, "{seen:?}");
            for page in pages.iter().filter(|page| page.resume.is_some()) {
                let rest = front.read(TABLE, after(page, start.clone())).await.expect("readable");
                assert_eq!(values(&rest), values(&pages[page.number as usize + 1..]));
            }
        }
    }
}

#[tokio::test]
async fn keys_of_every_kind_lead_through_a_mariadb() {
    let front = Front::mariadb("kinds_of_keys").await;
    for (number, (kind, keys)) in [
        ("BINARY(2)", "(X'00FF',1),(X'61FF',2),(X'FF00',3)"),
        ("VARBINARY(9)", "('A',1),('a',2),(X'FF',3)"),
        ("VARCHAR(9) CHARACTER SET gbk", "('a',1),('丙',2),('甲',3)"),
        ("DECIMAL(30,5)", "(-1.5,1),(0,2),(12345678901234567890.12345,3)"),
        ("FLOAT", "(-0.1,1),(0.1,2),(123456.78,3)"),
        ("DOUBLE", "(-1e300,1),(0.1,2),(1e300,3)"),
        ("DATETIME(6)", "('2025-01-01 00:00:00.000001',1),('2025-01-01 00:00:00.000002',2),('2025-01-02',3)"),
        ("TIMESTAMP(6) NULL", "('2025-01-01 00:00:00.000001',1),('2025-01-01 00:00:00.000002',2),('2025-01-02',3)"),
        ("DATE", "('2025-01-01',1),('2025-01-02',2),('2026-01-01',3)"),
        ("TIME(3)", "('-01:00:00.5',1),('00:00:00',2),('100:00:00',3)"),
        ("BIT(9)", "(b'1',1),(b'10',2),(b'100000000',3)"),
        ("YEAR", "(1999,1),(2025,2),(2026,3)"),
        ("UUID", "('00000000-0000-0000-0000-000000000001',1),('00000000-0000-0000-0000-000000000002',2),(UUID(),3)"),
    ]
    .into_iter()
    .enumerate()
    {
        front.run(&format!("CREATE TABLE t{number} (k {kind}, v INT); INSERT INTO t{number} VALUES {keys}")).await;
        let settings = format!("query = \"SELECT k, v, v AS w FROM t{number}\"\nkey = \"k\"\n");
        let pages =
            front.read(&settings, small(1)).await.unwrap_or_else(|error| panic!("{kind}: {error}: {:?}", error.fault));
        let read: usize = pages.iter().map(|page| page.len() + page.undecodable.len()).sum();
        assert_eq!((read, pages.len() >= 3), (3, true), "{kind}");
    }
    front.run("CREATE TABLE moods (k ENUM('b','a'), v INT)").await;
    let error = front.fault("table = \"moods\"\nkey = \"k\"\n").await;
    assert!(error.to_string().ends_with("`source.key`: is a column of a kind that has no order of its own"), "{error}");
    let error = front.fault("table = \"moods\"\nkey = \"nothing\"\n").await;
    assert!(error.to_string().ends_with("`source.key`: is no column there"), "{error}");
}

#[tokio::test]
async fn what_changes_behind_the_cursor_is_left_and_what_changes_before_it_is_read() {
    for front in Front::both("under_the_cursor").await {
        front.run("CREATE TABLE pay (k INT NOT NULL, v INT NOT NULL)").await;
        front.run("INSERT INTO pay VALUES (10,1),(20,2),(30,3),(40,4),(50,5)").await;
        let mut source = front.open(TABLE, small(2)).await.expect("opened");
        let first = source.next_page().await.expect("readable").expect("a page");
        assert_eq!(values(&[first]), [["1", "2"]]);
        front.run("INSERT INTO pay VALUES (15,9),(20,8),(25,7)").await;
        front.run("DELETE FROM pay WHERE k = 30").await;
        front.run("UPDATE pay SET v = 44 WHERE k = 40").await;
        assert_eq!(values(&rest_of(&mut source).await.expect("readable")).concat(), ["7", "44", "5"]);
    }
}

#[tokio::test]
async fn only_what_changed_since_the_watermark_is_read() {
    let since: DateTime<Utc> = "2025-04-01T10:00:00.5Z".parse().expect("an instant");
    for front in Front::both("watermark").await {
        let moment = if matches!(front, Front::Postgres(_)) { "timestamptz" } else { "TIMESTAMP(6) NULL" };
        front.run(&format!("CREATE TABLE pay (k INT, v INT, at TIMESTAMP(6) NULL, day DATE, moment {moment})")).await;
        for (k, at) in [
            (1, "2025-03-31 23:00:00"),
            (2, "2025-04-01 10:00:00.499999"),
            (3, "2025-04-01 10:00:00.5"),
            (4, "2025-04-02 00:00:00"),
        ] {
            let mut session = front.session().await;
            session
                .run(if matches!(front, Front::Postgres(_)) {
                    "SET timezone = 'UTC'"
                } else {
                    "SET time_zone = '+00:00'"
                })
                .await;
            session.run(&format!("INSERT INTO pay VALUES ({k}, {k}, '{at}', '{}', '{at}')", &at[..10])).await;
        }
        for (column, expected) in [("at", "3 4"), ("moment", "3 4"), ("day", "2 3 4")] {
            let settings = format!("{TABLE}watermark = \"{column}\"\n");
            let start = Start { since: Some(since), ..small(1) };
            let pages = front.read(&settings, start).await.expect("readable");
            assert_eq!(values(&pages).concat().join(" "), expected, "{column}");
            assert_eq!(values(&front.read(&settings, small(9)).await.expect("readable")).concat().len(), 4);
        }
    }
}

#[tokio::test]
async fn nothing_can_be_changed_by_reading() {
    let [postgres, mariadb] = Front::both("read_only").await;
    postgres.run("CREATE TABLE pay (k INT); INSERT INTO pay VALUES (1)").await;
    postgres
        .run("CREATE FUNCTION spoil() RETURNS INT AS 'INSERT INTO pay VALUES (2) RETURNING k' LANGUAGE sql VOLATILE")
        .await;
    mariadb.run("CREATE TABLE pay (k INT); INSERT INTO pay VALUES (1)").await;
    mariadb.run("CREATE FUNCTION spoil() RETURNS INT BEGIN INSERT INTO pay VALUES (2); RETURN 2; END").await;
    for front in [postgres, mariadb] {
        for query in [
            "SELECT k, spoil() AS s FROM pay",
            "SELECT k FROM pay) AS t; DELETE FROM pay; SELECT * FROM (SELECT k FROM pay",
            "SELECT k FROM pay) AS t; DROP TABLE pay; -- ",
            "DELETE FROM pay RETURNING k",
        ] {
            let error = front.fault(&format!("query = \"{query}\"\nkey = \"k\"\n")).await;
            assert!(matches!(error.fault, Fault::Query(_)) && !error.transient(), "{query}: {error}");
        }
        assert_eq!(rows(&front.read(TABLE, Start::default()).await.expect("readable")), ["k=#1"]);
    }
}

#[tokio::test]
async fn a_row_without_a_key_is_refused() {
    for front in Front::both("null_key").await {
        front.run("CREATE TABLE pay (k INT, v INT); INSERT INTO pay VALUES (1, 1), (NULL, 2)").await;
        let error = front.fault(TABLE).await;
        assert!(matches!(&error.fault, Fault::NullKey(key) if key == "k") && !error.transient(), "{error}");
    }
}

#[tokio::test]
async fn a_locked_table_is_a_matter_of_time() {
    for front in Front::both("locked").await {
        front.run("CREATE TABLE pay (k INT, v INT); INSERT INTO pay VALUES (1, 1)").await;
        let mut other = front.session().await;
        other
            .run(if matches!(front, Front::Postgres(_)) { "BEGIN; LOCK TABLE pay" } else { "LOCK TABLES pay WRITE" })
            .await;
        let error = front.fault(TABLE).await;
        assert!(matches!(error.fault, Fault::Query(_)) && error.transient(), "{error}: {:?}", error.fault);
        other.run(if matches!(front, Front::Postgres(_)) { "ROLLBACK" } else { "UNLOCK TABLES" }).await;
        assert_eq!(values(&front.read(TABLE, Start::default()).await.expect("free")), [["1"]]);
    }
}

#[tokio::test]
async fn a_statement_ends_with_the_jobs_time() {
    let query = "WITH RECURSIVE n AS (SELECT 1 AS k UNION ALL SELECT k + 1 FROM n WHERE k < 400000000) SELECT k FROM n";
    for front in Front::both("endless").await {
        front.run("SELECT 1").await;
        let query = if matches!(front, Front::Postgres(_)) {
            query
        } else {
            "SELECT SUM(a.seq * b.seq) AS k FROM seq_1_to_1000000 a JOIN seq_1_to_1000000 b"
        };
        let error = front.fault(&format!("query = \"{query}\"\nkey = \"k\"\n")).await;
        assert!(matches!(error.fault, Fault::Query(_)) && error.transient(), "{error}: {:?}", error.fault);
    }
}

#[tokio::test]
async fn one_person_is_asked_for_by_a_condition() {
    for front in Front::both("person").await {
        front.run("CREATE TABLE pay (k INT, v INT, zjhm VARCHAR(18), xm VARCHAR(9))").await;
        front
            .run(
                "INSERT INTO pay VALUES (1, 1, '360001199003070012', '王?'), (2, 2, '360001199003070020', '李'), \
                 (3, 3, '360001199003070012', '王')",
            )
            .await;
        let marks: &[&str] = if matches!(front, Front::Postgres(_)) { &["$1"] } else { &["$1", "?"] };
        for mark in marks {
            let settings = format!("{TABLE}person = {{ where = \"zjhm = {mark} OR xm = {mark} OR xm = '?'\" }}\n");
            let mut source = front.open(&settings, small(1)).await.expect("opened");
            assert_eq!(values(&source.ask_person("360001199003070012").await.expect("answered")), [["1"], ["3"]]);
            let nobody = source.ask_person("x' OR '1' = '1").await.expect("answered");
            assert_eq!((nobody.len(), nobody[0].len()), (1, 0));
            assert_eq!(values(&rest_of(&mut source).await.expect("readable")).concat(), ["1", "2", "3"]);
        }
        let mut source = front.open(TABLE, Start::default()).await.expect("opened");
        assert!(matches!(source.ask_person("x").await.expect_err("no condition").fault, Fault::NoPersonRequest));
        let error = front.fault(&format!("{TABLE}person = {{ where = \"zjhm = 1\" }}\n")).await;
        assert!(
            error.to_string().ends_with("`source.person.where`: holds no `$1`, which takes the ID number"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_database_is_said_without_its_values() {
    for front in Front::both("wrong").await {
        front.run("CREATE TABLE pay (k INT, v VARCHAR(9)); INSERT INTO pay VALUES (1, '王小明')").await;
        let said = |error: &SourceError| format!("{error}: {}", std::error::Error::source(error).expect("a cause"));
        let error = front.fault("table = \"nowhere\"\nkey = \"k\"\n").await;
        assert!(said(&error).contains("nowhere") && !error.transient(), "{}", said(&error));
        let error = front.fault("query = \"SELECT k FROM pay WHERE\"\nkey = \"k\"\n").await;
        assert!(!error.transient(), "{}", said(&error));
        if matches!(front, Front::Postgres(_)) {
            let error = front.fault("query = \"SELECT k, v::int FROM pay\"\nkey = \"k\"\n").await;
            assert!(!said(&error).contains('王') && !error.transient(), "{}", said(&error));
        }
    }
    let error = open_at("mysql://u:s3cret@127.0.0.1:1/x", TABLE, Start::default()).await.err().expect("nobody there");
    assert!(matches!(error.fault, Fault::Connect(_)) && error.transient(), "{error}");
    assert!(!format!("{error:?}").contains("s3cret"));
    let error = open_at("oracle://x", TABLE, Start::default()).await.err().expect("no such kind");
    assert!(error.to_string().ends_with("is not an address of the form `postgres://…` or `mysql://…`"), "{error}");
}

/// A server that speaks as a MySQL 8 does up to where it wants the password in full, and offers no TLS.
async fn server_without_tls() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("mysql://u:s3cret@{}/x", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        // protocol 10, version, thread, nonce, capabilities (4.1, secure connection, plugin authentication), charset, status
        let mut hello = b"\x0a8.0.36\0\x01\0\0\0abcdefgh\0".to_vec();
        hello.extend_from_slice(&[0x00, 0x82, 0x2D, 0x02, 0x00, 0x08, 0x00, 21]);
        hello.extend_from_slice(b"\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0caching_sha2_password\0");
        let packet = |number: u8, content: &[u8]| [&[content.len() as u8, 0, 0, number], content].concat();
        stream.write_all(&packet(0, &hello)).await.expect("written");
        let mut answer = [0; 1024];
        assert!(stream.read(&mut answer).await.expect("an answer") > 0);
        stream.write_all(&packet(2, b"\x01\x04")).await.expect("written");
        assert!(stream.read(&mut answer).await.expect("a wish for the key") > 0);
        stream.write_all(&packet(4, b"\x01-----BEGIN PUBLIC KEY-----")).await.expect("written");
    });
    url
}

#[tokio::test]
async fn a_password_that_would_need_tls_is_not_given_without() {
    let error = open_at(&server_without_tls().await, TABLE, Start::default()).await.err().expect("refused");
    let Fault::Connect(fault) = &error.fault else { panic!("{error}") };
    assert!(
        fault.what.contains("`caching_sha2_password`, which is given over TLS only") && !error.transient(),
        "{fault}"
    );
}
