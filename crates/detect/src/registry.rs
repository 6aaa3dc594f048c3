//! The list of methods. A new method is one line here; nothing else finds it.

use std::sync::Arc;

use weir_model::{MethodMeta, Need, ParamMeta};

use crate::runner::{Run, Typed};
use crate::{Filter, Instance, Method, ParamTable};

/// A method behind its static functions.
pub struct Entry {
    pub meta: &'static MethodMeta,
    /// The manual's parameter table.
    pub params: fn() -> Vec<ParamMeta>,
    /// Keeps what it learns over restarts, and can be taught.
    pub learns: bool,
    pub(crate) configure: fn(serde_json::Value) -> Result<Configured, String>,
}

/// Makes the runner of one instance for one shard; the arguments are the instance's index, name, what is off,
/// and which records it sees.
pub(crate) type Make =
    Box<dyn Fn(usize, &'static str, Vec<&'static str>, Option<Arc<Filter>>) -> Box<dyn Run> + Send + Sync>;

/// Checked parameters: what the instance says of itself, what makes runners of it, and which submethods they leave with nothing to work on.
pub(crate) type Configured = (&'static MethodMeta, Make, Vec<(&'static str, Need)>);

/// Why an instance could not be made.
#[derive(Debug, PartialEq, Eq)]
pub enum InstanceError {
    /// The parameters do not fit; the text says which and why.
    Params(String),
    /// No such submethod.
    Submethod(String),
}

impl std::fmt::Display for InstanceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Params(why) => f.write_str(why),
            Self::Submethod(name) => write!(f, "there is no submethod {name:?}"),
        }
    }
}

impl std::error::Error for InstanceError {}

/// The registry entry of a method.
pub const fn entry<M: Method>() -> Entry {
    Entry {
        meta: const { &M::META },
        params: M::Params::rows,
        learns: M::LEARNED.is_some(),
        configure: configure::<M>,
    }
}

fn configure<M: Method>(values: serde_json::Value) -> Result<Configured, String> {
    ready::<M>(serde_json::from_value(values).map_err(|error| error.to_string())?)
}

fn ready<M: Method>(params: M::Params) -> Result<Configured, String> {
    params.check()?;
    let unconfigured = M::unconfigured(&params);
    let meta = M::meta(&params);
    let params = Arc::new(params);
    let make = move |index, name, off, filter| -> Box<dyn Run> {
        Box::new(Typed::<M>::new(params.clone(), meta, index, name, off, filter))
    };
    Ok((meta, Box::new(make), unconfigured))
}

impl Entry {
    /// Configures an instance. `values` is a table of parameters (missing ones take their defaults), `off` names
    /// submethods to leave out, `have` is what the feed offers: submethods that need more are left out too.
    pub fn instance(
        &'static self,
        name: &'static str,
        values: serde_json::Value,
        off: &[String],
        have: &[Need],
    ) -> Result<Instance, InstanceError> {
        settle((self.configure)(values), name, off, have)
    }
}

/// An instance of parameters that are more than values: of what was compiled before.
pub(crate) fn instance_of<M: Method>(
    params: M::Params,
    name: &'static str,
    off: &[String],
    have: &[Need],
) -> Result<Instance, InstanceError> {
    settle(ready::<M>(params), name, off, have)
}

