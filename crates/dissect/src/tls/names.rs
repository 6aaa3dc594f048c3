//! Names of TLS numbers (IANA "TLS Parameters"): versions, cipher suites, alerts.
//! Numbers without a name are shown as they came, so that nothing new to us is hidden.

use tls_parser::TlsCipherSuite;

/// Text of a version: `TLS1.3`, `SSL3.0`, `0x7f1c` for a draft.
pub(crate) fn version(version: u16) -> Box<str> {
    match version {
        0x0300 => "SSL3.0".into(),
        0x0301 => "TLS1.0".into(),
        0x0302 => "TLS1.1".into(),
        0x0303 => "TLS1.2".into(),
        0x0304 => "TLS1.3".into(),
        other => format!("0x{other:04x}").into(),
    }
}

/// Name of a cipher suite, or its number: `TLS_AES_128_GCM_SHA256`, `0xfefe`.
pub(crate) fn cipher(cipher: u16) -> Box<str> {
    TlsCipherSuite::from_id(cipher)
        .map_or_else(|| format!("0x{cipher:04x}").into(), |suite| suite.name.into())
}

/// Name of an alert: `handshake_failure`, `alert_7`.
pub(crate) fn alert(description: u8) -> Box<str> {
    let name = match description {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        111 => "certificate_unobtainable",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        114 => "bad_certificate_hash_value",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        121 => "ech_required",
        other => return format!("alert_{other}").into(),
    };
    name.into()
}
