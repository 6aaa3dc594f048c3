//! The flow table: a slab of entries, a keyed hash index over it, and one list per class in order of last touch.
//! Lists make expiry and eviction O(1) and deterministic; hash order is never walked, so it cannot leak into output.

use ahash::RandomState;
use hashbrown::HashTable;

use crate::clock::WITNESSES;
use crate::flow::{Class, Dissecting, Flow};
use crate::key::Key;

/// "No entry" in links.
const NONE: u32 = u32::MAX;

/// First and last entry of a list, longest silent first.
#[derive(Clone, Copy)]
struct Ends {
    head: u32,
    tail: u32,
}

/// Flows in the cache, addressed by slot.
pub(crate) struct Table {
    slots: Vec<Flow>,
    free: Vec<u32>,
    index: HashTable<u32>,
    hasher: RandomState,
    lists: [Ends; Class::ALL.len()],
    /// Flows of the last packets that were stamped later than the clock had come; `NONE` where there are fewer.
    ahead: [u32; WITNESSES],
}

impl Table {
    /// Flows that slot numbers can tell apart.
    pub(crate) const SLOTS_MAX: usize = NONE as usize;

    pub(crate) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            hasher: RandomState::new(),
            lists: [Ends {
                head: NONE,
                tail: NONE,
            }; Class::ALL.len()],
            ahead: [NONE; WITNESSES],
        }
    }

    /// Flows held.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Keyed hash of a key, for [`Self::find`] and [`Flow::new`].
    pub(crate) fn hash(&self, key: &Key) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Slot of the flow with this key.
    pub(crate) fn find(&self, key: &Key, hash: u64) -> Option<u32> {
        self.index
            .find(hash, |&slot| self.slots[slot as usize].key == *key)
            .copied()
    }

    pub(crate) fn get(&self, slot: u32) -> &Flow {
        &self.slots[slot as usize]
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> &mut Flow {
        &mut self.slots[slot as usize]
    }

    /// Takes in a flow whose key is not in the table, at the end of its class's list.
    pub(crate) fn insert(&mut self, flow: Flow, now_s: i64) -> u32 {
        let (hash, class) = (flow.hash, flow.class);
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = flow;
                slot
            }
            None => {
                self.slots.push(flow);
                (self.slots.len() - 1) as u32
            }
        };
        self.get_mut(slot).touch_s = now_s;
        self.append(slot, class);
        let slots = &self.slots;
        self.index
            .insert_unique(hash, slot, |&other| slots[other as usize].hash);
        slot
    }

    /// Notes a packet of the flow. Links move only when second or class change, so bulk transfers stay in their lines.
    pub(crate) fn touch(&mut self, slot: u32, now_s: i64, class: Class) {
        let flow = self.get_mut(slot);
        if flow.touch_s == now_s && flow.class == class {
            return;
        }
        self.unlink(slot);
        let flow = self.get_mut(slot);
        flow.touch_s = now_s;
        flow.class = class;
        self.append(slot, class);
    }

    /// Notes that the flow's last packet is stamped later than the clock has come: it follows some packets behind, and the
    /// first ones after a silence are met at a time before it.
    pub(crate) fn ahead(&mut self, slot: u32) {
        self.ahead.rotate_left(1);
        self.ahead[WITNESSES - 1] = slot;
    }

    /// The clock has come to `now_s`: what was noted to be ahead is touched at its own time, where that is past now.
    pub(crate) fn catch_up(&mut self, now_s: i64) {
        for slot in std::mem::replace(&mut self.ahead, [NONE; WITNESSES]) {
            if slot == NONE {
                continue;
            }
            let flow = self.get_mut(slot);
            let (start_s, end_s, class) = (flow.start.bin(1), flow.end.bin(1), flow.class);
            if end_s > now_s {
                self.ahead(slot);
            } else if end_s > flow.touch_s {
                flow.interval_s = flow.interval_s.max(start_s.min(end_s));
                self.touch(slot, end_s, class);
            }
        }
    }

    /// Longest silent flow of a class.
    pub(crate) fn oldest(&self, class: Class) -> Option<u32> {
        let head = self.lists[class as usize].head;
        (head != NONE).then_some(head)
    }

    /// Longest silent flow of some classes; on a tie, of the class named first.
    pub(crate) fn oldest_of(&self, classes: &[Class]) -> Option<u32> {
        classes
            .iter()
            .filter_map(|&class| self.oldest(class))
            .min_by_key(|&slot| self.get(slot).touch_s)
    }

    /// Forgets a flow.
    pub(crate) fn remove(&mut self, slot: u32) {
        self.unlink(slot);
        for ahead in &mut self.ahead {
            if *ahead == slot {
                *ahead = NONE;
            }
        }
        let hash = self.get(slot).hash;
        if let Ok(entry) = self.index.find_entry(hash, |&other| other == slot) {
            entry.remove();
        }
        let flow = self.get_mut(slot);
        flow.dissecting = Dissecting::Over;
        flow.reported = None;
        flow.ways = None;
        self.free.push(slot);
    }

    /// Every flow held, by list; the order says nothing.
    pub(crate) fn all(&self) -> Vec<u32> {
        let mut slots = Vec::with_capacity(self.len());
        for list in self.lists {
            let mut slot = list.head;
            while slot != NONE {
                slots.push(slot);
                slot = self.get(slot).next;
            }
        }
        slots
    }

    /// Moves the touch of all flows to `now_s`: for the moment the clock starts to run.
    pub(crate) fn touch_all(&mut self, now_s: i64) {
        for slot in self.all() {
            let flow = self.get_mut(slot);
            flow.touch_s = now_s;
            flow.interval_s = now_s;
        }
    }

    fn append(&mut self, slot: u32, class: Class) {
        let tail = self.lists[class as usize].tail;
        let flow = self.get_mut(slot);
        flow.prev = tail;
        flow.next = NONE;
        if tail == NONE {
            self.lists[class as usize].head = slot;
        } else {
            self.get_mut(tail).next = slot;
        }
        self.lists[class as usize].tail = slot;
    }

    fn unlink(&mut self, slot: u32) {
        let flow = self.get(slot);
        let (prev, next, class) = (flow.prev, flow.next, flow.class as usize);
        if prev == NONE {
            self.lists[class].head = next;
        } else {
            self.get_mut(prev).next = next;
        }
        if next == NONE {
            self.lists[class].tail = prev;
        } else {
            self.get_mut(next).prev = prev;
        }
    }
}
