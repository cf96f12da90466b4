//! Outbox to tax department.
