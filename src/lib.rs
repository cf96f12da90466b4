//! renzheng (认证) certifies employers' employment of disabled people and hands the result to the tax department.
//!
//! Data flows one way: `sources` → `ingest` → `store` → `verify` → `declare` → `push`; `domain` decides, `cli` is the door.

pub mod domain;

#[cfg(feature = "pipeline")]
pub mod cli;
#[cfg(feature = "pipeline")]
pub mod clock;
#[cfg(feature = "pipeline")]
pub mod config;
#[cfg(feature = "pipeline")]
pub mod crypto;
#[cfg(feature = "pipeline")]
pub mod declare;
#[cfg(feature = "pipeline")]
pub mod http;
#[cfg(feature = "pipeline")]
pub mod ingest;
#[cfg(feature = "pipeline")]
pub mod policy;
#[cfg(feature = "pipeline")]
pub mod push;
#[cfg(feature = "pipeline")]
pub mod sandbox;
#[cfg(feature = "pipeline")]
pub mod sources;
#[cfg(feature = "pipeline")]
pub mod store;
#[cfg(feature = "pipeline")]
pub mod verify;
