//! The snapshot: every indicator of every list in tables made for one question, "is this on a list?". Immutable, so that
//! threads share it and a new one takes its place between two batches.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ahash::RandomState;
use hashbrown::{HashMap, HashTable};
use ipnet::IpNet;
use weir_model::{IndicatorKind, NANOS_PER_S, SeenAt, Sighting, Time};

use super::prefixes::Prefixes;
use super::value::Value;
use super::{Entries, Entry, Format, KindCounts, ListSpec, Report};

/// Lists in one snapshot.
pub(super) const LISTS_MAX: usize = 1024;
/// Indicators in one snapshot, all lists together; some 40 bytes each, names besides.
pub(super) const INDICATORS_MAX: usize = 8_000_000;
/// Different categories; past it an entry has the category of its list.
pub(super) const CATEGORIES_MAX: usize = 65_536;
/// Characters of a category that are kept.
const CATEGORY_CHARS_MAX: usize = 100;
/// Bytes of all names and texts.
const ARENA_BYTES_MAX: usize = 1 << 30;
/// No entry.
const NONE: u32 = u32::MAX;

/// What is kept of one entry.
#[derive(Clone, Copy, Debug)]
struct Meta {
    list: u16,
    score: u8,
    category: u32,
    /// Seconds since 1970; 0: not said.
    seen_s: u32,
    /// Seconds since 1970; `u32::MAX`: for ever.
    until_s: u32,
    /// The same indicator on another list.
    next: u32,
}

#[derive(Clone, Copy, Debug)]
struct TextRow {
    at: u32,
    len: u16,
    kind: IndicatorKind,
    head: u32,
}

/// Texts by kind and content, each once, in one arena.
#[derive(Debug, Default)]
struct Texts {
    arena: String,
    rows: Vec<TextRow>,
    index: HashTable<u32>,
    hasher: RandomState,
}

impl Texts {
    fn find(&self, kind: IndicatorKind, text: &str) -> Option<u32> {
        let hash = self.hasher.hash_one((kind, text));
        self.index
            .find(hash, |&at| self.is(at, kind, text))
            .map(|at| self.rows[*at as usize].head)
    }

    fn is(&self, at: u32, kind: IndicatorKind, text: &str) -> bool {
        let row = self.rows[at as usize];
        row.kind == kind && self.text(row) == text
    }

    fn text(&self, row: TextRow) -> &str {
        &self.arena[row.at as usize..row.at as usize + usize::from(row.len)]
    }

    /// The head of the text's chain, to be set; `None` when the arena is full.
    fn entry(&mut self, kind: IndicatorKind, text: &str) -> Option<&mut u32> {
        let hash = self.hasher.hash_one((kind, text));
        let known = self.index.find(hash, |&at| self.is(at, kind, text)).copied();
        let at = match known {
            Some(at) => at,
            None => {
                if self.arena.len() + text.len() > ARENA_BYTES_MAX {
                    return None;
                }
                let at = self.rows.len() as u32;
                self.rows.push(TextRow {
                    at: self.arena.len() as u32,
                    len: u16::try_from(text.len()).ok()?,
                    kind,
                    head: NONE,
                });
                self.arena.push_str(text);
                let Self {
                    arena, rows, hasher, ..
                } = self;
                self.index.insert_unique(hash, at, |&known| {
                    let row = rows[known as usize];
                    let text = &arena[row.at as usize..row.at as usize + usize::from(row.len)];
                    hasher.hash_one((row.kind, text))
                });
                at
            }
        };
        self.rows.get_mut(at as usize).map(|row| &mut row.head)
    }
}

/// Takes lists one after the other; [`Builder::finish`] makes the snapshot.
#[derive(Debug, Default)]
pub struct Builder {
    lists: Vec<ListSpec>,
    categories: Vec<Box<str>>,
    category_ids: HashMap<Box<str>, u32>,
    metas: Vec<Meta>,
    v4: HashMap<(u32, u8), u32>,
    v6: HashMap<(u128, u8), u32>,
    services: HashMap<(u128, u16), u32>,
    texts: Texts,
    labels_max: usize,
    counts: KindCounts,
    /// What is known already and is left out.
    known: Option<Arc<Snapshot>>,
}

