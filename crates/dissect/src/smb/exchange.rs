//! What SMB1 and SMB2 have in common: requests waiting for their answer, trees, open files, and the transactions they
//! become. Every table is bounded; what falls out is sent as it stands or forgotten next to a counter.

use std::collections::VecDeque;

use weir_model::{Kind, Outcome, Protocol, Time, Transaction, Value};

use super::fields::{
    ACTION, AUTH, DOMAIN, FILE, GUEST, HOST, NATIVE_OS, READ_BYTES, SERVER, SHARE, STATUS, STATUS_NAME, USER,
    VERSION, WRITE_BYTES,
};
use super::request::{Answer, Attempt, Body, Handle, Opened, Request};
use super::status;
use crate::{Sink, waiting};

/// Requests without answer: twice the credits a Windows server grants at first.
const PENDING_MAX: usize = 256;
/// Connected trees; clients use a handful of shares.
const TREES_MAX: usize = 64;
/// Log-ins by session id whose user names later transactions carry.
const SESSIONS_MAX: usize = 32;
/// Files open at once; beyond it the longest open is sent early.
const FILES_MAX: usize = 128;

#[derive(Debug)]
struct Waiting {
    id: u64,
    start: Time,
    request: Request,
}

#[derive(Debug)]
struct OpenFile {
    handle: u128,
    start: Time,
    last: Time,
    opened: Box<Opened>,
    created: bool,
    renamed: bool,
    deleted: bool,
    read_bytes: u64,
    write_bytes: u64,
}

/// State of one connection.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    pub version: Option<&'static str>,
    /// NetBIOS name of the server, from its challenge.
    pub server: Option<Box<str>>,
    waiting: VecDeque<Waiting>,
    trees: VecDeque<(u32, Box<str>)>,
    users: VecDeque<(u64, Box<str>)>,
    files: VecDeque<OpenFile>,
}

impl Exchange {
    /// A request was sent.
    pub(super) fn ask(&mut self, id: u64, start: Time, request: Request, sink: &mut Sink<'_>) {
        let asked = Waiting { id, start, request };
        if let Some(oldest) = waiting::push(&mut self.waiting, asked, PENDING_MAX, sink) {
            self.abandon(oldest, start, sink);
        }
    }

    /// An answer came.
    pub(super) fn answer(&mut self, answer: Answer, sink: &mut Sink<'_>) {
        if answer.status == status::PENDING {
            return;
        }
        let Some(index) = self.waiting.iter().position(|waiting| waiting.id == answer.id) else {
            return;
        };
        let Some(Waiting { start, request, .. }) = self.waiting.remove(index) else {
            return;
        };
        match request {
            Request::Setup(attempt) => self.set_up(&attempt, start, answer, sink),
            Request::Tree { share } => self.connect(share, start, answer, sink),
            Request::Create(opened) => self.open(opened, start, answer, sink),
            Request::Read(handle) => self.with_file(handle, answer, |file, bytes| file.read_bytes += bytes),
            Request::Write(handle) => self.with_file(handle, answer, |file, bytes| file.write_bytes += bytes),
            Request::Delete(handle) => self.with_file(handle, answer, |file, _| file.deleted = true),
            Request::Rename(handle) => self.with_file(handle, answer, |file, _| file.renamed = true),
            Request::Close(handle) => self.close(handle, answer, sink),
        }
    }

    /// The flow is over, or cannot be read on: sends what is pending.
    pub(super) fn finish(&mut self, time: Time, sink: &mut Sink<'_>) {
        for waiting in std::mem::take(&mut self.waiting) {
            self.abandon(waiting, time, sink);
        }
        for file in std::mem::take(&mut self.files) {
            self.send_file(&file, file.last, status::SUCCESS, sink);
        }
    }

    /// A request without answer: only a log-in is worth telling.
    fn abandon(&mut self, waiting: Waiting, time: Time, sink: &mut Sink<'_>) {
        if let Request::Setup(attempt) = waiting.request
            && !attempt.opening
        {
            let login = self.login(&attempt, waiting.start, time, sink);
            sink.emit(login);
        }
    }

    fn set_up(&mut self, attempt: &Attempt, start: Time, answer: Answer, sink: &mut Sink<'_>) {
        if answer.status == status::MORE_PROCESSING_REQUIRED {
            return;
        }
        let mut login = self.login(attempt, start, answer.time, sink);
        login.outcome = match answer.status {
            status::SUCCESS => Outcome::Accepted,
            refused if status::refuses_login(refused) => Outcome::Refused,
            _ => Outcome::Unknown,
        };
        set_status(&mut login, answer.status);
        if attempt.is_anonymous() || matches!(answer.body, Body::Guest) {
            login.set(&GUEST, Value::Flag(true));
        }
        sink.emit(login);
        if let (status::SUCCESS, Some(identity)) = (answer.status, &attempt.identity) {
            keep(
                &mut self.users,
                SESSIONS_MAX,
                answer.session,
                identity.user.clone(),
            );
        }
    }

