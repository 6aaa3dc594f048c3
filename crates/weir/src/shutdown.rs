//! SIGINT and SIGTERM as a flag that loops look at; a second signal ends the program at once, for those in a hurry.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Exit code when a second signal cuts the orderly stop short.
const CUT_SHORT: i32 = 1;

/// A flag that the first SIGINT or SIGTERM sets.
pub(crate) fn flag() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag not set yet, and sets it; the second finds it set.
        flag::register_conditional_shutdown(signal, CUT_SHORT, Arc::clone(&stop))?;
        flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}
