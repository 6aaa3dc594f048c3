//! The HTTP client of databases and object stores: deadlines, no redirects, TLS by the certificates this machine trusts.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::{CryptoProvider, ring};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// A server that does not take a connection in this time is down.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// Longest wait for an answer: of a great search, or for a part of a hundred megabytes to go up.
const ANSWER_WAIT: Duration = Duration::from_secs(300);

/// A client; `secure`: with the certificates that TLS needs, which take some milliseconds to read.
pub(crate) fn agent(secure: bool) -> Agent {
    let certificates = match secure {
        true => rustls_native_certs::load_native_certs().certs,
        false => Vec::new(),
    };
    let certificates = certificates
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned());
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::<CryptoProvider>::new(ring::default_provider()))
        .root_certs(RootCerts::Specific(Arc::new(certificates.collect())))
        .build();
    Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_connect(Some(CONNECT_WAIT))
        .timeout_global(Some(ANSWER_WAIT))
        .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}
