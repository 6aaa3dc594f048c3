//! What is kept of accounts on disk: one small JSON file, replaced as a whole.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use weir_model::Time;

use super::provided::Provided;
use super::seal::Seal;
use super::second::Second;
use super::{AccountError, Role, Sites};

/// Version of the file's form.
const VERSION: u32 = 1;

/// A user.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    pub role: Role,
    /// Sites that may be seen.
    #[serde(default, skip_serializing_if = "Sites::is_all")]
    pub sites: Sites,
    pub disabled: bool,
    /// Nanoseconds since 1970.
    pub created_ns: i64,
    /// Argon2id in PHC form; empty for those whom a provider lets in.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) password: String,
    /// The identity provider that lets this user in, in the place of a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provided: Option<Provided>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) second: Option<Second>,
}

impl User {
    /// Is a code asked for at log-in?
    pub const fn has_second(&self) -> bool {
        self.second.is_some()
    }

    /// Somebody whom a provider lets in.
    pub(super) fn provided(provided: Provided, (role, sites): (Role, Sites), now: Time) -> Self {
        Self {
            role,
            sites,
            disabled: false,
            created_ns: now.0,
            password: String::new(),
            provided: Some(provided),
            second: None,
        }
    }

    /// The hash of the password, where there is one.
    pub(super) fn hashed(&self) -> Option<String> {
        self.provided.is_none().then(|| self.password.clone())
    }
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "User({}, disabled: {})", self.role.word(), self.disabled)
    }
}

/// An API token.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    pub name: String,
    pub owner: String,
    pub role: Role,
    /// Those of them that the owner may see.
    #[serde(default, skip_serializing_if = "Sites::is_all")]
    pub sites: Sites,
    /// SHA-256 of the secret.
    pub(super) hash: String,
    /// Nanoseconds since 1970.
    pub created_ns: i64,
    pub expires_ns: i64,
    /// Written when something else changes: exact only since the last start.
    pub last_used_ns: Option<i64>,
}

/// The file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    version: u32,
    pub(super) users: BTreeMap<String, User>,
    pub(super) tokens: BTreeMap<String, Token>,
}

impl Kept {
    /// Reads the file; without one there is nobody.
    pub(super) fn read(path: &Path, seal: &Seal) -> Result<Self, AccountError> {
        let failed = |why: String| AccountError::File {
            path: path.to_owned(),
            what: "read",
            why,
        };
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Self {
                    version: VERSION,
                    users: BTreeMap::new(),
                    tokens: BTreeMap::new(),
                });
            }
            Err(error) => return Err(failed(error.to_string())),
        };
        let mut kept: Self = serde_json::from_slice(&text).map_err(|error| failed(error.to_string()))?;
        if kept.version != VERSION {
            return Err(failed(format!(
                "it has version {}, this Weir reads {VERSION}",
                kept.version
            )));
        }
        for (name, user) in &mut kept.users {
            if let Some(second) = &user.second {
                let opened = second.opened(seal, name);
                user.second = Some(opened.map_err(|error| failed(error.to_string()))?);
            }
        }
        Ok(kept)
    }

    /// Replaces the file: the old one stays until the new one is on disk.
    pub(super) fn write(&self, path: &Path, seal: &Seal) -> Result<(), AccountError> {
        self.replace(path, seal).map_err(|error| AccountError::File {
            path: path.to_owned(),
            what: "written",
            why: error.to_string(),
        })
    }

    fn replace(&self, path: &Path, seal: &Seal) -> io::Result<()> {
        let mut sealed = self.clone();
        for (name, user) in &mut sealed.users {
            if let Some(second) = &user.second {
                user.second = Some(second.sealed(seal, name)?);
            }
        }
        let new = path.with_extension("json.new");
        let mut options = OpenOptions::new();
        let mut file = options
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(&serde_json::to_vec_pretty(&sealed)?)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        match path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }

    /// The account of whom a provider knows so.
    pub(super) fn of(&self, provided: &Provided) -> Option<(&str, &User)> {
        let mut users = self.users.iter();
        let found = users.find(|(_, user)| user.provided.as_ref() == Some(provided))?;
        Some((found.0, found.1))
    }

    /// Somebody must be left who can let others in.
    pub(super) fn has_admin(&self) -> Result<(), AccountError> {
        let mut users = self.users.values();
        if users.any(|user| user.role == Role::Admin && user.sites.is_all() && !user.disabled) {
            return Ok(());
        }
        Err(AccountError::LastAdmin)
    }
}
