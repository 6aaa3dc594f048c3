//! Dissectors against real captures, with figures that tshark confirms. The captures are not part of the repository:
//! they are looked for in `WEIR_CAPTURES`, else beside the checkout, and a test says so when it skips.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code: a failure is the message"
)]

mod figures;
mod fingerprints;
mod replay;
