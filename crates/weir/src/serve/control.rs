//! The control socket: `control.sock` in the folder of stores, for whoever may write there. One word a connection
//! (`reload`), one JSON line back.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use weir_api::status::Reload;

/// Name of the socket.
pub(super) const SOCKET: &str = "control.sock";
/// How long either side waits for the other.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of a request or an answer.
const BYTES_MAX: u64 = 64 << 10;

/// The open socket; removed when it goes.
pub(super) struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(SOCKET);
        // Left by a program that was killed: nobody answers there.
        if UnixStream::connect(&path).is_err() {
            let _ = std::fs::remove_file(&path);
        }
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path })
    }

    /// Answers whoever waits; does not wait itself, except for what a caller began to say.
    pub(super) fn answer(&self, reload: impl Fn() -> Reload) {
        while let Ok((stream, _)) = self.listener.accept() {
            // A caller that hangs up has its answer in the log.
            let _ = serve(&stream, &reload);
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn serve(mut stream: &UnixStream, reload: impl Fn() -> Reload) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut word = String::new();
    BufReader::new(stream.take(BYTES_MAX)).read_line(&mut word)?;
    let answer = match word.trim() {
        "reload" => serde_json::to_string(&reload())?,
        other => {
            serde_json::json!({"error": format!("{other:?} is no command; known is reload")}).to_string()
        }
    };
    writeln!(stream, "{answer}")
}

/// Says a word to the program that keeps its stores in `folder`; returns the answer.
pub fn ask(folder: &Path, word: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(folder.join(SOCKET))?;
    // Reading large lists again takes its time.
    stream.set_read_timeout(Some(30 * PATIENCE))?;
    writeln!(stream, "{word}")?;
    let mut answer = String::new();
    BufReader::new(stream.take(BYTES_MAX)).read_line(&mut answer)?;
    Ok(answer)
}
