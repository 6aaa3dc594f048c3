//! HTTP/1.1 as a browser on the same machine speaks it: one connection kept open, one question after another on it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of an answer at most: a thousand hosts with room to spare.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// A connection to the interface, and how its user is known.
pub struct Client {
    address: String,
    headers: String,
    connection: Option<BufReader<TcpStream>>,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub cookie: Option<String>,
    pub body: Vec<u8>,
}

impl Client {
    /// `headers` are sent with every question, each with its line end.
    #[must_use]
    pub fn new(address: &str, headers: String) -> Self {
        Self {
            address: address.to_owned(),
            headers,
            connection: None,
        }
    }

    /// Asks for a path below /api/v1.
    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.ask("GET", path, "")
    }

    /// Posts JSON to a path below /api/v1.
    pub fn post(&mut self, path: &str, body: &str) -> io::Result<Answer> {
        self.ask("POST", path, body)
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> io::Result<Answer> {
        let request = format!(
            "{method} /api/v1{path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n{}content-length: {}\r\n\r\n{body}",
            self.address,
            self.headers,
            body.len()
        );
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect(&self.address)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
                BufReader::new(stream)
            }
        };
        connection.get_mut().write_all(request.as_bytes())?;
        let answer = read(&mut connection)?;
        // A connection after a fault is not used again: the next question opens another.
        self.connection = Some(connection);
        Ok(answer)
    }
}

fn read(connection: &mut BufReader<TcpStream>) -> io::Result<Answer> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut line = String::new();
    connection.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or_else(|| wrong("no status line"))?;
    let (mut length, mut chunked, mut cookie) = (None, false, None);
    loop {
        line.clear();
        if connection.read_line(&mut line)? == 0 {
            return Err(wrong("the headers end early"));
        }
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse::<u64>().ok(),
            "transfer-encoding" => chunked = value.contains("chunked"),
            "set-cookie" => cookie = value.split(';').next().map(|cookie| cookie.trim().to_owned()),
            _ => {}
        }
    }
    let mut body = Vec::new();
    let mut take = |connection: &mut BufReader<TcpStream>, bytes: u64| {
        if body.len() as u64 + bytes > ANSWER_BYTES_MAX {
            return Err(wrong("an answer too long"));
        }
        connection.take(bytes).read_to_end(&mut body).map(|_| ())
    };
    if chunked {
        loop {
            line.clear();
            connection.read_line(&mut line)?;
            let bytes = u64::from_str_radix(line.trim(), 16).map_err(|_| wrong("no length of a chunk"))?;
            take(connection, bytes)?;
            line.clear();
            connection.read_line(&mut line)?;
            if bytes == 0 {
                break;
            }
        }
    } else if let Some(bytes) = length {
        take(connection, bytes)?;
    }
    Ok(Answer { status, cookie, body })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn answers_of_both_kinds_on_one_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = BufReader::new(stream.try_clone().unwrap());
            for answer in [
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nSet-Cookie: weir=x; Path=/\r\n\r\nwhole",
                "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nin \r\n6\r\npieces\r\n0\r\n\r\n",
            ] {
                let mut line = String::new();
                while line != "\r\n" {
                    line.clear();
                    asked.read_line(&mut line).unwrap();
                }
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let mut client = Client::new(&address, String::new());
        let whole = client.get("/one").unwrap();
        assert_eq!(
            (whole.status, &*whole.body, whole.cookie.as_deref()),
            (200, &b"whole"[..], Some("weir=x"))
        );
        let pieces = client.get("/two").unwrap();
        assert_eq!((pieces.status, &*pieces.body), (404, &b"in pieces"[..]));
        server.join().unwrap();
        assert!(client.get("/three").is_err(), "nobody answers any more");
    }
}
