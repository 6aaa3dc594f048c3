//! Wrong passwords make the next try wait, per account and per address, longer each time; nobody is locked out for good.

use std::collections::BTreeMap;

use weir_model::{NANOS_PER_S, Time};

/// Accounts and addresses remembered; past it the one that failed longest ago is forgotten.
const ENTRIES_MAX: usize = 10_000;
/// Tries that cost nothing.
const FREE: u32 = 5;
/// Longest wait, seconds.
const WAIT_MAX_S: u32 = 60;
/// Quiet after which failures are forgotten, seconds.
const FORGET_S: i64 = 900;
/// Bytes of a name that are remembered.
const NAME_BYTES: usize = 64;

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Time,
}

/// Failures by account and by address.
#[derive(Default)]
pub(super) struct Throttle(BTreeMap<(bool, String), Failures>);

impl Throttle {
    /// Seconds to wait before the next try; `None`: now.
    pub(super) fn wait_s(&self, name: &str, from: &str, now: Time) -> Option<u32> {
        keys(name, from)
            .iter()
            .filter_map(|key| {
                let failures = self.0.get(key)?;
                let beyond = failures.count.checked_sub(FREE)?;
                let wait_s = 1_u32.checked_shl(beyond).unwrap_or(WAIT_MAX_S).min(WAIT_MAX_S);
                let passed_s = now.since(failures.last) / NANOS_PER_S;
                wait_s
                    .checked_sub(passed_s.clamp(0, WAIT_MAX_S.into()) as u32)
                    .filter(|left| *left > 0)
            })
            .max()
    }

    /// A try that may have been wrong.
    pub(super) fn failed(&mut self, name: &str, from: &str, now: Time) {
        for key in keys(name, from) {
            if !self.0.contains_key(&key) && self.0.len() >= ENTRIES_MAX {
                self.make_room(now);
            }
            let failures = self.0.entry(key).or_insert(Failures { count: 0, last: now });
            if now.since(failures.last) >= FORGET_S * NANOS_PER_S {
                failures.count = 0;
            }
            failures.count = failures.count.saturating_add(1);
            failures.last = now;
        }
    }

    /// It was right: the account starts anew, the address keeps what it did to others.
    pub(super) fn passed(&mut self, name: &str, from: &str) {
        let [account, address] = keys(name, from);
        self.0.remove(&account);
        if let Some(failures) = self.0.get_mut(&address) {
            failures.count = failures.count.saturating_sub(1);
        }
    }

    fn make_room(&mut self, now: Time) {
        self.0
            .retain(|_, failures| now.since(failures.last) < FORGET_S * NANOS_PER_S);
        if self.0.len() >= ENTRIES_MAX {
            // Many at once, or whoever invents names would make every log-in search the whole table.
            let mut times: Vec<Time> = self.0.values().map(|failures| failures.last).collect();
            let (_, &mut oldest, _) = times.select_nth_unstable(ENTRIES_MAX / 10);
            self.0.retain(|_, failures| failures.last > oldest);
        }
    }
}

fn keys(name: &str, from: &str) -> [(bool, String); 2] {
    let name = &name[..name.floor_char_boundary(NAME_BYTES)];
    [(true, name.to_owned()), (false, from.to_owned())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let mut throttle = Throttle::default();
        let mut now = Time::from_secs(1_000_000);
        let mut waits = Vec::new();
        for _ in 0..14 {
            let wait_s = throttle.wait_s("ann", "10.0.0.9", now).unwrap_or(0);
            waits.push(wait_s);
            now = now + i64::from(wait_s) * NANOS_PER_S;
            throttle.failed("ann", "10.0.0.9", now);
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(
            throttle.wait_s("ann", "10.0.0.8", now),
            Some(60),
            "the account waits wherever one comes from"
        );
        assert_eq!(
            throttle.wait_s("ben", "10.0.0.9", now),
            Some(60),
            "the address waits whoever it says it is"
        );
        assert_eq!(throttle.wait_s("ben", "10.0.0.8", now), None);
        throttle.passed("ann", "10.0.0.8");
        assert_eq!(throttle.wait_s("ann", "10.0.0.8", now), None);
        throttle.failed("ben", "10.0.0.9", now + FORGET_S * NANOS_PER_S);
        assert_eq!(
            throttle.wait_s("ben", "10.0.0.9", now + FORGET_S * NANOS_PER_S),
            None
        );
    }

    #[test]
    fn it_is_bounded() {
        let mut throttle = Throttle::default();
        for at in 0..ENTRIES_MAX as i64 {
            throttle.failed(&format!("user{at}"), &format!("address{at}"), Time(at));
        }
        assert!((ENTRIES_MAX / 2..=ENTRIES_MAX).contains(&throttle.0.len()));
        let last = format!("address{}", ENTRIES_MAX - 1);
        assert!(throttle.0.contains_key(&(false, last)), "the latest stay");
    }
}
