//! Country and autonomous system of addresses, out of files in the MaxMind DB format. The keys of MaxMind, DB-IP and
//! IPinfo are known. Files come from strangers: what cannot be read is an error or nothing known, never a guess.

mod cache;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

use maxminddb::{LookupResult, MaxMindDbError, PathElement, Reader, WithinOptions};
use weir_model::{Country, Place, Places};

pub(crate) use cache::Cache;

/// Bytes of one file. The largest files of the vendors (cities of the world) have some 130 MiB.
pub const FILE_BYTES_MAX: u64 = 512 << 20;
/// Files at once: countries and systems of IPv4 and IPv6 are four at most, and one's own beside them.
pub const FILES_MAX: usize = 8;
/// Networks looked at to learn what a file tells. Files are in the order of addresses, and the first tell enough.
const SAMPLE_NETWORKS: usize = 1_000;
/// Characters of a system's name that are kept.
const NAME_CHARS_MAX: usize = 80;

/// Why a file was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GeoError {
    /// It is no MaxMind DB, or a damaged one.
    Damaged(String),
    /// It has records, but neither countries nor systems under any key that is known; the type it gives itself.
    TellsNothing(String),
    /// One file more than [`FILES_MAX`].
    TooMany,
}

impl fmt::Display for GeoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(why) => write!(f, "not a readable MaxMind DB file: {why}"),
            Self::TellsNothing(kind) => write!(
                f,
                "a MaxMind DB file of type {kind:?} without countries and AS numbers; give a country, city or ASN file"
            ),
            Self::TooMany => write!(f, "at most {FILES_MAX} files are taken"),
        }
    }
}

impl std::error::Error for GeoError {}

/// What a file tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeoReport {
    /// The type the file gives itself, such as `GeoLite2-Country`.
    pub kind: String,
    pub countries: bool,
    pub systems: bool,
    /// When it was made, seconds since 1970.
    pub built_s: u64,
}

/// Some files, asked in their order: what the first does not know, the next may.
#[derive(Debug, Default)]
pub struct Geo {
    files: Vec<File>,
    /// Look-ups that met damage.
    damaged: AtomicU64,
}

struct File {
    reader: Reader<Vec<u8>>,
    report: GeoReport,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.report.fmt(f)
    }
}

impl Geo {
    /// Takes a file's bytes and says what it tells.
    pub fn add(&mut self, bytes: Vec<u8>) -> Result<GeoReport, GeoError> {
        if self.files.len() >= FILES_MAX {
            return Err(GeoError::TooMany);
        }
        let reader = Reader::from_source(bytes).map_err(damaged)?;
        let report = sample(&reader)?;
        self.files.push(File {
            reader,
            report: report.clone(),
        });
        Ok(report)
    }

    /// Does a file tell countries?
    pub fn tells_countries(&self) -> bool {
        self.files.iter().any(|file| file.report.countries)
    }

    /// Look-ups that met damage in a file: their addresses count as unknown.
    pub fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    /// What the first file says that says anything; damage is counted.
    fn first<T>(
        &self,
        ip: IpAddr,
        wanted: impl Fn(&GeoReport) -> bool,
        read: impl Fn(&Found<'_>) -> Result<Option<T>, MaxMindDbError>,
    ) -> Option<T> {
        let files = self.files.iter().filter(|file| wanted(&file.report));
        files
            .filter_map(|file| {
                let value = file.reader.lookup(ip).and_then(|found| read(&found));
                value.unwrap_or_else(|_| {
                    self.damaged.fetch_add(1, Ordering::Relaxed);
                    None
                })
            })
            .next()
    }
}

impl Places for Geo {
    fn place(&self, ip: IpAddr) -> Place {
        // An IPv4 address in IPv6 clothes is registered as what it is.
        let ip = ip.to_canonical();
        Place {
            country: self.first(ip, |report| report.countries, country),
            as_number: self.first(ip, |report| report.systems, as_number),
        }
    }

    fn as_name(&self, ip: IpAddr) -> Option<Box<str>> {
        self.first(ip.to_canonical(), |report| report.systems, as_name)
    }
}

type Found<'a> = LookupResult<'a, Vec<u8>>;

fn damaged(error: MaxMindDbError) -> GeoError {
    GeoError::Damaged(error.to_string())
}

/// Looks at the first networks of a file.
fn sample(reader: &Reader<Vec<u8>>) -> Result<GeoReport, GeoError> {
    let metadata = reader.metadata();
    let mut report = GeoReport {
        kind: metadata.database_type.chars().take(NAME_CHARS_MAX).collect(),
        countries: false,
        systems: false,
        built_s: metadata.build_epoch,
    };
    let options = WithinOptions::default().skip_empty_values();
    let networks = reader.networks(options).map_err(damaged)?;
    for found in networks.take(SAMPLE_NETWORKS) {
        let found = found.map_err(damaged)?;
        report.countries = report.countries || country(&found).map_err(damaged)?.is_some();
        report.systems = report.systems || as_number(&found).map_err(damaged)?.is_some();
        if report.countries && report.systems {
            break;
        }
    }
    if report.countries || report.systems {
        Ok(report)
    } else {
        Err(GeoError::TellsNothing(report.kind))
    }
}

/// The text under a path. A value of another type is none; damage is an error.
fn text<'a>(found: &Found<'a>, path: &[&'static str]) -> Result<Option<&'a str>, MaxMindDbError> {
    let path: Vec<PathElement<'_>> = path.iter().map(|key| PathElement::Key(key)).collect();
    match found.decode_path::<&str>(&path) {
        // Another vendor's shape: the key holds a table where this one has a text, or a text where it has a table.
        Err(MaxMindDbError::Decoding { .. }) => Ok(None),
        other => other,
    }
}

/// `{"country": {"iso_code": "CZ"}}` of MaxMind and DB-IP, `{"country_code": "CZ"}` and `{"country": "CZ"}` of IPinfo;
/// where a network has no place of its own, the country it is registered in.
fn country(found: &Found<'_>) -> Result<Option<Country>, MaxMindDbError> {
    const PATHS: [&[&str]; 4] = [
        &["country", "iso_code"],
        &["country_code"],
        &["country"],
        &["registered_country", "iso_code"],
    ];
    for path in PATHS {
        if let Some(country) = text(found, path)?.and_then(Country::from_code) {
            return Ok(Some(country));
        }
    }
    Ok(None)
}

/// `{"autonomous_system_number": 64500}` of MaxMind and DB-IP, `{"asn": "AS64500"}` of IPinfo.
fn as_number(found: &Found<'_>) -> Result<Option<NonZeroU32>, MaxMindDbError> {
    let path = [PathElement::Key("autonomous_system_number")];
    match found.decode_path::<u32>(&path) {
        Ok(Some(number)) => return Ok(NonZeroU32::new(number)),
        Ok(None) | Err(MaxMindDbError::Decoding { .. }) => {}
        Err(error) => return Err(error),
    }
    let number = text(found, &["asn"])?.and_then(|asn| asn.trim_start_matches("AS").parse().ok());
    Ok(number.and_then(NonZeroU32::new))
}

/// `autonomous_system_organization` of MaxMind and DB-IP, `as_name` or `name` of IPinfo.
fn as_name(found: &Found<'_>) -> Result<Option<Box<str>>, MaxMindDbError> {
    for key in ["autonomous_system_organization", "as_name", "name"] {
        if let Some(name) = text(found, &[key])?.filter(|name| !name.is_empty()) {
            return Ok(Some(name.chars().take(NAME_CHARS_MAX).collect()));
        }
    }
    Ok(None)
}
