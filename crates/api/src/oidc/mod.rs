//! Logging in through an identity provider: OpenID Connect's authorisation code flow with PKCE (OpenID Connect Core 3.1,
//! RFC 7636, RFC 9207), its own two answers aside. The browser is sent to the provider and comes back with a code; state,
//! nonce and a cookie tie the code to this browser, PKCE ties it to this server, and the signed ID token says who it is and
//! in which groups. Groups give the role; who is in none gets no account.

mod keys;
mod pending;
mod token;

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};
use weir_model::{NANOS_PER_S, Time};

use crate::accounts::{Role, Sites};
use keys::Keys;
use pending::Pending;
use token::{Expected, Fault};

/// Bytes of any answer of a provider.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// Bytes of the id of a person at the provider (OpenID Connect Core 2), and of the name.
const SUBJECT_BYTES_MAX: usize = 255;
/// How long what a provider says of itself, and its keys, are taken for true.
const KNOWN_S: i64 = 3600;
/// Keys are not asked for more often than this, whatever tokens name.
const KEYS_AGAIN_S: i64 = 60;
/// How long a provider that did not answer is left alone.
const REST_S: i64 = 10;
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

/// What a provider says of itself (OpenID Connect Discovery 4.2), as far as it is used.
#[derive(Clone, Deserialize)]
struct Discovered {
    issuer: String,
    authorization_endpoint: End,
    token_endpoint: End,
    jwks_uri: End,
    userinfo_endpoint: Option<End>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// An address of the provider.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
struct End(Url);

impl TryFrom<String> for End {
    type Error = url::ParseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

/// What was learned of the provider. Asked for under its lock, so that many log-ins ask once.
#[derive(Default)]
struct Learned {
    discovered: Option<(Discovered, Time)>,
    keys: Option<(Keys, Time)>,
    /// When it did not answer, and what was said then.
    failed: Option<(String, Time)>,
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

    /// What the provider says of itself, asked for when it is not known or was long ago.
    fn discovered(&self, now: Time) -> Result<Discovered> {
        let mut learned = lock(&self.learned);
        if let Some((discovered, at)) = &learned.discovered
            && now.since(*at) < KNOWN_S * NANOS_PER_S
        {
            return Ok(discovered.clone());
        }
        if let Some((why, at)) = &learned.failed
            && now.since(*at) < REST_S * NANOS_PER_S
        {
            return Err(OidcError::Away(why.clone()));
        }
        let found = self.discover();
        match &found {
            Ok(discovered) => learned.discovered = Some((discovered.clone(), now)),
            Err(error) => learned.failed = Some((cause(error), now)),
        }
        found
    }

    fn discover(&self) -> Result<Discovered> {
        let address = format!(
            "{}/.well-known/openid-configuration",
            self.set.issuer.trim_end_matches('/')
        );
        let url = address.parse().map_err(|_| away("the issuer is no URL"))?;
        let discovered: Discovered = serde_json::from_slice(&self.get(url, None)?)
            .map_err(|error| away(format!("{address} does not describe a provider: {error}")))?;
        if discovered.issuer != self.set.issuer {
            return Err(away(format!(
                "{address} describes the issuer {:?}, configured is {:?}",
                discovered.issuer, self.set.issuer
            )));
        }
        // Without TLS nothing of this would be worth anything; only an issuer without may have ends without.
        let secure = self.set.issuer.starts_with("https:");
        let ends = [
            Some(&discovered.authorization_endpoint),
            Some(&discovered.token_endpoint),
            Some(&discovered.jwks_uri),
            discovered.userinfo_endpoint.as_ref(),
        ];
        for End(end) in ends.into_iter().flatten() {
            if end.scheme() != "https" && (secure || end.scheme() != "http") {
                return Err(away(format!("the provider's {end} is not https")));
            }
        }
        Ok(discovered)
    }

