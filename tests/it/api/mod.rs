//! The API as its document describes it, asked over a real socket.

mod client;
mod conventions;
mod matrix;
mod review;
mod road;
mod samples;
mod verifications;

pub use client::{Api, Says};
