//! What a reload says, without a house around it.

use super::*;

fn reload(name: &str, old: &str, new: &str, live: bool) -> String {
    let path = std::env::temp_dir().join(format!("weir-reload-{name}-{}.toml", std::process::id()));
    std::fs::write(&path, old).unwrap();
    let configured = Configured::read(Some(path.clone()), Rules::default()).unwrap();
    std::fs::write(&path, new).unwrap();
    let first = told(&configured.reload(live));
    let again = told(&configured.reload(live));
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
fn without_a_file_nothing_is_read_again() {
    let configured = Configured::read(None, Rules::default()).unwrap();
    assert!(told(&configured.reload(false)).contains("start with --config FILE"));
}
