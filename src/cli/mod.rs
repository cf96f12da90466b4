//! The command line: arguments, what each command prints, exit codes.
