//! SMB 1 ([MS-CIFS], [MS-SMB]): headers, AndX chains, and the commands that log in, connect, open, move and close.
//! Old, but worms and old devices still speak it; names come as UTF-16 or in the client's code page.

use weir_model::Time;

use super::exchange::Exchange;
use super::request::{Answer, Attempt, Body, Handle, Opened, Request};
use super::status;
use crate::ntlmssp::{self, Identity, Message};
use crate::{Sink, le, text};

/// Length of the header up to its word count, [MS-CIFS] 2.2.3.1.
const HEADER: usize = 32;
/// Commands read of one AndX chain; clients chain two or three.
const CHAIN_MAX: usize = 4;

const FLAG_REPLY: u8 = 0x80;
const FLAG2_NT_STATUS: u16 = 0x4000;
const FLAG2_UNICODE: u16 = 0x8000;

/// Commands, [MS-CIFS] 2.2.2.1.
mod command {
    pub(super) const CLOSE: u8 = 0x04;
    pub(super) const READ_ANDX: u8 = 0x2e;
    pub(super) const WRITE_ANDX: u8 = 0x2f;
    pub(super) const SESSION_SETUP_ANDX: u8 = 0x73;
    pub(super) const TREE_CONNECT_ANDX: u8 = 0x75;
    pub(super) const NT_CREATE_ANDX: u8 = 0xa2;
    pub(super) const NONE: u8 = 0xff;
}

/// FILE_DELETE_ON_CLOSE in CreateOptions.
const DELETE_ON_CLOSE: u32 = 0x1000;
/// CreateAction FILE_OPENED; the others made or replaced the file.
const ACTION_OPENED: u32 = 1;

struct Header<'a> {
    message: &'a [u8],
    reply: bool,
    unicode: bool,
    status: u32,
    tree: u16,
    user: u16,
    /// Process and multiplex id: they name a request.
    id: u64,
}

/// One command of a chain: its words and the offset of its bytes in the message.
struct Block<'a> {
    command: u8,
    words: &'a [u8],
    bytes_at: usize,
}

impl<'a> Header<'a> {
    fn read(message: &'a [u8]) -> Option<Self> {
        let flags2 = le::u16(message, 10)?;
        let status = le::u32(message, 5)?;
        Some(Self {
            message,
            reply: le::u8(message, 9)? & FLAG_REPLY != 0,
            unicode: flags2 & FLAG2_UNICODE != 0,
            status: if flags2 & FLAG2_NT_STATUS != 0 {
                status
            } else {
                nt_status(status)
            },
            tree: le::u16(message, 24)?,
            user: le::u16(message, 28)?,
            id: u64::from(le::u16(message, 30)?) << 16 | u64::from(le::u16(message, 26)?),
        })
    }

    fn block(&self, command: u8, at: usize) -> Option<Block<'a>> {
        let words_len = usize::from(le::u8(self.message, at)?) * 2;
        let words = le::bytes(self.message, at + 1, words_len)?;
        Some(Block {
            command,
            words,
            bytes_at: at + 1 + words_len + 2,
        })
    }

    /// Id of a command of a chain, whose commands share the ids of the header.
    fn id_of(&self, command: u8) -> u64 {
        u64::from(command) << 32 | self.id
    }

    fn texts(&self, at: usize) -> Texts<'a> {
        Texts {
            message: self.message,
            at,
            unicode: self.unicode,
        }
    }
}

/// NUL-terminated texts one after the other; UTF-16 ones start at even offsets of the message.
struct Texts<'a> {
    message: &'a [u8],
    at: usize,
    unicode: bool,
}

impl Texts<'_> {
    fn next(&mut self) -> Box<str> {
        if self.unicode {
            self.at += self.at % 2;
        }
        let rest = self.message.get(self.at..).unwrap_or_default();
        if !self.unicode {
            let len = memchr::memchr(0, rest).unwrap_or(rest.len());
            self.at += len + 1;
            return text::bounded(&rest[..len]);
        }
        let units = rest.chunks_exact(2).position(|unit| unit == [0, 0]);
        let len = units.map_or(rest.len(), |units| 2 * units);
        self.at += len + 2;
        le::utf16(&rest[..len])
    }
}

/// The DOS error classes of old servers, as the NT status they stand for: bad password, access denied, any other.
const fn nt_status(dos: u32) -> u32 {
    match (dos & 0xff, dos >> 16) {
        (0, _) => status::SUCCESS,
        (2, 2) => 0xc000_006d,
        (1, 5) => 0xc000_0022,
        _ => 0xc000_0001,
    }
}

