//! What a reload says, without a house around it.

use serde_json::{Value, json};
use weir_api::settings::{ChangeError, Origin};

use super::*;

fn reload(name: &str, old: &str, new: &str, live: bool) -> String {
    let path = std::env::temp_dir().join(format!("weir-reload-{name}-{}.toml", std::process::id()));
    std::fs::write(&path, old).unwrap();
    let configured = Configured::read(Some(path.clone()), None).unwrap();
    configured.live.store(live, Ordering::Relaxed);
    std::fs::write(&path, new).unwrap();
    let first = told(&configured.reload());
    let again = told(&configured.reload());
    std::fs::remove_file(&path).unwrap();
    format!("{first}\n{again}").replace(&path.display().to_string(), "FILE")
}

#[test]
fn a_reload_says_what_became_of_it() {
    let (old, new) = (
        "preset = \"quiet\"",
        "preset = \"everything\"\nserve.listen = \"127.0.0.1:1\"",
    );
    let nothing = "configuration read again: applied nothing; needs a restart: nothing";
    assert_eq!(
        reload("files", old, new, false),
        format!("configuration read again: applied preset; needs a restart: serve\n{nothing}")
    );
    assert_eq!(
        reload("live", old, new, true),
        format!("configuration read again: applied nothing; needs a restart: preset, serve\n{nothing}")
    );
    let refused = reload("wrong", old, "prest = \"quiet\"", false);
    assert!(
        refused.contains("refused, nothing changed") && refused.contains("did you mean \"preset\""),
        "{refused}"
    );
    let refused = reload("listener", old, "serve.collect = [\"telegraph\"]", false);
    assert!(refused.contains("serve.collect"), "{refused}");
}

#[test]
fn changes_are_checked_kept_and_seen() {
    let managed = std::env::temp_dir().join(format!("weir-managed-{}.toml", std::process::id()));
    let read = || Configured::read(None, Some(managed.clone())).unwrap();
    let configured = read();
    let etag = configured.settings().etag;
    let change = |patch: Value, etag: &str, dry| configured.change(&patch, Some(etag), dry);
    let quiet = json!({"preset": "quiet", "lists": {"servers": ["10.0.0.1"]}});
    assert_eq!(
        change(quiet.clone(), &etag, true).unwrap().applied,
        ["lists", "preset"]
    );
    assert!(!managed.exists(), "a dry run writes nothing");
    assert_eq!(
        change(quiet.clone(), &etag, false).unwrap().applied,
        ["lists", "preset"]
    );
    assert!(matches!(change(quiet, &etag, false), Err(ChangeError::Stale(_))));
    let wrong = configured.change(
        &json!({"methods": {"dictattack": {"attempts_min": -1}}}),
        None,
        false,
    );
    assert!(matches!(wrong, Err(ChangeError::Invalid(_))), "{wrong:?}");
    let filter = json!({"methods": {"upload": {"filter": "src ip in [@servers]"}}});
    configured.change(&filter, None, false).unwrap();
    let again = read();
    std::fs::remove_file(&managed).unwrap();
    assert_eq!(again.settings().lists[0].items, ["10.0.0.1"]);
    assert_eq!(again.config().unwrap().triage.preset, weir_triage::Preset::Quiet);
    let methods = again.methods();
    let upload = methods.iter().find(|method| method.slug == "upload").unwrap();
    assert_eq!(
        upload.instances[0].filter.as_deref(),
        Some("src ip in [@servers]")
    );
    assert_eq!(upload.origin, Origin::Managed);
}
