//! Host names of the mix: eight thousand registrable domains under reserved suffixes (RFC 2606), a few of them popular,
//! one name in twelve unique. Reserved suffixes, because an invented name elsewhere may belong to somebody.

use super::random::{Random, spread};

const FIRST: [&str; 40] = [
    "amber", "arctic", "birch", "blue", "bright", "calm", "cedar", "clear", "cloud", "copper", "coral",
    "crisp", "dawn", "deep", "delta", "early", "ember", "fern", "fresh", "gold", "granite", "green",
    "harbor", "hazel", "indigo", "iron", "lunar", "maple", "mellow", "north", "oak", "pearl", "quiet",
    "rapid", "silver", "slate", "solar", "swift", "urban", "vivid",
];
const SECOND: [&str; 40] = [
    "bank", "base", "books", "bridge", "build", "cart", "chart", "code", "craft", "data", "desk", "field",
    "files", "forge", "forum", "games", "guide", "health", "labs", "ledger", "mail", "maps", "market",
    "media", "music", "news", "notes", "path", "photo", "press", "radio", "river", "school", "shop",
    "sports", "store", "stream", "travel", "video", "works",
];
const SUFFIX: [&str; 5] = ["example.com", "example.net", "example.org", "example", "test"];
const HOST: [&str; 14] = [
    "www", "www", "www", "api", "cdn", "static", "img", "app", "login", "mail", "assets", "edge-3",
    "eu1.api", "m",
];

/// Domains in all: every first word with every second word under every suffix.
const DOMAINS: u64 = (FIRST.len() * SECOND.len() * SUFFIX.len()) as u64;
/// Coprime to `DOMAINS`; scatters popularity over the words.
const STRIDE: u64 = 3_001;

/// Writes the next host name into `out`, lower case, without a final dot.
pub(super) fn host_name(random: &mut Random, out: &mut String) {
    out.clear();
    // The product of two uniform draws favours low ranks: the first 10 % of the domains get a third of the names.
    let rank = random.below(DOMAINS) * random.below(DOMAINS) / DOMAINS;
    let domain = (rank * STRIDE % DOMAINS) as usize;
    if random.below(12) == 0 {
        out.push('e');
        for _ in 0..8 {
            out.push(char::from(random.pick(b"0123456789abcdef")));
        }
        out.push_str(".cdn");
    } else {
        out.push_str(random.pick(&HOST));
    }
    out.push('.');
    out.push_str(FIRST[domain % FIRST.len()]);
    out.push_str(SECOND[domain / FIRST.len() % SECOND.len()]);
    out.push('.');
    out.push_str(SUFFIX[domain / (FIRST.len() * SECOND.len())]);
}

/// 64-bit hash of bytes that never changes: FNV-1a, finished by [`spread`]. Addresses and name digests build on it.
#[must_use]
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let fnv = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    spread(fnv)
}
