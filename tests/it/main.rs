//! One binary for what needs the whole pipeline: deliveries in, results out, on a real Postgres.
#![cfg(feature = "pipeline")]

mod agency;
mod canary;
mod commands;
mod databases;
mod evaluation;
mod explain;
mod faults;
mod fixtures;
mod forms;
mod harness;
mod http_agency;
mod incremental;
mod kill;
mod kill_pull;
mod mariadb;
mod nights;
mod program;
mod provinces;
mod pulls;
mod readme;
mod resume;
mod schedule;
mod serve;
mod source_text;
mod tidy;
mod views;
mod watermark;
mod worth;
