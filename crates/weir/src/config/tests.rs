//! What a configuration is read as, and what it is refused for.

use super::*;
use expect_test::{Expect, expect};

fn check(toml: &str, expect: Expect) {
    let shown = match Config::from_table(&toml.parse().unwrap(), Path::new("")) {
        Ok(config) => format!(
            "inside {:?} {:?} active {} shards {}",
            config.inside.map(|inside| inside.prefixes().len()),
            config.triage.preset,
            config.meter.active_timeout_s,
            config.shards
        ),
        Err(error) => error.to_string(),
    };
    expect.assert_eq(&shown);
}

#[test]
fn good_and_bad() {
    check("", expect!["inside None Balanced active 300 shards 1"]);
    check(
        "inside = [\"10.0.0.0/8\", \"192.0.2.1\"]\npreset = \"quiet\"\nmeter.active_timeout_s = 60\ndetect.shards = 4",
        expect!["inside Some(2) Quiet active 60 shards 4"],
    );
    check(
        "insde = []",
        expect![[r#"insde: unknown key; did you mean "inside"?"#]],
    );
    check(
        "meter.activ_timeout_s = 5",
        expect![[r#"meter.activ_timeout_s: unknown key; did you mean "active_timeout_s"?"#]],
    );
    check(
        "meter.active_timeout_s = 0",
        expect!["meter.active_timeout_s: must be a whole number between 1 and 86400"],
    );
    check(
        "inside = [\"10.0.0.0/33\"]",
        expect![[r#"inside: "10.0.0.0/33" is not a prefix such as 10.0.0.0/8 or 2001:db8::/32"#]],
    );
    check(
        "preset = \"loud\"",
        expect![[r#"preset: must be "quiet", "balanced" or "everything""#]],
    );
}
