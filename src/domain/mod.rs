//! The rules of the field, pure: no async, no I/O, no SQL, no clock, no dataframes.

pub mod age;
pub mod basis;
pub mod certificate;
pub mod certification;
pub mod completion;
pub mod contract;
pub mod counting;
pub mod dated;
pub mod decimal;
pub mod declaration;
pub mod facts;
pub mod foresight;
pub mod ids;
pub mod judge;
pub mod labels;
pub mod levy;
pub mod message;
pub mod money;
pub mod month;
pub mod placement;
pub mod policy;
pub mod remedy;
pub mod reward;
pub mod said;
pub mod verdict;
pub mod worth;
