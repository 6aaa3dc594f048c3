//! Logging in through an identity provider: OpenID Connect's authorisation code flow with PKCE (OpenID Connect Core 3.1,
//! RFC 7636, RFC 9207), its own two answers aside. The browser is sent to the provider and comes back with a code; state,
//! nonce and a cookie tie the code to this browser, PKCE ties it to this server, and the signed ID token says who it is and
//! in which groups. Groups give the role; who is in none gets no account.

mod asking;
mod keys;
mod pending;
mod token;

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use url::Url;
use weir_model::Time;

use crate::accounts::{Role, Sites};
use asking::{End, Learned};
use pending::Pending;
use token::{Expected, Fault};

/// Bytes of the id of a person at the provider (OpenID Connect Core 2), and of the name.
const SUBJECT_BYTES_MAX: usize = 255;
/// Groups of one person that are looked at.
const GROUPS_MAX: usize = 2000;

/// A provider, as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcSetting {
    /// What people call it; on the button.
    pub name: String,
    /// Its identifier: where it describes itself, without `/.well-known/openid-configuration`.
    pub issuer: String,
    pub client: String,
    /// Where browsers come back to, as registered at the provider.
    pub redirect: String,
    /// What is asked for, `openid` among it.
    pub scopes: Vec<String>,
    /// Claims that hold the name of the account and the groups.
    pub name_claim: String,
    pub groups_claim: String,
    /// Roles of groups.
    pub roles: Vec<GroupRole>,
}

/// What a group of the provider may do here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRole {
    pub group: String,
    pub role: Role,
    pub sites: Sites,
}

/// A question to the provider.
#[derive(Clone, Debug)]
pub struct Asked {
    pub url: Url,
    pub authorization: Option<String>,
    /// A form to be posted; `None`: a GET.
    pub form: Option<String>,
    pub bytes_max: u64,
}

/// Its answer.
#[derive(Clone, Debug)]
pub struct Answered {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Who asks over the network, and decides where asking may go.
pub trait Web: Send + Sync {
    /// Asks; blocks. A sentence for the log when there was no answer.
    fn ask(&self, asked: &Asked) -> Result<Answered, String>;
}

/// Why nobody was let in.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// With the cause, for the log.
    #[error("the identity provider cannot be asked now; the log of this server says why")]
    Away(String),
    #[error("too many log-ins were begun from this address; wait ten minutes or end one of them")]
    Full,
    #[error(
        "this log-in was not begun in this browser in the last ten minutes, or has ended already: begin again"
    )]
    NotBegun,
    #[error("what the identity provider said is refused: {0}")]
    Refused(String),
    /// With the name of the person.
    #[error("no group of {0} gives a role here; an administrator maps groups to roles in [serve.oidc]")]
    NoRole(String),
}

type Result<T, E = OidcError> = std::result::Result<T, E>;

/// Where a browser is sent, and what its cookie holds meanwhile.
#[derive(Clone, Debug)]
pub struct Begun {
    pub url: String,
    pub cookie: String,
}

/// Who came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub issuer: String,
    /// Never given to somebody else by this issuer.
    pub subject: String,
    pub name: String,
    /// `None`: no group is mapped.
    pub role: Option<(Role, Sites)>,
}

/// The provider.
pub struct Oidc {
    set: OidcSetting,
    secret: Option<String>,
    web: Box<dyn Web>,
    learned: Mutex<Learned>,
    pending: Mutex<Pending>,
}

impl Oidc {
    /// Nothing is asked yet. Without a secret it is a public client, which PKCE alone protects.
    pub fn new(set: OidcSetting, secret: Option<String>, web: Box<dyn Web>) -> Self {
        Self {
            set,
            secret,
            web,
            learned: Mutex::default(),
            pending: Mutex::default(),
        }
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.set.name
    }

