//! Use cases of an employer and of the counter: import, confirm, complete; each loads, decides, saves in one transaction.
