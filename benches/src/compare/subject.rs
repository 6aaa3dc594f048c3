//! The commands under test: three settings of Weir against its bars, one more with written flows for an equal duty, and
//! the peers. Every peer line was tried on a small mix; a flag that looks odd has its reason beside it.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::measure::CommandLine;

/// tshark keeps state per packet and prints per conversation; the whole mix would take minutes and gigabytes.
const TSHARK_PACKETS: u64 = 200_000;
/// Flows softflowd may hold; its default of 8,192 evicts early on the mix, which is other work for another result. The
/// defaults of the other peers hold the mix.
const SOFTFLOWD_FLOWS_MAX: &str = "1000000";

/// Where one run reads and writes.
pub struct Places<'a> {
    pub capture: &'a Path,
    /// Emptied before every run; what is in it afterwards is the subject's output.
    pub output: &'a Path,
    /// For process id files and the like.
    pub scratch: &'a Path,
    /// A UDP socket of the harness that counts what arrives.
    pub sink: SocketAddr,
}

/// Where standard output goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum StandardOutput {
    Discarded,
    /// Into the output directory, so that writing is part of the duty as it is for the peers.
    Kept,
}

/// One line of the table.
pub struct Subject {
    pub name: &'static str,
    pub program: PathBuf,
    /// Debian package of a peer.
    pub package: Option<&'static str>,
    /// What the command delivers, in words.
    pub duty: &'static str,
    /// Packets it reads of the file, if not all.
    pub packets_max: Option<u64>,
    /// Bar for packets per CPU-second, in millions.
    pub bar_mpps: Option<f64>,
    pub standard_output: StandardOutput,
    arguments: fn(&Places<'_>) -> Vec<OsString>,
}

impl Subject {
    #[must_use]
    pub fn command(&self, places: &Places<'_>) -> CommandLine {
        CommandLine::new(&self.program, (self.arguments)(places))
    }
}

/// Name of the subject whose memory is compared at two sizes.
pub const WHOLE_LINE: &str = "weir whole line";

/// Weir's lines of the table.
#[must_use]
pub fn weir(program: &Path) -> Vec<Subject> {
    let line = |name, duty, bar_mpps, arguments| Subject {
        name,
        program: program.to_path_buf(),
        package: None,
        duty,
        packets_max: None,
        bar_mpps,
        standard_output: StandardOutput::Discarded,
        arguments,
    };
    vec![
        line(
            "weir metering",
            "flow records made, not written",
            Some(1.6),
            |places| read(places, &["-q", "--no-dissect", "--no-detect"]),
        ),
        Subject {
            standard_output: StandardOutput::Kept,
            ..line(
                "weir metering, flows",
                "flow records as CSV in a file",
                None,
                |places| read(places, &["-q", "--no-dissect", "--no-detect", "--flows", "csv"]),
            )
        },
        line(
            "weir dissecting",
            "flow records and transactions made",
            Some(0.9),
            |places| read(places, &["-q", "--no-detect"]),
        ),
        line(
            WHOLE_LINE,
            "metering, dissecting, every method, events",
            Some(0.6),
            |places| read(places, &["-q", "--output", "json"]),
        ),
    ]
}

/// Names `--peers` accepts.
pub const PEERS: [&str; 4] = ["softflowd", "argus", "nfpcapd", "tshark"];

/// The peer called `name`, one of [`PEERS`].
#[must_use]
pub fn peer(name: &str) -> Option<Subject> {
    let line = |name: &'static str, package, duty, arguments| Subject {
        name,
        program: PathBuf::from(name),
        package: Some(package),
        duty,
        packets_max: None,
        bar_mpps: None,
        standard_output: StandardOutput::Discarded,
        arguments,
    };
    match name {
        "softflowd" => Some(line(
            "softflowd",
            "softflowd",
            "flow records as NetFlow v9 over UDP, output as it arrived",
            softflowd,
        )),
        "argus" => Some(line(
            "argus",
            "argus-server",
            "flow records in an argus file",
            argus,
        )),
        "nfpcapd" => Some(line("nfpcapd", "nfdump", "flow records in nfdump files", nfpcapd)),
        "tshark" => Some(Subject {
            packets_max: Some(TSHARK_PACKETS),
            ..line("tshark", "tshark", "TCP conversations as text", tshark)
        }),
        _ => None,
    }
}

/// No control socket (`-c`): with one, version 1.1.0 waits for a client before it reads the file.
fn softflowd(places: &Places<'_>) -> Vec<OsString> {
    let mut arguments = read(
        places,
        &[
            "-d",
            "-v",
            "9",
            "-m",
            SOFTFLOWD_FLOWS_MAX,
            "-n",
            &places.sink.to_string(),
            "-p",
        ],
    );
    arguments.push(places.scratch.join("softflowd.pid").into());
    arguments
}

/// `-X` drops what the system's argus.conf would add.
fn argus(places: &Places<'_>) -> Vec<OsString> {
    let mut arguments = vec!["-X".into()];
    arguments.extend(read(places, &["-w"]));
    arguments.push(places.output.join("flows.argus").into());
    arguments
}

/// The flow directory is `-w`; the older `-l` is deprecated since nfdump 1.7.
fn nfpcapd(places: &Places<'_>) -> Vec<OsString> {
    let mut arguments = read(places, &["-w"]);
    arguments.push(places.output.into());
    arguments
}

fn tshark(places: &Places<'_>) -> Vec<OsString> {
    read(
        places,
        &["-c", &TSHARK_PACKETS.to_string(), "-q", "-z", "conv,tcp"],
    )
}

fn read(places: &Places<'_>, rest: &[&str]) -> Vec<OsString> {
    let mut arguments = vec![OsString::from("-r"), places.capture.into()];
    arguments.extend(rest.iter().map(OsString::from));
    arguments
}
