//! One GET or POST over HTTP/1.1, with or without TLS, and nothing that a server says makes it larger, longer or elsewhere than
//! allowed: every address is checked before it is connected to, redirections are few and checked anew, body and time are
//! capped. By hand, because a client of a library connects to whatever its resolver says.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use url::Url;

use super::FetchError;
use super::guard::resolve;

/// Redirections followed.
const REDIRECTS_MAX: usize = 5;
/// Bytes of the status line and all headers.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 100;
/// Bytes of a line that says how long the next chunk is.
const CHUNK_LINE_MAX: usize = 256;
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// What is asked for, and what the answer may cost.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) url: Url,
    pub(super) headers: Vec<(String, String)>,
    /// What is posted, with its media type; then redirections are not followed.
    pub(super) body: Option<(&'static str, String)>,
    /// Sent only to the host asked first: redirections may lead to others.
    pub(super) secret: Option<(String, String)>,
    pub(super) bytes_max: u64,
    pub(super) timeout: Duration,
    /// Inside addresses are allowed.
    pub(super) private: bool,
    /// Certificates of authorities trusted beside the system's.
    pub(super) authorities: Vec<CertificateDer<'static>>,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Response {
    /// The first header of this name (lower case).
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Certificates of a PEM file.
pub(super) fn authorities(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, FetchError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    read.map_err(|error| FetchError::Tls(format!("the authorities' certificates cannot be read: {error:?}")))
}

/// Asks, and follows redirections.
pub(super) fn ask(request: &Request) -> Result<Response, FetchError> {
    let deadline = Instant::now() + request.timeout;
    let mut url = request.url.clone();
    for _ in 0..=REDIRECTS_MAX {
        let response = once(request, &url, deadline)?;
        if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
            return Ok(response);
        }
        if request.body.is_some() {
            return Err(FetchError::Broken("a redirection of what was posted"));
        }
        let to = response
            .header("location")
            .ok_or(FetchError::Broken("a redirection to nowhere"))?;
        let next = url
            .join(to)
            .map_err(|_| FetchError::Broken("a redirection to what is no URL"))?;
        if url.scheme() == "https" && next.scheme() != "https" {
            return Err(FetchError::Broken("a redirection out of TLS"));
        }
        url = next;
    }
    Err(FetchError::Broken("too many redirections"))
}

fn once(request: &Request, url: &Url, deadline: Instant) -> Result<Response, FetchError> {
    let tls = match url.scheme() {
        "https" => true,
        "http" => false,
        other => return Err(FetchError::Scheme(other.to_owned())),
    };
    let host = url.host_str().ok_or(FetchError::Broken("a URL without host"))?;
    let port = url.port_or_known_default().unwrap_or(80);
    let stream = connect(host, port, request, deadline)?;
    let mut text = format!(
        "{} {}{} HTTP/1.1\r\nHost: {host}{}\r\nUser-Agent: weir/{}\r\nAccept-Encoding: identity\r\nConnection: close\r\n",
        if request.body.is_some() { "POST" } else { "GET" },
        url.path(),
        url.query().map(|query| format!("?{query}")).unwrap_or_default(),
        url.port().map(|port| format!(":{port}")).unwrap_or_default(),
        env!("CARGO_PKG_VERSION"),
    );
    let same_host = url.origin() == request.url.origin();
    for (name, value) in request
        .headers
        .iter()
        .chain(request.secret.iter().filter(|_| same_host))
    {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some((kind, body)) = &request.body {
        text.push_str(&format!(
            "Content-Type: {kind}\r\nContent-Length: {}\r\n",
            body.len()
        ));
    }
    text.push_str("\r\n");
    text.push_str(request.body.as_ref().map_or("", |(_, body)| body));
    let timed = Timed { stream, deadline };
    if tls {
        let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name =
            ServerName::try_from(name).map_err(|_| FetchError::Broken("a host name that TLS cannot have"))?;
        let client = ClientConnection::new(trust(request)?, name)
            .map_err(|error| FetchError::Tls(error.to_string()))?;
        exchange(StreamOwned::new(client, timed), &text, request.bytes_max)
    } else {
        exchange(timed, &text, request.bytes_max)
    }
}

fn connect(host: &str, port: u16, request: &Request, deadline: Instant) -> Result<TcpStream, FetchError> {
    let mut failed = None;
    for address in resolve(host, port, request.private)? {
        let left = left(deadline)?;
        match TcpStream::connect_timeout(&address, left.min(CONNECT)) {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = Some(error),
        }
    }
    Err(FetchError::Io(
        failed.unwrap_or_else(|| io::ErrorKind::NotFound.into()),
    ))
}

fn left(deadline: Instant) -> Result<Duration, FetchError> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        Err(FetchError::TooSlow)
    } else {
        Ok(left)
    }
}

fn trust(request: &Request) -> Result<Arc<ClientConfig>, FetchError> {
    let mut roots = RootCertStore::empty();
    let own = request.authorities.iter().cloned();
    roots.add_parsable_certificates(
        rustls_native_certs::load_native_certs()
            .certs
            .into_iter()
            .chain(own),
    );
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| FetchError::Tls(error.to_string()))?;
    Ok(Arc::new(
        config.with_root_certificates(roots).with_no_client_auth(),
    ))
}

