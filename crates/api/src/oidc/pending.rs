//! Log-ins that were begun and not ended: what the answer of the provider must fit. In memory, bounded, each good once.

use std::collections::BTreeMap;
use std::net::IpAddr;

use weir_model::{NANOS_PER_S, Time};

use crate::secret;

/// How long somebody may take at the provider.
const VALID_S: i64 = 600;
/// Begun log-ins at once, and of one address, so that one cannot push out those of others.
pub(super) const PENDING_MAX: usize = 1000;
pub(super) const OF_ONE_ADDRESS_MAX: usize = 20;

/// A log-in that was begun.
pub(super) struct Begun {
    /// Hash of what the cookie of its browser holds.
    browser: String,
    from: IpAddr,
    until: Time,
    pub(super) nonce: String,
    /// What the code is changed for a token with (RFC 7636).
    pub(super) verifier: String,
}

/// What the browser takes along.
pub(super) struct Taken {
    /// For the cookie.
    pub(super) browser: String,
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
}

/// Begun log-ins by the hash of their state.
#[derive(Default)]
pub(super) struct Pending(BTreeMap<String, Begun>);

impl Pending {
    /// Begins one; `None` when this address has begun too many.
    pub(super) fn begin(&mut self, from: IpAddr, now: Time) -> Option<Taken> {
        self.0.retain(|_, begun| now < begun.until);
        if self.0.values().filter(|begun| begun.from == from).count() >= OF_ONE_ADDRESS_MAX {
            return None;
        }
        if self.0.len() >= PENDING_MAX {
            let oldest = self.0.iter().min_by_key(|(_, begun)| begun.until);
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                self.0.remove(&key);
            }
        }
        let taken = Taken {
            browser: secret::new(),
            state: secret::new(),
            nonce: secret::new(),
            verifier: secret::new(),
        };
        let begun = Begun {
            browser: secret::hash(&taken.browser),
            from,
            until: now + VALID_S * NANOS_PER_S,
            nonce: taken.nonce.clone(),
            verifier: taken.verifier.clone(),
        };
        self.0.insert(secret::hash(&taken.state), begun);
        Some(taken)
    }

    /// Ends the one with this state, if this browser began it. Whoever has the state alone ends nothing.
    pub(super) fn end(&mut self, state: &str, browser: &str, now: Time) -> Option<Begun> {
        let key = secret::hash(state);
        let begun = self.0.get(&key)?;
        if !secret::same(&begun.browser, &secret::hash(browser)) {
            return None;
        }
        self.0.remove(&key).filter(|begun| now < begun.until)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
