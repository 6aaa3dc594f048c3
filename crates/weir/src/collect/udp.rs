//! UDP sockets of the collector: opened with the largest receive buffer the kernel grants, read in batches, and asked at
//! the end what they dropped, so that sent = read + dropped can be checked by anyone.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::sockopt::{Ipv6V6Only, RcvBuf, RcvBufForce, ReceiveTimeout, ReusePort};
use nix::sys::socket::{
    AddressFamily, MsgFlags, MultiHeaders, SockFlag, SockType, SockaddrLike, SockaddrStorage, bind,
    getsockname, getsockopt, recvmmsg, setsockopt, socket,
};
use nix::sys::time::{TimeVal, TimeValLike};
use weir_model::Networks;

use super::queue::{Chunk, Item, Queue};
use super::wall;

/// Receive buffer asked for, bytes: 400,000 records a second are some 14 MB/s, so this covers seconds of a busy decoder.
pub(super) const BUFFER_BYTES: usize = 64 << 20;
/// Datagrams taken with one call.
const BATCH: usize = 64;
/// Fewer than this at once, and more are let gather for a moment: each call wakes two threads, which costs more than the
/// records of a datagram. The kernel's buffer holds what comes meanwhile.
const FEW: usize = BATCH / 2;
const GATHER: Duration = Duration::from_millis(2);
/// Largest UDP payload.
const DATAGRAM_MAX: usize = 65_535;
/// Longest wait for a datagram before the stop flag is looked at, milliseconds.
const WAIT_MS: i64 = 100;

/// What one socket counted.
#[derive(Default)]
pub(super) struct Tally {
    /// Datagrams read.
    pub(super) read: AtomicU64,
    pub(super) bytes: AtomicU64,
    /// Of those, from senders that are not allowed.
    pub(super) refused: AtomicU64,
    /// Reads that failed (a bug, or a dead interface).
    pub(super) errors: AtomicU64,
}

/// An open socket.
pub(super) struct UdpListener {
    socket: OwnedFd,
    /// Where it listens, the port chosen by the kernel included.
    pub(super) local: SocketAddr,
    /// Receive buffer the kernel granted, bytes.
    pub(super) granted: usize,
    inode: u64,
    pub(super) tally: Tally,
}

impl UdpListener {
    /// Opens a socket. `shared`: others of ours listen on the same port. Where IPv6 is switched off, "all addresses" is
    /// all of IPv4.
    pub(super) fn open(address: SocketAddr, shared: bool) -> io::Result<Self> {
        match Self::open_as(address, shared) {
            Err(error)
                if error.raw_os_error() == Some(Errno::EAFNOSUPPORT as i32)
                    && address.ip().is_unspecified() =>
            {
                Self::open_as(
                    SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()),
                    shared,
                )
            }
            opened => opened,
        }
    }

    fn open_as(address: SocketAddr, shared: bool) -> io::Result<Self> {
        let family = match address.ip() {
            IpAddr::V4(_) => AddressFamily::Inet,
            IpAddr::V6(_) => AddressFamily::Inet6,
        };
        let socket = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
        if family == AddressFamily::Inet6 {
            setsockopt(&socket, Ipv6V6Only, &false)?;
        }
        if shared {
            setsockopt(&socket, ReusePort, &true)?;
        }
        // Without the privilege to go beyond the system's limit, the limit is what there is.
        if setsockopt(&socket, RcvBufForce, &BUFFER_BYTES).is_err() {
            setsockopt(&socket, RcvBuf, &BUFFER_BYTES)?;
        }
        setsockopt(&socket, ReceiveTimeout, &TimeVal::milliseconds(WAIT_MS))?;
        bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
        let bound: SockaddrStorage = getsockname(socket.as_raw_fd())?;
        let local = plain(&bound).unwrap_or(address);
        // The kernel doubles what it was asked for, to cover its own bookkeeping.
        let granted = getsockopt(&socket, RcvBuf)? / 2;
        let inode = std::fs::File::from(socket.as_fd().try_clone_to_owned()?)
            .metadata()?
            .ino();
        Ok(Self {
            socket,
            local,
            granted,
            inode,
            tally: Tally::default(),
        })
    }

    /// Receives until `stop`, and then what the kernel still holds. Senders outside `allowed` (none: all are allowed)
    /// are counted and leave no other trace.
    pub(super) fn receive(&self, allowed: Option<&Networks>, queue: &Queue, stop: &AtomicBool) {
        let mut buffers = vec![vec![0u8; DATAGRAM_MAX]; BATCH];
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
        let mut leaving = false;
        loop {
            let flags = if leaving {
                MsgFlags::MSG_DONTWAIT
            } else {
                MsgFlags::MSG_WAITFORONE
            };
            match self.batch(&mut buffers, &mut headers, flags, allowed) {
                Ok((chunk, read)) => {
                    if !chunk.is_empty() && !queue.push(Item::Chunk(chunk)) {
                        return;
                    }
                    if read < FEW && !leaving {
                        std::thread::sleep(GATHER);
                    }
                }
                Err(Errno::EAGAIN) if leaving => return,
                Err(Errno::EAGAIN | Errno::EINTR) => leaving = stop.load(Ordering::Relaxed),
                Err(_) => {
                    self.tally.errors.fetch_add(1, Ordering::Relaxed);
                    leaving = stop.load(Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(WAIT_MS as u64));
                }
            }
            leaving |= stop.load(Ordering::Relaxed);
        }
    }

    /// What the kernel holds, and how many datagrams that were, those of strangers included.
    fn batch(
        &self,
        buffers: &mut [Vec<u8>],
        headers: &mut MultiHeaders<SockaddrStorage>,
        flags: MsgFlags,
        allowed: Option<&Networks>,
    ) -> nix::Result<(Chunk, usize)> {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = buffers
            .iter_mut()
            .map(|buffer| [IoSliceMut::new(buffer)])
            .collect();
        let received = recvmmsg(self.socket.as_raw_fd(), headers, slices.iter_mut(), flags, None)?;
        let mut chunk = Chunk::new(wall(), false);
        let (mut read, mut bytes, mut refused) = (0, 0, 0);
        for message in received {
            read += 1;
            bytes += message.bytes as u64;
            let from = message.address.as_ref().and_then(plain);
            let from = from.filter(|from| allowed.is_none_or(|allowed| allowed.contains(from.ip())));
            match (from, message.iovs().next()) {
                (Some(from), datagram) => chunk.push(from, datagram.unwrap_or_default()),
                (None, _) => refused += 1,
            }
        }
        self.tally.read.fetch_add(read, Ordering::Relaxed);
        self.tally.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.tally.refused.fetch_add(refused, Ordering::Relaxed);
        Ok((chunk, read as usize))
    }

    /// Datagrams the kernel dropped at this socket since it was opened; `None` where the kernel does not tell.
    pub(super) fn dropped(&self) -> Option<u64> {
        ["/proc/net/udp", "/proc/net/udp6"]
            .iter()
            .filter_map(|path| std::fs::read_to_string(path).ok())
            .find_map(|table| drops_of(&table, self.inode))
    }
}

