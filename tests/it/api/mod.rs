//! The API as its document describes it, asked over a real socket.

mod client;
mod conventions;
mod kill;
mod matrix;
mod samples;
#[cfg(feature = "delivery")]
mod schemathesis;

pub use client::{Api, Says};
