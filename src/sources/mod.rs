//! The outer world, inward: HTTP, files and databases become pages of text cells.

pub mod page;
