//! Flows that two observation points tell of: clouds log a conversation at the interface of each side. The first point
//! that tells of a conversation is believed, what others tell of the same one is passed over, or it would count twice.

use std::collections::HashMap;
use std::net::IpAddr;

use ahash::RandomState;

/// Conversations remembered in each of two generations. At some 70 bytes each that is 9 MiB; a conversation forgotten
/// while it goes on counts twice again, which needs 65,536 others between two records of it.
const REMEMBERED_MAX: usize = 65_536;

/// Endpoints in order, and protocol: the same for both directions.
type Conversation = ((IpAddr, u16), (IpAddr, u16), u8);

/// Who told of which conversation first.
#[derive(Default)]
pub(super) struct Twice {
    young: HashMap<Conversation, u64, RandomState>,
    old: HashMap<Conversation, u64, RandomState>,
    hasher: RandomState,
}

impl Twice {
    /// Is the conversation between these endpoints one that another `point` told of before?
    pub(super) fn told_by_other(
        &mut self,
        from: (IpAddr, u16),
        to: (IpAddr, u16),
        proto: u8,
        point: &str,
    ) -> bool {
        let conversation = (from.min(to), from.max(to), proto);
        let point = self.hasher.hash_one(point);
        if let Some(&first) = self.young.get(&conversation) {
            return first != point;
        }
        let first = self.old.get(&conversation).copied().unwrap_or(point);
        if self.young.len() >= REMEMBERED_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(conversation, first);
        first != point
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_point_is_believed_within_bounds() {
        let mut twice = Twice::default();
        let end = |port: u16| (IpAddr::from([10, 0, 0, 1]), port);
        assert!(!twice.told_by_other(end(1), end(2), 6, "eni-a"));
        assert!(twice.told_by_other(end(2), end(1), 6, "eni-b"));
        assert!(!twice.told_by_other(end(2), end(1), 6, "eni-a"));
        for number in 0..3 * REMEMBERED_MAX {
            let peer = IpAddr::from((number as u32).to_be_bytes());
            twice.told_by_other((peer, 9), end(9), 17, "eni-a");
        }
        assert!(twice.young.len() <= REMEMBERED_MAX && twice.old.len() <= REMEMBERED_MAX);
    }
}
