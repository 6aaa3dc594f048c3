//! Public keys of an identity provider (RFC 7517) and the signatures that they check (RFC 7518, RFC 8037). Only signatures
//! of a private key are known: there is no `none` and no shared secret here, whatever a token says of itself.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;

/// Keys that are read of a set; a provider has a handful.
pub(super) const KEYS_MAX: usize = 64;

/// What a token is signed with.
enum Way {
    Rsa(&'static RsaParameters),
    /// Name of the curve, and how it is checked.
    Curve(&'static str, &'static dyn VerificationAlgorithm),
}

/// The way an `alg` names; `None` where it is none of ours.
fn way(alg: &str) -> Option<Way> {
    Some(match alg {
        "RS256" => Way::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
        "RS384" => Way::Rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
        "RS512" => Way::Rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
        "PS256" => Way::Rsa(&signature::RSA_PSS_2048_8192_SHA256),
        "PS384" => Way::Rsa(&signature::RSA_PSS_2048_8192_SHA384),
        "PS512" => Way::Rsa(&signature::RSA_PSS_2048_8192_SHA512),
        "ES256" => Way::Curve("P-256", &signature::ECDSA_P256_SHA256_FIXED),
        "ES384" => Way::Curve("P-384", &signature::ECDSA_P384_SHA384_FIXED),
        "EdDSA" => Way::Curve("Ed25519", &signature::ED25519),
        _ => return None,
    })
}

/// A key as the set has it.
#[derive(Deserialize)]
struct Written {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

struct Key {
    id: Option<String>,
    alg: Option<String>,
    public: Public,
}

enum Public {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    Curve(String, Vec<u8>),
}

/// A set of keys.
#[derive(Default)]
pub(super) struct Keys(Vec<Key>);

/// What a signature is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Good,
    Wrong,
    /// None of these keys is meant; newer ones may be.
    NoKey,
    /// It is signed in a way that is not taken.
    NoWay,
}

impl Keys {
    /// Reads a set. Keys of other kinds, and those for encryption, are passed over: nothing is checked with them.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<serde_json::Value>,
        }
        let set: Set = serde_json::from_slice(body).ok()?;
        let keys = set.keys.into_iter().take(KEYS_MAX);
        Some(Self(
            keys.filter_map(|key| read(serde_json::from_value(key).ok()?))
                .collect(),
        ))
    }

    /// Is `mark` the signature of `signed` by the key that the token names?
    pub(super) fn check(&self, alg: &str, id: Option<&str>, signed: &[u8], mark: &[u8]) -> Verdict {
        let Some(way) = way(alg) else {
            return Verdict::NoWay;
        };
        let meant = self.0.iter().filter(|key| {
            let named = id.is_none() || key.id.as_deref() == id;
            named && key.alg.as_deref().is_none_or(|own| own == alg) && key.fits(&way)
        });
        let mut verdict = Verdict::NoKey;
        for key in meant {
            if key.signed(&way, signed, mark) {
                return Verdict::Good;
            }
            verdict = Verdict::Wrong;
        }
        verdict
    }
}

impl Key {
    fn fits(&self, way: &Way) -> bool {
        match (&self.public, way) {
            (Public::Rsa(_), Way::Rsa(_)) => true,
            (Public::Curve(own, _), Way::Curve(curve, _)) => own == curve,
            _ => false,
        }
    }

    fn signed(&self, way: &Way, signed: &[u8], mark: &[u8]) -> bool {
        match (&self.public, way) {
            (Public::Rsa(public), Way::Rsa(parameters)) => public.verify(parameters, signed, mark).is_ok(),
            (Public::Curve(_, point), Way::Curve(_, algorithm)) => UnparsedPublicKey::new(*algorithm, point)
                .verify(signed, mark)
                .is_ok(),
            _ => false,
        }
    }
}

fn read(written: Written) -> Option<Key> {
    if written.purpose.is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
    let public = match written.kty.as_str() {
        "RSA" => Public::Rsa(RsaPublicKeyComponents {
            n: bytes(written.n)?,
            e: bytes(written.e)?,
        }),
        // Uncompressed point (SEC 1, 2.3.3).
        "EC" => Public::Curve(
            written.crv?,
            [vec![4], bytes(written.x)?, bytes(written.y)?].concat(),
        ),
        "OKP" => Public::Curve(written.crv?, bytes(written.x)?),
        _ => return None,
    };
    Some(Key {
        id: written.kid,
        alg: written.alg,
        public,
    })
}
