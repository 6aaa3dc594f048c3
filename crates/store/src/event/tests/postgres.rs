//! A PostgreSQL of the test's own: in a folder, on a socket inside it, ended with the test. As root it is run by the
//! user `postgres`, which Debian's package makes, because it refuses to run as root.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Folder;
use crate::event::Place;

pub(super) struct Server {
    folder: Folder,
    programs: PathBuf,
    as_root: bool,
}

impl Server {
    /// Starts one; `None` (and a line that says so) where PostgreSQL is not installed.
    #[expect(clippy::print_stderr, reason = "a test that does not run must say so")]
    pub(super) fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(
                std::env::var_os("CI").is_none(),
                "CI must have PostgreSQL: tests/setup.sh"
            );
            eprintln!("SKIPPED: PostgreSQL is not installed (tests/setup.sh installs it)");
            return None;
        };
        let id = Command::new("id").arg("-u").output().unwrap();
        let server = Self {
            folder: Folder::new("pg"),
            programs,
            as_root: id.stdout.starts_with(b"0\n"),
        };
        if server.as_root {
            let chown = Command::new("chown").arg("postgres").arg(server.path()).status();
            assert!(chown.unwrap().success(), "the user postgres is missing");
        }
        server.run(
            "initdb",
            &[
                "-A",
                "trust",
                "-U",
                "postgres",
                "-N",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
            ],
        );
        server.resume();
        Some(server)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the server again after [`Self::stop`].
    pub(super) fn resume(&self) {
        let options = format!(
            "-c listen_addresses= -k {} -c fsync=off -c max_connections=20",
            self.path().display()
        );
        let log = self.path().join("log");
        self.run(
            "pg_ctl",
            &["start", "-w", "-s", "-l", log.to_str().unwrap(), "-o", &options],
        );
    }

    pub(super) fn stop(&self) {
        self.run("pg_ctl", &["stop", "-m", "immediate", "-w", "-s"]);
    }

    /// Makes an empty database.
    pub(super) fn database(&self, name: &str) -> Place {
        let socket = self.path().to_str().unwrap();
        let made = Command::new(self.programs.join("createdb"))
            .args(["-h", socket, "-U", "postgres", name])
            .status();
        assert!(made.unwrap().success());
        Place::parse(&format!(
            "postgres://postgres@localhost/{name}?host={}",
            socket.replace('/', "%2F")
        ))
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.programs.join(program);
        let mut command = if self.as_root {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
                .arg(program);
            command
        } else {
            Command::new(program)
        };
        // The server would hold the test's standard output open.
        let status = command
            .arg("-D")
            .arg(self.path().join("data"))
            .args(arguments)
            .current_dir(self.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "{arguments:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.path().join("data/postmaster.pid").exists() {
            self.stop();
        }
    }
}

/// Where the newest PostgreSQL's programs are: Debian keeps them out of the path.
fn programs() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|programs| programs.join("initdb").is_file())
        .collect();
    versions.sort();
    versions.pop()
}
