//! Stores elsewhere: `--store s3://...` against SeaweedFS.

use std::process::{Command, Output};

use weir_testkit::server::seaweed;

use crate::run::incident;

fn weir(arguments: &[&str]) -> Output {
    let weir = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(arguments)
        .env("AWS_ACCESS_KEY_ID", "any")
        .env("AWS_SECRET_ACCESS_KEY", "thing")
        .output();
    weir.expect("weir starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn flows_lie_in_an_object_store() {
    let Some(server) = seaweed("flows") else { return };
    let local = std::env::temp_dir().join(format!("weir-outer-{}", std::process::id()));
    let at = |port: u16, local: &str| {
        format!("s3://flows/site/a?endpoint=http://127.0.0.1:{port}&region=any&local={local}")
    };
    let store = at(server.port, &local.to_string_lossy());
    let incident = incident().to_string_lossy().into_owned();
    let done = weir(&["-r", &incident, "--store", &store]);
    let told = text(&done.stderr);
    assert!(done.status.success() && told.contains("flow records"), "{told}");
    let nowhere = at(server.port, "/nonexistent/weir");
    for form in [
        &["-s", "srcip/bytes"][..],
        &["-o", "json", "-c", "20"],
        &["--exists"],
    ] {
        let here = weir(&[&["flows", "dst port 445"][..], form, &["-r", &incident]].concat());
        let there = weir(&[&["flows", "dst port 445", "--store", &nowhere][..], form].concat());
        assert!(there.status.success(), "{}", text(&there.stderr));
        assert!(!here.stdout.is_empty());
        assert_eq!(text(&here.stdout), text(&there.stdout), "{form:?}");
    }
    let other = weir(&[
        "-r",
        &incident,
        "--store",
        &at(server.port, &format!("{}-b", local.display())),
    ]);
    let told = text(&other.stderr);
    assert!(
        !other.status.success() && told.contains("writer-default"),
        "a second machine: {told}"
    );
    let gone = weir(&["-r", &incident, "--store", &at(1, &local.to_string_lossy())]);
    let told = text(&gone.stderr);
    assert!(
        !gone.status.success() && told.contains("s3://flows/site/a"),
        "{told}"
    );
    for folder in [local.clone(), format!("{}-b", local.display()).into()] {
        std::fs::remove_dir_all(folder).ok();
    }
}
