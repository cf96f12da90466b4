//! The API as its document describes it, asked over a real socket.

mod client;
mod conventions;
mod matrix;
mod offers;
mod person;
mod samples;

pub use client::{Api, Says};
