//! The second factor of an account: begun, confirmed with a first code, asked for at every log-in, taken off; and the
//! recovery codes for whoever loses the device.

use std::io;

use serde::{Deserialize, Serialize};
use weir_model::{NANOS_PER_S, Time};

use super::seal::Seal;
use super::{AccountError, Accounts, Result, State, password, totp};
use crate::secret;

/// Recovery codes, each good once.
const RECOVERY_CODES: usize = 10;
/// Letters of a recovery code: 64 bits.
const RECOVERY_LETTERS: usize = 16;
/// How long an authenticator may take to show its first code.
const CONFIRM_S: i64 = 600;
/// Enrolments waiting at once; past it the oldest ends.
const WAITING_MAX: usize = 100;

/// The secret of an authenticator: open in memory, sealed in the file. Files of before hold it open.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Secret {
    Open([u8; totp::SECRET_BYTES]),
    Sealed(String),
}

/// A second factor as it is kept.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Second {
    secret: Secret,
    /// Step of the code that was taken last.
    step: i64,
    /// Hashes of the recovery codes that are left.
    recovery: Vec<String>,
}

/// Begun and not confirmed.
pub(super) struct Waiting {
    user: String,
    secret: [u8; totp::SECRET_BYTES],
    since: Time,
}

/// What an authenticator is told.
pub struct Enrolment {
    /// Base 32.
    pub secret: String,
    /// For a picture: `otpauth://totp/...`
    pub uri: String,
}

impl Second {
    /// As it goes into the file.
    pub(super) fn sealed(&self, seal: &Seal, user: &str) -> io::Result<Self> {
        let secret = match &self.secret {
            Secret::Open(secret) => Secret::Sealed(seal.seal(user, secret)?),
            sealed @ Secret::Sealed(_) => sealed.clone(),
        };
        Ok(Self {
            secret,
            ..self.clone()
        })
    }

    /// As it is used.
    pub(super) fn opened(&self, seal: &Seal, user: &str) -> io::Result<Self> {
        let Secret::Sealed(text) = &self.secret else {
            return Ok(self.clone());
        };
        let secret = seal.open(user, text)?.try_into();
        let secret =
            secret.map_err(|_| io::Error::other("a secret of an authenticator has another length"))?;
        Ok(Self {
            secret: Secret::Open(secret),
            ..self.clone()
        })
    }

    /// The step of the code, when it is right and was not used.
    fn check(&self, code: &str, now: Time) -> Option<i64> {
        match &self.secret {
            Secret::Open(secret) => totp::check(secret, code, now, self.step),
            Secret::Sealed(_) => None,
        }
    }
}

impl Accounts {
    /// Is a code asked for when this user logs in?
    pub fn has_second(&self, name: &str) -> bool {
        self.state()
            .kept
            .users
            .get(name)
            .is_some_and(|user| user.has_second())
    }

    /// Begins a second factor for whoever knows the password. Slow: checks the password.
    pub fn begin_second(&self, name: &str, pass: &str, from: &str, now: Time) -> Result<Enrolment> {
        self.prove(name, pass, from, now)?;
        let mut state = self.state();
        let waiting = &mut state.waiting;
        waiting.retain(|one| one.user != name && now.since(one.since) < CONFIRM_S * NANOS_PER_S);
        if waiting.len() >= WAITING_MAX {
            waiting.remove(0);
        }
        let secret = secret::random();
        waiting.push(Waiting {
            user: name.to_owned(),
            secret,
            since: now,
        });
        Ok(Enrolment {
            secret: totp::base32(&secret),
            uri: totp::uri(&secret, name),
        })
    }

    /// Confirms it with a first code; returns the recovery codes, which are shown this once.
    pub fn confirm_second(&self, name: &str, code: &str, now: Time) -> Result<Vec<String>> {
        let mut state = self.state();
        let begun = state
            .waiting
            .iter()
            .find(|one| one.user == name && now.since(one.since) < CONFIRM_S * NANOS_PER_S);
        let secret = begun.map(|one| one.secret).ok_or(AccountError::NoEnrolment)?;
        let step = totp::check(&secret, code, now, 0).ok_or(AccountError::Code)?;
        let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| secret::short_id()).collect();
        let second = Second {
            secret: Secret::Open(secret),
            step,
            recovery: codes.iter().map(|code| secret::hash(code)).collect(),
        };
        self.change(&mut state, |kept| {
            let user = kept.users.get_mut(name);
            user.ok_or_else(|| AccountError::Unknown(name.to_owned()))?.second = Some(second);
            Ok(())
        })?;
        state.waiting.retain(|one| one.user != name);
        Ok(codes)
    }

    /// Takes it off for whoever knows the password. Slow: checks the password.
    pub fn end_second(&self, name: &str, pass: &str, from: &str, now: Time) -> Result<()> {
        self.prove(name, pass, from, now)?;
        self.drop_second(name)
    }

    /// Takes it off: an administrator helps somebody who lost device and recovery codes.
    pub fn drop_second(&self, name: &str) -> Result<()> {
        let mut state = self.state();
        self.change(&mut state, |kept| {
            let user = kept.users.get_mut(name);
            user.ok_or_else(|| AccountError::Unknown(name.to_owned()))?.second = None;
            Ok(())
        })
    }

    /// Is it the password? Wrong ones make the next try wait, as at log-in.
    fn prove(&self, name: &str, pass: &str, from: &str, now: Time) -> Result<()> {
        let stored = {
            let mut state = self.state();
            if state
                .kept
                .users
                .get(name)
                .is_some_and(|user| user.provided.is_some())
            {
                return Err(AccountError::Provided);
            }
            if let Some(wait_s) = state.throttle.wait_s(name, from, now) {
                return Err(AccountError::Throttled(wait_s));
            }
            state.throttle.failed(name, from, now);
            state.kept.users.get(name).and_then(|user| user.hashed())
        };
        if !password::verify(pass, stored.as_deref()) {
            return Err(AccountError::Denied);
        }
        self.state().throttle.passed(name, from);
        Ok(())
    }

    /// The second factor at log-in, after the password was right: nothing to do for accounts without.
    pub(super) fn pass_second(
        &self,
        state: &mut State,
        name: &str,
        code: Option<&str>,
        now: Time,
    ) -> Result<()> {
        let Some(second) = state.kept.users.get(name).and_then(|user| user.second.as_ref()) else {
            return Ok(());
        };
        let Some(code) = code.map(str::trim).filter(|code| !code.is_empty()) else {
            return Err(AccountError::CodeNeeded);
        };
        let mut changed = second.clone();
        if code.len() == RECOVERY_LETTERS {
            let hash = secret::hash(&code.to_ascii_lowercase());
            let known = changed
                .recovery
                .iter()
                .position(|known| secret::same(known, &hash));
            changed.recovery.remove(known.ok_or(AccountError::Code)?);
        } else {
            changed.step = second.check(code, now).ok_or(AccountError::Code)?;
        }
        self.change(state, |kept| {
            if let Some(user) = kept.users.get_mut(name) {
                user.second = Some(changed);
            }
            Ok(())
        })
    }
}