    /// Changes the code for an ID token, and an access token where there is one.
    fn tokens(
        &self,
        discovered: &Discovered,
        code: &str,
        verifier: &str,
    ) -> Result<(String, Option<String>)> {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &self.set.redirect)
            .append_pair("code_verifier", verifier);
        let methods = discovered.token_endpoint_auth_methods_supported.as_ref();
        let basic =
            methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"));
        let authorization = match &self.secret {
            Some(secret) if basic => {
                let part = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let both = format!("{}:{}", part(&self.set.client), part(secret));
                Some(format!("Basic {}", STANDARD.encode(both)))
            }
            secret => {
                form.append_pair("client_id", &self.set.client);
                if let Some(secret) = secret {
                    form.append_pair("client_secret", secret);
                }
                None
            }
        };
        let answered = self.ask(&Asked {
            url: discovered.token_endpoint.0.clone(),
            authorization,
            form: Some(form.finish()),
            bytes_max: ANSWER_BYTES_MAX,
        })?;
        let answer: Value = serde_json::from_slice(&answered.body).unwrap_or_default();
        if answered.status != 200 {
            // A word of RFC 6749, 5.2: it tells a wrong secret from a code that was used.
            let word = answer["error"].as_str().unwrap_or("no reason");
            let plain: String = word
                .chars()
                .filter(|c| c.is_ascii_alphanumeric() || "_-. ".contains(*c))
                .take(40)
                .collect();
            return Err(refused(format!(
                "it did not take the code ({}, {plain})",
                answered.status
            )));
        }
        let text = |name: &str| answer[name].as_str().map(str::to_owned);
        let id_token =
            text("id_token").ok_or_else(|| refused("it gave no ID token; is the scope openid allowed?"))?;
        Ok((id_token, text("access_token")))
    }

    /// The claims of the token, if a key of the provider's signed it. Keys that are not known yet are asked for.
    fn believed(&self, discovered: &Discovered, id_token: &str, now: Time) -> Result<Map<String, Value>> {
        let mut learned = lock(&self.learned);
        let age_s = |learned: &Learned| learned.keys.as_ref().map(|(_, at)| now.since(*at) / NANOS_PER_S);
        if age_s(&learned).is_none_or(|age_s| age_s >= KNOWN_S) {
            self.learn_keys(&mut learned, discovered, now)?;
        }
        let opened = |learned: &Learned| match &learned.keys {
            Some((keys, _)) => token::open(id_token, keys),
            None => Err(Fault::NoKey),
        };
        match opened(&learned) {
            Err(Fault::NoKey) if age_s(&learned).is_some_and(|age_s| age_s >= KEYS_AGAIN_S) => {
                self.learn_keys(&mut learned, discovered, now)?;
                opened(&learned).map_err(told)
            }
            opened => opened.map_err(told),
        }
    }

    fn learn_keys(&self, learned: &mut Learned, discovered: &Discovered, now: Time) -> Result<()> {
        let body = self.get(discovered.jwks_uri.0.clone(), None)?;
        let keys =
            Keys::read(&body).ok_or_else(|| away(format!("{} holds no keys", discovered.jwks_uri.0)))?;
        learned.keys = Some((keys, now));
        Ok(())
    }

    /// Some providers tell name and groups only where they are asked for them (OpenID Connect Core 5.3).
    fn add_userinfo(
        &self,
        discovered: &Discovered,
        claims: &mut Map<String, Value>,
        access: Option<&str>,
    ) -> Result<()> {
        let wanted = [&self.set.name_claim, &self.set.groups_claim];
        let (Some(End(url)), Some(access)) = (&discovered.userinfo_endpoint, access) else {
            return Ok(());
        };
        if wanted.iter().all(|name| claims.contains_key(*name)) {
            return Ok(());
        }
        let body = self.get(url.clone(), Some(format!("Bearer {access}")))?;
        let more: Map<String, Value> = serde_json::from_slice(&body)
            .map_err(|_| refused("what it says of the person is no JSON object"))?;
        if more.get("sub") != claims.get("sub") {
            return Err(refused("what it says of the person is about somebody else"));
        }
        for name in wanted {
            if let (false, Some(value)) = (claims.contains_key(name), more.get(name)) {
                claims.insert(name.clone(), value.clone());
            }
        }
        Ok(())
    }

    fn get(&self, url: Url, authorization: Option<String>) -> Result<Vec<u8>> {
        let address = url.to_string();
        let answered = self.ask(&Asked {
            url,
            authorization,
            form: None,
            bytes_max: ANSWER_BYTES_MAX,
        })?;
        match answered.status {
            200 => Ok(answered.body),
            other => Err(away(format!("{address} answers {other}"))),
        }
    }

    fn ask(&self, asked: &Asked) -> Result<Answered> {
        self.web
            .ask(asked)
            .map_err(|why| away(format!("{}: {why}", asked.url)))
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

fn cause(error: &OidcError) -> String {
    match error {
        OidcError::Away(why) => why.clone(),
        other => other.to_string(),
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
