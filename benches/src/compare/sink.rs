//! A UDP socket on the loopback address that counts what an exporter sends to it. It gives softflowd a collector that
//! costs the subject nothing but the sending.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How soon the receiving thread notices that it should end.
const STOP_CHECK: Duration = Duration::from_millis(200);

#[derive(Default)]
struct Shared {
    bytes: AtomicU64,
    stop: AtomicBool,
}

/// The socket and its thread, which ends when this is dropped.
pub struct Sink {
    address: SocketAddr,
    shared: Arc<Shared>,
    receiver: Option<JoinHandle<()>>,
}

impl Sink {
    pub fn open() -> io::Result<Self> {
        let socket = UdpSocket::bind(("127.0.0.1", 0))?;
        socket.set_read_timeout(Some(STOP_CHECK))?;
        let address = socket.local_addr()?;
        let shared = Arc::new(Shared::default());
        let counted = Arc::clone(&shared);
        let receiver = thread::spawn(move || {
            let mut datagram = [0; 65_536];
            while !counted.stop.load(Ordering::Relaxed) {
                if let Ok(length) = socket.recv(&mut datagram) {
                    counted.bytes.fetch_add(length as u64, Ordering::Relaxed);
                }
            }
        });
        Ok(Self {
            address,
            shared,
            receiver: Some(receiver),
        })
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Payload bytes since the last call; what the kernel dropped is not in it.
    #[must_use]
    pub fn take_bytes(&self) -> u64 {
        self.shared.bytes.swap(0, Ordering::Relaxed)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(receiver) = self.receiver.take() {
            let _ = receiver.join();
        }
    }
}
