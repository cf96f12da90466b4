//! Tampering of every kind is found, wherever it is; and nothing is sealed while something can still come before it.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sqlx::{AssertSqlSafe, Connection};

use super::*;
use crate::domain::access::{Action, Actor};
use crate::store::audit::Act;
use crate::store::testing::Database;

impl Database {
    /// Acts of which no two are alike.
    async fn acts(&self, count: i64) {
        let actor = Actor::operator("test");
        let before: i64 = sqlx::query_scalar("select coalesce(max(audit_id), 0) from audit")
            .fetch_one(&self.store.pool)
            .await
            .expect("a number");
        for number in before..before + count {
            let object = format!("thing {number}");
            let act =
                Act::operate(DateTime::UNIX_EPOCH, &actor, "touch", object, (number % 2 == 0).then_some("because"));
            self.store.record(&act.with("number", number)).await.expect("recorded");
        }
    }

    /// Seals everything: other tests' transactions on the same server may have to end first.
    async fn seal_all(&self) -> u64 {
        let mut sealed = 0;
        for _ in 0..10_000 {
            sealed += self.store.seal_audit().await.expect("sealed");
            if self.store.verify_audit(None).await.expect("verified").unsealed == 0 {
                return sealed;
            }
        }
        panic!("{sealed} rows were sealed, and the rest never")
    }

    /// What is found after somebody above all rights did this; then it is undone.
    async fn found_after(&self, statements: &[String], kept: Option<(i32, &str)>) -> Verified {
        let mut connection = PgConnection::connect(&self.url).await.expect("connected");
        let mut transaction = connection.begin().await.expect("begun");
        for table in ["audit", "audit_seal"] {
            let off = format!("alter table {table} disable trigger user");
            sqlx::query(AssertSqlSafe(off)).execute(&mut *transaction).await.expect("off");
        }
        for statement in statements {
            let done = sqlx::query(AssertSqlSafe(statement.clone())).execute(&mut *transaction).await;
            assert!(done.expect("tampered with").rows_affected() > 0, "{statement}");
        }
        let found = verify(&mut transaction, kept).await.expect("verified");
        transaction.rollback().await.expect("undone");
        found
    }
}

