//! The names Tor makes up for its TLS handshakes (Tor protocol specification, link handshakes 1 to 3): the client asks
//! for `www.RANDOM.com`; the relay's certificate is for `www.RANDOM.net`, issued by `www.RANDOM.com`, each by lot.

use weir_model::Transaction;

/// Lengths of the random labels, as the program draws them.
const ASKED: std::ops::RangeInclusive<usize> = 4..=25;
const SHOWN: std::ops::RangeInclusive<usize> = 8..=20;

/// Is this handshake Tor's? The three names differ, which no site's certificate would survive.
pub(super) fn is_tors(handshake: &Transaction) -> bool {
    let random = |field: &str, ending: &str, lengths: std::ops::RangeInclusive<usize>| {
        let name = handshake.text(field)?;
        let name = name.strip_prefix("CN=").unwrap_or(name);
        let label = name.strip_prefix("www.")?.strip_suffix(ending)?;
        let by_lot = lengths.contains(&label.len())
            && label
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'));
        by_lot.then_some(label)
    };
    let asked = random("tls.sni", ".com", ASKED);
    let subject = random("tls.cert_subject", ".net", SHOWN);
    let issuer = random("tls.cert_issuer", ".com", SHOWN);
    match (asked, subject, issuer) {
        (Some(asked), Some(subject), Some(issuer)) => {
            asked != subject && subject != issuer && asked != issuer
        }
        _ => false,
    }
}
