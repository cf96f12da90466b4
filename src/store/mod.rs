//! Our Postgres: the only SQL on our own tables.

pub mod local;