impl Builder {
    /// No lists yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes only what this snapshot does not hold: for what came since.
    #[must_use]
    pub fn beyond(self, known: Option<Arc<Snapshot>>) -> Self {
        Self { known, ..self }
    }

    /// Adds a list of one or several texts (a folder of MISP events).
    pub fn list<'b>(
        &mut self,
        spec: ListSpec,
        format: Format,
        texts: impl IntoIterator<Item = &'b [u8]>,
    ) -> Report {
        if self.lists.len() >= LISTS_MAX {
            return Report {
                over: 1,
                ..Report::default()
            };
        }
        let list = self.lists.len() as u16;
        self.lists.push(ListSpec {
            allow: spec.allow || format == Format::Warning,
            ..spec
        });
        let mut entries = Entries::new(self, list);
        for bytes in texts {
            format.read(bytes, &mut entries);
        }
        entries.into_report()
    }

    /// Adds an indicator. False when there is no room for it.
    pub(super) fn add(&mut self, list: u16, value: Value, entry: &Entry<'_>) -> bool {
        if self.known.as_ref().is_some_and(|known| known.holds(&value)) {
            return true;
        }
        if self.metas.len() >= INDICATORS_MAX {
            return false;
        }
        let meta = self.meta(list, entry);
        let Self {
            v4,
            v6,
            services,
            texts,
            metas,
            ..
        } = self;
        let (kind, head) = match &value {
            Value::Network(IpNet::V4(net)) => {
                let key = (net.addr().to_bits(), net.prefix_len());
                (IndicatorKind::Address, Some(v4.entry(key).or_insert(NONE)))
            }
            Value::Network(IpNet::V6(net)) => {
                let key = (net.addr().to_bits(), net.prefix_len());
                (IndicatorKind::Address, Some(v6.entry(key).or_insert(NONE)))
            }
            Value::Service(service) => {
                let key = (number(service.ip()), service.port());
                (IndicatorKind::Service, Some(services.entry(key).or_insert(NONE)))
            }
            Value::Domain(text) => (IndicatorKind::Domain, texts.entry(IndicatorKind::Domain, text)),
            Value::Url(text) => (IndicatorKind::Url, texts.entry(IndicatorKind::Url, text)),
            Value::Ja3(text) => (IndicatorKind::Ja3, texts.entry(IndicatorKind::Ja3, text)),
            Value::Ja4(text) => (IndicatorKind::Ja4, texts.entry(IndicatorKind::Ja4, text)),
            Value::Certificate(text) => (
                IndicatorKind::Certificate,
                texts.entry(IndicatorKind::Certificate, text),
            ),
        };
        let Some(head) = head else { return false };
        if chain(metas, head, meta) {
            self.counts.count(kind);
        }
        if let Value::Domain(name) = &value {
            self.labels_max = self.labels_max.max(name.split('.').count());
        }
        true
    }

    fn meta(&mut self, list: u16, entry: &Entry<'_>) -> Meta {
        let spec = &self.lists[usize::from(list)];
        let (base, expire_days) = (spec.score, spec.expire_days);
        let text = match entry.category.trim() {
            "" => spec.category.clone(),
            own => own.chars().take(CATEGORY_CHARS_MAX).collect(),
        };
        let known = self.category_ids.get(&text).copied();
        let category = known.unwrap_or_else(|| {
            if self.categories.len() >= CATEGORIES_MAX {
                return NONE;
            }
            self.categories.push(text.clone());
            let id = self.categories.len() as u32 - 1;
            self.category_ids.insert(text, id);
            id
        });
        // The surer the list, the nearer the list's own score; an entry nobody is sure of stays harmless.
        let sure = u32::from(entry.confidence.unwrap_or(100).min(100));
        let score = 100 - (100 - u32::from(base.min(100))) * sure / 100;
        let fades_s = expire_days
            .zip(entry.seen_s)
            .map(|(days, seen_s)| seen_s.saturating_add(days.saturating_mul(86_400)));
        Meta {
            list,
            score: score as u8,
            category,
            seen_s: entry.seen_s.unwrap_or(0),
            until_s: entry.until_s.into_iter().chain(fades_s).min().unwrap_or(u32::MAX),
            next: NONE,
        }
    }

    /// The snapshot of everything added.
    pub fn finish(self) -> Snapshot {
        let v4 = self.v4.into_iter().map(|((start, len), meta)| (start, len, meta));
        let v6 = self.v6.into_iter().map(|((start, len), meta)| (start, len, meta));
        Snapshot {
            v4: Prefixes::new(v4),
            v6: Prefixes::new(v6),
            lists: self.lists,
            categories: self.categories,
            metas: self.metas,
            services: self.services,
            texts: self.texts,
            labels_max: self.labels_max,
            counts: self.counts,
        }
    }
}

