//! SMB 2 and 3 ([MS-SMB2]): headers, chains of messages, and the commands that log in, connect, open, move and close.
//! Everything else is passed over; offsets inside a message count from its header.

use weir_model::Time;

use super::exchange::Exchange;
use super::request::{Answer, Attempt, Body, Handle, Opened, Request};
use super::status;
use crate::ntlmssp::{self, Message};
use crate::{Sink, le};

/// Length of the header, 2.2.1.
const HEADER: usize = 64;
/// Messages read of one chain; clients chain two to four.
const CHAIN_MAX: usize = 16;

const FLAG_RESPONSE: u32 = 1;
const FLAG_ASYNC: u32 = 2;

/// Commands, 2.2.1.2.
mod command {
    pub(super) const NEGOTIATE: u16 = 0;
    pub(super) const SESSION_SETUP: u16 = 1;
    pub(super) const TREE_CONNECT: u16 = 3;
    pub(super) const CREATE: u16 = 5;
    pub(super) const CLOSE: u16 = 6;
    pub(super) const READ: u16 = 8;
    pub(super) const WRITE: u16 = 9;
    pub(super) const SET_INFO: u16 = 17;
}

/// SMB2_SESSION_FLAG_IS_GUEST and _IS_NULL, 2.2.6.
const SESSION_GUEST_OR_NULL: u16 = 3;
/// FILE_DELETE_ON_CLOSE in CreateOptions, 2.2.13.
const DELETE_ON_CLOSE: u32 = 0x1000;
/// CreateAction FILE_OPENED, 2.2.14; the others made or replaced the file.
const ACTION_OPENED: u32 = 1;
/// SMB2_0_INFO_FILE, 2.2.39.
const INFO_FILE: u8 = 1;
/// File information classes of [MS-FSCC] 2.4.
const CLASS_RENAME: u8 = 10;
const CLASS_DISPOSITION: u8 = 13;
const CLASS_DISPOSITION_EX: u8 = 64;
/// "The file of the request before", 3.2.4.1.4.
const RELATED_FILE: u128 = u128::MAX;

/// One message of a chain.
struct Header<'a> {
    /// From the header on, to the end of the message or of what was kept of it.
    message: &'a [u8],
    command: u16,
    flags: u32,
    id: u64,
    status: u32,
    tree: u32,
    session: u64,
}

impl<'a> Header<'a> {
    fn read(message: &'a [u8]) -> Option<Self> {
        let flags = le::u32(message, 16)?;
        Some(Self {
            message,
            status: le::u32(message, 8)?,
            command: le::u16(message, 12)?,
            flags,
            id: le::u64(message, 24)?,
            tree: if flags & FLAG_ASYNC == 0 {
                le::u32(message, 36)?
            } else {
                0
            },
            session: le::u64(message, 40)?,
        })
    }

    /// Bytes behind the fixed header.
    fn body(&self) -> &'a [u8] {
        self.message.get(HEADER..).unwrap_or_default()
    }

    /// What stands at the offset and length written at `at` of the body; cut when the message was.
    fn buffer(&self, at: usize) -> &'a [u8] {
        let (Some(offset), Some(len)) = (le::u16(self.body(), at), le::u16(self.body(), at + 2)) else {
            return &[];
        };
        let rest = self.message.get(offset.into()..).unwrap_or_default();
        &rest[..rest.len().min(len.into())]
    }
}

/// Reads one frame: a message or a chain of them. Its direction is told by the flag, not by the side.
pub(super) fn read(frame: &[u8], time: Time, exchange: &mut Exchange, sink: &mut Sink<'_>) {
    let mut rest = frame;
    let mut last_create = None;
    for _ in 0..CHAIN_MAX {
        let next = le::u32(rest, 20).unwrap_or(0) as usize;
        let message = if next >= HEADER {
            rest.get(..next).unwrap_or(rest)
        } else {
            rest
        };
        let Some(header) = Header::read(message) else {
            return;
        };
        if header.flags & FLAG_RESPONSE == 0 {
            if header.command == command::CREATE {
                last_create = Some(header.id);
            }
            if let Some(request) = request(&header, last_create) {
                exchange.ask(header.id, time, request, sink);
            }
        } else {
            response(&header, time, exchange, sink);
        }
        match rest.get(next..) {
            Some(following) if next >= HEADER => rest = following,
            _ => return,
        }
    }
}

fn request(header: &Header<'_>, last_create: Option<u64>) -> Option<Request> {
    let body = header.body();
    let handle = |at| match le::u128(body, at)? {
        RELATED_FILE => last_create.map(Handle::CreatedBy),
        id => Some(Handle::Id(id)),
    };
    match header.command {
        command::SESSION_SETUP => Some(Request::Setup(Box::new(Attempt::of_blob(header.buffer(12))))),
        command::TREE_CONNECT => Some(Request::Tree {
            share: le::utf16(header.buffer(4)),
        }),
        command::CREATE => Some(Request::Create(Box::new(Opened {
            name: le::utf16(header.buffer(44)),
            tree: header.tree,
            session: header.session,
            delete_on_close: le::u32(body, 40)? & DELETE_ON_CLOSE != 0,
        }))),
        command::CLOSE => Some(Request::Close(handle(8)?)),
        command::READ => Some(Request::Read(handle(16)?)),
        command::WRITE => Some(Request::Write(handle(16)?)),
        command::SET_INFO => match (le::u8(body, 2)?, le::u8(body, 3)?) {
            (INFO_FILE, CLASS_RENAME) => Some(Request::Rename(handle(16)?)),
            (INFO_FILE, CLASS_DISPOSITION | CLASS_DISPOSITION_EX) => {
                (le::u8(body, 32)? & 1 != 0).then_some(Request::Delete(handle(16)?))
            }
            _ => None,
        },
        _ => None,
    }
}

fn response(header: &Header<'_>, time: Time, exchange: &mut Exchange, sink: &mut Sink<'_>) {
    let body = header.body();
    match header.command {
        command::NEGOTIATE => exchange.version = le::u16(body, 4).and_then(dialect).or(exchange.version),
        command::SESSION_SETUP if header.status == status::MORE_PROCESSING_REQUIRED => {
            if let Some(Message::Challenge { computer }) = ntlmssp::find(header.buffer(4)) {
                exchange.server = computer;
            }
        }
        _ => {}
    }
    let answer = Answer {
        id: header.id,
        time,
        status: header.status,
        session: header.session,
        tree: header.tree,
        body: answer_body(header).unwrap_or(Body::Plain),
    };
    exchange.answer(answer, sink);
}

fn answer_body(header: &Header<'_>) -> Option<Body> {
    let body = header.body();
    match header.command {
        _ if header.status != status::SUCCESS => None,
        command::SESSION_SETUP => (le::u16(body, 2)? & SESSION_GUEST_OR_NULL != 0).then_some(Body::Guest),
        command::CREATE => Some(Body::Created {
            handle: le::u128(body, 64)?,
            made: le::u32(body, 4)? != ACTION_OPENED,
        }),
        command::READ | command::WRITE => Some(Body::Bytes(le::u32(body, 4)?.into())),
        _ => None,
    }
}

/// Text of a dialect, 2.2.4; the wildcard 0x02FF says that another negotiation follows.
const fn dialect(revision: u16) -> Option<&'static str> {
    match revision {
        0x0202 => Some("2.0.2"),
        0x0210 => Some("2.1"),
        0x0300 => Some("3.0"),
        0x0302 => Some("3.0.2"),
        0x0311 => Some("3.1.1"),
        _ => None,
    }
}
