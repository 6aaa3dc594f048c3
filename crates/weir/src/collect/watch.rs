//! What the collector says while it runs: where it listens, and every ten seconds at most a line on what went wrong
//! since the last. Whatever arrives, the log grows by a few lines a minute.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use weir_collector::Collector;
use weir_model::Quantity;

use super::books::{Books, troubles};
use super::listen::Listen;
use super::live::Now;
use super::udp::{BUFFER_BYTES, UdpListener};

/// Time between two reports.
const REPORT_EVERY: Duration = Duration::from_secs(10);
/// Connections told of in one report.
const REASONS_TOLD: usize = 3;
/// Exporters told of by name over the whole run; after that their number is enough.
const EXPORTERS_TOLD: usize = 50;

/// The voice of a running collector.
pub(super) struct Watch<S> {
    say: S,
    reported: Duration,
    before: Books,
    exporters_told: Vec<std::net::IpAddr>,
    state_failed: bool,
}

impl<S: FnMut(&str)> Watch<S> {
    pub(super) fn new(say: S) -> Self {
        Self {
            say,
            reported: Duration::ZERO,
            before: Books::default(),
            exporters_told: Vec::new(),
            state_failed: false,
        }
    }

    /// Tells of an open UDP listener and what the kernel granted it.
    pub(super) fn opened_udp(&mut self, socket: Option<&UdpListener>, receivers: usize) {
        let Some(socket) = socket else { return };
        let granted = socket.granted;
        let sockets = if receivers > 1 {
            format!(", {receivers} sockets")
        } else {
            String::new()
        };
        let less = if granted < BUFFER_BYTES {
            format!(
                " of {} asked for; more with: sysctl net.core.rmem_max={BUFFER_BYTES}",
                Quantity::Bytes(BUFFER_BYTES as u64)
            )
        } else {
            String::new()
        };
        (self.say)(&format!(
            "listening on udp://{}{sockets}, receive buffer {}{less}",
            socket.local,
            Quantity::Bytes(granted as u64)
        ));
    }

    /// Tells of an open TCP or TLS listener.
    pub(super) fn opened_stream(&mut self, listen: Listen, local: SocketAddr) {
        let open = Listen {
            address: local,
            ..listen
        };
        (self.say)(&format!("listening on {open}"));
    }

    /// Passes on a line of somebody else's.
    pub(super) fn tell(&mut self, line: &str) {
        (self.say)(line);
    }

    /// Tells what an earlier run left.
    pub(super) fn restored(&mut self, sessions: usize, directory: &Path) {
        if sessions > 0 {
            (self.say)(&format!(
                "templates of {sessions} sessions restored from {}",
                directory.display()
            ));
        }
    }

    /// Tells that the state could not be written, once: the same disk fails again every time.
    pub(super) fn trouble(&mut self, kept: anyhow::Result<()>) {
        if let Err(error) = kept
            && !std::mem::replace(&mut self.state_failed, true)
        {
            (self.say)(&format!("state not kept: {error:#}"));
        }
    }

    /// Is a report due?
    pub(super) fn due(&self, now: Now) -> bool {
        now.running >= self.reported + REPORT_EVERY
    }

    /// Says what changed for the worse since the last report, and who is new.
    pub(super) fn report(&mut self, now: Now, books: Books, reasons: &[String], collector: &Collector) {
        self.reported = now.running;
        for one in collector.exporters() {
            let known = self.exporters_told.contains(&one.address);
            if !known && one.counts.records > 0 && self.exporters_told.len() < EXPORTERS_TOLD {
                self.exporters_told.push(one.address);
                (self.say)(&format!("exporter {} sends records", one.address));
            }
        }
        for reason in reasons.iter().take(REASONS_TOLD) {
            (self.say)(reason);
        }
        if reasons.len() > REASONS_TOLD {
            (self.say)(&format!("and {} more connections", reasons.len() - REASONS_TOLD));
        }
        let mut grown = troubles(&books.collected.since(&self.before.collected));
        for (what, before, now) in [
            (
                "dropped by the kernel",
                self.before.dropped.unwrap_or(0),
                books.dropped.unwrap_or(0),
            ),
            ("refused", self.before.refused, books.refused),
            ("shed over their senders' share", self.before.shed, books.shed),
        ] {
            if now > before {
                grown.insert(0, format!("{what} {}", Quantity::Count(now - before)));
            }
        }
        if !grown.is_empty() {
            (self.say)(&format!("in the last 10 s: {}", grown.join(", ")));
        }
        self.before = books;
    }
}
