//! Log-ins typed into web forms: does a query string or body carry a password, and for whom? Only the user's name is
//! taken; parameter names are a convention, so a form with unusual ones is missed rather than guessed.

use memchr::memchr;

use crate::text;

/// Longest parameter name looked at.
const NAME_BYTES_MAX: usize = 64;
/// Longest user name kept; mail addresses have at most 254 bytes.
const USER_BYTES_MAX: usize = 256;
/// Parameters looked at in one form.
const PARAMETERS_MAX: usize = 64;
/// What stands in place of a secret.
const MASK: &[u8] = b"***";

/// Someone's attempt to log in by form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FormLogin {
    pub(crate) user: Option<Box<str>>,
}

/// Looks for a log-in in `a=b&c=d`.
pub(crate) fn urlencoded(body: &[u8]) -> Option<FormLogin> {
    let pairs = body
        .split(|&byte| byte == b'&')
        .map(|pair| match memchr(b'=', pair) {
            Some(at) => (decode(&pair[..at], NAME_BYTES_MAX), &pair[at + 1..]),
            None => (Vec::new(), [].as_slice()),
        });
    login(pairs, |value| decode(value, USER_BYTES_MAX))
}

/// Looks for a log-in among the string members of a JSON text, however deep they stand.
pub(crate) fn json(body: &[u8]) -> Option<FormLogin> {
    let mut strings = Strings { rest: body };
    let mut key = None;
    let pairs = std::iter::from_fn(|| {
        loop {
            let (string, is_key) = strings.next()?;
            match key.take() {
                Some(key) if !is_key => return Some((key, string)),
                _ if is_key => key = Some(string.to_vec()),
                _ => {}
            }
        }
    });
    login(pairs, |value| value[..value.len().min(USER_BYTES_MAX)].to_vec())
}

/// A path with query, referrer or target, without the secrets in it: `/login?user=kim&pass=***`.
pub(crate) fn masked(uri: &[u8]) -> Box<str> {
    let uri = &uri[..uri.len().min(text::TEXT_MAX)];
    let mut shown = without_password(uri);
    if let Some(query) = memchr(b'?', &shown)
        && shown[query + 1..].split(|&byte| byte == b'&').any(is_secret_pair)
    {
        let pairs: Vec<Vec<u8>> = shown[query + 1..]
            .split(|&byte| byte == b'&')
            .map(|pair| match memchr(b'=', pair) {
                Some(at) if is_secret_pair(pair) => [&pair[..=at], MASK].concat(),
                _ => pair.to_vec(),
            })
            .collect();
        shown = [&shown[..=query], &pairs.join(&b'&')].concat();
    }
    text::bounded(&shown)
}

/// `http://user:secret@host/` with the secret masked.
fn without_password(uri: &[u8]) -> Vec<u8> {
    let masked = memchr::memmem::find(uri, b"://").and_then(|scheme| {
        let authority_at = scheme + 3;
        let authority = uri[authority_at..].split(|byte| b"/?#".contains(byte)).next()?;
        let at = authority_at + memchr::memrchr(b'@', authority)?;
        let colon = authority_at + memchr(b':', authority)?;
        (colon < at).then(|| [&uri[..=colon], MASK, &uri[at..]].concat())
    });
    masked.unwrap_or_else(|| uri.to_vec())
}

fn is_secret_pair(pair: &[u8]) -> bool {
    memchr(b'=', pair).is_some_and(|at| is_secret(&decode(&pair[..at], NAME_BYTES_MAX)))
}

fn login<'a>(
    pairs: impl Iterator<Item = (Vec<u8>, &'a [u8])>,
    read: impl Fn(&[u8]) -> Vec<u8>,
) -> Option<FormLogin> {
    let (mut secret, mut best) = (false, None);
    for (name, value) in pairs.take(PARAMETERS_MAX) {
        if is_secret(&name) {
            secret = true;
        } else if let Some(rank) = user_rank(&name)
            && best.as_ref().is_none_or(|&(known, _)| rank < known)
        {
            best = Some((rank, text::bounded(&read(value))));
        }
    }
    let user = best.map(|(_, user)| user).filter(|user| !user.is_empty());
    secret.then_some(FormLogin { user })
}

