//! Questions of the command line to a `weir serve` elsewhere: its interface by token, over verified TLS.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustls::pki_types::CertificateDer;
use serde_json::Value;
use url::{Host, Url};

use super::http::{self, Request};
use super::small;

/// Bytes of an answer: a thousand events with room to spare.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// Longest wait: searches take 30 s at most.
const TIMEOUT: Duration = Duration::from_secs(60);
const JSON: &str = "application/json";

/// A server elsewhere.
pub(crate) struct Server {
    base: Url,
    token: String,
    site: Option<String>,
    authorities: Vec<CertificateDer<'static>>,
}

impl Server {
    /// `token` and `ca` are files; `ca` holds certificates trusted beside the system's.
    pub(crate) fn new(address: &str, token: &Path, site: Option<&str>, ca: Option<&Path>) -> Result<Self> {
        let base: Url = address
            .parse()
            .with_context(|| format!("{address:?} is no URL such as https://weir.example:8844"))?;
        let loopback = match base.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        ensure!(
            base.scheme() == "https" || base.scheme() == "http" && loopback,
            "{address}: the token would be read on the way; take https:// (http:// on this machine only)"
        );
        let text = String::from_utf8_lossy(&small(token).context("the file of the token")?).into_owned();
        let token = text.trim().to_owned();
        ensure!(
            token.starts_with("weir_") && token.bytes().all(|byte| byte.is_ascii_graphic()),
            "the file of the token must hold one, weir_..., as the interface shows it under Settings, API tokens"
        );
        let authorities = match ca {
            None => Vec::new(),
            Some(path) => http::authorities(&small(path)?)?,
        };
        Ok(Self {
            base,
            token,
            site: site.map(str::to_owned),
            authorities,
        })
    }

    /// Asks for `path` below /api/v1.
    pub(crate) fn get(&self, path: &str, words: &[(&str, String)]) -> Result<Value> {
        self.ask(path, words, None)
    }

    /// Posts to `path` below /api/v1.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.ask(path, &[], Some((JSON, body.to_string())))
    }

    fn ask(
        &self,
        path: &str,
        words: &[(&str, String)],
        body: Option<(&'static str, String)>,
    ) -> Result<Value> {
        let mut url = self.base.join(&format!("/api/v1/{path}"))?;
        let site = self.site.clone().map(|site| ("site", site));
        let words: Vec<_> = words.iter().cloned().chain(site).collect();
        if !words.is_empty() {
            url.query_pairs_mut().extend_pairs(&words);
        }
        let request = Request {
            url,
            headers: vec![("Accept".to_owned(), JSON.to_owned())],
            body,
            secret: Some(("Authorization".to_owned(), format!("Bearer {}", self.token))),
            bytes_max: ANSWER_BYTES_MAX,
            timeout: TIMEOUT,
            // Whoever types an address means it.
            private: true,
            authorities: self.authorities.clone(),
        };
        let response = http::ask(&request).map_err(|error| {
            let text = error.to_string();
            let hint = match text.contains("certificate") {
                true => "; one of the server's own making is trusted with --remote-ca cert.pem",
                false => "",
            };
            anyhow!("{} cannot be asked: {text}{hint}", self.base)
        })?;
        let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        if (200..300).contains(&response.status) {
            return Ok(answer);
        }
        let why = answer["detail"].as_str().unwrap_or("it does not say why");
        match response.status {
            401 => bail!(
                "{} does not know the token: it has expired, was removed, or is another server's",
                self.base
            ),
            status => bail!("{} answers {status}: {why}", self.base),
        }
    }
}
