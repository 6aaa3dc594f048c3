//! What is asked of the provider, and remembered: what it says of itself, its keys, the change of a code for tokens, and
//! what it says of a person.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};
use weir_model::{NANOS_PER_S, Time};

use super::keys::Keys;
use super::token::{self, Fault};
use super::{Answered, Asked, Oidc, OidcError, Result, away, lock, refused, told};

/// Bytes of any answer of a provider.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// How long what a provider says of itself, and its keys, are taken for true.
const KNOWN_S: i64 = 3600;
/// Keys are not asked for more often than this, whatever tokens name.
const KEYS_AGAIN_S: i64 = 60;
/// How long a provider that did not answer is left alone.
const REST_S: i64 = 10;

/// What a provider says of itself (OpenID Connect Discovery 4.2), as far as it is used.
#[derive(Clone, Deserialize)]
pub(super) struct Discovered {
    issuer: String,
    pub(super) authorization_endpoint: End,
    token_endpoint: End,
    jwks_uri: End,
    userinfo_endpoint: Option<End>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

/// An address of the provider.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct End(pub(super) Url);

impl TryFrom<String> for End {
    type Error = url::ParseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

/// What was learned of the provider. Asked for under its lock, so that many log-ins ask once.
#[derive(Default)]
pub(super) struct Learned {
    discovered: Option<(Discovered, Time)>,
    keys: Option<(Keys, Time)>,
    /// When it did not answer, and what was said then.
    failed: Option<(String, Time)>,
}

impl Oidc {
    /// What the provider says of itself, asked for when it is not known or was long ago.
    pub(super) fn discovered(&self, now: Time) -> Result<Discovered> {
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
    pub(super) fn tokens(
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
    pub(super) fn believed(
        &self,
        discovered: &Discovered,
        id_token: &str,
        now: Time,
    ) -> Result<Map<String, Value>> {
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
    pub(super) fn add_userinfo(
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

fn cause(error: &OidcError) -> String {
    match error {
        OidcError::Away(why) => why.clone(),
        other => other.to_string(),
    }
}
