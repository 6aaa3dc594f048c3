//! Traffic that should not be in this network at all, whatever its purpose.

pub mod bittorrent;
pub mod dirinet;
pub mod honeypot;
pub mod ipv6tunnel;
pub mod l3anomaly;
pub mod mining;
pub mod sipproxy;
pub mod smtpanomaly;
pub mod teamviewer;
pub mod telnet;
pub mod tor;
pub mod voip;
pub mod vpn;
pub mod webshare;
