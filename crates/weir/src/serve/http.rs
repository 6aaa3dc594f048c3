//! The thread of the HTTP interface, with its own small runtime: opens the port, and ends it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow};
use tokio::net::TcpListener;
use tokio::sync::watch;
use weir_api::App;
use weir_api::accounts::Accounts;

use super::connections::{LAST_ANSWERS, serve};
use super::setting::{Shared, setting};
use super::site::Site;
use super::tls;
use crate::config::OidcConfig;
use crate::fetch::provider;

/// Threads for searches and password checks.
const WORKERS: usize = 8;

/// Where and how the interface listens.
#[derive(Clone, Debug)]
pub struct Listening {
    pub address: SocketAddr,
    /// Certificate chain and key (PEM). Without them plain HTTP on this machine's own addresses, and a certificate of our
    /// own making on all others.
    pub tls: Option<tls::Files>,
    /// An identity provider that people may log in through.
    pub oidc: Option<OidcConfig>,
    /// A demonstration lets everybody in, and deletes what it holds.
    pub demo: bool,
}

/// The running interface.
pub(super) struct Server {
    /// By site, as the house has them.
    apps: Vec<Arc<App>>,
    address: SocketAddr,
    /// Fingerprint of the certificate; `None`: plain HTTP.
    secure: Option<String>,
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Opens the port and serves.
    pub(super) fn start(sites: &[Site], folder: &Path, listening: &Listening, say: fn(&str)) -> Result<Self> {
        let tls = tls::acceptor(listening, folder)?;
        let (acceptor, secure) = tls.map_or((None, None), |(acceptor, print)| (Some(acceptor), Some(print)));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(WORKERS)
            .build()?;
        let (apps, listener, address) = runtime.block_on(async {
            let listen = listening.address;
            let listener = TcpListener::bind(listen).await.with_context(|| {
                format!("cannot listen on {listen}; give another port with --listen 127.0.0.1:PORT")
            })?;
            let address = listener.local_addr()?;
            let shared = Shared {
                accounts: Arc::new(Accounts::open(folder.join("accounts.json"))?),
                sites: sites.iter().map(|site| site.name.to_owned()).collect(),
                address,
                demo: listening.demo,
                log: say,
            };
            let mut apps = Vec::new();
            for (at, site) in sites.iter().enumerate() {
                let mut setting = setting(site, site.stores.reader().await?, &shared);
                if let Some(config) = &listening.oidc {
                    setting.oidc = (at == 0).then(|| provider::oidc(config)).transpose()?;
                    // By this name browsers come back from the provider.
                    setting.hosts.push(config.host.clone());
                }
                setting.secure = secure.is_some();
                if setting.secure {
                    // A page of another name has no certificate for it: browsers keep it away by themselves.
                    setting.hosts.clear();
                }
                apps.push(Arc::new(App::new(setting)));
            }
            Ok::<_, anyhow::Error>((apps, listener, address))
        })?;
        let (stop, stopped) = watch::channel(false);
        let router = weir_api::router(&apps);
        let thread = thread::Builder::new().name("http".to_owned()).spawn(move || {
            runtime.block_on(serve(listener, acceptor, router, stopped));
            runtime.shutdown_timeout(LAST_ANSWERS);
        })?;
        Ok(Self {
            apps,
            address,
            secure,
            stop,
            thread,
        })
    }

    /// The interfaces of the sites, in their order.
    pub(super) fn apps(&self) -> &[Arc<App>] {
        &self.apps
    }

    /// Where browsers find it, and what its certificate says, when it is secure.
    pub(super) fn shown(&self) -> (String, Option<&str>) {
        let scheme = if self.secure.is_some() { "https" } else { "http" };
        (format!("{scheme}://{}/", self.address), self.secure.as_deref())
    }

    /// Answers what is under way, and ends.
    pub(super) fn end(self) {
        let _ = self.stop.send(true);
        let _ = self
            .thread
            .join()
            .map_err(|_| anyhow!("the interface's thread panicked"));
    }
}
