//! An identity provider for the tests: it describes itself, asks for PKCE and its client's secret, gives a code once, and
//! signs its tokens with a key of its own (ES256). What it tells can be bent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;
use weir_api::accounts::{Role, Sites};
use weir_api::oidc::{Answered, Asked, GroupRole, Oidc, OidcSetting, Web};

use crate::house::now;

pub(crate) const ISSUER: &str = "https://id.test";
const CLIENT: &str = "weir";
const SECRET: &str = "a secret: with/signs";
const REDIRECT: &str = "https://weir.test/sign-in";

/// Makes another token of one.
pub(crate) type Bend = fn(String) -> String;

/// What a test changes of the provider's answers.
#[derive(Default)]
pub(crate) struct Bent {
    /// Claims that are other than they should be; null takes one away.
    pub(crate) claims: Value,
    /// The token as it is sent.
    pub(crate) token: Option<Bend>,
    /// It does not answer.
    pub(crate) away: bool,
    /// What it says of itself.
    pub(crate) description: Value,
    /// Its key was changed for another, of this name.
    pub(crate) key: Option<&'static str>,
    /// What it says of people where it is asked.
    pub(crate) userinfo: Value,
}

struct Key {
    name: &'static str,
    pair: EcdsaKeyPair,
}

#[derive(Default)]
struct Inner {
    bent: Bent,
    keys: Vec<Key>,
    /// Challenge and nonce of codes that were given.
    codes: BTreeMap<String, (String, String)>,
    given: u32,
    asked: Vec<String>,
}

/// The provider; clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Provider(Arc<Mutex<Inner>>);

impl Provider {
    /// Its client, as `weir serve` would be configured.
    pub(crate) fn client(&self) -> Oidc {
        let set = OidcSetting {
            name: "The Company".to_owned(),
            issuer: ISSUER.to_owned(),
            client: CLIENT.to_owned(),
            redirect: REDIRECT.to_owned(),
            scopes: vec!["openid".to_owned(), "groups".to_owned()],
            name_claim: "preferred_username".to_owned(),
            groups_claim: "groups".to_owned(),
            roles: [
                ("soc", Role::Analyst, Sites::all()),
                ("heads", Role::Admin, Sites::all()),
                ("board", Role::Auditor, Sites::all()),
                ("acme-soc", Role::Analyst, Sites::of(["acme".to_owned()])),
                ("beta-soc", Role::Analyst, Sites::of(["beta".to_owned()])),
                (
                    "acme-view",
                    Role::Viewer,
                    Sites::of(["acme".to_owned(), "beta".to_owned()]),
                ),
            ]
            .map(|(group, role, sites)| GroupRole {
                group: group.to_owned(),
                role,
                sites,
            })
            .to_vec(),
        };
        Oidc::new(set, Some(SECRET.to_owned()), Box::new(self.clone()))
    }

    pub(crate) fn bend(&self, bent: Bent) {
        self.0.lock().unwrap().bent = bent;
    }

    /// Paths that were asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }

    /// What the browser does there: logs in, and comes back with code and state.
    pub(crate) fn log_in(&self, url: &str) -> (String, String) {
        let url: Url = url.parse().unwrap();
        let asked: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(
            (
                url.path(),
                &*asked["response_type"],
                &*asked["client_id"],
                &*asked["redirect_uri"],
                &*asked["scope"]
            ),
            ("/authorize", "code", CLIENT, REDIRECT, "openid groups")
        );
        assert_eq!(asked["code_challenge_method"], "S256");
        let mut inner = self.0.lock().unwrap();
        inner.given += 1;
        let code = format!("code-{}", inner.given);
        inner.codes.insert(
            code.clone(),
            (asked["code_challenge"].clone(), asked["nonce"].clone()),
        );
        (code, asked["state"].clone())
    }
}