const COLUMNS: &str = "at, actor, role, on_behalf_of, action, object, why, before, after, detail";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_deleted_inserted_or_swapped_anywhere_is_found_and_named() {
    let database = Database::open().await;
    // several seals, with a number in the middle that nobody used
    for _ in 0..4 {
        database.acts(25).await;
        sqlx::query("select nextval('audit_audit_id_seq')").execute(&database.store.pool).await.expect("unused");
        database.seal_all().await;
    }
    let whole = database.store.verify_audit(None).await.expect("verified");
    assert_eq!((whole.seals >= 4, whole.rows, whole.unsealed, &whole.wrong), (true, 100, 0, &None));
    let ids: Vec<i64> = sqlx::query_scalar("select audit_id from audit order by audit_id")
        .fetch_all(&database.store.pool)
        .await
        .expect("numbers");
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let changes = [
        "at = at + interval '1 microsecond'",
        "actor = actor || ' '",
        "role = null",
        "on_behalf_of = ''",
        "action = 'reveal'",
        "object = 'thing'",
        "why = coalesce(why, '') || '.'",
        "before = ''",
        "after = sha256('x')",
        "detail = detail || '{\"number\": -1}'",
    ];
    for round in 0..60 {
        let at = random.random_range(0..ids.len() - 1);
        let (one, two) = (ids[at], ids[random.random_range(at + 1..ids.len())]);
        let change = changes[round % changes.len()];
        let found = database.found_after(&[format!("update audit set {change} where audit_id = {one}")], None).await;
        assert!(
            matches!(found.wrong, Some(Tampering::RowChanged { audit_id, .. }) if audit_id == one),
            "{change}: {found:?}"
        );

        let found = database.found_after(&[format!("delete from audit where audit_id = {one}")], None).await;
        assert!(matches!(found.wrong, Some(Tampering::RowGone { audit_id, .. }) if audit_id == one), "{found:?}");

        let swap = format!(
            "update audit a set ({COLUMNS}) = (select {COLUMNS} from audit b where b.audit_id = {one} + {two} - a.audit_id)
             where audit_id in ({one}, {two})"
        );
        let found = database.found_after(&[swap], None).await;
        assert!(matches!(found.wrong, Some(Tampering::RowChanged { audit_id, .. }) if audit_id == one), "{found:?}");
    }
    let unused: Vec<i64> = (-1..ids[99]).filter(|id| !ids.contains(id)).collect();
    assert!(unused.len() >= 5, "before the first, and between the seals: {unused:?}");
    for id in unused {
        let insert = format!(
            "insert into audit (audit_id, {COLUMNS}) overriding system value select {id}, {COLUMNS} from audit where audit_id = {}",
            ids[0]
        );
        let found = database.found_after(&[insert], None).await;
        assert!(matches!(found.wrong, Some(Tampering::RowAdded { audit_id, .. }) if audit_id == id), "{id}: {found:?}");
    }
    assert_eq!(database.store.verify_audit(None).await.expect("verified"), whole, "all of it was undone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seal_that_is_changed_or_taken_out_is_found_and_a_tail_that_is_cut_by_the_head_kept_elsewhere() {
    let database = Database::open().await;
    for _ in 0..5 {
        database.acts(7).await;
        database.seal_all().await;
    }
    let head = database.store.find_audit_head().await.expect("asked").expect("sealed");
    let kept = Some((head.seal_id, head.root.as_str()));
    assert_eq!(database.store.verify_audit(kept).await.expect("verified").wrong, None);
    let seals: Vec<(i32, i64)> = sqlx::query_as("select seal_id, first_id from audit_seal order by seal_id")
        .fetch_all(&database.store.pool)
        .await
        .expect("seals");
    for (seal, first) in &seals {
        for change in [
            "root = sha256(root)",
            "leaves = overlay(leaves placing '\\x00' from 9)",
            "sealed_at = sealed_at + interval '1 second'",
            "first_id = first_id - 1",
            "last_id = last_id + 1",
        ] {
            let statement = format!("update audit_seal set {change} where seal_id = {seal}");
            let found = database.found_after(&[statement], None).await;
            assert_eq!(found.wrong, Some(Tampering::SealChanged { seal_id: *seal }), "{change}");
        }
        // the tail of the log with its seals
        let cut = [
            format!("delete from audit where audit_id >= {first}"),
            format!("delete from audit_seal where seal_id >= {seal}"),
        ];
        let found = database.found_after(&cut, kept).await;
        assert_eq!(found.wrong, Some(Tampering::SealGone { seal_id: head.seal_id }), "cut at {seal}");
        let found = database.found_after(&cut[..1], None).await;
        assert!(matches!(found.wrong, Some(Tampering::RowGone { audit_id, .. }) if audit_id == *first), "{found:?}");
        if *seal < head.seal_id {
            let found = database.found_after(&[format!("delete from audit_seal where seal_id = {seal}")], None).await;
            assert_eq!(found.wrong, Some(Tampering::SealGone { seal_id: *seal }));
        }
    }
    let other = "0".repeat(64);
    let found = database.store.verify_audit(Some((2, &other))).await.expect("verified");
    assert_eq!(found.wrong, Some(Tampering::OtherHead { seal_id: 2 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sealed_past_a_row_that_is_still_to_come() {
    let database = Database::open().await;
    database.acts(2).await;
    database.seal_all().await;
    let actor = Actor::operator("slow");
    let mut slow = database.store.change().await.expect("a change");
    slow.record(&Act::read(DateTime::UNIX_EPOCH, &actor, Action::Reveal, "person 1")).await.expect("recorded");
    database.acts(2).await;
    for _ in 0..3 {
        assert_eq!(database.store.seal_audit().await.expect("asked"), 0, "the row before them is not there yet");
    }
    slow.commit().await.expect("committed");
    assert_eq!(database.seal_all().await, 3);
    let found = database.store.verify_audit(None).await.expect("verified");
    assert_eq!((found.rows, found.wrong), (5, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_rolled_back_leaves_a_gap_that_is_sealed_too() {
    let database = Database::open().await;
    let actor = Actor::operator("test");
    database.acts(1).await;
    let mut change = database.store.change().await.expect("a change");
    change.record(&Act::read(DateTime::UNIX_EPOCH, &actor, Action::Reveal, "person 1")).await.expect("recorded");
    change.abandon().await.expect("abandoned");
    database.acts(1).await;
    database.seal_all().await;
    let found = database.store.verify_audit(None).await.expect("verified");
    assert_eq!((found.rows, found.wrong), (2, None));
    assert_eq!(database.store.seal_audit().await.expect("asked"), 0, "nothing is new");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_from_another_server_does_not_stop_the_seals() {
    let database = Database::open().await;
    database.acts(3).await;
    sqlx::query("update audit_mark set last_id = 3, before_transaction = '999999999999'")
        .execute(&database.store.pool)
        .await
        .expect("as restored");
    assert_eq!(database.store.seal_audit().await.expect("sealed"), 3);
    database.acts(1).await;
    assert_eq!(database.seal_all().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_rows_than_one_seal_takes_are_sealed_in_several() {
    let database = Database::open().await;
    sqlx::query(
        "insert into audit (at, actor, action, object) select '2026-03-01', 'test', 'operate', 'thing ' || n from generate_series(1, 9000) n",
    )
    .execute(&database.store.pool)
    .await
    .expect("inserted");
    assert_eq!(database.seal_all().await, 9000);
    let found = database.store.verify_audit(None).await.expect("verified");
    assert_eq!((found.seals, found.rows, found.wrong), (3, 9000, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn by_its_rights_the_program_only_adds_to_the_audit_and_its_seals() {
    let database = Database::open().await;
    database.acts(1).await;
    database.seal_all().await;
    let tampering = |table: &str| {
        [
            format!("update {table} set {}", if table == "audit" { "object = ''" } else { "row_count = 0" }),
            format!("delete from {table}"),
            format!("truncate {table}"),
        ]
    };
    for statement in ["audit", "audit_seal"].iter().flat_map(|table| tampering(table)) {
        // who owns everything but is no superuser: rights alone forbid it
        let mut connection = PgConnection::connect(&database.url).await.expect("connected");
        let mut transaction = connection.begin().await.expect("begun");
        for give in [
            "create role renzheng_owner_of_a_test",
            "alter table audit owner to renzheng_owner_of_a_test",
            "alter table audit_seal owner to renzheng_owner_of_a_test",
            "alter table audit disable trigger user",
            "alter table audit_seal disable trigger user",
            "set local role renzheng_owner_of_a_test",
        ] {
            sqlx::query(give).execute(&mut *transaction).await.expect(give);
        }
        let refused =
            sqlx::query(AssertSqlSafe(statement.clone())).execute(&mut *transaction).await.expect_err(&statement);
        assert!(refused.to_string().contains("permission denied for table"), "{statement}: {refused}");
        transaction.rollback().await.expect("undone");
        // the program's own connection, which may be a superuser's: the trigger says it once more
        let refused =
            sqlx::query(AssertSqlSafe(statement.clone())).execute(&database.store.pool).await.expect_err(&statement);
        let code = refused.as_database_error().and_then(sqlx::error::DatabaseError::code).map(|code| code.to_string());
        assert_eq!(code.as_deref(), Some("42501"), "{statement}: {refused}");
    }
}
