//! Accounts as their callers see them, with the real file and the real hash.

use super::*;

const NOW: Time = Time::from_secs(1_767_225_600);
const PASS: &str = "correct horse battery staple";

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("weir-accounts-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn accounts(&self) -> Accounts {
        Accounts::open(self.0.join("accounts.json")).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn after(seconds: i64) -> Time {
    NOW + seconds * NANOS_PER_S
}

#[test]
fn the_first_start() {
    let folder = Folder::new("setup");
    let accounts = folder.accounts();
    assert!(accounts.needs_setup());
    let token = accounts.setup_token(NOW).unwrap();
    let set_up = |token: &str, pass: &str, at| accounts.set_up(token, "ann", pass, at);
    assert!(matches!(
        set_up("wrong", PASS, NOW),
        Err(AccountError::SetupToken)
    ));
    assert!(matches!(
        set_up(&token, PASS, after(SETUP_VALID_S)),
        Err(AccountError::SetupToken)
    ));
    for poor in ["short", "password1234", "aaaaaaaaaaaaaaaa", "Administrator!"] {
        assert!(
            matches!(set_up(&token, poor, NOW), Err(AccountError::Password(_))),
            "{poor}"
        );
    }
    set_up(&token, PASS, NOW).unwrap();
    assert!(
        matches!(set_up(&token, PASS, NOW), Err(AccountError::SetupToken)),
        "once"
    );
    assert_eq!(accounts.setup_token(NOW), None);
    let again = folder.accounts();
    assert!(!again.needs_setup());
    assert_eq!(again.users()[0].1.role, Role::Admin);
    let text = std::fs::read_to_string(folder.0.join("accounts.json")).unwrap();
    assert!(text.contains("$argon2id$") && !text.contains(PASS) && !text.contains(&token));
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(folder.0.join("accounts.json"))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
}

#[test]
fn logging_in_and_out() {
    let folder = Folder::new("login");
    let accounts = folder.accounts();
    accounts
        .add_user("ann", PASS, (Role::Admin, Sites::all()), NOW)
        .unwrap();
    accounts
        .add_user("ben", PASS, (Role::Viewer, Sites::all()), NOW)
        .unwrap();
    assert!(matches!(
        accounts.add_user("ben", PASS, (Role::Admin, Sites::all()), NOW),
        Err(AccountError::Taken(_))
    ));
    assert!(matches!(
        accounts.add_user("b e", PASS, (Role::Admin, Sites::all()), NOW),
        Err(AccountError::Name)
    ));
    for (name, pass) in [("ben", "wrong"), ("nobody", PASS), ("ben", "")] {
        assert!(matches!(
            accounts.log_in(name, pass, None, "10.0.0.9", NOW),
            Err(AccountError::Denied)
        ));
    }
    let opened = accounts.log_in("ben", PASS, None, "10.0.0.9", NOW).unwrap();
    let known = accounts.session(&opened.secret, after(1)).unwrap();
    assert_eq!(
        (known.name.as_str(), known.role, &known.csrf),
        ("ben", Role::Viewer, &opened.csrf)
    );
    accounts.log_out(&opened.secret);
    assert!(accounts.session(&opened.secret, after(1)).is_none());
    let opened = accounts.log_in("ben", PASS, None, "10.0.0.9", NOW).unwrap();
    accounts
        .change_user("ben", (Some(Role::Analyst), None), None, None)
        .unwrap();
    assert!(
        accounts.session(&opened.secret, after(1)).is_none(),
        "a new role needs a new session"
    );
    accounts
        .change_user("ben", (None, None), Some(true), None)
        .unwrap();
    assert!(matches!(
        accounts.log_in("ben", PASS, None, "10.0.0.9", NOW),
        Err(AccountError::Denied)
    ));
    for change in [(Some(Role::Viewer), None), (None, Some(true))] {
        let last = accounts.change_user("ann", (change.0, None), change.1, None);
        assert!(matches!(last, Err(AccountError::LastAdmin)));
    }
    assert!(matches!(
        accounts.remove_user("ann"),
        Err(AccountError::LastAdmin)
    ));
    assert!(matches!(
        accounts.remove_user("zoe"),
        Err(AccountError::Unknown(_))
    ));
}

#[test]
fn tokens() {
    let folder = Folder::new("tokens");
    let accounts = folder.accounts();
    accounts
        .add_user("ann", PASS, (Role::Admin, Sites::all()), NOW)
        .unwrap();
    accounts
        .add_user("ben", PASS, (Role::Analyst, Sites::all()), NOW)
        .unwrap();
    let (id, secret) = accounts
        .add_token("ben", "script", (Role::Admin, Sites::all()), 60, NOW)
        .unwrap();
    assert_eq!(accounts.token("weir_guess", NOW), None);
    let known = Some(("ben/script".to_owned(), Role::Analyst, Sites::all()));
    assert_eq!(
        accounts.token(&secret, after(59)),
        known,
        "never more than the owner"
    );
    assert_eq!(folder.accounts().token(&secret, after(59)), known, "kept");
    assert_eq!(accounts.token(&secret, after(60)), None);
    assert_eq!(accounts.tokens()[0].1.last_used_ns, Some(after(59).0));
    accounts.remove_token(&id).unwrap();
    assert_eq!(accounts.token(&secret, NOW), None);
    let (_, secret) = accounts
        .add_token("ben", "script", (Role::Viewer, Sites::all()), 60, NOW)
        .unwrap();
    accounts.remove_user("ben").unwrap();
    assert_eq!(accounts.token(&secret, NOW), None, "tokens go with their owner");
    for at in 0..TOKENS_MAX {
        let made = accounts.add_token("ann", &format!("t{at}"), (Role::Viewer, Sites::all()), 60, NOW);
        if let Err(error) = made {
            panic!("{at}: {error}");
        }
        // Writing a thousand files would take long: fill the table behind the first few.
        if at == 3 {
            let mut state = accounts.state();
            let one = state.kept.tokens.values().next().cloned().unwrap();
            for other in state.kept.tokens.len()..TOKENS_MAX {
                state.kept.tokens.insert(format!("filler{other}"), one.clone());
            }
            break;
        }
    }
    let full = accounts.add_token("ann", "more", (Role::Viewer, Sites::all()), 60, NOW);
    assert!(matches!(full, Err(AccountError::Full(TOKENS_MAX))));
    accounts
        .add_token("ann", "later", (Role::Viewer, Sites::all()), 60, after(61))
        .unwrap();
    assert_eq!(accounts.tokens().len(), 1, "expired ones make room");
}

#[test]
fn a_damaged_file_is_told() {
    let folder = Folder::new("damaged");
    let path = folder.0.join("accounts.json");
    for text in [
        "{",
        "{\"version\":2,\"users\":{},\"tokens\":{}}",
        "{\"version\":1,\"users\":{},\"tokens\":{},\"x\":1}",
    ] {
        std::fs::write(&path, text).unwrap();
        assert!(
            matches!(Accounts::open(path.clone()), Err(AccountError::File { .. })),
            "{text}"
        );
    }
}

#[test]
fn secrets_of_authenticators_are_sealed() {
    let folder = Folder::new("sealed");
    let path = folder.0.join("accounts.json");
    let accounts = folder.accounts();
    accounts
        .add_user("ann", PASS, (Role::Admin, Sites::all()), NOW)
        .unwrap();
    assert!(!folder.0.join("secret.key").exists(), "nothing to seal yet");
    let begun = accounts.begin_second("ann", PASS, "10.0.0.9", NOW).unwrap();
    let bytes: Vec<u8> = data_of(&begun.secret);
    let code = |at| super::totp::code_for_tests(&bytes, at);
    accounts.confirm_second("ann", &code(NOW), NOW).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains(&begun.secret) && !text.contains(&format!("{:?}", &bytes[..4])[1..]));
    assert!(text.contains("\"secret\": \""), "sealed: {text}");
    let again = folder.accounts();
    let later = after(60);
    again
        .log_in("ann", PASS, Some(&code(later)), "10.0.0.9", later)
        .unwrap();
    // A file of before holds the secret open; the next change seals it.
    let mut old: serde_json::Value = serde_json::from_str(&text).unwrap();
    old["users"]["ann"]["second"]["secret"] = serde_json::json!(bytes);
    std::fs::write(&path, old.to_string()).unwrap();
    let last = after(120);
    folder
        .accounts()
        .log_in("ann", PASS, Some(&code(last)), "10.0.0.9", last)
        .unwrap();
    assert!(std::fs::read_to_string(&path).unwrap().contains("\"secret\": \""));
    std::fs::remove_file(folder.0.join("secret.key")).unwrap();
    let told = Accounts::open(path).err().unwrap().to_string();
    assert!(told.contains("secret.key"), "{told}");
}

/// Bytes of base 32.
fn data_of(text: &str) -> Vec<u8> {
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            other => other - b'2' + 26,
        };
        held = held << 5 | u32::from(value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    bytes
}
