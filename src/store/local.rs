//! The private Postgres server: started, shared and stopped under a file lock.
