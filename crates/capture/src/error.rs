//! Why a capture could not be opened, in words that say what to do about it.
//! What goes wrong later is not an error: reading ends or resumes, and `CaptureFile::trouble` says where.

use std::io;

/// A capture that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error("{name}: there is no such file; check the path")]
    NotFound { name: String },
    #[error("{name} is a directory; name one capture file in it")]
    Directory { name: String },
    #[error("{name} must not be read by this user; change its permissions or run as another user")]
    Forbidden { name: String },
    #[error("{name} cannot be read: {source}")]
    Unreadable { name: String, source: io::Error },
    #[error("{name} is empty; the program that wrote it may not have flushed its first packets yet")]
    Empty { name: String },
    #[error("{name} ends inside its file header; copy or record it again")]
    HeaderCut { name: String },
    #[error("{name} is not a capture: {found}; Weir reads pcap and pcapng, plain, gzip or zstd")]
    NotACapture { name: String, found: String },
    /// Flow records of a kind that is not read, or not like this.
    #[error("{name} cannot be read: {why}")]
    NotRead { name: String, why: String },
}

impl CaptureError {
    /// The error for a failure of the operating system.
    pub(crate) fn from_io(name: &str, source: io::Error) -> Self {
        let name = name.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { name },
            io::ErrorKind::PermissionDenied => Self::Forbidden { name },
            io::ErrorKind::IsADirectory => Self::Directory { name },
            _ => Self::Unreadable { name, source },
        }
    }
}
