//! The rules of the field, pure: no async, no I/O, no SQL, no clock, no dataframes.

pub mod facts;
pub mod ids;
pub mod money;
pub mod month;
pub mod verdict;