/// The instance, with what is switched off and what the feed is too poor for.
fn settle(
    configured: Result<Configured, String>,
    name: &'static str,
    off: &[String],
    have: &[Need],
) -> Result<Instance, InstanceError> {
    let (meta, make, unconfigured) = configured.map_err(InstanceError::Params)?;
    if let Some(unknown) = off.iter().find(|name| meta.submethod(name).is_none()) {
        return Err(InstanceError::Submethod(unknown.clone()));
    }
    let lacks = |needs: &'static [Need]| {
        needs
            .iter()
            .copied()
            .filter(|need| !have.contains(need))
            .collect::<Vec<_>>()
    };
    let blind: Vec<_> = meta
        .submethods
        .iter()
        .map(|submethod| {
            let own = unconfigured
                .iter()
                .filter(|(name, _)| *name == submethod.name)
                .map(|(_, need)| *need)
                .collect();
            (
                submethod.name,
                [lacks(meta.needs), lacks(submethod.needs), own].concat(),
            )
        })
        .filter(|(_, missing)| !missing.is_empty())
        .collect();
    let silent = meta
        .submethods
        .iter()
        .map(|submethod| submethod.name)
        .filter(|name| off.iter().any(|off| off == name) || blind.iter().any(|(blind, _)| blind == name));
    Ok(Instance {
        meta,
        name,
        off: silent.collect(),
        blind,
        filter: None,
        make,
    })
}

/// Every method, in the order of the manual.
pub const REGISTRY: &[Entry] = &[
    entry::<crate::scan::scans::Scans>(),
    entry::<crate::brute::dictattack::DictionaryAttack>(),
    entry::<crate::brute::sshdict::SshDictionary>(),
    entry::<crate::brute::rdpdict::RdpDictionary>(),
    entry::<crate::brute::httpdict::HttpDictionary>(),
    entry::<crate::exfil::upload::Upload>(),
    entry::<crate::volume::hightransf::HighTransfers>(),
    entry::<crate::policy::telnet::Telnet>(),
    entry::<crate::dns::dnsanomaly::DnsAnomaly>(),
    entry::<crate::dns::dnsquery::DnsQuery>(),
    entry::<crate::flood::dos::DenialOfService>(),
    entry::<crate::flood::icmpanom::IcmpAnomaly>(),
    entry::<crate::policy::l3anomaly::L3Anomaly>(),
    entry::<crate::volume::multicast::Multicast>(),
    entry::<crate::asset::arpspoof::ArpSpoof>(),
    entry::<crate::flood::reflectdos::Reflection>(),
    entry::<crate::asset::dhcpanom::DhcpAnomaly>(),
    entry::<crate::flood::srvna::ServiceNotAvailable>(),
    entry::<crate::policy::honeypot::Honeypot>(),
    entry::<crate::policy::dirinet::Closed>(),
    entry::<crate::policy::ipv6tunnel::Ipv6Tunnel>(),
    entry::<crate::behaviour::divcom::DiverseCommunication>(),
    entry::<crate::behaviour::peers::Peers>(),
    entry::<crate::policy::vpn::Vpn>(),
    entry::<crate::dns::randomdomain::RandomDomain>(),
    entry::<crate::policy::bittorrent::BitTorrent>(),
    entry::<crate::policy::tor::Tor>(),
    entry::<crate::policy::teamviewer::TeamViewer>(),
    entry::<crate::policy::voip::Voip>(),
    entry::<crate::dns::dohdet::DohDetection>(),
    entry::<crate::policy::webshare::WebShare>(),
    entry::<crate::policy::smtpanomaly::SmtpAnomaly>(),
    entry::<crate::c2::blacklist::Blacklist>(),
    entry::<crate::c2::threats::Threats>(),
    entry::<crate::behaviour::bpatterns::BehaviourPatterns>(),
    entry::<crate::asset::natdet::NatDetection>(),
    entry::<crate::behaviour::brokensen::BrokenSensor>(),
    entry::<crate::asset::aliendev::AlienDevice>(),
    entry::<crate::volume::anomaly::Anomaly>(),
    entry::<crate::exfil::country::CountryTraffic>(),
    entry::<crate::behaviour::geodist::GeoDistribution>(),
    entry::<crate::flood::sipflood::SipFlood>(),
    entry::<crate::scan::sipscan::SipScan>(),
    entry::<crate::policy::sipproxy::SipProxy>(),
    entry::<crate::policy::mining::Mining>(),
    entry::<crate::ot::otclanom::OtClusters>(),
    entry::<crate::ot::otpaanom::OtAutomaton>(),
    entry::<crate::ot::otsmanom::OtEnvelope>(),
];
