//! What waits for its answer: queues that know their limit.
//! What does not fit pushes out the oldest, next to a counter; what becomes of that one is for the protocol to say.

use std::collections::VecDeque;

use weir_model::Anomaly;

use crate::Sink;

/// Puts an item behind the others. A queue of `max` items gives up its oldest, which is counted and returned.
pub(crate) fn push<T>(queue: &mut VecDeque<T>, item: T, max: usize, sink: &mut Sink<'_>) -> Option<T> {
    let oldest = if queue.len() >= max {
        sink.odd(Anomaly::ProtocolLimit);
        queue.pop_front()
    } else {
        None
    };
    queue.push_back(item);
    oldest
}