/// Adds an entry to the chain of its indicator. The same list twice: the later confirmation stays. True when it is new.
fn chain(metas: &mut Vec<Meta>, head: &mut u32, meta: Meta) -> bool {
    let mut at = *head;
    while let Some(known) = metas.get_mut(at as usize) {
        if known.list == meta.list {
            if meta.seen_s >= known.seen_s {
                *known = Meta {
                    next: known.next,
                    ..meta
                };
            }
            return false;
        }
        at = known.next;
    }
    metas.push(Meta { next: *head, ..meta });
    *head = metas.len() as u32 - 1;
    true
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// All indicators, ready to be looked up.
#[derive(Debug)]
pub struct Snapshot {
    lists: Vec<ListSpec>,
    categories: Vec<Box<str>>,
    metas: Vec<Meta>,
    v4: Prefixes<u32>,
    v6: Prefixes<u128>,
    services: HashMap<(u128, u16), u32>,
    texts: Texts,
    /// Labels of the longest domain listed: a name is asked for no more than its last so many.
    labels_max: usize,
    counts: KindCounts,
}

/// What is asked about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub(super) at: SeenAt,
    pub(super) time: Time,
    /// It is an address inside: only lists of one's own hosts speak of it.
    pub(super) inside: bool,
}

impl Snapshot {
    /// Indicators by kind, the same on several lists counted once a list.
    pub fn counts(&self) -> KindCounts {
        self.counts
    }

    /// The lists, in the order they were added.
    pub fn lists(&self) -> &[ListSpec] {
        &self.lists
    }

    /// Entries of all lists; an indicator on several lists counts for each.
    pub fn len(&self) -> usize {
        self.metas.len()
    }

    /// Is there nothing to find?
    pub fn is_empty(&self) -> bool {
        self.metas.is_empty()
    }

    /// Is this very indicator on a list?
    pub fn holds(&self, value: &Value) -> bool {
        match value {
            Value::Network(IpNet::V4(net)) => {
                let start = net.addr().to_bits();
                let mut around = self.v4.around(start);
                around.any(|(from, len, _)| (from, len) == (start, net.prefix_len()))
            }
            Value::Network(IpNet::V6(net)) => {
                let start = net.addr().to_bits();
                let mut around = self.v6.around(start);
                around.any(|(from, len, _)| (from, len) == (start, net.prefix_len()))
            }
            Value::Service(service) => self
                .services
                .contains_key(&(number(service.ip()), service.port())),
            Value::Domain(text) => self.texts.find(IndicatorKind::Domain, text).is_some(),
            Value::Url(text) => self.texts.find(IndicatorKind::Url, text).is_some(),
            Value::Ja3(text) => self.texts.find(IndicatorKind::Ja3, text).is_some(),
            Value::Ja4(text) => self.texts.find(IndicatorKind::Ja4, text).is_some(),
            Value::Certificate(text) => self.texts.find(IndicatorKind::Certificate, text).is_some(),
        }
    }

    /// Can flow records match at all, or only transactions?
    pub(super) fn has_addresses(&self) -> bool {
        !self.v4.is_empty() || !self.v6.is_empty() || !self.services.is_empty()
    }

    /// Can transactions match at all?
    pub(super) fn has_texts(&self) -> bool {
        !self.texts.rows.is_empty() || self.has_addresses()
    }

    pub(super) fn address(&self, ip: IpAddr, question: Question, found: &mut Vec<Sighting>) {
        let from = found.len();
        self.networks(ip, question, found);
        self.allow(from, found);
    }

