//! The words of `-s`, `-A`, `-O` and `--show` as keys and figures of a search. Spellings are nfdump's where it has one, and
//! every column of flow records otherwise.

use std::sync::LazyLock;

use anyhow::{Result, anyhow, bail};
use weir_query::{Catalog, Field, Kind, Reads};
use weir_store::flow::search::{Cut, Figure, Key, Measure};

/// nfdump's spellings that are not a column's name.
const SPELLINGS: &[(&str, &str)] = &[
    ("srcip", "src_ip"),
    ("dstip", "dst_ip"),
    ("srcport", "src_port"),
    ("dstport", "dst_port"),
    ("srcmac", "src_mac"),
    ("dstmac", "dst_mac"),
    ("router", "exporter"),
    ("ibyte", "dst_bytes"),
    ("obyte", "src_bytes"),
    ("ipkg", "dst_packets"),
    ("opkg", "src_packets"),
];
/// What `record` groups by.
pub(super) const FIVE_TUPLE: [&str; 5] = ["proto", "src_ip", "src_port", "dst_ip", "dst_port"];

/// A statistic: keys, and the figures that order it, one table each.
pub(super) struct Statistic {
    pub keys: Vec<Key>,
    pub orders: Vec<Measure>,
}

/// The words of one kind of record.
#[derive(Clone, Copy)]
pub(super) struct Words {
    catalog: &'static Catalog,
    /// What a record is called.
    records: &'static str,
}

/// Fields of all dissectors.
pub(super) fn dissected() -> impl Iterator<Item = &'static weir_model::Field> {
    let dissectors = weir_dissect::REGISTRY.iter();
    dissectors.flat_map(|entry| entry.meta.fields.iter().copied())
}

impl Words {
    /// Of flow records, and of their transactions as far as these tell flows apart.
    pub(super) fn flows() -> Self {
        static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::flows_with_transactions(dissected()));
        Self {
            catalog: &CATALOG,
            records: "flows",
        }
    }

    /// Of transactions.
    pub(super) fn transactions() -> Self {
        static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::transactions(dissected()));
        Self {
            catalog: &CATALOG,
            records: "transactions",
        }
    }

    pub(super) fn catalog(self) -> &'static Catalog {
        self.catalog
    }
}

impl Words {
    /// `srcip/bytes`, `dstport:p/flows/packets`, `srcip/24/bytes`, `record/bytes`, `srcip/distinct(dstip)`.
    pub(super) fn statistic(self, text: &str) -> Result<Statistic> {
        let mut parts = split(text, '/');
        let word = parts.remove(0);
        let bits = parts.first().and_then(|part| part.parse::<u8>().ok());
        if bits.is_some() {
            parts.remove(0);
        }
        let (word, by_protocol) = match word.strip_suffix(":p") {
            Some(word) => (word, true),
            None => (word, false),
        };
        let mut keys = if word == "record" {
            FIVE_TUPLE
                .into_iter()
                .map(|name| self.key(name, None))
                .collect::<Result<_>>()?
        } else {
            vec![self.key(word, bits)?]
        };
        if by_protocol {
            keys.insert(0, self.key("proto", None)?);
        }
        let mut orders = parts
            .iter()
            .map(|part| self.measure(part))
            .collect::<Result<Vec<_>>>()?;
        if orders.is_empty() {
            orders.push(self.measure("records")?);
        }
        Ok(Statistic { keys, orders })
    }

    /// `srcip,dstport`, `srcip/24,proto`.
    pub(super) fn keys(self, text: &str) -> Result<Vec<Key>> {
        let words = text.split(',').map(str::trim);
        let keys = words.map(|word| match word.split_once('/') {
            Some((word, bits)) => {
                let bits = bits
                    .parse()
                    .map_err(|_| anyhow!("{bits:?} is no prefix length"))?;
                self.key(word, Some(bits))
            }
            None => self.key(word, None),
        });
        keys.collect()
    }

    /// Figures with commas between them.
    pub(super) fn measures(self, text: &str) -> Result<Vec<Measure>> {
        split(text, ',')
            .into_iter()
            .map(|word| self.measure(word))
            .collect()
    }

    /// A figure: `flows`, `packets`, `bytes`, `pps`, `bps`, `bpp`, any number, or a function of a field.
    pub(super) fn measure(self, word: &str) -> Result<Measure> {
        let word = word.trim();
        let figure = match word {
            "flows" | "records" | "transactions" => Figure::Records,
            "pps" => Figure::Rate(self.field("packets")?, 1e9),
            "bps" => Figure::Rate(self.field("bytes")?, 8e9),
            "bpp" => Figure::Quotient(self.field("bytes")?, self.field("packets")?),
            "first" => Figure::Least(self.field("start")?),
            "last" => Figure::Greatest(self.field("end")?),
            _ => match word.strip_suffix(')').and_then(|word| word.split_once('(')) {
                Some((function, of)) => self.called(function, of)?,
                None => Figure::Sum(self.number(word)?),
            },
        };
        let name = match &figure {
            Figure::Sum(field) => field.name,
            Figure::Records => self.records,
            _ => word,
        };
        Ok(Measure::new(name, figure))
    }

