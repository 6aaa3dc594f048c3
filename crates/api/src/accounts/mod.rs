//! Who may do what: local users, API tokens, sessions, and the one-time token of the first start. One owner, one file
//! (`accounts.json`, readable by its owner only); secrets are kept as hashes, or sealed where they must be known again; sessions
//! only in memory.

mod file;
mod password;
mod provided;
mod seal;
mod second;
mod session;
mod sites;
mod throttle;
mod totp;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use weir_model::{NANOS_PER_S, Time};

use crate::secret;
use file::Kept;
pub use file::{Token, User};
pub use provided::{Entered, Provided};
use seal::Seal;
pub use second::Enrolment;
use second::Waiting;
use session::Sessions;
pub use sites::{ALL as ALL_SITES, Sites};
use throttle::Throttle;

/// Users and tokens at most; this is no directory service.
const USERS_MAX: usize = 1000;
const TOKENS_MAX: usize = 1000;
/// Bytes of the name of a user or token.
const NAME_BYTES_MAX: usize = 64;
/// How long the token of the first start can be used.
pub const SETUP_VALID_S: i64 = 3600;

/// What somebody may do. From viewer to admin each may all that those before it may; the auditor stands beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Works on events, says what is harmless.
    Analyst,
    /// Sees payload and recordings.
    Hunter,
    /// Changes detection: methods, lists, networks.
    Editor,
    /// Reads, and sees the audit trail; changes nothing.
    Auditor,
    /// Manages users, tokens and the server.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Viewer,
        Self::Analyst,
        Self::Hunter,
        Self::Editor,
        Self::Auditor,
        Self::Admin,
    ];

    /// Word in the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Analyst => "analyst",
            Self::Hunter => "hunter",
            Self::Editor => "editor",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }

    /// May it do what is for `need`?
    pub fn may(self, need: Self) -> bool {
        let rank = |role: Self| match role {
            Self::Viewer | Self::Auditor => 0,
            Self::Analyst => 1,
            Self::Hunter => 2,
            Self::Editor => 3,
            Self::Admin => 4,
        };
        match need {
            Self::Auditor => matches!(self, Self::Auditor | Self::Admin),
            need => rank(self) >= rank(need),
        }
    }

    /// This role where `owner` may as much, else the owner's.
    pub(crate) fn within(self, owner: Self) -> Self {
        if owner.may(self) { self } else { owner }
    }
}

/// Why an account was not changed, or nobody was let in.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("name or password is wrong")]
    Denied,
    #[error("too many wrong passwords; try again in {0} s")]
    Throttled(u32),
    #[error("the token of the first start is wrong or has expired; restart `weir serve` for a new one")]
    SetupToken,
    #[error("a name has 1 to {NAME_BYTES_MAX} letters, digits, '.', '-', '_' or '@'")]
    Name,
    #[error("{0}")]
    Password(&'static str),
    #[error("there is already a user {0:?}")]
    Taken(String),
    #[error("there is no user or token {0:?}")]
    Unknown(String),
    /// The password was right; the account has a second factor.
    #[error(
        "this account has a second factor: send the code of the authenticator, or a recovery code, as well"
    )]
    CodeNeeded,
    #[error("the code is wrong, was used already, or its time has passed")]
    Code,
    #[error("no second factor was begun in the last ten minutes; begin again")]
    NoEnrolment,
    #[error("this account logs in through the identity provider: password and second factor are kept there")]
    Provided,
    #[error("make the first administrator with the token that `weir serve` printed; then others may come in")]
    FirstStart,
    #[error("there must be an administrator left")]
    LastAdmin,
    #[error("there are {0} already, which is the limit; remove one first")]
    Full(usize),
    #[error("{path} cannot be {what}: {why}", path = .path.display())]
    File {
        path: PathBuf,
        what: &'static str,
        why: String,
    },
}

type Result<T> = std::result::Result<T, AccountError>;

/// A session as its owner knows it.
#[derive(Clone, Debug)]
pub struct Opened {
    /// For the cookie; not kept.
    pub secret: String,
    /// For the header of requests that change something.
    pub csrf: String,
    pub name: String,
    pub user: User,
}

/// A session that was shown.
#[derive(Clone, Debug)]
pub struct Known {
    pub name: String,
    pub role: Role,
    pub sites: Sites,
    pub csrf: String,
}

/// All accounts.
pub struct Accounts {
    path: PathBuf,
    /// For secrets that must be known again.
    seal: Seal,
    /// Changed and written under one lock, so that the file never holds less than memory.
    state: Mutex<State>,
}

