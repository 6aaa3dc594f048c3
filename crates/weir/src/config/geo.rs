//! `[geo]`: files that tell country and autonomous system of addresses. They are read with the configuration and again
//! when they have changed on disk; a new file that cannot be read leaves the old answers in force.

use std::fs;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use toml::Table;
use weir_enrich::geo::{FILE_BYTES_MAX, FILES_MAX, Geo, GeoReport};
use weir_model::{Place, Places, Quantity};

use super::{ConfigError, Result, bad, sub, texts, unknown};

/// Length and moment of the last change: what tells that a file is another.
type Stamp = Option<(u64, SystemTime)>;

/// The files of the configuration and what they tell.
#[derive(Debug)]
pub struct GeoFiles {
    paths: Vec<PathBuf>,
    /// Swapped as a whole; held for the time of a copy of the pointer.
    now: RwLock<Arc<Loaded>>,
    /// The files as they were looked at last.
    looked: Mutex<Vec<Stamp>>,
}

#[derive(Debug)]
struct Loaded {
    geo: Geo,
    lines: Vec<String>,
    generation: u64,
}

/// Reads the table; relative names are relative to `folder`, the configuration's.
pub(super) fn read(config: &Table, folder: &Path) -> Result<Option<Arc<GeoFiles>>> {
    let Some(value) = config.get("geo") else {
        return Ok(None);
    };
    let mut paths = Vec::new();
    for (key, value) in sub("geo", value)? {
        let place = format!("geo.{key}");
        match key.as_str() {
            "files" => {
                paths = texts(&place, value)?
                    .iter()
                    .map(|path| folder.join(path))
                    .collect()
            }
            _ => return Err(unknown(&place, key, ["files"])),
        }
    }
    if paths.len() > FILES_MAX {
        return Err(bad("geo.files", &format!("at most {FILES_MAX} are taken")));
    }
    if paths.is_empty() {
        return Ok(None);
    }
    let looked = Mutex::new(stamps(&paths));
    let now = RwLock::new(Arc::new(load(&paths, 0)?));
    Ok(Some(Arc::new(GeoFiles { paths, now, looked })))
}

impl GeoFiles {
    fn now(&self) -> Arc<Loaded> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Do the files tell countries?
    pub fn tells_countries(&self) -> bool {
        self.now().geo.tells_countries()
    }

    /// What reading the files came to, a line each.
    pub fn lines(&self) -> Vec<String> {
        self.now().lines.clone()
    }

    /// Reads the files again when one has changed. Costs a look at each; gives a line for people when there is one.
    pub fn refresh(&self) -> Option<String> {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = stamps(&self.paths);
        if *looked == stamps {
            return None;
        }
        *looked = stamps;
        match load(&self.paths, self.generation() + 1) {
            Ok(next) => {
                let line = format!("geo files read again: {}", next.lines.join("; "));
                *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
                Some(line)
            }
            Err(error) => Some(format!(
                "geo files have changed and cannot be read, the old answers stay in force: {error}"
            )),
        }
    }
}

impl Places for GeoFiles {
    fn place(&self, ip: IpAddr) -> Place {
        self.now().geo.place(ip)
    }

    fn as_name(&self, ip: IpAddr) -> Option<Box<str>> {
        self.now().geo.as_name(ip)
    }

    fn generation(&self) -> u64 {
        self.now().generation
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |path: &PathBuf| {
        let meta = fs::metadata(path).ok()?;
        Some((meta.len(), meta.modified().ok()?))
    };
    paths.iter().map(stamp).collect()
}

fn load(paths: &[PathBuf], generation: u64) -> Result<Loaded> {
    let (mut geo, mut lines) = (Geo::default(), Vec::new());
    for path in paths {
        let report = geo
            .add(bytes(path)?)
            .map_err(|error| bad("geo.files", &format!("{}: {error}", path.display())))?;
        lines.push(line(path, &report));
    }
    Ok(Loaded {
        geo,
        lines,
        generation,
    })
}

fn bytes(path: &Path) -> Result<Vec<u8>> {
    let read = || {
        let mut bytes = Vec::new();
        fs::File::open(path)?
            .take(FILE_BYTES_MAX + 1)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| ConfigError::Unreadable {
        path: path.to_owned(),
        error,
    })?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let why = format!(
            "{}: longer than {}",
            path.display(),
            Quantity::Bytes(FILE_BYTES_MAX)
        );
        return Err(bad("geo.files", &why));
    }
    Ok(bytes)
}

fn line(path: &Path, report: &GeoReport) -> String {
    let tells = match (report.countries, report.systems) {
        (true, true) => "countries and AS numbers",
        (true, false) => "countries",
        _ => "AS numbers",
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("geo file {name} ({}): {tells}", report.kind)
}

#[cfg(test)]
mod tests {
    use weir_testkit::mmdb::{self, Value};

    use super::*;
    use crate::config::Config;

    fn country(code: &'static str) -> Vec<u8> {
        let value = Value::Table(vec![(
            "country",
            Value::Table(vec![("iso_code", Value::Text(code))]),
        )]);
        mmdb::file("Test-Country", &[("198.51.100.0/24", value)])
    }

    fn told(places: &GeoFiles) -> String {
        let place = places.place("198.51.100.7".parse().unwrap());
        place
            .country
            .map_or_else(String::new, |country| country.to_string())
    }

    /// A file that changes is read again; one that breaks leaves the old answers, and says so once.
    #[test]
    fn read_again_when_changed() {
        let folder = std::env::temp_dir().join(format!("weir-geo-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("country.mmdb");
        fs::write(&path, country("CZ")).unwrap();
        let config = Config::parse("[geo]\nfiles = [\"country.mmdb\"]", &folder.join("weir.toml")).unwrap();
        let geo = config.geo.as_ref().unwrap();
        assert!(geo.tells_countries() && geo.refresh().is_none());
        assert_eq!((told(geo).as_str(), geo.generation()), ("CZ", 0));
        fs::write(&path, [country("NL"), vec![0]].concat()).unwrap();
        assert!(
            geo.refresh()
                .unwrap()
                .starts_with("geo files read again: geo file country.mmdb")
        );
        assert_eq!((told(geo).as_str(), geo.generation()), ("NL", 1));
        fs::write(&path, b"broken").unwrap();
        let line = geo.refresh().unwrap();
        assert!(
            line.contains("the old answers stay in force") && line.contains("not a readable"),
            "{line}"
        );
        assert!(geo.refresh().is_none());
        assert_eq!(told(geo), "NL");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn errors_name_the_file() {
        let path = Path::new("weir.toml");
        let missing = Config::parse("[geo]\nfiles = [\"no-such.mmdb\"]", path)
            .err()
            .unwrap();
        assert!(
            missing.to_string().starts_with("no-such.mmdb: cannot be read"),
            "{missing}"
        );
        let key = Config::parse("[geo]\nfile = []", path).err().unwrap();
        assert_eq!(key.to_string(), "geo.file: unknown key; did you mean \"files\"?");
    }
}
