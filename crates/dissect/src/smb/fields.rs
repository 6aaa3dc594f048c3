//! Fields of SMB transactions: columns, filter words, labels. A field is absent when the messages did not say.

crate::fields::fields! {
    STATUS = text("smb.status", "NT status (hex)");
    STATUS_NAME = text("smb.status_name", "NT status");
    USER = text("smb.user", "User");
    DOMAIN = text("smb.domain", "Domain");
    HOST = text("smb.host", "Workstation");
    SERVER = text("smb.server", "Server name");
    AUTH = text("smb.auth", "Authentication");
    GUEST = flag("smb.guest", "Guest or anonymous");
    VERSION = text("smb.version", "Dialect");
    NATIVE_OS = text("smb.native_os", "Client system");
    SHARE = text("smb.share", "Share");
    FILE = text("smb.file", "File");
    ACTION = text("smb.action", "Action");
    READ_BYTES = number("smb.read_bytes", "Read (bytes)");
    WRITE_BYTES = number("smb.write_bytes", "Written (bytes)");
}
