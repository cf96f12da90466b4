//! One binary for what needs the whole pipeline: deliveries in, results out, on a real Postgres.
#![cfg(feature = "pipeline")]

mod canary;
mod commands;
mod evaluation;
mod fixtures;
mod harness;
mod kill;
mod program;
mod provinces;
mod readme;
mod resume;
mod source_text;
mod tidy;
