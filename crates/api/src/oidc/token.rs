//! An ID token (OpenID Connect Core 2, 3.1.3.7): what its signature and its claims must be before it is believed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::keys::{Keys, Verdict};

/// Bytes of a token; some providers write hundreds of groups into it.
const TOKEN_BYTES_MAX: usize = 128 << 10;
/// Seconds by which the provider's clock and ours may differ.
const SKEW_S: i64 = 60;

/// What the claims must say.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now_s: i64,
}

/// Why a token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Its key is not among those known: newer ones may be asked for.
    NoKey,
    /// What is wrong with it.
    Bad(&'static str),
}

#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood (RFC 7515, 4.1.11): none is.
    crit: Option<Value>,
}

/// The claims of a token that one of these keys signed.
pub(super) fn open(token: &str, keys: &Keys) -> Result<Map<String, Value>, Fault> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Fault::Bad("its ID token is too long"));
    }
    let shape = Fault::Bad("its ID token is no signed token (JWS)");
    let (signed, mark) = token.rsplit_once('.').ok_or(shape)?;
    let (head, body) = signed.split_once('.').ok_or(shape)?;
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| shape);
    let head: Head = serde_json::from_slice(&bytes(head)?).map_err(|_| shape)?;
    if head.crit.is_some() {
        return Err(Fault::Bad("its ID token asks for what is not known here"));
    }
    match keys.check(&head.alg, head.kid.as_deref(), signed.as_bytes(), &bytes(mark)?) {
        Verdict::Good => serde_json::from_slice(&bytes(body)?).map_err(|_| shape),
        Verdict::Wrong => Err(Fault::Bad("the signature of its ID token is wrong")),
        Verdict::NoKey => Err(Fault::NoKey),
        Verdict::NoWay => Err(Fault::Bad(
            "its ID token is not signed with RS, PS or ES 256 to 512 or EdDSA",
        )),
    }
}

/// Are the claims for us, now, and for this log-in?
pub(super) fn check(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), Fault> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    // Seconds; providers may write fractions.
    let time = |name: &str| claims.get(name).and_then(Value::as_f64).map(|at| at as i64);
    let bad = |why| Err(Fault::Bad(why));
    if text("iss") != Some(expected.issuer) {
        return bad("its ID token is from another issuer");
    }
    let (for_us, for_others) = match claims.get("aud") {
        Some(Value::String(one)) => (one == expected.client, false),
        Some(Value::Array(several)) => (
            several.iter().any(|one| one.as_str() == Some(expected.client)),
            several.len() > 1,
        ),
        _ => (false, false),
    };
    if !for_us {
        return bad("its ID token is for another client");
    }
    match text("azp") {
        Some(party) if party != expected.client => {
            return bad("its ID token was asked for by another client");
        }
        None if for_others => return bad("its ID token does not say which of its clients asked for it"),
        _ => {}
    }
    if time("exp").is_none_or(|until| until.saturating_add(SKEW_S) <= expected.now_s) {
        return bad("its ID token has expired");
    }
    let ahead = expected.now_s + SKEW_S;
    if time("iat").is_none_or(|at| at > ahead)
        || claims.contains_key("nbf") && time("nbf").is_none_or(|at| at > ahead)
    {
        return bad("its ID token is not valid yet; compare the clocks");
    }
    if text("nonce") != Some(expected.nonce) {
        return bad("its ID token was made for another log-in");
    }
    if text("sub").is_none_or(|subject| subject.is_empty() || subject.len() > super::SUBJECT_BYTES_MAX) {
        return bad("its ID token does not say who it is about");
    }
    Ok(())
}
