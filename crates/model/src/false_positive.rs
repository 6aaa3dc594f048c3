//! Rules by which people tell what is harmless: one value that triage asks about findings and the event database about
//! what it has stored, so that a preview and what happens later cannot disagree.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{Mac, Target, Time};

/// Entries of each list of a rule. A longer one is a network, or several rules.
pub const FALSE_POSITIVE_ENTRIES_MAX: usize = 256;

/// What an event must be to be harmless. An empty list asks nothing; one of a list must fit; all lists must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Conditions {
    /// `METHOD` or `METHOD.Submethod`.
    pub methods: Vec<String>,
    /// Names of instances.
    pub instances: Vec<String>,
    pub feeds: Vec<String>,
    /// Networks of the source.
    pub sources: Vec<IpNet>,
    /// Hardware addresses of the source.
    pub macs: Vec<Mac>,
    /// Networks of targets. Every target must lie in one of them.
    pub targets: Vec<IpNet>,
    /// Ports of targets. Every target must have one of them.
    pub ports: Vec<u16>,
}

/// Why conditions make no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionsError {
    /// Neither methods nor addresses: it would hide a whole feed.
    Everything,
    /// A list with more than [`FALSE_POSITIVE_ENTRIES_MAX`] entries.
    TooMany,
}

impl std::fmt::Display for ConditionsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Everything => f.write_str("name at least a method, a source or a target"),
            Self::TooMany => write!(
                f,
                "a list may have {FALSE_POSITIVE_ENTRIES_MAX} entries at most; a network takes fewer than its addresses"
            ),
        }
    }
}

impl std::error::Error for ConditionsError {}

/// A finding, or a stored event, as the conditions see it.
#[derive(Clone, Copy, Debug)]
pub struct Suspect<'a> {
    pub method: &'a str,
    pub submethod: &'a str,
    pub instance: &'a str,
    pub feed: &'a str,
    pub source: Option<IpAddr>,
    pub mac: Option<Mac>,
    pub targets: &'a [Target],
    /// Targets there are; more than are listed: some are not known.
    pub target_count: u64,
}

impl Conditions {
    /// Do they make a rule?
    pub fn check(&self) -> Result<(), ConditionsError> {
        let lens = [
            self.methods.len(),
            self.instances.len(),
            self.feeds.len(),
            self.sources.len(),
            self.macs.len(),
            self.targets.len(),
            self.ports.len(),
        ];
        if lens.iter().any(|len| *len > FALSE_POSITIVE_ENTRIES_MAX) {
            return Err(ConditionsError::TooMany);
        }
        let [methods, _, _, sources, macs, targets, _] = lens;
        if methods + sources + macs + targets == 0 {
            return Err(ConditionsError::Everything);
        }
        Ok(())
    }

    /// Do all of them hold? When in doubt they do not: a target that is not known, or has no port where ports are
    /// asked for, keeps the event visible.
    pub fn fit(&self, suspect: &Suspect<'_>) -> bool {
        fn any<T>(list: &[T], fits: impl Fn(&T) -> bool) -> bool {
            list.is_empty() || list.iter().any(fits)
        }
        let within = |nets: &[IpNet], ip: Option<IpAddr>| {
            ip.is_some_and(|ip| nets.iter().any(|net| net.contains(&ip)))
        };
        let method = |name: &String| match name.split_once('.') {
            Some((method, submethod)) => method == suspect.method && submethod == suspect.submethod,
            None => name == suspect.method,
        };
        let targets = suspect.targets;
        let all_known = !targets.is_empty() && suspect.target_count <= targets.len() as u64;
        any(&self.methods, method)
            && any(&self.instances, |name| name == suspect.instance)
            && any(&self.feeds, |feed| feed == suspect.feed)
            && (self.sources.is_empty() || within(&self.sources, suspect.source))
            && any(&self.macs, |mac| Some(*mac) == suspect.mac)
            && (self.targets.is_empty()
                || (all_known && targets.iter().all(|target| within(&self.targets, target.ip))))
            && (self.ports.is_empty()
                || (all_known
                    && targets
                        .iter()
                        .all(|target| target.port.is_some_and(|port| self.ports.contains(&port)))))
    }
}