/// A stream on which no single wait outlasts the whole.
struct Timed {
    stream: TcpStream,
    deadline: Instant,
}

impl Timed {
    fn arm(&self) -> io::Result<()> {
        let left = left(self.deadline).map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
        self.stream.set_read_timeout(Some(left))?;
        self.stream.set_write_timeout(Some(left))
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.arm()?;
        self.stream.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.arm()?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn exchange(mut stream: impl Read + Write, text: &str, bytes_max: u64) -> Result<Response, FetchError> {
    stream.write_all(text.as_bytes()).map_err(slow)?;
    stream.flush().map_err(slow)?;
    let mut incoming = Incoming {
        stream,
        held: Vec::new(),
    };
    let mut response = head(&mut incoming)?;
    let length = response
        .header("content-length")
        .map(|text| text.trim().parse::<u64>());
    let chunked = response
        .header("transfer-encoding")
        .is_some_and(|how| how.to_ascii_lowercase().contains("chunked"));
    response.body = match (response.status, length) {
        (204 | 304, _) => Vec::new(),
        _ if chunked => incoming.chunks(bytes_max)?,
        (_, Some(Err(_))) => return Err(FetchError::Broken("a length that is no number")),
        (_, Some(Ok(length))) if length > bytes_max => return Err(FetchError::TooLarge(bytes_max)),
        (_, Some(Ok(length))) => incoming.exactly(length)?,
        (_, None) => incoming.rest(bytes_max)?,
    };
    Ok(response)
}

fn head(incoming: &mut Incoming<impl Read>) -> Result<Response, FetchError> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Response::new(&mut headers);
        match parsed.parse(&incoming.held) {
            Ok(httparse::Status::Complete(bytes)) => {
                let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
                let headers = parsed.headers.iter();
                let response = Response {
                    status: parsed.code.unwrap_or(0),
                    headers: headers
                        .map(|header| (header.name.to_ascii_lowercase(), text(header.value)))
                        .collect(),
                    body: Vec::new(),
                };
                incoming.held.drain(..bytes);
                // What comes before the answer proper is passed over.
                if (100..200).contains(&response.status) {
                    continue;
                }
                return Ok(response);
            }
            Ok(httparse::Status::Partial) if incoming.held.len() <= HEAD_BYTES_MAX => {}
            Ok(httparse::Status::Partial) => return Err(FetchError::Broken("headers without end")),
            Err(_) => return Err(FetchError::Broken("what answered does not speak HTTP")),
        }
        if !incoming.more()? {
            return Err(FetchError::Broken("the answer ends in its headers"));
        }
    }
}

/// What has come and was not taken yet.
struct Incoming<S> {
    stream: S,
    held: Vec<u8>,
}

impl<S: Read> Incoming<S> {
    /// Reads on; false at the end.
    fn more(&mut self) -> Result<bool, FetchError> {
        let mut buffer = [0; 16 * 1024];
        let bytes = loop {
            match self.stream.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Many servers close without the farewell of TLS; lengths tell whether something is missing.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break 0,
                other => break other.map_err(slow)?,
            }
        };
        self.held.extend_from_slice(&buffer[..bytes]);
        Ok(bytes > 0)
    }

    fn exactly(&mut self, bytes: u64) -> Result<Vec<u8>, FetchError> {
        let bytes = bytes as usize;
        while self.held.len() < bytes {
            if !self.more()? {
                return Err(FetchError::Broken("the answer is shorter than it says"));
            }
        }
        let behind = self.held.split_off(bytes);
        Ok(std::mem::replace(&mut self.held, behind))
    }

    fn rest(&mut self, bytes_max: u64) -> Result<Vec<u8>, FetchError> {
        while self.held.len() as u64 <= bytes_max {
            if !self.more()? {
                return Ok(std::mem::take(&mut self.held));
            }
        }
        Err(FetchError::TooLarge(bytes_max))
    }

    fn chunks(&mut self, bytes_max: u64) -> Result<Vec<u8>, FetchError> {
        let mut body = Vec::new();
        loop {
            let size = loop {
                match httparse::parse_chunk_size(&self.held) {
                    Ok(httparse::Status::Complete((line, size))) => {
                        self.held.drain(..line);
                        break size;
                    }
                    Ok(httparse::Status::Partial) if self.held.len() < CHUNK_LINE_MAX => {}
                    _ => return Err(FetchError::Broken("a chunk without length")),
                }
                if !self.more()? {
                    return Err(FetchError::Broken("the answer ends between its chunks"));
                }
            };
            if size == 0 {
                return Ok(body);
            }
            if size > bytes_max || body.len() as u64 + size > bytes_max {
                return Err(FetchError::TooLarge(bytes_max));
            }
            let chunk = self.exactly(size + 2)?;
            body.extend_from_slice(&chunk[..size as usize]);
        }
    }
}

fn slow(error: io::Error) -> FetchError {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => FetchError::TooSlow,
        _ => FetchError::Io(error),
    }
}