    fn login(&self, attempt: &Attempt, start: Time, end: Time, sink: &Sink<'_>) -> Transaction {
        let mut login = sink.begin(Protocol::Smb, Kind::Login, start);
        login.end = end;
        if let Some(identity) = &attempt.identity {
            login.set_text(&USER, identity.user.clone());
            for (field, name) in [(&DOMAIN, &identity.domain), (&HOST, &identity.workstation)] {
                if !name.is_empty() {
                    login.set_text(field, name.clone());
                }
            }
        }
        if let Some(server) = &self.server {
            login.set_text(&SERVER, server.clone());
        }
        if let Some(auth) = attempt.auth {
            login.set_text(&AUTH, auth);
        }
        if let Some(version) = self.version {
            login.set_text(&VERSION, version);
        }
        if let Some(system) = &attempt.native_os {
            login.set_text(&NATIVE_OS, system.clone());
        }
        login
    }

    fn connect(&mut self, share: Box<str>, start: Time, answer: Answer, sink: &mut Sink<'_>) {
        let mut access = sink.begin(Protocol::Smb, Kind::Access, start);
        access.end = answer.time;
        access.outcome = judge(answer.status);
        self.set_user(&mut access, answer.session);
        access.set_text(&SHARE, share.clone());
        set_status(&mut access, answer.status);
        sink.emit(access);
        if answer.status == status::SUCCESS {
            keep(&mut self.trees, TREES_MAX, answer.tree, share);
        }
    }

    fn open(&mut self, opened: Box<Opened>, start: Time, answer: Answer, sink: &mut Sink<'_>) {
        let (handle, created) = match answer.body {
            Body::Created { handle, made } => (handle, made),
            _ => (0, false),
        };
        let file = OpenFile {
            handle,
            start,
            last: answer.time,
            deleted: opened.delete_on_close,
            opened,
            created,
            renamed: false,
            read_bytes: 0,
            write_bytes: 0,
        };
        if answer.status != status::SUCCESS {
            return self.send_file(&file, answer.time, answer.status, sink);
        }
        for waiting in &mut self.waiting {
            if let Request::Read(at)
            | Request::Write(at)
            | Request::Delete(at)
            | Request::Rename(at)
            | Request::Close(at) = &mut waiting.request
                && *at == Handle::CreatedBy(answer.id)
            {
                *at = Handle::Id(handle);
            }
        }
        if let Some(oldest) = waiting::push(&mut self.files, file, FILES_MAX, sink) {
            self.send_file(&oldest, oldest.last, status::SUCCESS, sink);
        }
    }

    fn with_file(&mut self, handle: Handle, answer: Answer, change: impl FnOnce(&mut OpenFile, u64)) {
        let bytes = match answer.body {
            Body::Bytes(bytes) => bytes,
            _ => 0,
        };
        let found = self
            .files
            .iter_mut()
            .find(|file| handle == Handle::Id(file.handle));
        if let (Some(file), status::SUCCESS) = (found, answer.status) {
            file.last = answer.time;
            change(file, bytes);
        }
    }

    fn close(&mut self, handle: Handle, answer: Answer, sink: &mut Sink<'_>) {
        let found = self
            .files
            .iter()
            .position(|file| handle == Handle::Id(file.handle));
        if let Some(file) = found.and_then(|index| self.files.remove(index)) {
            self.send_file(&file, answer.time, answer.status, sink);
        }
    }

    fn send_file(&self, file: &OpenFile, end: Time, status: u32, sink: &mut Sink<'_>) {
        let mut sent = sink.begin(Protocol::Smb, Kind::File, file.start);
        sent.end = end;
        sent.outcome = judge(status);
        self.set_user(&mut sent, file.opened.session);
        if let Some((_, share)) = self.trees.iter().find(|(tree, _)| *tree == file.opened.tree) {
            sent.set_text(&SHARE, share.clone());
        }
        sent.set_text(&FILE, file.opened.name.clone());
        sent.set_text(&ACTION, file.action());
        for (field, bytes) in [(&READ_BYTES, file.read_bytes), (&WRITE_BYTES, file.write_bytes)] {
            if bytes > 0 {
                sent.set_number(field, bytes);
            }
        }
        set_status(&mut sent, status);
        sink.emit(sent);
    }

    fn set_user(&self, transaction: &mut Transaction, session: u64) {
        if let Some((_, user)) = self.users.iter().find(|(known, _)| *known == session) {
            transaction.set_text(&USER, user.clone());
        }
    }
}

impl OpenFile {
    /// The most telling thing done to the file.
    const fn action(&self) -> &'static str {
        match self {
            Self { deleted: true, .. } => "delete",
            Self { renamed: true, .. } => "rename",
            Self { created: true, .. } => "create",
            Self { write_bytes: 1.., .. } => "write",
            Self { read_bytes: 1.., .. } => "read",
            _ => "open",
        }
    }
}

/// Keeps the newest `max` values by id.
fn keep<I: PartialEq>(table: &mut VecDeque<(I, Box<str>)>, max: usize, id: I, value: Box<str>) {
    table.retain(|(known, _)| *known != id);
    if table.len() == max {
        table.pop_front();
    }
    table.push_back((id, value));
}

/// Accepted or refused, for everything but log-ins.
const fn judge(status: u32) -> Outcome {
    match status {
        status::SUCCESS => Outcome::Accepted,
        0xc000_0000.. => Outcome::Refused,
        _ => Outcome::Unknown,
    }
}

fn set_status(transaction: &mut Transaction, status: u32) {
    transaction.set_text(&STATUS, format!("{status:08X}"));
    if let Some(name) = status::name(status) {
        transaction.set_text(&STATUS_NAME, name);
    }
}
