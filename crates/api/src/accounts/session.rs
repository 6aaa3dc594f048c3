//! Sessions of the browser: in memory, bounded, ended by silence, age, logging out, or a change of the user.

use std::collections::BTreeMap;

use weir_model::{NANOS_PER_S, Time};

use crate::secret;

/// Sessions at once; past it the longest silent one ends.
const SESSIONS_MAX: usize = 10_000;
/// Silence that ends a session: two hours.
const IDLE_S: i64 = 2 * 3600;
/// Age that ends a session: a working day.
const AGE_S: i64 = 12 * 3600;

struct Session {
    name: String,
    csrf: String,
    opened: Time,
    seen: Time,
}

/// Sessions by the hash of their secret.
#[derive(Default)]
pub(super) struct Sessions(BTreeMap<String, Session>);

impl Sessions {
    /// Opens a session; returns its secret and the value for requests that change something.
    pub(super) fn open(&mut self, name: &str, now: Time) -> (String, String) {
        if self.0.len() >= SESSIONS_MAX {
            self.0.retain(|_, session| alive(session, now));
        }
        if self.0.len() >= SESSIONS_MAX {
            let oldest = self.0.iter().min_by_key(|(_, session)| session.seen);
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                self.0.remove(&key);
            }
        }
        let (secret, csrf) = (secret::new(), secret::new());
        let session = Session {
            name: name.to_owned(),
            csrf: csrf.clone(),
            opened: now,
            seen: now,
        };
        self.0.insert(secret::hash(&secret), session);
        (secret, csrf)
    }

    /// Name and value for changes of a living session.
    pub(super) fn find(&mut self, secret: &str, now: Time) -> Option<(String, String)> {
        let key = secret::hash(secret);
        let session = self.0.get_mut(&key)?;
        if !alive(session, now) {
            self.0.remove(&key);
            return None;
        }
        session.seen = now;
        Some((session.name.clone(), session.csrf.clone()))
    }

    pub(super) fn close(&mut self, secret: &str) {
        self.0.remove(&secret::hash(secret));
    }

    pub(super) fn close_all(&mut self, name: &str) {
        self.0.retain(|_, session| session.name != name);
    }
}

fn alive(session: &Session, now: Time) -> bool {
    now.since(session.seen) < IDLE_S * NANOS_PER_S && now.since(session.opened) < AGE_S * NANOS_PER_S
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_end() {
        let start = Time::from_secs(1_000_000);
        let after = |seconds: i64| start + seconds * NANOS_PER_S;
        let mut sessions = Sessions::default();
        let (secret, csrf) = sessions.open("ann", start);
        assert_ne!(secret, csrf);
        assert_eq!(sessions.find(&secret, after(60)), Some(("ann".to_owned(), csrf)));
        assert_eq!(sessions.find("guess", after(60)), None);
        assert!(
            sessions.find(&secret, after(60 + IDLE_S)).is_none(),
            "silence ends it"
        );
        let (secret, _) = sessions.open("ann", start);
        let mut now = 0;
        while now < AGE_S {
            assert!(sessions.find(&secret, after(now)).is_some());
            now += IDLE_S / 2;
        }
        assert!(sessions.find(&secret, after(AGE_S)).is_none(), "age ends it");
        let (secret, _) = sessions.open("ann", start);
        sessions.close_all("ben");
        assert!(sessions.find(&secret, start).is_some());
        sessions.close_all("ann");
        assert!(sessions.find(&secret, start).is_none());
    }

    #[test]
    fn the_longest_silent_goes() {
        let mut sessions = Sessions::default();
        let (first, _) = sessions.open("ann", Time::from_secs(1));
        for at in 0..SESSIONS_MAX as i64 {
            sessions.open("ben", Time::from_secs(2) + at);
        }
        assert_eq!(sessions.0.len(), SESSIONS_MAX);
        assert!(sessions.find(&first, Time::from_secs(3)).is_none());
    }
}
