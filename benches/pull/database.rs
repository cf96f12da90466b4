//! `\copy` into the private Postgres: the yardstick of every pull; and an agency's database on the same server.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::common::server::Server;
use crate::data::Population;
use crate::deliveries::{Delivery, WAGE_COLUMNS, WAGE_TABLE};

/// Databases that the bench makes all begin with this.
pub const PREFIX: &str = "pull_";
const YARDSTICK: &str = "pull_yardstick";
const EXCHANGE: &str = "pull_exchange";

pub fn make_yardstick(server: &Server) -> anyhow::Result<()> {
    server.create(YARDSTICK, None)
}

/// The place in the write-ahead log.
pub fn log_position(server: &Server) -> anyhow::Result<u64> {
    Ok(server.ask("postgres", "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")?.parse()?)
}

/// How long `\copy` of a delivery takes into a table without an index: psql as a whole, start and connection included.
pub fn copy(server: &Server, delivery: Delivery, population: &Population, folder: &Path) -> anyhow::Result<Duration> {
    let table = format!("create table yardstick ({})", delivery.table());
    server.run(YARDSTICK, &["drop table if exists yardstick", &table, "checkpoint"])?;
    let copy = copy_command("yardstick", delivery, folder);
    let began = Instant::now();
    server.run(YARDSTICK, &[&copy])?;
    let took = began.elapsed();
    let rows: u64 = server.run(YARDSTICK, &["select count(*) from yardstick"])?.parse()?;
    ensure!(
        rows == delivery.rows(population),
        "\\copy took {rows} rows in, {} were written",
        delivery.rows(population)
    );
    server.run(YARDSTICK, &["drop table yardstick", "checkpoint"])?;
    Ok(took)
}

/// An agency's exchange database (前置库) that holds the first year's wages; its URL.
pub fn make_exchange(server: &Server, folder: &Path) -> anyhow::Result<String> {
    server.create(EXCHANGE, None)?;
    let table = format!("create table wage (xh bigint generated always as identity primary key, {WAGE_TABLE})");
    let copy = copy_command(&format!("wage ({WAGE_COLUMNS})"), Delivery::Wages, folder);
    server.run(EXCHANGE, &[&table, &copy])?;
    server.settle(EXCHANGE)?;
    Ok(server.url(EXCHANGE))
}

pub fn drop_exchange(server: &Server) -> anyhow::Result<()> {
    server.drop(EXCHANGE)
}

fn copy_command(target: &str, delivery: Delivery, folder: &Path) -> String {
    let path = delivery.path(folder).display().to_string().replace('\'', "''");
    format!("\\copy {target} from '{path}' with (format csv, header true, encoding '{}')", delivery.encoding())
}
