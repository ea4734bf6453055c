//! The program: the command line in, an exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    atalaya::cli::main().into()
}
