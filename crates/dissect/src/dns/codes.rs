//! Names of DNS numbers (IANA "DNS Parameters"). Numbers without a name here are written as RFC 3597 does.

/// Record types that are asked for in practice, or that tunnels like.
const TYPES: &[(u16, &str)] = &[
    (1, "A"),
    (2, "NS"),
    (5, "CNAME"),
    (6, "SOA"),
    (10, "NULL"),
    (12, "PTR"),
    (13, "HINFO"),
    (15, "MX"),
    (16, "TXT"),
    (17, "RP"),
    (18, "AFSDB"),
    (24, "SIG"),
    (25, "KEY"),
    (28, "AAAA"),
    (29, "LOC"),
    (33, "SRV"),
    (35, "NAPTR"),
    (36, "KX"),
    (37, "CERT"),
    (39, "DNAME"),
    (41, "OPT"),
    (42, "APL"),
    (43, "DS"),
    (44, "SSHFP"),
    (45, "IPSECKEY"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (49, "DHCID"),
    (50, "NSEC3"),
    (51, "NSEC3PARAM"),
    (52, "TLSA"),
    (53, "SMIMEA"),
    (55, "HIP"),
    (59, "CDS"),
    (60, "CDNSKEY"),
    (61, "OPENPGPKEY"),
    (62, "CSYNC"),
    (63, "ZONEMD"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (99, "SPF"),
    (249, "TKEY"),
    (250, "TSIG"),
    (251, "IXFR"),
    (252, "AXFR"),
    (255, "ANY"),
    (256, "URI"),
    (257, "CAA"),
    (32769, "DLV"),
];

/// Response codes (RFC 6895 2.3), the extended ones included.
const RCODES: &[(u16, &str)] = &[
    (0, "NOERROR"),
    (1, "FORMERR"),
    (2, "SERVFAIL"),
    (3, "NXDOMAIN"),
    (4, "NOTIMP"),
    (5, "REFUSED"),
    (6, "YXDOMAIN"),
    (7, "YXRRSET"),
    (8, "NXRRSET"),
    (9, "NOTAUTH"),
    (10, "NOTZONE"),
    (11, "DSOTYPENI"),
    (16, "BADVERS"),
    (17, "BADKEY"),
    (18, "BADTIME"),
    (22, "BADTRUNC"),
    (23, "BADCOOKIE"),
];

/// Text of a record type: `A`, `TXT`, `TYPE65280`.
pub(crate) fn type_text(code: u16) -> Box<str> {
    known_type(code).map_or_else(|| format!("TYPE{code}").into(), Into::into)
}

/// Name of a record type, when it has one.
pub(crate) fn known_type(code: u16) -> Option<&'static str> {
    name_of(TYPES, code)
}

/// Text of a response code: `NXDOMAIN`, `RCODE12`.
pub(crate) fn rcode_text(code: u16) -> Box<str> {
    name_of(RCODES, code).map_or_else(|| format!("RCODE{code}").into(), Into::into)
}

/// Text of a class: `IN`, `CH`, `CLASS7`.
pub(crate) fn class_text(code: u16) -> Box<str> {
    match code {
        1 => "IN".into(),
        3 => "CH".into(),
        4 => "HS".into(),
        254 => "NONE".into(),
        255 => "ANY".into(),
        other => format!("CLASS{other}").into(),
    }
}

fn name_of(table: &[(u16, &'static str)], code: u16) -> Option<&'static str> {
    table
        .binary_search_by_key(&code, |&(code, _)| code)
        .ok()
        .map(|at| table[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted() {
        assert!(TYPES.is_sorted_by(|a, b| a.0 < b.0));
        assert!(RCODES.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(&*type_text(28), "AAAA");
        assert_eq!(&*type_text(65280), "TYPE65280");
        assert_eq!(&*rcode_text(3), "NXDOMAIN");
    }
}
