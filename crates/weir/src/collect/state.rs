//! The collector's files in its state directory: templates and sampling, so that a restart loses no data, and what is
//! known of each exporter, for `weir exporters`. JSON with a version, replaced whole and never half-written.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use weir_collector::{Counts, DomainState, ExporterReport, SamplerState, SessionState};
use weir_model::Time;
use weir_wire::export::{Field, Format, Template};

/// Version of both files; another one is not read.
const VERSION: u64 = 1;
/// Templates older than this when the collector starts are not used: the exporter may have changed them meanwhile
/// (RFC 7011, 8.4 gives templates over UDP half an hour).
const TEMPLATES_AGE_MAX_NS: i64 = 1_800 * weir_model::NANOS_PER_S;
/// Largest state file read, bytes: the collector's own limits keep it far below.
const FILE_BYTES_MAX: u64 = 256 << 20;

const TEMPLATES_FILE: &str = "templates.json";
const EXPORTERS_FILE: &str = "exporters.json";

/// Where the state is kept unless told: systemd's state directory, else the user's.
pub fn default_directory() -> Option<PathBuf> {
    let from = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    from("STATE_DIRECTORY")
        .or_else(|| from("XDG_STATE_HOME").map(|home| home.join("weir")))
        .or_else(|| from("HOME").map(|home| home.join(".local/state/weir")))
}

/// Writes templates and sampling.
pub(super) fn save_templates(directory: &Path, sessions: &[SessionState], now: Time) -> Result<()> {
    let sessions: Vec<Value> = sessions.iter().map(session_json).collect();
    let content = json!({"version": VERSION, "written_ns": now.0, "sessions": sessions});
    replace(directory, TEMPLATES_FILE, &content)
}

/// Reads templates and sampling; none when there is no file, or it is too old.
pub(super) fn load_templates(directory: &Path, now: Time) -> Result<Vec<SessionState>> {
    let Some(content) = read(directory, TEMPLATES_FILE)? else {
        return Ok(Vec::new());
    };
    let written = Time(content["written_ns"].as_i64().unwrap_or(i64::MIN));
    if now.since(written) > TEMPLATES_AGE_MAX_NS {
        return Ok(Vec::new());
    }
    let sessions = content["sessions"].as_array().into_iter().flatten();
    Ok(sessions.filter_map(session_of).collect())
}

/// What is known of the exporters at one moment.
pub struct Known {
    pub written: Time,
    /// Is the collector still running, as far as it could tell?
    pub running: bool,
    pub reports: Vec<ExporterReport>,
}

/// Writes what is known of the exporters.
pub(super) fn save_exporters(directory: &Path, known: &Known) -> Result<()> {
    let content = json!({
        "version": VERSION,
        "written_ns": known.written.0,
        "running": known.running,
        "exporters": known.reports.iter().map(report_json).collect::<Vec<_>>(),
    });
    replace(directory, EXPORTERS_FILE, &content)
}

/// Reads what a collector wrote of its exporters; `None` when none has written here.
pub fn load_exporters(directory: &Path) -> Result<Option<Known>> {
    let Some(content) = read(directory, EXPORTERS_FILE)? else {
        return Ok(None);
    };
    let reports = content["exporters"].as_array().into_iter().flatten();
    Ok(Some(Known {
        written: Time(content["written_ns"].as_i64().unwrap_or_default()),
        running: content["running"] == true,
        reports: reports.filter_map(report_of).collect(),
    }))
}

/// Replaces a file as a whole: a reader sees the old content or the new one, also after a crash.
fn replace(directory: &Path, name: &str, content: &Value) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    let (path, fresh) = (directory.join(name), directory.join(format!("{name}.new")));
    let write = || {
        let mut file = File::create(&fresh)?;
        file.write_all(content.to_string().as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &path)
    };
    write().with_context(|| path.display().to_string())
}

fn read(directory: &Path, name: &str) -> Result<Option<Value>> {
    let path = directory.join(name);
    let shown = || path.display().to_string();
    match fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(shown),
        Ok(meta) if meta.len() > FILE_BYTES_MAX => bail!("{}: larger than any state of ours", shown()),
        Ok(_) => {}
    }
    let text = fs::read_to_string(&path).with_context(shown)?;
    let content: Value = serde_json::from_str(&text)
        .with_context(|| format!("{}: not a state file; remove it to start anew", shown()))?;
    if content["version"] != VERSION {
        bail!(
            "{}: state of version {}, not {VERSION}; remove it to start anew",
            shown(),
            content["version"]
        );
    }
    Ok(Some(content))
}

fn session_json(session: &SessionState) -> Value {
    let state = &session.state;
    let template = |template: &Template| {
        let fields = template
            .fields
            .iter()
            .map(|field| json!([field.pen, field.id, field.width]));
        json!({"id": template.id, "scope": template.scope_fields, "fields": fields.collect::<Vec<_>>()})
    };
    json!({
        "exporter": session.exporter.to_string(),
        "port": session.port,
        "format": session.format.word(),
        "domain": session.domain,
        "uptime_ms": state.uptime_ms,
        "boot_ms": state.boot_ms,
        "templates": state.templates.iter().map(template).collect::<Vec<_>>(),
        "by_selector": state.samplers.by_selector,
        "by_interface": state.samplers.by_interface,
        "whole": state.samplers.whole,
    })
}