struct State {
    kept: Kept,
    sessions: Sessions,
    throttle: Throttle,
    /// Second factors begun and not confirmed.
    waiting: Vec<Waiting>,
    /// Hash of the token of the first start, and when it expires.
    setup: Option<(String, Time)>,
}

impl Accounts {
    /// Reads the accounts; none when there is no file.
    pub fn open(path: PathBuf) -> Result<Self> {
        let seal = Seal::beside(&path);
        let kept = Kept::read(&path, &seal)?;
        Ok(Self {
            path,
            seal,
            state: Mutex::new(State {
                kept,
                sessions: Sessions::default(),
                throttle: Throttle::default(),
                waiting: Vec::new(),
                setup: None,
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is the first user still missing?
    pub fn needs_setup(&self) -> bool {
        self.state().kept.users.is_empty()
    }

    /// A new token for the first start, valid once and for an hour; `None` when there is a user already.
    pub fn setup_token(&self, now: Time) -> Option<String> {
        let mut state = self.state();
        if !state.kept.users.is_empty() {
            return None;
        }
        let token = secret::new();
        state.setup = Some((secret::hash(&token), now + SETUP_VALID_S * NANOS_PER_S));
        Some(token)
    }

    /// Makes the first administrator. Slow: hashes the password.
    pub fn set_up(&self, token: &str, name: &str, pass: &str, now: Time) -> Result<()> {
        let valid = |state: &State| {
            state.kept.users.is_empty()
                && state
                    .setup
                    .as_ref()
                    .is_some_and(|(hash, until)| now < *until && secret::same(hash, &secret::hash(token)))
        };
        if !valid(&self.state()) {
            return Err(AccountError::SetupToken);
        }
        let user = new_user(name, pass, Role::Admin, now)?;
        let mut state = self.state();
        // Somebody else may have been faster while the password was hashed.
        if !valid(&state) {
            return Err(AccountError::SetupToken);
        }
        self.change(&mut state, |kept| {
            kept.users.insert(name.to_owned(), user);
            Ok(())
        })?;
        state.setup = None;
        Ok(())
    }

    /// Opens a session. Slow: checks the password, taking as long for a user that does not exist. `code` is for accounts
    /// with a second factor; whoever does not know the password does not learn which those are.
    pub fn log_in(
        &self,
        name: &str,
        pass: &str,
        code: Option<&str>,
        from: &str,
        now: Time,
    ) -> Result<Opened> {
        let stored = {
            let mut state = self.state();
            if let Some(wait_s) = state.throttle.wait_s(name, from, now) {
                return Err(AccountError::Throttled(wait_s));
            }
            // Counted before it is known, or many tries at once would all pass.
            state.throttle.failed(name, from, now);
            let user = state.kept.users.get(name).filter(|user| !user.disabled);
            user.and_then(User::hashed)
        };
        let right = password::verify(pass, stored.as_deref());
        let mut state = self.state();
        let user = state.kept.users.get(name).filter(|user| !user.disabled).cloned();
        let Some(user) = user.filter(|user| right && user.hashed() == stored) else {
            return Err(AccountError::Denied);
        };
        // A wrong code, and none where one is needed, count like a wrong password: both can be guessed at.
        self.pass_second(&mut state, name, code, now)?;
        state.throttle.passed(name, from);
        let (secret, csrf) = state.sessions.open(name, now);
        Ok(Opened {
            secret,
            csrf,
            name: name.to_owned(),
            user,
        })
    }

    /// Whose session is it? Keeps it alive.
    pub fn session(&self, secret: &str, now: Time) -> Option<Known> {
        let mut state = self.state();
        let (name, csrf) = state.sessions.find(secret, now)?;
        let user = state.kept.users.get(&name).filter(|user| !user.disabled)?;
        Some(Known {
            role: user.role,
            sites: user.sites.clone(),
            name,
            csrf,
        })
    }

    /// Ends a session.
    pub fn log_out(&self, secret: &str) {
        self.state().sessions.close(secret);
    }

    /// Whose token is it? A token may never do more than its owner may now.
    pub fn token(&self, secret: &str, now: Time) -> Option<(String, Role, Sites)> {
        let hash = secret::hash(secret);
        let mut state = self.state();
        let State { kept, .. } = &mut *state;
        let token = kept
            .tokens
            .values_mut()
            .find(|token| secret::same(&token.hash, &hash))?;
        let owner = kept.users.get(&token.owner).filter(|user| !user.disabled)?;
        if now.0 >= token.expires_ns {
            return None;
        }
        token.last_used_ns = Some(now.0);
        Some((
            format!("{}/{}", token.owner, token.name),
            token.role.within(owner.role),
            token.sites.within(&owner.sites),
        ))
    }

    /// Users by name.
    pub fn users(&self) -> Vec<(String, User)> {
        let state = self.state();
        let users = state.kept.users.iter();
        users.map(|(name, user)| (name.clone(), user.clone())).collect()
    }

    /// Makes a user. Slow: hashes the password.
    pub fn add_user(&self, name: &str, pass: &str, (role, sites): (Role, Sites), now: Time) -> Result<()> {
        let user = User {
            sites,
            ..new_user(name, pass, role, now)?
        };
        let mut state = self.state();
        self.change(&mut state, |kept| {
            if kept.users.contains_key(name) {
                return Err(AccountError::Taken(name.to_owned()));
            }
            if kept.users.len() >= USERS_MAX {
                return Err(AccountError::Full(USERS_MAX));
            }
            kept.users.insert(name.to_owned(), user);
            Ok(())
        })
    }

    /// Changes what is given of a user, and ends the user's sessions. Slow when the password changes.
    pub fn change_user(
        &self,
        name: &str,
        (role, sites): (Option<Role>, Option<Sites>),
        disabled: Option<bool>,
        pass: Option<&str>,
    ) -> Result<()> {
        let hashed = pass.map(password::hash).transpose()?;
        let mut state = self.state();
        self.change(&mut state, |kept| {
            let unknown = || AccountError::Unknown(name.to_owned());
            let user = kept.users.get_mut(name).ok_or_else(unknown)?;
            if user.provided.is_some() && hashed.is_some() {
                return Err(AccountError::Provided);
            }
            user.role = role.unwrap_or(user.role);
            if let Some(sites) = sites {
                user.sites = sites;
            }
            user.disabled = disabled.unwrap_or(user.disabled);
            if let Some(hashed) = hashed {
                user.password = hashed;
            }
            kept.has_admin()
        })?;
        state.sessions.close_all(name);
        Ok(())
    }

    /// Removes a user with all tokens and sessions.
    pub fn remove_user(&self, name: &str) -> Result<()> {
        let mut state = self.state();
        self.change(&mut state, |kept| {
            let gone = kept.users.remove(name);
            gone.ok_or_else(|| AccountError::Unknown(name.to_owned()))?;
            kept.tokens.retain(|_, token| token.owner != name);
            kept.has_admin()
        })?;
        state.sessions.close_all(name);
        Ok(())
    }

    /// Tokens by id.
    pub fn tokens(&self) -> Vec<(String, Token)> {
        let state = self.state();
        let tokens = state.kept.tokens.iter();
        tokens.map(|(id, token)| (id.clone(), token.clone())).collect()
    }

    /// Makes a token; returns its id and the secret, which is shown this once.
    pub fn add_token(
        &self,
        owner: &str,
        name: &str,
        (role, sites): (Role, Sites),
        valid_s: i64,
        now: Time,
    ) -> Result<(String, String)> {
        check_name(name)?;
        let (id, secret) = (secret::short_id(), format!("weir_{}", secret::new()));
        let token = Token {
            name: name.to_owned(),
            owner: owner.to_owned(),
            role,
            sites,
            hash: secret::hash(&secret),
            created_ns: now.0,
            expires_ns: (now + valid_s.saturating_mul(NANOS_PER_S)).0,
            last_used_ns: None,
        };
        let mut state = self.state();
        self.change(&mut state, |kept| {
            kept.tokens.retain(|_, token| now.0 < token.expires_ns);
            if kept.tokens.len() >= TOKENS_MAX {
                return Err(AccountError::Full(TOKENS_MAX));
            }
            kept.tokens.insert(id.clone(), token);
            Ok(())
        })?;
        Ok((id, secret))
    }

    /// Removes a token.
    pub fn remove_token(&self, id: &str) -> Result<()> {
        let mut state = self.state();
        self.change(&mut state, |kept| {
            let gone = kept.tokens.remove(id);
            gone.map(|_| ())
                .ok_or_else(|| AccountError::Unknown(id.to_owned()))
        })
    }

    /// Changes a copy, writes it, and only then takes it for true.
    fn change(&self, state: &mut State, change: impl FnOnce(&mut Kept) -> Result<()>) -> Result<()> {
        let mut kept = state.kept.clone();
        change(&mut kept)?;
        kept.write(&self.path, &self.seal)?;
        state.kept = kept;
        Ok(())
    }
}

fn new_user(name: &str, pass: &str, role: Role, now: Time) -> Result<User> {
    check_name(name)?;
    Ok(User {
        role,
        sites: Sites::all(),
        disabled: false,
        created_ns: now.0,
        password: password::hash(pass)?,
        provided: None,
        second: None,
    })
}

/// Names are plain, so that they mean the same in a log, a URL and an audit entry.
fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_@".contains(c);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(plain) {
        return Err(AccountError::Name);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
