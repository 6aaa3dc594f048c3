//! Keys, tokens and begun log-ins by themselves; whole log-ins are in tests/it/sign_in.rs.

use serde_json::json;

use super::pending::{OF_ONE_ADDRESS_MAX, PENDING_MAX};
use weir_model::NANOS_PER_S;

use super::keys::Keys;
use super::*;

/// RFC 8037, appendix A.
const ED25519: &str =
    r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
const SIGNED: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
const MARK: &str = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

#[test]
fn signatures_of_published_keys() {
    use keys::Verdict::{Good, NoKey, NoWay, Wrong};
    let keys = Keys::read(ED25519.as_bytes()).unwrap();
    let mark = URL_SAFE_NO_PAD.decode(MARK).unwrap();
    assert_eq!(keys.check("EdDSA", None, SIGNED.as_bytes(), &mark), Good);
    assert_eq!(keys.check("EdDSA", None, b"something else", &mark), Wrong);
    assert_eq!(
        keys.check("EdDSA", Some("other"), SIGNED.as_bytes(), &mark),
        NoKey
    );
    assert_eq!(
        keys.check("ES256", None, SIGNED.as_bytes(), &mark),
        NoKey,
        "another kind of key"
    );
    for alg in ["none", "None", "", "HS256", "RS1"] {
        assert_eq!(keys.check(alg, None, SIGNED.as_bytes(), &mark), NoWay, "{alg}");
    }
}

#[test]
fn sets_of_keys_are_hostile_too() {
    assert!(Keys::read(b"").is_none() && Keys::read(b"{\"keys\": 1}").is_none());
    let key = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let mut encrypting = key.clone();
    encrypting["use"] = json!("enc");
    let odd = [
        json!(1),
        json!({"kty": "oct", "k": "AAAA"}),
        json!({"kty": "RSA", "n": "*", "e": "AQAB"}),
        encrypting,
    ];
    let mark = URL_SAFE_NO_PAD.decode(MARK).unwrap();
    let verdict = |all: &[Value]| {
        let keys = Keys::read(json!({"keys": all}).to_string().as_bytes()).unwrap();
        keys.check("EdDSA", None, SIGNED.as_bytes(), &mark)
    };
    assert_eq!(verdict(&odd), keys::Verdict::NoKey);
    assert_eq!(
        verdict(&[&odd[..], std::slice::from_ref(&key)].concat()),
        keys::Verdict::Good
    );
    let mut many = vec![json!(1); keys::KEYS_MAX];
    many.push(key);
    assert_eq!(
        verdict(&many),
        keys::Verdict::NoKey,
        "no more than the limit are looked at"
    );
    // Nothing of this key's own making may hold a signature of nothing.
    let empty = json!({"kty": "RSA", "n": "", "e": ""});
    assert_eq!(
        Keys::read(json!({"keys": [empty]}).to_string().as_bytes())
            .unwrap()
            .check("RS256", None, b"a.b", b""),
        keys::Verdict::Wrong
    );
}

#[test]
fn begun_log_ins_are_bounded() {
    let start = Time::from_secs(1_000_000);
    let mut pending = Pending::default();
    let one = IpAddr::from([192, 0, 2, 1]);
    let first = pending.begin(one, start).unwrap();
    for _ in 1..OF_ONE_ADDRESS_MAX {
        assert!(pending.begin(one, start + 1).is_some());
    }
    assert!(
        pending.begin(one, start + 2).is_none(),
        "one address has its share"
    );
    for at in 0..PENDING_MAX {
        let other = IpAddr::from([10, 0, (at / 10) as u8, 1]);
        assert!(pending.begin(other, start + 3).is_some());
    }
    assert_eq!(pending.len(), PENDING_MAX);
    assert!(
        pending.end(&first.state, &first.browser, start + 4).is_none(),
        "the oldest went"
    );
    let last = pending.begin(one, start + 601 * NANOS_PER_S).unwrap();
    assert_eq!(pending.len(), 1, "and what is too old goes by itself");
    assert!(pending.end(&last.state, "another browser", start).is_none());
    assert!(pending.end("another state", &last.browser, start).is_none());
    assert!(pending.end(&last.state, &last.browser, start).is_some());
    assert!(pending.end(&last.state, &last.browser, start).is_none(), "once");
}