    /// Every list that names the address or a network it lies in.
    fn networks(&self, ip: IpAddr, question: Question, found: &mut Vec<Sighting>) {
        match ip.to_canonical() {
            IpAddr::V4(ip) => {
                for (start, len, head) in self.v4.around(ip.to_bits()) {
                    let text = || prefix(IpAddr::V4(Ipv4Addr::from_bits(start)), len, 32);
                    self.sight(head, IndicatorKind::Address, question, text, found);
                }
            }
            IpAddr::V6(ip) => {
                for (start, len, head) in self.v6.around(ip.to_bits()) {
                    let text = || prefix(IpAddr::V6(Ipv6Addr::from_bits(start)), len, 128);
                    self.sight(head, IndicatorKind::Address, question, text, found);
                }
            }
        }
    }

    pub(super) fn service(&self, ip: IpAddr, port: u16, question: Question, found: &mut Vec<Sighting>) {
        let from = found.len();
        let ip = ip.to_canonical();
        let Some(&head) = self.services.get(&(number(ip), port)) else {
            return;
        };
        let text = || SocketAddr::new(ip, port).to_string();
        self.sight(head, IndicatorKind::Service, question, text, found);
        // Who is known good is so on every port.
        let mut about = Vec::new();
        self.networks(ip, question, &mut about);
        if about.iter().any(|seen| self.allows(seen)) {
            found.truncate(from);
        }
        self.allow(from, found);
    }

    /// A name and every domain it lies in, from the whole name upwards.
    pub(super) fn name(&self, name: &str, question: Question, found: &mut Vec<Sighting>) {
        let from = found.len();
        let name = name.trim_end_matches('.');
        let labels = name.split('.').count();
        let mut rest = Some(name);
        for left in (1..=labels).rev() {
            let Some(domain) = rest else { break };
            if left <= self.labels_max
                && let Some(head) = self.texts.find(IndicatorKind::Domain, domain)
            {
                self.sight(head, IndicatorKind::Domain, question, || domain.to_owned(), found);
            }
            rest = domain.split_once('.').map(|(_, above)| above);
        }
        self.allow(from, found);
    }

    /// A URL in normal form or a fingerprint in lower case.
    pub(super) fn text(
        &self,
        kind: IndicatorKind,
        text: &str,
        question: Question,
        found: &mut Vec<Sighting>,
    ) {
        let from = found.len();
        if let Some(head) = self.texts.find(kind, text) {
            self.sight(head, kind, question, || text.to_owned(), found);
        }
        self.allow(from, found);
    }

    /// Adds a sighting per list that names the indicator and still stands by it.
    fn sight(
        &self,
        head: u32,
        kind: IndicatorKind,
        question: Question,
        text: impl Fn() -> String,
        found: &mut Vec<Sighting>,
    ) {
        let now_s = u32::try_from(question.time.0.max(0) / NANOS_PER_S).unwrap_or(u32::MAX);
        let mut at = head;
        while let Some(meta) = self.metas.get(at as usize) {
            at = meta.next;
            let Some(list) = self.lists.get(usize::from(meta.list)) else {
                continue;
            };
            if now_s > meta.until_s || question.inside && !list.inside {
                continue;
            }
            found.push(Sighting {
                kind,
                at: question.at,
                class: list.class,
                indicator: text().into(),
                list: list.name.clone(),
                category: self
                    .categories
                    .get(meta.category as usize)
                    .unwrap_or(&list.category)
                    .clone(),
                score: meta.score,
                age_s: (meta.seen_s > 0).then(|| u64::from(now_s.saturating_sub(meta.seen_s))),
            });
        }
    }

    /// Where a list of known good things spoke, the others of the same question are not believed.
    fn allow(&self, from: usize, found: &mut Vec<Sighting>) {
        if found.len() > from && found[from..].iter().any(|seen| self.allows(seen)) {
            found.truncate(from);
        }
    }

    /// Does the sighting come from a list of known good things?
    fn allows(&self, seen: &Sighting) -> bool {
        self.lists.iter().any(|list| list.allow && list.name == seen.list)
    }
}

fn prefix(ip: IpAddr, len: u8, full: u8) -> String {
    if len == full {
        ip.to_string()
    } else {
        format!("{ip}/{len}")
    }
}
