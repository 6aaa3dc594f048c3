//! What an end that sends tells the thread that drives it: go on, or wait so long.

use std::time::Duration;

/// First pause after a failure; doubled with each further one.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Nothing waits.
    Idle,
    /// Something is dealt with; call again.
    Moved,
    /// The other end does not take it now; try again after this pause.
    Wait(Duration),
}

/// The pause after the next failure.
#[derive(Debug)]
pub(crate) struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(PAUSE_MIN)
    }
}

impl Pause {
    /// It failed once more.
    pub(crate) fn failed(&mut self) -> Delivery {
        let pause = self.0;
        self.0 = (pause * 2).min(PAUSE_MAX);
        Delivery::Wait(pause)
    }
}
