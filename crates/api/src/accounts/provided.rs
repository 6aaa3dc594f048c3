//! Accounts of people whom an identity provider knows: made at their first log-in, and their role renewed at every one.
//! Who they are is the provider's id for them, never their name: a name that somebody has here stays theirs.

use serde::{Deserialize, Serialize};
use weir_model::Time;

use super::file::User;
use super::{AccountError, Accounts, Opened, Result, Role, Sites, USERS_MAX, check_name};

/// Who somebody is at a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provided {
    pub issuer: String,
    /// The provider's id for the person.
    pub subject: String,
}

/// What a log-in through a provider changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entered {
    /// The account was made.
    Made,
    /// The account had this role before, or other sites.
    OtherRole(Role),
    Same,
}

impl Accounts {
    /// Does a provider let this user in?
    pub fn is_provided(&self, name: &str) -> bool {
        let state = self.state();
        state
            .kept
            .users
            .get(name)
            .is_some_and(|user| user.provided.is_some())
    }

    /// Opens a session for whom a provider vouches for. Sessions with another role or other sites than now end.
    pub fn enter(
        &self,
        provided: &Provided,
        name: &str,
        (role, sites): (Role, Sites),
        now: Time,
    ) -> Result<(Opened, Entered)> {
        let mut state = self.state();
        if state.kept.users.is_empty() {
            return Err(AccountError::FirstStart);
        }
        let known = state.kept.of(provided);
        let (name, entered) = match known {
            Some((_, user)) if user.disabled => return Err(AccountError::Denied),
            Some((name, user)) if user.role == role && user.sites == sites => {
                (name.to_owned(), Entered::Same)
            }
            Some((name, user)) => (name.to_owned(), Entered::OtherRole(user.role)),
            None => (name.to_owned(), Entered::Made),
        };
        match entered {
            Entered::Same => {}
            Entered::OtherRole(_) => {
                self.change(&mut state, |kept| {
                    if let Some(user) = kept.users.get_mut(&name) {
                        (user.role, user.sites) = (role, sites);
                    }
                    kept.has_admin()
                })?;
                state.sessions.close_all(&name);
            }
            Entered::Made => {
                check_name(&name)?;
                self.change(&mut state, |kept| {
                    if kept.users.contains_key(&name) {
                        return Err(AccountError::Taken(name.clone()));
                    }
                    if kept.users.len() >= USERS_MAX {
                        return Err(AccountError::Full(USERS_MAX));
                    }
                    kept.users
                        .insert(name.clone(), User::provided(provided.clone(), (role, sites), now));
                    Ok(())
                })?;
            }
        }
        let user = state.kept.users.get(&name).cloned();
        let user = user.ok_or_else(|| AccountError::Unknown(name.clone()))?;
        let (secret, csrf) = state.sessions.open(&name, now);
        let opened = Opened {
            secret,
            csrf,
            name,
            user,
        };
        Ok((opened, entered))
    }

    /// Somebody came whose groups give no role any more: the account, where there is one, and all that it opened end.
    /// Returns its name. An administrator can let it in again.
    pub fn leave(&self, provided: &Provided) -> Result<Option<String>> {
        let mut state = self.state();
        let Some(name) = state.kept.of(provided).map(|(name, _)| name.to_owned()) else {
            return Ok(None);
        };
        state.sessions.close_all(&name);
        self.change(&mut state, |kept| {
            if let Some(user) = kept.users.get_mut(&name) {
                user.disabled = true;
            }
            kept.has_admin()
        })?;
        Ok(Some(name))
    }
}
