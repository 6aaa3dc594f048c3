//! The `weir` binary. Exit codes: 0 done, 1 failed, 2 usage; events are not errors.

use std::process::ExitCode;

/// Records are made on the reading thread and freed on the output thread, which glibc's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    weir::cli::main()
}