/// Is a parameter of this name a password?
fn is_secret(name: &[u8]) -> bool {
    let name = last_word(name);
    let contains = |part: &[u8]| memchr::memmem::find(&name, part).is_some();
    contains(b"passw")
        || contains(b"pwd")
        || [b"_pass".as_slice(), b"-pass", b"userpass"]
            .iter()
            .any(|end| name.ends_with(end))
        || matches!(
            name.as_slice(),
            b"pass" | b"pin" | b"psw" | b"pw" | b"passphrase" | b"passcode"
        )
}

/// How much a parameter of this name looks like the user's: 0 most. Buttons are called `login`, so that comes last.
fn user_rank(name: &[u8]) -> Option<u8> {
    let name = last_word(name);
    let contains = |part: &[u8]| memchr::memmem::find(&name, part).is_some();
    if contains(b"user") || name == b"uname" {
        Some(0)
    } else if contains(b"mail") {
        Some(1)
    } else if contains(b"login") || matches!(name.as_slice(), b"log" | b"uid" | b"account" | b"name" | b"id")
    {
        Some(2)
    } else {
        None
    }
}

/// `user[password]` is a password: frameworks nest parameters.
fn last_word(name: &[u8]) -> Vec<u8> {
    let name = name.strip_suffix(b"]").unwrap_or(name);
    let start = memchr::memrchr2(b'[', b'.', name).map_or(0, |at| at + 1);
    name[start..].to_ascii_lowercase()
}

/// Percent-decodes at most `max` bytes; what is no valid code stays as it is.
fn decode(encoded: &[u8], max: usize) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = encoded;
    while let [byte, behind @ ..] = rest
        && decoded.len() < max
    {
        let digit = |at: usize| char::from(*behind.get(at)?).to_digit(16);
        let code = digit(0)
            .zip(digit(1))
            .and_then(|(high, low)| u8::try_from(high << 4 | low).ok());
        match (byte, code) {
            (b'%', Some(code)) => {
                decoded.push(code);
                rest = &behind[2..];
                continue;
            }
            (b'+', _) => decoded.push(b' '),
            _ => decoded.push(*byte),
        }
        rest = behind;
    }
    decoded
}

/// The strings of a JSON text; those before a colon are keys. Escapes are left as they are.
struct Strings<'a> {
    rest: &'a [u8],
}

impl<'a> Strings<'a> {
    fn next(&mut self) -> Option<(&'a [u8], bool)> {
        let body = &self.rest[memchr(b'"', self.rest)? + 1..];
        let mut end = 0;
        while *body.get(end)? != b'"' {
            end += if body[end] == b'\\' { 2 } else { 1 };
        }
        self.rest = &body[end + 1..];
        let is_key = self.rest.trim_ascii_start().starts_with(b":");
        Some((&body[..end], is_key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(login: Option<FormLogin>) -> Option<String> {
        login.map(|login| login.user.unwrap_or_default().into())
    }

    #[test]
    fn forms() {
        let check =
            |body: &[u8], expected: Option<&str>| assert_eq!(user(urlencoded(body)).as_deref(), expected);
        check(b"log=admin&pwd=x&wp-submit=Log+In", Some("admin"));
        check(b"username=k%C3%ADm+a&password=x&Login=Login", Some("kím a"));
        check(b"user%5Bemail%5D=a%40b&user[password]=x", Some("a@b"));
        check(b"pin=1234", Some(""));
        check(b"q=password&user=kim", None);
        check(b"", None);
        check(b"%", None);
    }

    #[test]
    fn json_members() {
        let check = |body: &[u8], expected: Option<&str>| assert_eq!(user(json(body)).as_deref(), expected);
        check(br#"{"auth": {"email" : "a@b", "password": "x"}}"#, Some("a@b"));
        check(br#"{"username":"kim","password":"x\"y"}"#, Some("kim"));
        check(br#"{"note":"password"}"#, None);
        check(br#"{"password"#, None);
    }

    #[test]
    fn secrets_are_masked() {
        let check = |uri: &[u8], expected: &str| assert_eq!(&*masked(uri), expected);
        check(b"/a?user=kim&password=x&b=1", "/a?user=kim&password=***&b=1");
        check(b"/a?b=1#c", "/a?b=1#c");
        check(
            b"http://kim:secret@host/a?pass=1",
            "http://kim:***@host/a?pass=***",
        );
        check(b"/\xff", "/\u{fffd}");
    }
}
