//! Lists and briefings as people describe them, good and bad.

use expect_test::{Expect, expect};

use crate::config::Config;

/// A folder with lists and briefings, the configuration's text, what becomes of it.
fn check(files: &[(&str, &str)], toml: &str, expect: Expect) {
    let unique = files.iter().map(|(name, _)| *name).collect::<String>() + toml;
    let folder = std::env::temp_dir().join(format!(
        "weir-indicators-{}-{}",
        std::process::id(),
        weir_model::FlowId(
            unique
                .bytes()
                .fold(7, |sum: u64, byte| sum.wrapping_mul(31) + u64::from(byte))
        )
    ));
    std::fs::create_dir_all(folder.join("misp")).unwrap();
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let shown = match Config::parse(toml, &folder.join("weir.toml")) {
        Ok(config) => {
            let mut lines = config.list_lines.clone();
            for instance in config.instances(true).unwrap() {
                if ["BLACKLIST", "THREATS"].contains(&instance.meta.code) {
                    let names: Vec<_> = instance.meta.submethods.iter().map(|one| one.name).collect();
                    lines.push(format!("{} {names:?} off {:?}", instance.meta.code, instance.off));
                }
            }
            lines.join("\n")
        }
        Err(error) => error.to_string(),
    };
    let shown = shown.replace(&folder.display().to_string(), "FOLDER");
    std::fs::remove_dir_all(&folder).unwrap();
    expect.assert_eq(&shown);
}

#[test]
fn lists_and_briefings() {
    check(
        &[
            ("bad.txt", "192.0.2.1\nnonsense\n0.0.0.0/0\n"),
            (
                "misp/a.json",
                r#"{"Event":{"info":"x","Attribute":[{"type":"domain","value":"evil.example","to_ids":true}]}}"#,
            ),
            ("misp/manifest.json", "{}"),
            (
                "took.toml",
                "name = \"TookPS\"\ntitle = \"A downloader\"\ntext = \"Words.\"\nindicators = [\"192.0.2.7\", \"evil.example\"]",
            ),
            (
                "other.toml",
                "name = \"Other\"\ntitle = \"Other\"\ntext = \"Words.\"\nfile = \"bad.txt\"",
            ),
        ],
        "[[indicators]]\npath = \"bad.txt\"\nscore = 5\nexpire_days = 30\n[[indicators]]\nname = \"events\"\npath = \"misp\"\n\
         [[briefings]]\npath = \"took.toml\"\n[[briefings]]\npath = \"other.toml\"",
        expect![[r#"
            list bad (plain): 1 indicators, 2 not understood, first line 2: nonsense is one word, not a domain
            list events (misp): 1 indicators
            list TookPS (plain): 2 indicators
            list Other (plain): 1 indicators, 2 not understood, first line 2: nonsense is one word, not a domain
            BLACKLIST ["Host", "Service", "Web", "Domain", "JA3", "JA4", "Certificate", "Application"] off []
            THREATS ["TookPS", "Other"] off []"#]],
    );
}

#[test]
fn without_lists_the_methods_say_so() {
    check(
        &[],
        "",
        expect![[r#"
        BLACKLIST ["Host", "Service", "Web", "Domain", "JA3", "JA4", "Certificate", "Application"] off ["Host", "Service", "Web", "Domain", "JA3", "JA4", "Certificate", "Application"]
        THREATS ["Briefing"] off ["Briefing"]"#]],
    );
}

#[test]
fn what_is_refused() {
    let list = [("a.txt", "192.0.2.1")];
    check(
        &list,
        "[[indicators]]\npath = \"b.txt\"",
        expect!["FOLDER/b.txt: cannot be read: No such file or directory (os error 2)"],
    );
    check(
        &list,
        "[[indicators]]\nname = \"x\"",
        expect![[r#"indicators[1]: needs path = "...", a file or a folder of files, or url = "...""#]],
    );
    check(
        &list,
        "[[indicators]]\npath = \"a.txt\"\nscores = 1",
        expect![[r#"indicators[1].scores: unknown key; did you mean "score"?"#]],
    );
    check(
        &list,
        "[[indicators]]\npath = \"a.txt\"\nformat = \"xml\"",
        expect!["indicators[1].format: must be one of plain, hosts, csv, json, misp, stix, warninglist"],
    );
    check(
        &list,
        "[[indicators]]\npath = \"a.txt\"\nscore = 101",
        expect!["indicators[1].score: must be a whole number between 0 and 100"],
    );
    check(
        &list,
        "[[indicators]]\npath = \"a.txt\"\n[[indicators]]\npath = \"a.txt\"",
        expect![[r#"indicators[2]: there are two lists named "a""#]],
    );
    check(
        &list,
        "[[indicators]]\nname = \"a b\"\npath = \"a.txt\"",
        expect![[r#"indicators[1]: "a b" is no name: 1 to 64 letters, digits, "-", "_" or ".""#]],
    );
    check(
        &list,
        "[indicators]\npath = \"a.txt\"",
        expect!["indicators: must be tables: write [[indicators]] above each"],
    );
    check(
        &list,
        "[[briefings]]\npath = \"a.txt\"",
        expect![[r#"
        FOLDER/a.txt: not TOML: TOML parse error at line 1, column 10
          |
        1 | 192.0.2.1
          |          ^
        key with no value, expected `=`
    "#]],
    );
    check(
        &[("b.toml", "name = \"x\"\ntitle = \"y\"")],
        "[[briefings]]\npath = \"b.toml\"",
        expect![[r#"FOLDER/b.toml: needs text = "...""#]],
    );
}
