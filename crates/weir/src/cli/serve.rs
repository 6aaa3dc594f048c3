//! `weir serve` and `weir demo`: the whole house, and its show flat. Lines for people go to standard error.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use super::eprint_line;
use crate::collect::{self, Listen};
use crate::config::Config;
use crate::serve::{self, Demo, Listening, Serve, TlsFiles};
use crate::storing;

const SERVE_EXAMPLES: &str = "\
One process takes flow exports and capture files, looks for events, keeps everything in one folder, and shows it in the
browser. On the first start it prints a token with which the administrator is made.

Examples:
  weir serve                                    exports on the usual ports, the interface on 127.0.0.1:8844
  weir serve --watch /var/captures --no-collect capture files that come to lie in a folder
  weir serve --config weir.toml                 as configured; SIGHUP reads the file again
  weir serve --listen 0.0.0.0:8844              for others too, over TLS; its certificate is made at the first start
  ssh -L 8844:127.0.0.1:8844 sensor             the interface from elsewhere, through a tunnel

Stop it with Ctrl-C or SIGTERM: what is still open is closed and stored.";

const DEMO_EXAMPLES: &str = "\
Examples:
  weir demo captures/incident/incident.pcap.zst          the incident of this repository
  weir demo suspicious.pcap --speed 1000                 any capture, faster

Ctrl-C ends the demonstration and deletes what it kept.";

/// Where the interface listens unless told.
const LISTEN: &str = "127.0.0.1:8844";
/// The capture of the repository.
const INCIDENT: &str = "captures/incident/incident.pcap.zst";

/// Serving.
#[derive(Args)]
#[command(after_help = SERVE_EXAMPLES)]
pub(super) struct ServeArgs {
    /// Configuration file (TOML); unknown keys are errors. Flags go before its table [serve].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of flows, events, accounts and learned state (made when it does not exist); the state folder when absent.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Flow records go there instead of the folder: s3://BUCKET/PREFIX (docs/guide/object-stores.md) or
    /// clickhouse://HOST/DATABASE (docs/guide/clickhouse.md).
    #[arg(long, value_name = "URL", value_parser = flows_url)]
    flows: Option<PathBuf>,
    /// Where the web interface and the API listen [default: 127.0.0.1:8844]. Beyond this machine's own addresses only over
    /// TLS: with the certificate given, or one made at the first start.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Certificate chain of the interface (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Reads every capture file that comes to lie in this folder.
    #[arg(long, value_name = "DIR")]
    watch: Option<PathBuf>,
    /// Where flow exports are taken, as for `weir collect` [default: netflow, ipfix, sflow].
    #[arg(long, value_name = "LISTENER")]
    collect: Vec<Listen>,
    /// Takes no flow exports.
    #[arg(long, conflicts_with = "collect")]
    no_collect: bool,
}

/// Showing.
#[derive(Args)]
#[command(after_help = DEMO_EXAMPLES)]
pub(super) struct DemoArgs {
    /// The capture to replay; the incident of this repository when it is started there.
    file: Option<PathBuf>,
    /// Where the web interface listens; another port when this one is taken.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = LISTEN)]
    listen: SocketAddr,
    /// Event time passes so many times as fast as the clock (1 to 100000).
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    speed: u32,
}

fn flows_url(text: &str) -> Result<PathBuf, String> {
    let url = PathBuf::from(text);
    let known = storing::is_url(&url);
    known
        .then_some(url)
        .ok_or_else(|| "a URL: s3://BUCKET/PREFIX or clickhouse://HOST/DATABASE".to_owned())
}

/// Runs `weir serve`.
pub(super) fn run(args: ServeArgs) -> Result<ExitCode> {
    let configured = match &args.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    let (configured, profiles) = (configured.serve, configured.profiles.unwrap_or_default());
    let Some(store) = args
        .store
        .or(configured.store)
        .or_else(collect::default_directory)
    else {
        bail!("nowhere to keep anything: give --store DIR, or set HOME");
    };
    let usual = || {
        ["netflow", "ipfix", "sflow"]
            .iter()
            .filter_map(|word| word.parse().ok())
            .collect()
    };
    let collect = match (args.no_collect, args.collect.is_empty()) {
        (true, _) => Vec::new(),
        (false, false) => args.collect,
        (false, true) => configured.collect.unwrap_or_else(usual),
    };
    let certificate = args.tls_cert.or(configured.tls_cert);
    let key = args.tls_key.or(configured.tls_key);
    let serve = Serve {
        config: args.config,
        store,
        listen: Listening {
            address: match args.listen.or(configured.listen) {
                Some(listen) => listen,
                None => LISTEN.parse()?,
            },
            tls: certificate
                .zip(key)
                .map(|(certificate, key)| TlsFiles { certificate, key }),
            oidc: configured.oidc,
            demo: false,
        },
        watch: args.watch.or(configured.watch),
        collect,
        retention: configured.retention,
        flows: args.flows.or(configured.flows),
        events_copy: configured.events_copy,
        profiles,
        keep_profiles: configured.profiles,
    };
    serve::run(serve, say)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs `weir demo`.
pub(super) fn demo(args: DemoArgs) -> Result<ExitCode> {
    let file = args.file.unwrap_or_else(|| PathBuf::from(INCIDENT));
    if !file.is_file() {
        bail!(
            "{}: there is no such capture; give one: weir demo FILE",
            file.display()
        );
    }
    let demo = Demo {
        file,
        listen: args.listen,
        speed: args.speed.into(),
    };
    serve::demo(demo, say)?;
    Ok(ExitCode::SUCCESS)
}

fn say(line: &str) {
    eprint_line(&format!("weir: {line}"));
}