/// A rule: what is harmless, until when, and who said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FalsePositiveRule {
    pub id: String,
    pub site: String,
    pub conditions: Conditions,
    pub author: String,
    pub created: Time,
    /// Findings from this moment of event time on are not touched any more.
    pub expires: Option<Time>,
    pub note: String,
}

impl FalsePositiveRule {
    /// Does it hold for what was detected at `at`?
    pub fn holds(&self, suspect: &Suspect<'_>, at: Time) -> bool {
        self.expires.is_none_or(|expires| at < expires) && self.conditions.fit(suspect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(conditions: Conditions) -> bool {
        let targets = [
            Target::service([192, 0, 2, 9].into(), 445),
            Target::service([192, 0, 2, 10].into(), 139),
        ];
        conditions.fit(&Suspect {
            method: "DICTATTACK",
            submethod: "SambaProtocol",
            instance: "default",
            feed: "default",
            source: Some([10, 0, 0, 5].into()),
            mac: None,
            targets: &targets,
            target_count: 2,
        })
    }

    fn nets(list: &[&str]) -> Vec<IpNet> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn all_lists_must_hold() {
        let method = |names: &[&str]| Conditions {
            methods: words(names),
            ..Conditions::default()
        };
        assert!(check(method(&["DICTATTACK"])));
        assert!(check(method(&["SCANS", "DICTATTACK.SambaProtocol"])));
        assert!(!check(method(&["DICTATTACK.SSHProtocol"])));
        let both = |source: &str, targets: &[&str]| Conditions {
            sources: nets(&[source]),
            targets: nets(targets),
            ..Conditions::default()
        };
        assert!(check(both("10.0.0.0/8", &["192.0.2.0/24"])));
        assert!(!check(both("10.1.0.0/16", &["192.0.2.0/24"])));
        assert!(
            !check(both("10.0.0.0/8", &["192.0.2.9/32"])),
            "one target lies outside"
        );
        let ports = |ports: &[u16]| Conditions {
            ports: ports.to_vec(),
            ..Conditions::default()
        };
        assert!(check(ports(&[139, 445])));
        assert!(!check(ports(&[445])));
        let mac = Conditions {
            macs: vec![Mac([2, 0, 0, 0, 0, 1])],
            ..Conditions::default()
        };
        assert!(!check(mac));
    }

    #[test]
    fn what_is_not_known_stays_visible() {
        let conditions = Conditions {
            targets: nets(&["0.0.0.0/0"]),
            ..Conditions::default()
        };
        let suspect = |targets, target_count| Suspect {
            method: "SCANS",
            submethod: "",
            instance: "",
            feed: "",
            source: None,
            mac: None,
            targets,
            target_count,
        };
        let one = [Target::ip([10, 0, 0, 1].into())];
        assert!(conditions.fit(&suspect(&one, 1)));
        assert!(!conditions.fit(&suspect(&one, 2)), "a target is not listed");
        assert!(!conditions.fit(&suspect(&[], 0)));
    }

    #[test]
    fn a_rule_has_bounds() {
        assert_eq!(Conditions::default().check(), Err(ConditionsError::Everything));
        let many = Conditions {
            ports: vec![1; FALSE_POSITIVE_ENTRIES_MAX + 1],
            sources: nets(&["10.0.0.0/8"]),
            ..Conditions::default()
        };
        assert_eq!(many.check(), Err(ConditionsError::TooMany));
        let feed = Conditions {
            feeds: words(&["default"]),
            ..Conditions::default()
        };
        assert_eq!(feed.check(), Err(ConditionsError::Everything));
    }
}
