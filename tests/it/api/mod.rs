//! The API as its document describes it, asked over a real socket.

mod client;
mod conventions;
mod entries;
mod evidence;
mod kill;
mod matrix;
mod offers;
mod operate;
mod person;
mod review;
mod road;
mod samples;
#[cfg(feature = "delivery")]
mod schemathesis;
mod verifications;

pub use client::{Api, Says};
