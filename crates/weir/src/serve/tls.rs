//! TLS of the interface: the operator's certificate, or one of our own making for addresses that others can reach. Made
//! once and kept, so that browsers that trust it go on trusting it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

use super::Listening;

/// Folder of our own certificate, in the folder of stores.
const FOLDER: &str = "tls";
/// Days our own certificate is valid: browsers want no more of those a person did not ask an authority for.
const DAYS: i64 = 825;

/// PEM files.
#[derive(Clone, Debug)]
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// What makes connections secure, with the SHA-256 of the certificate; `None`: plain HTTP, on this machine only.
pub(super) fn acceptor(listening: &Listening, folder: &Path) -> Result<Option<(TlsAcceptor, String)>> {
    let files = match &listening.tls {
        Some(files) => files.clone(),
        None if listening.address.ip().is_loopback() => return Ok(None),
        None => own(listening, &folder.join(FOLDER))?,
    };
    let shown = |path: &Path| path.display().to_string();
    let chain = CertificateDer::pem_file_iter(&files.certificate).and_then(Iterator::collect);
    let chain: Vec<CertificateDer<'static>> =
        chain.map_err(|error| anyhow!("{}: no certificate in PEM: {error}", shown(&files.certificate)))?;
    let first = chain
        .first()
        .with_context(|| format!("{}: no certificate in PEM", shown(&files.certificate)))?;
    let hash = Sha256::digest(first);
    let print: Vec<String> = hash.iter().map(|byte| format!("{byte:02X}")).collect();
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| anyhow!("{}: no private key in PEM: {error}", shown(&files.key)))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .with_context(|| format!("{} and {}", shown(&files.certificate), shown(&files.key)))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some((TlsAcceptor::from(Arc::new(config)), print.join(":"))))
}

/// Our own certificate, made when it is not there yet.
fn own(listening: &Listening, folder: &Path) -> Result<Files> {
    let files = Files {
        certificate: folder.join("cert.pem"),
        key: folder.join("key.pem"),
    };
    if files.certificate.exists() && files.key.exists() {
        return Ok(files);
    }
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !listening.address.ip().is_unspecified() {
        names.push(listening.address.ip().to_string());
    }
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if !host.is_empty() && host.chars().all(plain) {
        names.push(host.to_owned());
    }
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "Weir");
    let now = time::OffsetDateTime::now_utc();
    params.not_before = now - time::Duration::DAY;
    params.not_after = now + time::Duration::days(DAYS);
    let certificate = params.self_signed(&key)?;
    // The key first: a certificate without its key would be taken for a finished pair.
    write(&files.key, &key.serialize_pem(), 0o600)?;
    write(&files.certificate, &certificate.pem(), 0o644)?;
    Ok(files)
}

fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let failed = || path.display().to_string();
    let mut options = OpenOptions::new();
    let options = options.create(true).truncate(true).write(true).mode(mode);
    let mut file = options.open(path).with_context(failed)?;
    file.write_all(text.as_bytes()).with_context(failed)?;
    file.sync_all().with_context(failed)
}
