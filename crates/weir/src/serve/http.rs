//! The thread of the HTTP interface, with its own small runtime: opens the port, and ends it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow};
use tokio::net::TcpListener;
use tokio::sync::watch;
use weir_api::App;

use super::configured::Configured;
use super::connections::{LAST_ANSWERS, serve};
use super::keeping::Stores;
use super::program::Running;
use super::setting::setting;
use super::status::Board;
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
    app: Arc<App>,
    address: SocketAddr,
    /// Fingerprint of the certificate; `None`: plain HTTP.
    secure: Option<String>,
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Opens the port and serves.
    pub(super) fn start(
        stores: &Stores,
        (configured, board): (&Arc<Configured>, &Arc<Board>),
        folder: &Path,
        listening: &Listening,
        say: fn(&str),
    ) -> Result<Self> {
        let tls = tls::acceptor(listening, folder)?;
        let (acceptor, secure) = tls.map_or((None, None), |(acceptor, print)| (Some(acceptor), Some(print)));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(WORKERS)
            .build()?;
        let (app, listener, address) = runtime.block_on(async {
            let listen = listening.address;
            let listener = TcpListener::bind(listen).await.with_context(|| {
                format!("cannot listen on {listen}; give another port with --listen 127.0.0.1:PORT")
            })?;
            let address = listener.local_addr()?;
            let events = stores.reader().await?;
            let program = Arc::new(Running {
                rules: stores.rules.clone(),
                configured: configured.clone(),
                board: board.clone(),
                folder: folder.to_owned(),
                in_folder: stores.in_folder(),
            });
            let mut setting = setting(
                folder,
                events,
                stores.flows(),
                address,
                program,
                listening.demo,
                say,
            )?;
            if let Some(config) = &listening.oidc {
                setting.oidc = Some(provider::oidc(config)?);
                // By this name browsers come back from the provider.
                setting.hosts.push(config.host.clone());
            }
            setting.secure = secure.is_some();
            if setting.secure {
                // A page of another name has no certificate for it: browsers keep it away by themselves.
                setting.hosts.clear();
            }
            Ok::<_, anyhow::Error>((Arc::new(App::new(setting)), listener, address))
        })?;
        let (stop, stopped) = watch::channel(false);
        let router = weir_api::router(app.clone());
        let thread = thread::Builder::new().name("http".to_owned()).spawn(move || {
            runtime.block_on(serve(listener, acceptor, router, stopped));
            runtime.shutdown_timeout(LAST_ANSWERS);
        })?;
        Ok(Self {
            app,
            address,
            secure,
            stop,
            thread,
        })
    }

    pub(super) fn app(&self) -> &Arc<App> {
        &self.app
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
