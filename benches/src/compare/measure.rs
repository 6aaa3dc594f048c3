//! Runs one command and measures it: CPU time of the process and its descendants, wall time, peak memory. The figures
//! come from `wait4`, so they belong to this one child and need no sampling.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use wait4::{ResUse, Wait4};

/// Longest any command may run; a subject that hangs must not hang the comparison.
const RUN_MAX: Duration = Duration::from_secs(900);
/// Bytes of a failed command's standard error that go into the report.
const ERROR_TAIL_BYTES: usize = 300;

/// What one run cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// User plus system time of the process and the descendants it waited for, seconds.
    pub cpu_s: f64,
    pub wall_s: f64,
    /// Peak resident memory, bytes. The kernel counts the memory of the parent before `exec` into it, which is why the
    /// harness itself stays small until the last memory figure is taken.
    pub rss_bytes: u64,
}

/// A command line, kept as data so that the report can show what was run.
#[derive(Clone, Debug)]
pub struct CommandLine {
    pub program: OsString,
    pub arguments: Vec<OsString>,
}

impl CommandLine {
    pub fn new<A: Into<OsString>>(
        program: impl Into<OsString>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
        }
    }
}

impl std::fmt::Display for CommandLine {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The file name of the program is enough, and keeps machine paths out of reports.
        write!(
            out,
            "{}",
            Path::new(&self.program)
                .file_name()
                .unwrap_or(&self.program)
                .display()
        )?;
        self.arguments
            .iter()
            .try_for_each(|argument| write!(out, " {}", argument.display()))
    }
}

/// Runs `command` with its output in `stdout` (nowhere if absent) and its diagnostics in `stderr`. The error says why
/// the run does not count: not started, failed, or too long.
pub fn run(command: &CommandLine, stdout: Option<&Path>, stderr: &Path) -> io::Result<Cost> {
    let output = match stdout {
        Some(path) => Stdio::from(File::create(path)?),
        None => Stdio::null(),
    };
    let started = Instant::now();
    let child = Command::new(&command.program)
        .args(&command.arguments)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(File::create(stderr)?)
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("{command}: {error}")))?;
    let used = wait(child)?;
    let wall_s = started.elapsed().as_secs_f64();
    if !used.status.success() {
        return Err(io::Error::other(format!(
            "{command}: {}: {}",
            used.status,
            tail(stderr)?
        )));
    }
    let cpu_s = (used.rusage.utime + used.rusage.stime).as_secs_f64();
    Ok(Cost {
        cpu_s,
        wall_s,
        rss_bytes: used.rusage.maxrss,
    })
}

/// Waits on a second thread, because only a wait that blocks returns the wall time exactly.
pub(crate) fn wait(child: Child) -> io::Result<ResUse> {
    let id = child.id();
    let (sender, receiver) = mpsc::channel();
    let waiter = thread::spawn(move || sender.send(child.wait4()));
    let outcome = receiver.recv_timeout(RUN_MAX).unwrap_or_else(|_| {
        // Our own child, not yet waited for, so its id cannot have been reused.
        let killed = Command::new("kill").args(["-KILL", &id.to_string()]).status();
        Err(io::Error::other(format!(
            "stopped after {} s ({killed:?})",
            RUN_MAX.as_secs()
        )))
    });
    let _ = waiter.join();
    outcome
}

/// The end of a file as one line of text.
fn tail(path: &Path) -> io::Result<String> {
    let bytes = fs::read(path)?;
    let start = bytes.len().saturating_sub(ERROR_TAIL_BYTES);
    let text = String::from_utf8_lossy(&bytes[start..]).into_owned();
    Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Middle value; between the two middle ones for an even number. Zero for none.
#[must_use]
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        count => f64::midpoint(values[(count - 1) / 2], values[count / 2]),
    }
}

/// Least value. Zero for none.
#[must_use]
pub fn minimum(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().min_by(f64::total_cmp).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stderr_file(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("weir-benches-{}-{name}", std::process::id()))
    }

    #[test]
    fn measures_descendants_and_reports_failure() {
        let file = stderr_file("measure");
        // The loop burns CPU time in a grandchild that the child waits for.
        let burn = "sh -c 'i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done'; true";
        let cost = run(&CommandLine::new("sh", ["-c", burn]), None, &file).expect("runs");
        assert!(
            cost.cpu_s > 0.005 && cost.wall_s > 0.005 && cost.rss_bytes > 100_000,
            "{cost:?}"
        );
        let failed = run(
            &CommandLine::new("sh", ["-c", "echo broken >&2; exit 3"]),
            None,
            &file,
        )
        .unwrap_err();
        assert!(failed.to_string().contains("broken"), "{failed}");
        let missing = run(&CommandLine::new("weir-no-such-program", ["-r"]), None, &file).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        let _ = fs::remove_file(file);
    }

    #[test]
    fn median_is_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median([]), 0.0);
        assert_eq!(minimum([2.0, 1.0]), 1.0);
    }
}
