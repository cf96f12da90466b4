//! One binary for what needs the whole pipeline: deliveries in, results out, on a real Postgres.
#![cfg(feature = "pipeline")]

mod agency;
mod alerts;
mod canary;
mod commands;
mod config;
mod databases;
mod evaluation;
mod evidence;
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
mod masked;
mod metrics;
mod nights;
mod program;
mod provinces;
mod pulls;
mod readme;
mod resume;
mod runs;
mod schedule;
mod serve;
mod source_text;
mod tidy;
mod upkeep;
mod views;
mod watermark;
mod worth;
