//! Fields of TLS transactions. Hashes stand beside the text they are made of, so that they can be made again.

crate::fields::fields! {
    VERSION = text("tls.version", "Version chosen");
    VERSION_OFFERED = text("tls.version_offered", "Highest version offered");
    SNI = text("tls.sni", "Host name asked for, lower case");
    ALPN = texts("tls.alpn", "Application protocols offered");
    ALPN_CHOSEN = text("tls.alpn_chosen", "Application protocol chosen");
    CIPHER = text("tls.cipher", "Cipher suite chosen");
    JA3 = text("tls.ja3", "JA3 of the client");
    JA3_STRING = text("tls.ja3_string", "Text JA3 is the hash of");
    JA3S = text("tls.ja3s", "JA3S of the server");
    JA3S_STRING = text("tls.ja3s_string", "Text JA3S is the hash of");
    JA4 = text("tls.ja4", "JA4 of the client");
    JA4_RAW = text("tls.ja4_raw", "JA4 with its lists unhashed");
    CERT_SUBJECT = text("tls.cert_subject", "Subject of the certificate");
    CERT_ISSUER = text("tls.cert_issuer", "Issuer of the certificate");
    CERT_SAN = texts("tls.cert_san", "Alternative names of the certificate");
    CERT_SERIAL = text("tls.cert_serial", "Serial number of the certificate, hexadecimal");
    CERT_SHA256 = text("tls.cert_sha256", "SHA-256 of the certificate");
    CERT_SHA1 = text("tls.cert_sha1", "SHA-1 of the certificate");
    CERT_NOT_BEFORE = number("tls.cert_not_before", "Certificate valid from, seconds since 1970");
    CERT_NOT_AFTER = number("tls.cert_not_after", "Certificate valid until, seconds since 1970");
    CERT_SELF_SIGNED = flag("tls.cert_self_signed", "Certificate names itself as issuer");
    CERT_COUNT = number("tls.cert_count", "Certificates in the chain sent");
    ALERT = text("tls.alert", "Alert sent in the clear");
    RESUMED = flag("tls.resumed", "Continues an earlier session");
    ESTABLISHED = flag("tls.established", "Handshake completed; absent when its end was not seen");
}
