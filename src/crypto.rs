//! Encryption of personal data, blind indexes, and message signatures.
