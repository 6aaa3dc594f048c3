//! The `weir` binary. Exit codes: 0 done, 1 failed, 2 usage; events are not errors.

use std::process::ExitCode;

fn main() -> ExitCode {
    weir::cli::main()
}
