//! The tables `[[sites]]`: customers or places whose traffic is looked at apart, each with sources and stores of its own.

use std::path::{Path, PathBuf};

use toml::{Table, Value};
use weir_model::Networks;

use super::{Result, bad, networks, sub, text, texts, unknown};
use crate::collect::Listen;

/// The site that is always there: what `[serve]` and flags name as sources belongs to it.
pub const DEFAULT_SITE: &str = "default";
/// Keys of a site, and what they do.
pub(super) const KEYS: [(&str, &str); 4] = [
    (
        "name",
        "Lower-case letters, digits, - and _; names the folder of its stores, too.",
    ),
    (
        "collect",
        "Where its flow exports are taken, as in serve.collect, on ports of its own.",
    ),
    ("watch", "Folder whose capture files are its traffic."),
    (
        "inside",
        "Its inside networks; those of the whole file when absent.",
    ),
];
/// Sites at most; each has threads, tables and stores of its own.
const SITES_MAX: usize = 100;
/// Letters of a name.
const NAME_MAX: usize = 64;

/// A site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteConfig {
    pub name: String,
    /// Where its flow exports are taken.
    pub collect: Vec<Listen>,
    /// Folder whose capture files are read.
    pub watch: Option<PathBuf>,
    /// Its inside networks, where they are its own.
    pub inside: Option<Networks>,
}

/// The sites of a configuration; `folder` is where relative names begin.
pub(super) fn read(value: &Value, folder: &Path) -> Result<Vec<SiteConfig>> {
    let tables = value.as_array().map(Vec::as_slice).unwrap_or_default();
    if tables.is_empty() || tables.len() > SITES_MAX {
        return Err(bad(
            "sites",
            &format!("must be 1 to {SITES_MAX} tables [[sites]]"),
        ));
    }
    let mut sites: Vec<SiteConfig> = Vec::new();
    for (at, value) in tables.iter().enumerate() {
        let place = format!("sites[{at}]");
        let site = one(&place, sub(&place, value)?, folder)?;
        if sites.iter().any(|known| known.name == site.name) {
            return Err(bad(
                &format!("{place}.name"),
                &format!("{:?} is there twice", site.name),
            ));
        }
        if let Some(twice) = site
            .collect
            .iter()
            .find(|one| sites.iter().any(|known| known.collect.contains(one)))
        {
            let why = format!("{twice} belongs to another site already; every site has ports of its own");
            return Err(bad(&format!("{place}.collect"), &why));
        }
        sites.push(site);
    }
    Ok(sites)
}

fn one(place: &str, table: &Table, folder: &Path) -> Result<SiteConfig> {
    let mut site = SiteConfig {
        name: String::new(),
        collect: Vec::new(),
        watch: None,
        inside: None,
    };
    for (key, value) in table {
        let place = format!("{place}.{key}");
        match key.as_str() {
            "name" => site.name = text(&place, value)?.to_owned(),
            "collect" => {
                let listeners = texts(&place, value)?;
                let listeners = listeners
                    .iter()
                    .map(|word| word.parse().map_err(|why: String| bad(&place, &why)));
                site.collect = listeners.collect::<Result<_>>()?;
            }
            "watch" => site.watch = Some(folder.join(text(&place, value)?)),
            "inside" => site.inside = Some(networks(&place, value)?),
            _ => return Err(unknown(&place, key, KEYS.map(|(name, _)| name))),
        }
    }
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    if !(1..=NAME_MAX).contains(&site.name.len()) || !site.name.chars().all(good) {
        let why = format!("must be 1 to {NAME_MAX} lower-case letters, digits, \"-\" or \"_\"");
        return Err(bad(&format!("{place}.name"), &why));
    }
    if site.name == DEFAULT_SITE {
        let why = "is the site of [serve], which is always there; take another name";
        return Err(bad(&format!("{place}.name"), why));
    }
    Ok(site)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sites(text: &str) -> Result<Vec<SiteConfig>> {
        let table: Table = text.parse().unwrap();
        read(&table["sites"], Path::new("/etc/weir"))
    }

    #[test]
    fn each_has_its_own() {
        let read = sites(
            "[[sites]]\nname = \"acme\"\ncollect = [\"udp://:3055\"]\ninside = [\"10.0.0.0/8\"]\n\
             [[sites]]\nname = \"beta\"\nwatch = \"beta\"\n",
        )
        .unwrap();
        assert_eq!(
            (read[0].name.as_str(), read[0].collect[0].to_string()),
            ("acme", "udp://[::]:3055".to_owned())
        );
        assert!(read[0].inside.is_some() && read[1].inside.is_none());
        assert_eq!(read[1].watch.as_deref(), Some(Path::new("/etc/weir/beta")));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, said) in [
            ("sites = []", "1 to 100"),
            ("[[sites]]\nname = \"default\"", "always there"),
            ("[[sites]]\nname = \"../x\"", "lower-case"),
            ("[[sites]]\nname = \"Acme\"", "lower-case"),
            ("[[sites]]\nwatch = \"x\"", "lower-case"),
            ("[[sites]]\nname = \"a\"\n[[sites]]\nname = \"a\"", "twice"),
            ("[[sites]]\nname = \"a\"\nwach = \"x\"", "did you mean \"watch\""),
            (
                "[[sites]]\nname = \"a\"\ncollect = [\"sflow\"]\n[[sites]]\nname = \"b\"\ncollect = [\"sflow\"]",
                "ports of its own",
            ),
        ] {
            let error = sites(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