impl Web for Provider {
    fn ask(&self, asked: &Asked) -> Result<Answered, String> {
        let mut inner = self.0.lock().unwrap();
        if inner.bent.away {
            return Err("it is away".to_owned());
        }
        inner.asked.push(asked.url.path().to_owned());
        let name = inner.bent.key.unwrap_or("first");
        if inner.keys.iter().all(|key| key.name != name) {
            let pkcs8 =
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
            let pair = EcdsaKeyPair::from_pkcs8(
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                pkcs8.as_ref(),
                &SystemRandom::new(),
            );
            inner.keys.push(Key {
                name,
                pair: pair.unwrap(),
            });
        }
        let (status, body) = match asked.url.path() {
            "/.well-known/openid-configuration" => (200, described(&inner.bent)),
            "/keys" => (
                200,
                json!({"keys": inner.keys.iter().map(public).collect::<Vec<_>>()}),
            ),
            "/token" => inner
                .token(asked)
                .unwrap_or_else(|error| (400, json!({"error": error}))),
            "/userinfo" if asked.authorization.as_deref() == Some("Bearer access") => {
                let mut told = json!({"sub": "4711"});
                merge(&mut told, &inner.bent.userinfo);
                (200, told)
            }
            _ => (404, Value::Null),
        };
        Ok(Answered {
            status,
            body: body.to_string().into_bytes(),
        })
    }
}

fn described(bent: &Bent) -> Value {
    let mut description = json!({
        "issuer": ISSUER, "authorization_endpoint": "https://id.test/authorize", "token_endpoint": "https://id.test/token",
        "jwks_uri": "https://id.test/keys", "userinfo_endpoint": "https://id.test/userinfo",
        "response_types_supported": ["code"], "id_token_signing_alg_values_supported": ["ES256"],
    });
    merge(&mut description, &bent.description);
    description
}

fn public(key: &Key) -> Value {
    let point = key.pair.public_key().as_ref();
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": key.name,
        "x": part(&point[1..33]), "y": part(&point[33..])})
}

impl Inner {
    fn token(&mut self, asked: &Asked) -> Result<(u16, Value), &'static str> {
        let form: BTreeMap<String, String> =
            url::form_urlencoded::parse(asked.form.as_deref().unwrap_or_default().as_bytes())
                .into_owned()
                .collect();
        // Both halves are written as forms write them (RFC 6749, 2.3.1).
        let basic = format!(
            "Basic {}",
            STANDARD.encode(format!("{CLIENT}:a+secret%3A+with%2Fsigns"))
        );
        let posted = form.get("client_id").is_some_and(|id| id == CLIENT)
            && form.get("client_secret").is_some_and(|secret| secret == SECRET);
        if asked.authorization.as_deref() != Some(&basic) && !posted {
            return Err("invalid_client");
        }
        if form["grant_type"] != "authorization_code" || form["redirect_uri"] != REDIRECT {
            return Err("invalid_request");
        }
        let (challenge, nonce) = self.codes.remove(&form["code"]).ok_or("invalid_grant")?;
        if URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"])) != challenge {
            return Err("invalid_grant");
        }
        let now_s = now().bin(1);
        let mut claims = json!({
            "iss": ISSUER, "aud": CLIENT, "sub": "4711", "nonce": nonce, "iat": now_s, "exp": now_s + 300,
            "preferred_username": "kim", "groups": ["staff", "soc"],
        });
        merge(&mut claims, &self.bent.claims);
        let key = self.keys.last().ok_or("server_error")?;
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!(
            "{}.{}",
            part(&json!({"alg": "ES256", "kid": key.name})),
            part(&claims)
        );
        let mark = key
            .pair
            .sign(&SystemRandom::new(), signed.as_bytes())
            .map_err(|_| "server_error")?;
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mark));
        let token = self.bent.token.map_or(token.clone(), |bend| bend(token));
        Ok((
            200,
            json!({"id_token": token, "access_token": "access", "token_type": "Bearer"}),
        ))
    }
}

fn merge(into: &mut Value, changes: &Value) {
    for (name, value) in changes.as_object().into_iter().flatten() {
        match value {
            Value::Null => {
                into.as_object_mut().unwrap().remove(name);
            }
            value => into[name] = value.clone(),
        }
    }
}
