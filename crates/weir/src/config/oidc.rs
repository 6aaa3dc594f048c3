//! The table `[serve.oidc]`: the identity provider that people may log in through, and which of its groups have which role.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use toml::{Table, Value};
use url::{Host, Url};
use weir_api::accounts::{ALL_SITES, Role, Sites};
use weir_api::oidc::{GroupRole, OidcSetting};

use super::{Result, bad, flag, sub, text, texts, unknown};

/// Its keys, and what they do.
pub(super) const KEYS: [(&str, &str); 11] = [
    (
        "issuer",
        "Identifier of the provider, where it describes itself: https://...",
    ),
    ("client_id", "Name of this server at the provider."),
    (
        "client_secret_file",
        "File with the client's secret; without it this is a public client, which PKCE alone protects.",
    ),
    (
        "url",
        "Address by which browsers know this server; the provider sends them back to its /sign-in.",
    ),
    (
        "roles",
        "Groups of the provider and the role that each gives, at all sites or those named; who is in none is not let in.",
    ),
    (
        "name",
        "What the button of the log-in page calls the provider; its host when absent.",
    ),
    (
        "scopes",
        "What the provider is asked for; openid and profile when absent.",
    ),
    (
        "name_claim",
        "Claim that names the account; preferred_username when absent.",
    ),
    ("groups_claim", "Claim that lists the groups; groups when absent."),
    (
        "private",
        "The provider may have an inside address; false when absent.",
    ),
    (
        "ca_file",
        "Certificates of authorities (PEM) trusted beside the system's, for the provider.",
    ),
];
/// Those that must be there.
pub(super) const REQUIRED: [&str; 4] = ["issuer", "client_id", "url", "roles"];
/// Groups that may have a role.
const GROUPS_MAX: usize = 1000;

/// A provider as it is configured. The secret stays in its file until the interface is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcConfig {
    pub set: OidcSetting,
    /// How browsers call this server, with the port where it is not the usual one.
    pub host: String,
    pub secret_file: Option<PathBuf>,
    pub private: bool,
    pub ca_file: Option<PathBuf>,
}

impl OidcConfig {
    pub(super) fn read(table: &Table, folder: &Path) -> Result<Self> {
        for key in table.keys() {
            if !KEYS.iter().any(|(known, _)| known == key) {
                return Err(unknown("serve.oidc", key, KEYS.map(|(name, _)| name)));
            }
        }
        for key in REQUIRED {
            if !table.contains_key(key) {
                return Err(bad("serve.oidc", &format!("{key} is missing")));
            }
        }
        let at = |key: &str| format!("serve.oidc.{key}");
        let word = |key: &str| table.get(key).map(|value| text(&at(key), value)).transpose();
        let needed = |key: &str| word(key).map(Option::unwrap_or_default);
        let file = |key: &str| Ok(word(key)?.map(|name| folder.join(name)));
        let issuer = needed("issuer")?;
        let provider = secure(&at("issuer"), issuer)?;
        let own = secure(&at("url"), needed("url")?)?;
        if own.path() != "/" || own.query().is_some() || own.fragment().is_some() {
            return Err(bad(
                &at("url"),
                "must end with the host and port: pages lie at the root",
            ));
        }
        let host = own.host_str().unwrap_or_default();
        let scopes = match table.get("scopes") {
            Some(value) => texts(&at("scopes"), value)?,
            None => vec!["openid".to_owned(), "profile".to_owned()],
        };
        if !scopes.iter().any(|scope| scope == "openid") {
            return Err(bad(&at("scopes"), "openid must be among them"));
        }
        Ok(Self {
            set: OidcSetting {
                name: word("name")?
                    .or(provider.host_str())
                    .unwrap_or_default()
                    .to_owned(),
                issuer: issuer.to_owned(),
                client: needed("client_id")?.to_owned(),
                redirect: format!("{}/sign-in", own.as_str().trim_end_matches('/')),
                scopes,
                name_claim: word("name_claim")?.unwrap_or("preferred_username").to_owned(),
                groups_claim: word("groups_claim")?.unwrap_or("groups").to_owned(),
                roles: roles(&at("roles"), &table["roles"])?,
            },
            host: own
                .port()
                .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
            secret_file: file("client_secret_file")?,
            private: table
                .get("private")
                .map_or(Ok(false), |value| flag(&at("private"), value))?,
            ca_file: file("ca_file")?,
        })
    }
}

