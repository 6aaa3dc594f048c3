//! HTTP to a ClickHouse: one request, one answer, each with a deadline and a size it may not pass. Values go as bound
//! parameters (`param_p0`), never as text of a statement. Why not the crate `clickhouse`: docs/adr has it.

use ureq::Agent;

use super::Place;
use crate::http::agent;

/// Longest a statement may take, a little less than we wait for an answer. A search that takes longer is a question to
/// narrow.
const STATEMENT_S: u64 = 280;
/// Longest address of a request: ClickHouse refuses more than 1 MiB.
const ADDRESS_BYTES_MAX: usize = 1 << 20;
/// Longest statement: lists of addresses are long.
const STATEMENT_BYTES_MAX: usize = 16 << 20;
/// Bytes of an error message that are shown.
const MESSAGE_BYTES_MAX: u64 = 4096;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No connection, no answer in time, or one cut short.
    #[error("{at} cannot be reached: {why}")]
    Unreachable { at: String, why: String },
    /// ClickHouse says no.
    #[error("{at} refuses: {message}")]
    Refused {
        at: String,
        /// ClickHouse's number of the error; 0: not told.
        code: u32,
        message: String,
    },
    /// More bytes than the caller takes.
    #[error("the answer has more than {} MiB", .0 >> 20)]
    TooLong(usize),
    /// The statement with its values is longer than ClickHouse takes.
    #[error("the question is too long for ClickHouse: its lists have too many entries")]
    Question,
}

/// Errors that lie in the data of an INSERT: sending it again would not help. Numbers of ClickHouse's `ErrorCodes.cpp`:
/// cannot parse, cannot read all data, type mismatch, bad arguments, too large a string, incorrect data.
const OF_DATA: [u32; 12] = [6, 26, 27, 32, 33, 38, 41, 53, 69, 70, 72, 117];

impl ClientError {
    /// Is it the data's fault?
    pub fn is_data(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if OF_DATA.contains(code))
    }
}

/// An answer and what ClickHouse says it read for it.
pub(in crate::flow) struct Answer {
    pub bytes: Vec<u8>,
    /// Rows read, where the server tells.
    pub rows_read: u64,
}

/// A connection to a ClickHouse; made when first used, kept open.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    place: Place,
}

impl Client {
    /// A client; nothing is sent yet.
    pub fn new(place: Place) -> Self {
        let agent = agent(place.base.starts_with("https:"));
        Self { agent, place }
    }

    /// Where it goes.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// A statement without an answer to read: tables.
    pub(super) fn run(&self, sql: &str) -> Result<(), ClientError> {
        self.ask(sql, &[], MESSAGE_BYTES_MAX as usize).map(drop)
    }

    /// A question. `parameters` are the bound values by name; the answer may have `bytes_max` bytes.
    pub(in crate::flow) fn ask(
        &self,
        sql: &str,
        parameters: &[(String, String)],
        bytes_max: usize,
    ) -> Result<Answer, ClientError> {
        let mut query = format!(
            // The whole answer is made before its first byte: an error then is one, and not the end of a half.
            "wait_end_of_query=1&max_execution_time={STATEMENT_S}&max_query_size={STATEMENT_BYTES_MAX}"
        );
        for (name, value) in parameters {
            query += &format!("&param_{name}={}", encoded(value));
        }
        if query.len() > ADDRESS_BYTES_MAX || sql.len() > STATEMENT_BYTES_MAX {
            return Err(ClientError::Question);
        }
        self.post(&query, sql.as_bytes(), false, bytes_max)
    }

    /// Inserts a block of rows in RowBinary, compressed with zstd; twice with the same token counts once.
    pub(super) fn insert(&self, statement: &str, token: &str, zstd: &[u8]) -> Result<(), ClientError> {
        let query = format!(
            "query={}&insert_deduplicate=1&insert_deduplication_token={}&insert_distributed_sync=1&wait_end_of_query=1",
            encoded(statement),
            encoded(token)
        );
        self.post(&query, zstd, true, MESSAGE_BYTES_MAX as usize)
            .map(drop)
    }

    fn post(&self, query: &str, body: &[u8], zstd: bool, bytes_max: usize) -> Result<Answer, ClientError> {
        let place = &self.place;
        let unreachable = |error: ureq::Error| ClientError::Unreachable {
            at: place.shown(),
            why: error.to_string(),
        };
        let mut request = self.agent.post(format!("{}?{query}", place.base));
        if zstd {
            request = request.header("Content-Encoding", "zstd");
        }
        if !place.user.is_empty() {
            request = request.header("X-ClickHouse-User", &place.user);
        }
        if !place.password.is_empty() {
            request = request.header("X-ClickHouse-Key", &place.password);
        }
        let mut response = request.send(body).map_err(unreachable)?;
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        if response.status().is_success() {
            let summary = header("X-ClickHouse-Summary").unwrap_or_default();
            let read = response.body_mut().with_config().limit(bytes_max as u64);
            return match read.read_to_vec() {
                Ok(bytes) => Ok(Answer {
                    bytes,
                    rows_read: rows_read(&summary),
                }),
                Err(ureq::Error::BodyExceedsLimit(_)) => Err(ClientError::TooLong(bytes_max)),
                Err(error) => Err(unreachable(error)),
            };
        }
        let code = header("X-ClickHouse-Exception-Code");
        let status = response.status();
        let read = response.body_mut().with_config().limit(MESSAGE_BYTES_MAX);
        let text = read.read_to_string().unwrap_or_else(|_| status.to_string());
        Err(ClientError::Refused {
            at: place.shown(),
            code: code.and_then(|code| code.parse().ok()).unwrap_or(0),
            message: text.lines().next().unwrap_or_default().trim().to_owned(),
        })
    }
}

/// `read_rows` of ClickHouse's summary, an object of numbers in quotes.
fn rows_read(summary: &str) -> u64 {
    let value: Option<serde_json::Value> = serde_json::from_str(summary).ok();
    let rows = value.as_ref().and_then(|value| value.get("read_rows")?.as_str());
    rows.and_then(|rows| rows.parse().ok()).unwrap_or(0)
}

/// Percent-encodes all but letters, digits and `-._~`.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
            other => out += &format!("%{other:02X}"),
        }
    }
    out
}