/// The column `drops` of the socket with this inode in the kernel's table of UDP sockets.
fn drops_of(table: &str, inode: u64) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let of_socket = cells.get(9)?.parse() == Ok(inode);
        of_socket.then(|| cells.get(12)?.parse().ok())?
    })
}

/// The sender, with IPv4 as IPv4 also where it came through a socket of both families.
fn plain(address: &SockaddrStorage) -> Option<SocketAddr> {
    match address.family()? {
        AddressFamily::Inet => {
            let address = address.as_sockaddr_in()?;
            Some(SocketAddr::new(address.ip().into(), address.port()))
        }
        AddressFamily::Inet6 => {
            let address = address.as_sockaddr_in6()?;
            Some(SocketAddr::new(
                IpAddr::V6(address.ip()).to_canonical(),
                address.port(),
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::queue::Popped;
    use std::net::UdpSocket;
    use std::time::Duration;

    #[test]
    fn the_kernels_table_is_read() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n  \
                     75: 0100007F:0807 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 39";
        assert_eq!(drops_of(table, 4_711), Some(39));
        assert_eq!(drops_of(table, 4_712), None);
        assert_eq!(drops_of("", 1), None);
    }

    /// sent = read + dropped, and read = refused + handed on, both families through one socket.
    #[test]
    fn every_datagram_is_accounted_for() {
        let Ok(listener) = UdpListener::open("[::]:0".parse().unwrap(), false) else {
            panic!("no socket");
        };
        let port = listener.local.port();
        let allowed = Networks::new(["127.0.0.0/8".parse().unwrap()]);
        let (queue, stop) = (Queue::default(), AtomicBool::new(false));
        let mut sent = 0;
        std::thread::scope(|scope| {
            scope.spawn(|| listener.receive(Some(&allowed), &queue, &stop));
            for (address, count) in [("127.0.0.1", 500), ("::1", 20)] {
                let Ok(socket) = UdpSocket::bind((address, 0)) else {
                    continue;
                };
                for _ in 0..count {
                    sent += u64::from(socket.send_to(&[5; 1_000], (address, port)).is_ok());
                }
            }
            std::thread::sleep(Duration::from_millis(50));
            stop.store(true, Ordering::Relaxed);
        });
        let mut queued = 0;
        while let Popped::Item(Item::Chunk(chunk)) = queue.pop(Duration::ZERO) {
            queued += chunk
                .datagrams()
                .inspect(|(from, bytes)| assert!(from.is_ipv4() && bytes.len() == 1_000))
                .count() as u64;
        }
        let read = listener.tally.read.load(Ordering::Relaxed);
        let refused = listener.tally.refused.load(Ordering::Relaxed);
        assert_eq!(read + listener.dropped().unwrap_or(0), sent);
        assert_eq!(read, queued + refused);
        assert!(queued > 0);
    }
}