fn roles(place: &str, value: &Value) -> Result<Vec<GroupRole>> {
    let table = sub(place, value)?;
    if table.is_empty() || table.len() > GROUPS_MAX {
        return Err(bad(
            place,
            &format!("must have 1 to {GROUPS_MAX} groups, such as soc = \"analyst\""),
        ));
    }
    let roles = table.iter().map(|(group, value)| {
        let place = format!("{place}.{group}");
        let (word, sites) = match value {
            Value::Table(table) => {
                let mut keys = table.keys().map(String::as_str);
                if let Some(key) = keys.find(|key| !matches!(*key, "role" | "sites")) {
                    return Err(unknown(&place, key, ["role", "sites"]));
                }
                let missing = || {
                    bad(
                        &place,
                        "needs both, such as {role = \"analyst\", sites = [\"acme\"]}",
                    )
                };
                let role = table.get("role").ok_or_else(missing)?;
                let sites = table.get("sites").ok_or_else(missing)?;
                (text(&place, role)?, Sites::of(texts(&place, sites)?))
            }
            word => (text(&place, word)?, Sites::of([ALL_SITES.to_owned()])),
        };
        let known = Role::ALL.map(Role::word).join(", ");
        let role = Role::from_word(word).ok_or_else(|| bad(&place, &format!("{word:?} is no role: {known}")));
        Ok(GroupRole {
            group: group.clone(),
            role: role?,
            sites,
        })
    });
    roles.collect()
}

/// An address with TLS, or one of this machine.
fn secure(place: &str, text: &str) -> Result<Url> {
    let wrong = || {
        bad(
            place,
            "must be a URL such as \"https://login.example\"; http only on loopback",
        )
    };
    let url: Url = text.parse().map_err(|_| wrong())?;
    let loopback = match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => return Err(wrong()),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad(
            place,
            "holds a secret, which belongs into client_secret_file",
        ));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback => Ok(url),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "issuer = \"https://id.example/realm\"\nclient_id = \"weir\"\nurl = \"https://weir.example:8844\"\n\
                        roles = {soc = \"analyst\", \"Domain Admins\" = \"admin\", acme = {role = \"viewer\", sites = [\"acme\"]}}\n";

    fn read(text: &str) -> Result<OidcConfig> {
        OidcConfig::read(&text.parse().unwrap(), Path::new("/etc/weir"))
    }

    #[test]
    fn what_is_left_out_is_usual() {
        let config = read(&format!("{GOOD}client_secret_file = \"secret\"\n")).unwrap();
        assert_eq!(config.set.name, "id.example");
        assert_eq!(config.set.redirect, "https://weir.example:8844/sign-in");
        assert_eq!(config.host, "weir.example:8844");
        assert_eq!(config.set.scopes, ["openid", "profile"]);
        assert_eq!(config.secret_file.as_deref(), Some(Path::new("/etc/weir/secret")));
        assert!(!config.private && config.set.roles.len() == 3);
        let role = |group: &str| {
            let found = config.set.roles.iter().find(|one| one.group == group).unwrap();
            (found.role, found.sites.names())
        };
        assert_eq!(role("Domain Admins"), (Role::Admin, vec!["*".to_owned()]));
        assert_eq!(role("acme"), (Role::Viewer, vec!["acme".to_owned()]));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (line, said) in [
            ("issuer = \"http://id.example\"", "http only on loopback"),
            ("issuer = \"https://a:b@id.example\"", "client_secret_file"),
            ("url = \"https://weir.example/weir\"", "at the root"),
            ("roles = {}", "1 to 1000"),
            ("roles = {soc = \"chief\"}", "\"chief\" is no role"),
            ("roles = {soc = {role = \"analyst\"}}", "needs both"),
            (
                "roles = {soc = {role = \"analyst\", site = [\"a\"]}}",
                "did you mean \"sites\"",
            ),
            ("scopes = [\"profile\"]", "openid"),
            ("client_secret = \"x\"", "client_secret_file"),
            ("isuer = \"x\"", "did you mean \"issuer\""),
        ] {
            let key = line.split(' ').next().unwrap();
            let kept = GOOD.lines().filter(|good| !good.starts_with(&format!("{key} ")));
            let text = kept.chain([line]).collect::<Vec<_>>().join("\n");
            let error = read(&text).unwrap_err().to_string();
            assert!(error.contains(said), "{line}: {error}");
        }
        assert!(
            read("issuer = \"https://id.example\"")
                .unwrap_err()
                .to_string()
                .contains("client_id is missing")
        );
        assert!(read(&GOOD.replace("https://id.example/realm", "http://127.0.0.1:9000")).is_ok());
    }
}
