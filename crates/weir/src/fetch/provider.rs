//! Questions to the identity provider, through the same guard as lists: inside addresses only where they are allowed.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustls::pki_types::CertificateDer;
use weir_api::oidc::{Answered, Asked, Oidc, Web};

use super::http::{self, Request};
use super::small;
use crate::config::OidcConfig;

/// Media type of what is posted.
const FORM: &str = "application/x-www-form-urlencoded";
/// Longest wait for an answer: people wait for it.
const TIMEOUT: Duration = Duration::from_secs(10);

struct Asking {
    private: bool,
    authorities: Vec<CertificateDer<'static>>,
}

/// The client of the provider.
pub(crate) fn oidc(config: &OidcConfig) -> Result<Oidc> {
    let secret = match &config.secret_file {
        None => None,
        Some(path) => {
            let bytes = small(path).context("serve.oidc.client_secret_file")?;
            let text = String::from_utf8(bytes).ok().map(|text| text.trim().to_owned());
            match text.filter(|text| !text.is_empty() && !text.contains(['\n', '\r'])) {
                Some(text) => Some(text),
                None => bail!(
                    "serve.oidc.client_secret_file: {} must hold one line",
                    path.display()
                ),
            }
        }
    };
    let authorities = match &config.ca_file {
        None => Vec::new(),
        Some(path) => http::authorities(&small(path).context("serve.oidc.ca_file")?)?,
    };
    let asking = Asking {
        private: config.private,
        authorities,
    };
    Ok(Oidc::new(config.set.clone(), secret, Box::new(asking)))
}

impl Web for Asking {
    fn ask(&self, asked: &Asked) -> Result<Answered, String> {
        let accept = ("Accept".to_owned(), "application/json".to_owned());
        let authorization = asked.authorization.clone();
        let request = Request {
            url: asked.url.clone(),
            headers: vec![accept],
            body: asked.form.clone().map(|form| (FORM, form)),
            secret: authorization.map(|value| ("Authorization".to_owned(), value)),
            bytes_max: asked.bytes_max,
            timeout: TIMEOUT,
            private: self.private,
            authorities: self.authorities.clone(),
        };
        let response = http::ask(&request).map_err(|error| error.to_string())?;
        Ok(Answered {
            status: response.status,
            body: response.body,
        })
    }
}