    fn called(self, function: &str, of: &str) -> Result<Figure> {
        let share = function
            .strip_prefix('p')
            .and_then(|share| share.parse::<f64>().ok());
        Ok(match (function, share) {
            (_, Some(share)) if (0.0..=100.0).contains(&share) => {
                Figure::Quantile(self.number(of)?, share / 100.0)
            }
            ("distinct" | "count", _) => Figure::Distinct(self.key(of, None)?),
            ("avg" | "mean", _) => Figure::Mean(self.number(of)?),
            ("min", _) => Figure::Least(self.field(of)?),
            ("max", _) => Figure::Greatest(self.field(of)?),
            ("sum", _) => Figure::Sum(self.number(of)?),
            ("flags", _) => Figure::Flags(self.field(of)?),
            _ => bail!(
                "{function}() is no function here; take distinct, avg, min, max, sum, flags, or p95 and the like"
            ),
        })
    }

    fn number(self, word: &str) -> Result<Field> {
        let field = self.field(word)?;
        let added = matches!(field.reads, Reads::One(_) | Reads::Sum(..) | Reads::Span(..));
        if matches!(field.kind, Kind::Number(_)) && added {
            return Ok(field);
        }
        bail!(
            "{} is no number that can be added up; take flows, packets, bytes, duration ...",
            field.name
        )
    }

    /// A key; `bits` cut an address: of IPv4, and with 64 of IPv6 unless the word says which is meant (`srcip6/48`).
    fn key(self, word: &str, bits: Option<u8>) -> Result<Key> {
        let version = ["4", "6"]
            .into_iter()
            .find(|version| bits.is_some() && word.ends_with(*version));
        let base = version.map_or(word, |version| &word[..word.len() - version.len()]);
        let field = self.field(base)?;
        let mut key = Key::of(&field).ok_or_else(|| {
            anyhow!(
                "{} is computed for every record; group by a column instead",
                field.name
            )
        })?;
        let Some(bits) = bits else {
            return Ok(key);
        };
        key.cut = match version {
            Some("4") => Cut::Prefix { v4: bits, v6: 128 },
            Some(_) => Cut::Prefix { v4: 32, v6: bits },
            None => Cut::Prefix { v4: bits, v6: 64 },
        };
        key.name = format!("{}/{bits}", key.name);
        Ok(key)
    }

    /// A field in any spelling.
    pub(super) fn field(self, word: &str) -> Result<Field> {
        let word = word.trim();
        let catalog = self.catalog;
        let spelled = SPELLINGS
            .iter()
            .find(|(nfdump, _)| nfdump.eq_ignore_ascii_case(word));
        let name = spelled.map_or(word, |(_, name)| name);
        if let Some(field) = catalog.field(name) {
            return Ok(field.clone());
        }
        let known = catalog.fields().iter().map(|field| field.name);
        let known = known.chain(SPELLINGS.iter().map(|(nfdump, _)| *nfdump));
        let nearest = known
            .map(|known| (strsim::damerau_levenshtein(known, word), known))
            .min()
            .filter(|(distance, _)| *distance <= 3);
        let hint = nearest.map_or_else(String::new, |(_, known)| format!("; did you mean {known}?"));
        bail!(
            "{} have no column {word:?}{hint} (weir flows --help names the usual ones)",
            self.records
        )
    }
}

/// Parts at a sign that stands outside of parentheses.
fn split(text: &str, sign: char) -> Vec<&str> {
    let (mut depth, mut from, mut parts) = (0_u32, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            c if c == sign && depth == 0 => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(keys: &[Key]) -> Vec<&str> {
        keys.iter().map(|key| key.name.as_str()).collect()
    }

    #[test]
    fn statistics_as_nfdump_writes_them() {
        for (text, keys, orders) in [
            ("srcip", vec!["src_ip"], vec!["flows"]),
            ("srcip/bytes", vec!["src_ip"], vec!["bytes"]),
            (
                "dstport:p/flows/packets",
                vec!["proto", "dst_port"],
                vec!["flows", "packets"],
            ),
            ("record/bytes", FIVE_TUPLE.to_vec(), vec!["bytes"]),
            ("srcip/24/bps", vec!["src_ip/24"], vec!["bps"]),
            ("ip4/16/bytes", vec!["ip/16"], vec!["bytes"]),
            ("srcip/distinct(dstip)", vec!["src_ip"], vec!["distinct(dstip)"]),
            ("app/p95(duration)", vec!["app"], vec!["p95(duration)"]),
        ] {
            let found = Words::flows().statistic(text).unwrap();
            assert_eq!(names(&found.keys), keys, "{text}");
            let found: Vec<&str> = found.orders.iter().map(|order| order.name.as_str()).collect();
            assert_eq!(found, orders, "{text}");
        }
        assert_eq!(
            names(&Words::flows().keys("srcip/24, dstport").unwrap()),
            ["src_ip/24", "dst_port"]
        );
    }

    #[test]
    fn slips_are_told() {
        for (text, told) in [
            ("srcpi/bytes", "did you mean srcip?"),
            ("srcip/byte", "did you mean bytes?"),
            ("bps/bytes", "group by a column instead"),
            ("srcip/app", "no number that can be added up"),
            ("srcip/median(bytes)", "no function here"),
        ] {
            let error = Words::flows().statistic(text).map(drop).unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
