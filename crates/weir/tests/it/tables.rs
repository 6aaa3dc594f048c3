//! What the tables of different crates promise each other.

use std::collections::BTreeSet;

use weir_detect::REGISTRY;

#[test]
fn methods_read_fields_that_exist() {
    let known: BTreeSet<&str> = weir_dissect::REGISTRY
        .iter()
        .flat_map(|entry| entry.meta.fields.iter().map(|field| field.name))
        .collect();
    for entry in REGISTRY {
        for field in entry.meta.reads.fields {
            assert!(
                known.contains(field),
                "{} reads {field}, which no dissector has",
                entry.meta.code
            );
        }
    }
}

#[test]
fn field_names_are_unique_and_carry_their_protocol() {
    let mut seen = BTreeSet::new();
    for entry in weir_dissect::REGISTRY {
        for field in entry.meta.fields {
            assert!(seen.insert(field.name), "{} twice", field.name);
            assert!(
                field.name.contains('.') && !field.label.is_empty(),
                "{}",
                field.name
            );
        }
    }
}

#[test]
fn every_method_has_a_manual() {
    let mut codes = BTreeSet::new();
    for entry in REGISTRY {
        let meta = entry.meta;
        assert!(codes.insert(meta.code), "{} twice", meta.code);
        assert_eq!(meta.slug, meta.code.to_lowercase());
        let manual = &meta.manual;
        for text in [
            manual.what,
            manual.basis,
            manual.bias,
            manual.false_positives,
            manual.response,
        ] {
            assert!(text.len() > 20, "{}: {text:?} is no manual", meta.code);
        }
        for submethod in meta.submethods {
            assert!(!submethod.rules.is_empty() && submethod.rules.iter().all(|rule| !rule.is_empty()));
            assert!(!submethod.about.is_empty(), "{}.{}", meta.code, submethod.name);
        }
        for row in (entry.params)() {
            assert!(
                row.about.len() > 20,
                "{}.{}: {:?} explains nothing",
                meta.code,
                row.name,
                row.about
            );
        }
    }
}

#[test]
fn twins_exist() {
    for entry in REGISTRY {
        for name in entry.meta.same_as {
            let (code, submethod) = name
                .split_once('.')
                .map_or((*name, None), |(code, sub)| (code, Some(sub)));
            let twin = REGISTRY.iter().find(|other| other.meta.code == code);
            let twin = twin.unwrap_or_else(|| panic!("{} names {name}, which is not there", entry.meta.code));
            assert!(
                submethod.is_none_or(|sub| twin.meta.submethod(sub).is_some()),
                "{name}"
            );
        }
    }
}

/// ATT&CK ids are well formed, and none is one of those that version 19 revoked.
#[test]
fn techniques_are_current() {
    const REVOKED: [&str; 4] = ["T1562", "T1562.007", "T0855", "T0803"];
    for technique in REGISTRY
        .iter()
        .flat_map(|entry| entry.meta.submethods)
        .flat_map(|submethod| submethod.techniques)
    {
        let id = technique.technique;
        let digits = id.trim_start_matches('T').replace('.', "");
        assert!(
            id.starts_with('T') && matches!(digits.len(), 4 | 7) && digits.parse::<u32>().is_ok(),
            "{id}"
        );
        assert!(
            technique.tactic.starts_with("TA") && technique.tactic.len() == 6,
            "{}",
            technique.tactic
        );
        assert!(!REVOKED.contains(&id), "{id} is revoked");
    }
}
