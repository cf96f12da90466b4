//! The `renzheng` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    renzheng::cli::main()
}