fn session_of(value: &Value) -> Option<SessionState> {
    let field = |field: &Value| {
        Some(Field {
            pen: number(&field[0])?,
            id: number(&field[1])?,
            width: number(&field[2])?,
        })
    };
    let template = |template: &Value| {
        Some(Template {
            id: number(&template["id"])?,
            scope_fields: number(&template["scope"])?,
            fields: template["fields"]
                .as_array()?
                .iter()
                .map(field)
                .collect::<Option<_>>()?,
        })
    };
    let templates = value["templates"].as_array()?.iter().map(template);
    let by_selector = pairs(&value["by_selector"]);
    let by_interface = pairs(&value["by_interface"]);
    Some(SessionState {
        exporter: value["exporter"].as_str()?.parse().ok()?,
        port: number(&value["port"])?,
        format: Format::from_word(value["format"].as_str()?)?,
        domain: number(&value["domain"])?,
        state: DomainState {
            uptime_ms: number(&value["uptime_ms"]),
            boot_ms: value["boot_ms"].as_u64(),
            templates: templates.collect::<Option<_>>()?,
            samplers: SamplerState {
                by_selector,
                by_interface: by_interface
                    .into_iter()
                    .filter_map(|(interface, one_of)| Some((u32::try_from(interface).ok()?, one_of)))
                    .collect(),
                whole: number(&value["whole"]),
            },
        },
    })
}

fn pairs(value: &Value) -> Vec<(u64, u32)> {
    let rows = value.as_array().into_iter().flatten();
    rows.filter_map(|row| Some((row[0].as_u64()?, number(&row[1])?)))
        .collect()
}

fn number<T: TryFrom<u64>>(value: &Value) -> Option<T> {
    T::try_from(value.as_u64()?).ok()
}

/// An exporter as JSON, for the state file and for programs.
pub(crate) fn report_json(report: &ExporterReport) -> Value {
    let counts = report
        .counts
        .named()
        .into_iter()
        .map(|(name, times)| (name, times.into()));
    json!({
        "address": report.address.to_string(),
        "formats": report.formats.iter().map(|format| format.word()).collect::<Vec<_>>(),
        "domains": report.domains,
        "templates": report.templates,
        "elements": report.elements,
        "sampling": report.sampling,
        "active_timeout_s": report.active_timeout_s,
        "idle_timeout_s": report.idle_timeout_s,
        "first_ns": report.first.0,
        "last_ns": report.last.0,
        "skew_ns": report.skew_ns,
        "counts": Value::Object(counts.collect()),
    })
}

fn report_of(value: &Value) -> Option<ExporterReport> {
    let words = |list: &Value| -> Vec<String> {
        let words = list.as_array().into_iter().flatten();
        words.filter_map(|word| Some(word.as_str()?.to_owned())).collect()
    };
    let mut counts = Counts::default();
    for (name, times) in value["counts"].as_object()? {
        counts.set(name, times.as_u64()?);
    }
    let sampling = value["sampling"].as_array()?.iter();
    Some(ExporterReport {
        address: value["address"].as_str()?.parse().ok()?,
        formats: words(&value["formats"])
            .iter()
            .filter_map(|word| Format::from_word(word))
            .collect(),
        domains: number(&value["domains"])?,
        templates: number(&value["templates"])?,
        elements: words(&value["elements"]),
        sampling: sampling.filter_map(number).collect(),
        active_timeout_s: number(&value["active_timeout_s"]),
        idle_timeout_s: number(&value["idle_timeout_s"]),
        first: Time(value["first_ns"].as_i64()?),
        last: Time(value["last_ns"].as_i64()?),
        skew_ns: value["skew_ns"].as_i64()?,
        counts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("weir-state-{name}-{}", std::process::id()))
    }

    fn session() -> SessionState {
        let field = |id, width| Field { pen: 0, id, width };
        SessionState {
            exporter: "2001:db8::1".parse().unwrap(),
            port: 40_000,
            format: Format::Ipfix,
            domain: 7,
            state: DomainState {
                uptime_ms: Some(9),
                boot_ms: None,
                templates: vec![Template {
                    id: 256,
                    scope_fields: 0,
                    fields: vec![field(8, 4), field(82, Field::VARIABLE)],
                }],
                samplers: SamplerState {
                    by_selector: vec![(u64::MAX, 100)],
                    by_interface: vec![(3, 10)],
                    whole: Some(1_000),
                },
            },
        }
    }

    #[test]
    fn templates_come_back_until_they_are_too_old() {
        let (folder, now) = (folder("templates"), Time::from_secs(1_800_000_000));
        assert_eq!(load_templates(&folder, now).unwrap(), []);
        save_templates(&folder, &[session()], now).unwrap();
        assert_eq!(load_templates(&folder, now).unwrap(), [session()]);
        let later = now + TEMPLATES_AGE_MAX_NS + 1;
        assert_eq!(load_templates(&folder, later).unwrap(), []);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn other_versions_and_damage_are_refused_in_words() {
        let folder = folder("damage");
        fs::create_dir_all(&folder).unwrap();
        for (text, words) in [
            ("{\"version\":2}", "state of version 2, not 1"),
            ("{\"version\":1", "not a state file"),
        ] {
            fs::write(folder.join(TEMPLATES_FILE), text).unwrap();
            let error = load_templates(&folder, Time(0)).unwrap_err();
            assert!(format!("{error:#}").contains(words), "{error:#}");
        }
        // What is sound in shape but not in content is passed over.
        fs::write(
            folder.join(TEMPLATES_FILE),
            "{\"version\":1,\"written_ns\":0,\"sessions\":[{},5,{\"exporter\":\"x\"}]}",
        )
        .unwrap();
        assert_eq!(load_templates(&folder, Time(0)).unwrap(), []);
        fs::remove_dir_all(folder).unwrap();
    }
}
