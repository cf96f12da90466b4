//! The API as its document describes it, asked over a real socket.

mod client;
mod conventions;
mod entries;
mod evidence;
mod matrix;
mod samples;

pub use client::{Api, Says};
