//! The thread of the HTTP interface, with its own small runtime.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use weir_api::App;

use super::keeping::Stores;
use super::program::Running;
use super::setting::setting;

/// How long answers under way may take when everything stops.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// Threads for searches and password checks.
const WORKERS: usize = 8;

/// Refuses an address that others can reach.
pub(super) fn check(listen: SocketAddr) -> Result<()> {
    if !listen.ip().is_loopback() {
        bail!(
            "{listen}: the interface speaks HTTP without TLS and listens on this machine only: \
             give 127.0.0.1:PORT, and put a TLS proxy or an SSH tunnel before it"
        );
    }
    Ok(())
}

/// The running interface.
pub(super) struct Server {
    app: Arc<App>,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Opens the port and serves.
    pub(super) fn start(
        stores: &Stores,
        folder: &Path,
        listen: SocketAddr,
        demo: bool,
        say: fn(&str),
    ) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(WORKERS)
            .build()?;
        let (app, listener, address) = runtime.block_on(async {
            let listener = TcpListener::bind(listen).await.with_context(|| {
                format!("cannot listen on {listen}; give another port with --listen 127.0.0.1:PORT")
            })?;
            let address = listener.local_addr()?;
            let events = stores.reader().await?;
            let program = Arc::new(Running {
                rules: stores.rules.clone(),
            });
            let setting = setting(folder, events, stores.flows(), address, program, demo, say)?;
            Ok::<_, anyhow::Error>((Arc::new(App::new(setting)), listener, address))
        })?;
        let (stop, stopped) = oneshot::channel::<()>();
        let service = weir_api::router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
        let thread = thread::Builder::new().name("http".to_owned()).spawn(move || {
            runtime.block_on(async {
                let (last, ended) = oneshot::channel::<()>();
                let serving = axum::serve(listener, service).with_graceful_shutdown(async move {
                    let _ = stopped.await;
                    let _ = last.send(());
                });
                let cut = async {
                    let _ = ended.await;
                    // Streams never end by themselves.
                    tokio::time::sleep(LAST_ANSWERS).await;
                };
                tokio::select! {
                    served = serving => if let Err(error) = served { say(&format!("the interface ended: {error}")) },
                    () = cut => {}
                }
            });
            runtime.shutdown_timeout(LAST_ANSWERS);
        })?;
        Ok(Self {
            app,
            address,
            stop,
            thread,
        })
    }

    pub(super) fn app(&self) -> &Arc<App> {
        &self.app
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers what is under way, and ends.
    pub(super) fn end(self) {
        let _ = self.stop.send(());
        let _ = self
            .thread
            .join()
            .map_err(|_| anyhow!("the interface's thread panicked"));
    }
}