/// Reads one message. Its direction is told by the flag, not by the side.
pub(super) fn read(message: &[u8], time: Time, exchange: &mut Exchange, sink: &mut Sink<'_>) {
    let Some(header) = Header::read(message) else {
        return;
    };
    let (mut command, mut at) = (message[4], HEADER);
    for _ in 0..CHAIN_MAX {
        // An error answer has no words, but still answers.
        let block = header.block(command, at);
        if header.reply {
            response(&header, command, block.as_ref(), time, exchange, sink);
        } else if let Some(request) = block.as_ref().and_then(|block| request(&header, block)) {
            if matches!(request, Request::Setup(_)) {
                exchange.version = Some("1");
            }
            exchange.ask(header.id_of(command), time, request, sink);
        }
        let chained = |block: &Block<'_>| Some((le::u8(block.words, 0)?, le::u16(block.words, 2)?));
        match block.as_ref().and_then(chained) {
            // Offsets only grow, so that a chain cannot turn in circles.
            Some((next, offset)) if is_andx(command) && next != command::NONE && usize::from(offset) > at => {
                (command, at) = (next, offset.into());
            }
            _ => return,
        }
    }
}

const fn is_andx(command: u8) -> bool {
    matches!(
        command,
        command::READ_ANDX
            | command::WRITE_ANDX
            | command::SESSION_SETUP_ANDX
            | command::TREE_CONNECT_ANDX
            | command::NT_CREATE_ANDX
    )
}

fn request(header: &Header<'_>, block: &Block<'_>) -> Option<Request> {
    let words = block.words;
    let handle = |at| Some(Handle::Id(le::u16(words, at)?.into()));
    match block.command {
        command::SESSION_SETUP_ANDX => Some(Request::Setup(Box::new(attempt(header, block)?))),
        command::TREE_CONNECT_ANDX => {
            let password_len = usize::from(le::u16(words, 6)?);
            let share = header.texts(block.bytes_at + password_len).next();
            Some(Request::Tree { share })
        }
        command::NT_CREATE_ANDX => Some(Request::Create(Box::new(Opened {
            name: header.texts(block.bytes_at).next(),
            tree: header.tree.into(),
            session: header.user.into(),
            delete_on_close: le::u32(words, 39)? & DELETE_ON_CLOSE != 0,
        }))),
        command::READ_ANDX => Some(Request::Read(handle(4)?)),
        command::WRITE_ANDX => Some(Request::Write(handle(4)?)),
        command::CLOSE => Some(Request::Close(handle(0)?)),
        _ => None,
    }
}

/// A session set-up: 12 words carry a security blob, 13 the passwords of NT LM 0.12, 10 those of LAN Manager.
fn attempt(header: &Header<'_>, block: &Block<'_>) -> Option<Attempt> {
    let words = block.words;
    if words.len() == 24 {
        let len = usize::from(le::u16(words, 14)?);
        let rest = header.message.get(block.bytes_at..).unwrap_or_default();
        let mut attempt = Attempt::of_blob(&rest[..rest.len().min(len)]);
        attempt.native_os =
            Some(header.texts(block.bytes_at + len).next()).filter(|system| !system.is_empty());
        return Some(attempt);
    }
    let passwords_len = match words.len() {
        26 => usize::from(le::u16(words, 14)?) + usize::from(le::u16(words, 16)?),
        _ => usize::from(le::u16(words, 14)?),
    };
    let mut texts = header.texts(block.bytes_at + passwords_len);
    let identity = Identity {
        user: texts.next(),
        domain: texts.next(),
        workstation: Box::default(),
    };
    Some(Attempt {
        identity: Some(identity),
        auth: Some("plain"),
        native_os: Some(texts.next()).filter(|system| !system.is_empty()),
        opening: false,
    })
}

fn response(
    header: &Header<'_>,
    command: u8,
    block: Option<&Block<'_>>,
    time: Time,
    exchange: &mut Exchange,
    sink: &mut Sink<'_>,
) {
    if command == command::SESSION_SETUP_ANDX && header.status == status::MORE_PROCESSING_REQUIRED {
        let rest = block.and_then(|block| header.message.get(block.bytes_at..));
        if let Some(Message::Challenge { computer }) = rest.and_then(ntlmssp::find) {
            exchange.server = computer;
        }
    }
    let body = block
        .filter(|_| header.status == status::SUCCESS)
        .and_then(answer_body);
    let answer = Answer {
        id: header.id_of(command),
        time,
        status: header.status,
        session: header.user.into(),
        tree: header.tree.into(),
        body: body.unwrap_or(Body::Plain),
    };
    exchange.answer(answer, sink);
}

fn answer_body(block: &Block<'_>) -> Option<Body> {
    let words = block.words;
    match block.command {
        command::SESSION_SETUP_ANDX => (le::u16(words, 4)? & 1 != 0).then_some(Body::Guest),
        command::NT_CREATE_ANDX => Some(Body::Created {
            handle: le::u16(words, 5)?.into(),
            made: le::u32(words, 7)? != ACTION_OPENED,
        }),
        command::READ_ANDX => {
            let (low, high) = (le::u16(words, 10)?, le::u16(words, 14)?);
            Some(Body::Bytes(u64::from(high) << 16 | u64::from(low)))
        }
        command::WRITE_ANDX => {
            let (low, high) = (le::u16(words, 4)?, le::u16(words, 8)?);
            Some(Body::Bytes(u64::from(high) << 16 | u64::from(low)))
        }
        _ => None,
    }
}