    /// Begins a log-in. May ask the provider: blocks.
    pub fn begin(&self, from: IpAddr, now: Time) -> Result<Begun> {
        let discovered = self.discovered(now)?;
        let taken = lock(&self.pending).begin(from, now).ok_or(OidcError::Full)?;
        let End(mut url) = discovered.authorization_endpoint;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.set.client)
            .append_pair("redirect_uri", &self.set.redirect)
            .append_pair("scope", &self.set.scopes.join(" "))
            .append_pair("state", &taken.state)
            .append_pair("nonce", &taken.nonce)
            .append_pair(
                "code_challenge",
                &URL_SAFE_NO_PAD.encode(Sha256::digest(&taken.verifier)),
            )
            .append_pair("code_challenge_method", "S256");
        Ok(Begun {
            url: url.into(),
            cookie: taken.browser,
        })
    }

    /// Ends a log-in: who is it? `browser` is what its cookie holds, `issuer` what the provider added to the address
    /// (RFC 9207). Asks the provider: blocks.
    pub fn end(
        &self,
        code: &str,
        state: &str,
        issuer: Option<&str>,
        browser: &str,
        now: Time,
    ) -> Result<Identity> {
        let begun = lock(&self.pending)
            .end(state, browser, now)
            .ok_or(OidcError::NotBegun)?;
        let discovered = self.discovered(now)?;
        let silent = issuer.is_none() && discovered.authorization_response_iss_parameter_supported;
        if silent || issuer.is_some_and(|issuer| issuer != self.set.issuer) {
            return Err(refused("the answer came from another issuer"));
        }
        let (id_token, access) = self.tokens(&discovered, code, &begun.verifier)?;
        let mut claims = self.believed(&discovered, &id_token, now)?;
        let expected = Expected {
            issuer: &self.set.issuer,
            client: &self.set.client,
            nonce: &begun.nonce,
            now_s: now.bin(1),
        };
        token::check(&claims, &expected).map_err(told)?;
        self.add_userinfo(&discovered, &mut claims, access.as_deref())?;
        self.identity(&claims)
    }

    /// Whom the claims are about.
    fn identity(&self, claims: &Map<String, Value>) -> Result<Identity> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        let name = text(&self.set.name_claim).filter(|name| name.len() <= SUBJECT_BYTES_MAX);
        let name = name.ok_or_else(|| {
            refused(format!(
                "it tells no {:?} of 255 letters or less, which is to be the name of the account",
                self.set.name_claim
            ))
        })?;
        let groups: Vec<&str> = match claims.get(&self.set.groups_claim) {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several
                .iter()
                .take(GROUPS_MAX)
                .filter_map(Value::as_str)
                .collect(),
            _ => Vec::new(),
        };
        let fitting = self
            .set
            .roles
            .iter()
            .filter(|one| groups.contains(&one.group.as_str()));
        let role = fitting
            .clone()
            .map(|one| one.role)
            .max_by_key(|role| weight(*role));
        // The role counts at the sites of those groups that give it.
        let role = role.map(|role| {
            let giving = fitting
                .filter(|one| one.role == role)
                .map(|one| one.sites.clone());
            (
                role,
                giving.reduce(|some, more| some.and(&more)).unwrap_or_default(),
            )
        });
        Ok(Identity {
            issuer: self.set.issuer.clone(),
            subject: text("sub").unwrap_or_default(),
            name,
            role,
        })
    }
}

/// Of several roles the one that may most counts; the auditor, who changes nothing, stands below those who work.
const fn weight(role: Role) -> u8 {
    match role {
        Role::Viewer => 0,
        Role::Auditor => 1,
        Role::Analyst => 2,
        Role::Hunter => 3,
        Role::Editor => 4,
        Role::Admin => 5,
    }
}

fn away(why: impl Into<String>) -> OidcError {
    OidcError::Away(why.into())
}

fn refused(why: impl Into<String>) -> OidcError {
    OidcError::Refused(why.into())
}

fn told(fault: Fault) -> OidcError {
    refused(match fault {
        Fault::NoKey => "its ID token is signed with a key that it does not publish",
        Fault::Bad(why) => why,
    })
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
