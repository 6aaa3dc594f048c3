//! NTSTATUS values ([MS-ERREF] 2.3.1) an observer of SMB meets, and what they say of a log-in.
//! The table serves people; a status without a name is shown by its number all the same.

/// Done.
pub(super) const SUCCESS: u32 = 0;
/// An answer follows later; no verdict.
pub(super) const PENDING: u32 = 0x0000_0103;
/// Half of an authentication; no verdict.
pub(super) const MORE_PROCESSING_REQUIRED: u32 = 0xc000_0016;

/// Errors of a session set-up that judge the request, not the credentials: no verdict on the log-in.
const NOT_OF_CREDENTIALS: &[u32] = &[
    0xc000_000d,
    0xc000_009a,
    0xc000_00bb,
    0xc000_00d0,
    0xc000_0203,
    0xc000_035c,
];

/// Severity bits of an error.
const SEVERITY_ERROR: u32 = 0xc000_0000;

/// Does this status say that credentials or account were not good?
pub(super) fn refuses_login(status: u32) -> bool {
    status & SEVERITY_ERROR == SEVERITY_ERROR && !NOT_OF_CREDENTIALS.contains(&status)
}

/// Name in [MS-ERREF], for the common ones.
pub(super) fn name(status: u32) -> Option<&'static str> {
    NAMES
        .binary_search_by_key(&status, |&(number, _)| number)
        .ok()
        .map(|index| NAMES[index].1)
}

/// Sorted by number.
const NAMES: &[(u32, &str)] = &[
    (SUCCESS, "STATUS_SUCCESS"),
    (PENDING, "STATUS_PENDING"),
    (0x0000_010c, "STATUS_NOTIFY_ENUM_DIR"),
    (0x8000_0005, "STATUS_BUFFER_OVERFLOW"),
    (0x8000_0006, "STATUS_NO_MORE_FILES"),
    (0x8000_002d, "STATUS_STOPPED_ON_SYMLINK"),
    (0xc000_0001, "STATUS_UNSUCCESSFUL"),
    (0xc000_0002, "STATUS_NOT_IMPLEMENTED"),
    (0xc000_0008, "STATUS_INVALID_HANDLE"),
    (0xc000_000d, "STATUS_INVALID_PARAMETER"),
    (0xc000_000f, "STATUS_NO_SUCH_FILE"),
    (0xc000_0011, "STATUS_END_OF_FILE"),
    (MORE_PROCESSING_REQUIRED, "STATUS_MORE_PROCESSING_REQUIRED"),
    (0xc000_0022, "STATUS_ACCESS_DENIED"),
    (0xc000_0033, "STATUS_OBJECT_NAME_INVALID"),
    (0xc000_0034, "STATUS_OBJECT_NAME_NOT_FOUND"),
    (0xc000_0035, "STATUS_OBJECT_NAME_COLLISION"),
    (0xc000_003a, "STATUS_OBJECT_PATH_NOT_FOUND"),
    (0xc000_0043, "STATUS_SHARING_VIOLATION"),
    (0xc000_0056, "STATUS_DELETE_PENDING"),
    (0xc000_005e, "STATUS_NO_LOGON_SERVERS"),
    (0xc000_0061, "STATUS_PRIVILEGE_NOT_HELD"),
    (0xc000_0064, "STATUS_NO_SUCH_USER"),
    (0xc000_006a, "STATUS_WRONG_PASSWORD"),
    (0xc000_006c, "STATUS_PASSWORD_RESTRICTION"),
    (0xc000_006d, "STATUS_LOGON_FAILURE"),
    (0xc000_006e, "STATUS_ACCOUNT_RESTRICTION"),
    (0xc000_006f, "STATUS_INVALID_LOGON_HOURS"),
    (0xc000_0070, "STATUS_INVALID_WORKSTATION"),
    (0xc000_0071, "STATUS_PASSWORD_EXPIRED"),
    (0xc000_0072, "STATUS_ACCOUNT_DISABLED"),
    (0xc000_009a, "STATUS_INSUFFICIENT_RESOURCES"),
    (0xc000_00ac, "STATUS_PIPE_NOT_AVAILABLE"),
    (0xc000_00ae, "STATUS_PIPE_BUSY"),
    (0xc000_00ba, "STATUS_FILE_IS_A_DIRECTORY"),
    (0xc000_00bb, "STATUS_NOT_SUPPORTED"),
    (0xc000_00c9, "STATUS_NETWORK_NAME_DELETED"),
    (0xc000_00ca, "STATUS_NETWORK_ACCESS_DENIED"),
    (0xc000_00cc, "STATUS_BAD_NETWORK_NAME"),
    (0xc000_00d0, "STATUS_REQUEST_NOT_ACCEPTED"),
    (0xc000_0101, "STATUS_DIRECTORY_NOT_EMPTY"),
    (0xc000_0103, "STATUS_NOT_A_DIRECTORY"),
    (0xc000_0120, "STATUS_CANCELLED"),
    (0xc000_0128, "STATUS_FILE_CLOSED"),
    (0xc000_015b, "STATUS_LOGON_TYPE_NOT_GRANTED"),
    (0xc000_018b, "STATUS_NO_TRUST_SAM_ACCOUNT"),
    (0xc000_018c, "STATUS_TRUSTED_DOMAIN_FAILURE"),
    (0xc000_018d, "STATUS_TRUSTED_RELATIONSHIP_FAILURE"),
    (0xc000_0192, "STATUS_NETLOGON_NOT_STARTED"),
    (0xc000_0193, "STATUS_ACCOUNT_EXPIRED"),
    (0xc000_0203, "STATUS_USER_SESSION_DELETED"),
    (0xc000_0224, "STATUS_PASSWORD_MUST_CHANGE"),
    (0xc000_0225, "STATUS_NOT_FOUND"),
    (0xc000_0234, "STATUS_ACCOUNT_LOCKED_OUT"),
    (0xc000_0257, "STATUS_PATH_NOT_COVERED"),
    (0xc000_035c, "STATUS_NETWORK_SESSION_EXPIRED"),
    (0xc000_0413, "STATUS_AUTHENTICATION_FIREWALL_FAILED"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_found() {
        assert!(NAMES.is_sorted_by_key(|&(number, _)| number));
        assert_eq!(name(0xc000_006d), Some("STATUS_LOGON_FAILURE"));
        assert_eq!(name(0xdead_beef), None);
    }

    #[test]
    fn only_credentials_refuse_a_login() {
        assert!(refuses_login(0xc000_006d));
        assert!(!refuses_login(0xc000_009a));
        assert!(!refuses_login(SUCCESS));
    }
}
