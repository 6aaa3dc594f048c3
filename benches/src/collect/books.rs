//! The books that `weir collect` prints at its end, read back, so that their sums can be checked against what was sent.

/// What must agree, the one side and the other.
pub(super) type Sum = (&'static str, u64, u64);

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Books {
    read: u64,
    parsed: u64,
    malformed: u64,
    refused: u64,
    shed: u64,
    dropped: u64,
    records: u64,
    pairs: u64,
    biflows: u64,
    one_way: u64,
    handed_on: u64,
    stored: Option<u64>,
}

impl Books {
    /// Reads what was said on standard error; `None` when no books are in it, as of peers.
    pub(super) fn read(said: &str) -> Option<Self> {
        let mut books = Self::default();
        let mut found = 0;
        for line in said.lines().map(str::trim_start) {
            let numbers = numbers(line);
            if let (true, [read, parsed, malformed, refused, dropped]) =
                (line.starts_with("received: "), &numbers[..])
            {
                (books.read, books.parsed) = (*read, *parsed);
                (books.malformed, books.refused, books.dropped) = (*malformed, *refused, *dropped);
                found += 1;
            } else if let (true, [records, _, pairs, biflows, one_way, handed_on]) =
                (line.starts_with("records: "), &numbers[..])
            {
                (books.records, books.pairs) = (*records, *pairs);
                (books.biflows, books.one_way, books.handed_on) = (*biflows, *one_way, *handed_on);
                found += 1;
            } else if let (true, [shed]) = (line.starts_with("shed: "), &numbers[..]) {
                books.shed = *shed;
            } else if let Some(stored) = line.split_once("stored ").map(|(_, rest)| rest)
                && stored.contains(" flow records")
            {
                books.stored = self::numbers(stored).first().copied();
            }
        }
        (found == 2).then_some(books)
    }

    /// Messages given up because the queue was full.
    pub(super) const fn shed(&self) -> u64 {
        self.shed
    }

    /// The sums that must agree when so many datagrams were sent.
    pub(super) fn identities(&self, sent: u64) -> Vec<Sum> {
        let mut sums = vec![
            ("sent = read + socket drops", sent, self.read + self.dropped),
            (
                "read = parsed + malformed + refused + shed",
                self.read,
                self.parsed + self.malformed + self.refused + self.shed,
            ),
            (
                "records = 2 x pairs + biflows + one-way",
                self.records,
                2 * self.pairs + self.biflows + self.one_way,
            ),
        ];
        if let Some(stored) = self.stored {
            sums.push(("flow records handed on = stored", self.handed_on, stored));
        }
        sums
    }
}

/// Sums for people, one a line, and whether they agree.
pub(super) fn told(sums: &[Sum]) -> String {
    let line = |(what, one, other): &Sum| {
        let verdict = if one == other { "exact" } else { "WRONG" };
        format!("- {what}: {one} = {other}, {verdict}\n")
    };
    sums.iter().map(line).collect()
}

/// The numbers in a line, thousands apart or not.
fn numbers(line: &str) -> Vec<u64> {
    line.split(|letter: char| !letter.is_ascii_digit() && letter != ',')
        .filter_map(|word| word.replace(',', "").parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_are_read_back_and_judged() {
        let said = "weir: listening on udp 127.0.0.1:2055\n\
                    weir: stored 60,000 flow records and 0 transactions; parts of the store: 1.2 MiB\n  \
                    received: 4,005 read = 4,003 parsed + 1 malformed + 1 refused; 95 dropped by the kernel's socket buffers\n  \
                    records: 120,060 parsed = 2 x 60,000 pairs + 0 biflows + 60 one-way; 60,060 flow records handed on\n";
        let books = Books::read(said).unwrap();
        let sums = books.identities(4_100);
        let wrong: Vec<_> = sums.iter().filter(|(_, one, other)| one != other).collect();
        assert_eq!(sums.len(), 4);
        assert_eq!(wrong, [&("flow records handed on = stored", 60_060, 60_000)]);
        assert_eq!(Books::read("nfcapd: startup\n"), None);
    }
}
