//! Connections of browsers and programs: limited in number, in all and by address, and in the time they may take to say
//! what they want; over TLS where there is a certificate.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// How long answers under way may take when everything stops.
pub(super) const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// Connections at once: browsers open six each, and one stays open for what is live.
const CONNECTIONS_MAX: usize = 512;
/// Of those from one address; people behind one proxy share it.
const PER_ADDRESS_MAX: usize = 128;
/// How long a connection may take to become secure, and to send the head of a request.
const HANDSHAKE: Duration = Duration::from_secs(10);
const HEAD: Duration = Duration::from_secs(15);
/// How long a request may take to send its body and get the head of its answer: more than the longest search.
const ANSWER: Duration = Duration::from_secs(60);
/// Bytes of the head of a request.
const HEAD_BYTES: usize = 64 << 10;
/// Pause after the system refused a connection (no descriptors left), so that refusals do not fill a core.
const BREATH: Duration = Duration::from_millis(50);

/// Connections by address.
#[derive(Clone, Default)]
struct Places(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

/// One place; given back when it goes.
struct Place(Places, IpAddr);

impl Places {
    /// A place for an address; `None`: it, or everybody together, has all it may have.
    fn take(&self, from: IpAddr) -> Option<Place> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let own = taken.get(&from).copied().unwrap_or(0);
        if all >= CONNECTIONS_MAX || own >= PER_ADDRESS_MAX {
            return None;
        }
        taken.insert(from, own + 1);
        Some(Place(self.clone(), from))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.1) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                taken.remove(&self.1);
            }
        }
    }
}

/// Serves until the stop, and a moment longer for what is under way.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) {
    let places = Places::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => break,
        };
        let Ok((stream, from)) = accepted else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        // Who finds no place is hung up on, and may try again.
        let Some(place) = places.take(from.ip()) else {
            continue;
        };
        let (tls, router, stopped) = (tls.clone(), router.clone(), stopped.clone());
        tokio::spawn(async move {
            let _place = place;
            // A small answer must not wait for a full packet.
            let _ = stream.set_nodelay(true);
            match tls {
                None => connection(stream, from, router, stopped).await,
                Some(tls) => {
                    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                        connection(stream, from, router, stopped).await;
                    }
                }
            }
        });
    }
    drop(listener);
    // Streams never end by themselves.
    tokio::time::sleep(LAST_ANSWERS).await;
}

/// One connection, until either side ends it. Its errors are the other side's.
async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    from: SocketAddr,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(from));
        let answer = router.clone().oneshot(request.map(Body::new));
        async move {
            tokio::time::timeout(ANSWER, answer).await.unwrap_or_else(|_| {
                let mut late = Response::new(Body::empty());
                *late.status_mut() = StatusCode::REQUEST_TIMEOUT;
                Ok(late)
            })
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_come_back() {
        let places = Places::default();
        let from = |last: u8| IpAddr::from([192, 0, 2, last]);
        let mut held: Vec<Place> = (0..PER_ADDRESS_MAX)
            .filter_map(|_| places.take(from(1)))
            .collect();
        assert_eq!(held.len(), PER_ADDRESS_MAX);
        assert!(places.take(from(1)).is_none(), "one address does not take all");
        for last in 2..=4 {
            held.extend((0..PER_ADDRESS_MAX).filter_map(|_| places.take(from(last))));
        }
        assert_eq!(held.len(), CONNECTIONS_MAX);
        assert!(places.take(from(9)).is_none(), "all are taken");
        held.clear();
        assert!(places.take(from(1)).is_some());
        assert!(places.0.lock().unwrap().is_empty(), "nothing is remembered");
    }
}
