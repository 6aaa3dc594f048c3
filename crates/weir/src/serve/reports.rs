//! What the interface shows of exporters, lists of indicators, patterns and learned state: made when somebody asks.

use std::path::Path;

use anyhow::Result;
use weir_api::exporters::{Covered, Exporter, MethodReach, Missing};
use weir_api::indicators::IndicatorList;
use weir_api::patterns::{NewPattern, PatternShown};
use weir_api::settings::Origin;
use weir_api::start::Learned;
use weir_api::status::Counted;
use weir_collector::ExporterReport;
use weir_detect::{REGISTRY, Shard};
use weir_model::{Need, Time};
use weir_store::learned;

use super::setting::{now, stamp};
use super::status::Board;
use crate::collect::{self, Reach, coverage, remarks};
use crate::config::patterns::{ReadPattern, USER_PREFIX, of_text, shipped};
use crate::config::{Config, Layers};
use crate::fetch::Remote;
use crate::replay::HAVE;

/// Exporters of the collector, by address; none where none keeps statistics.
pub(super) fn exporters(config: &Config, board: &Board, folder: &Path) -> Vec<Exporter> {
    let known = collect::load_exporters(folder).ok().flatten();
    let reports = known.into_iter().flat_map(|known| known.reports);
    let mut shown: Vec<Exporter> = reports
        .take(super::status::EXPORTERS_MAX)
        .map(|report| exporter(config, board, &report))
        .collect();
    shown.sort_by(|one, other| one.address.cmp(&other.address));
    shown
}

fn exporter(config: &Config, board: &Board, report: &ExporterReport) -> Exporter {
    let counts = &report.counts;
    let flows = counts.one_way + counts.two_way;
    let methods = coverage(config, report).unwrap_or_default();
    Exporter {
        address: report.address.to_string(),
        state: super::status::exporter_state(report, now()),
        formats: report
            .formats
            .iter()
            .map(|format| format.word().to_owned())
            .collect(),
        domains: report.domains,
        templates: report.templates,
        elements: report.elements.clone(),
        sampling: report.sampling.clone(),
        active_timeout_s: report.active_timeout_s,
        idle_timeout_s: report.idle_timeout_s,
        first: stamp(report.first),
        last: stamp(report.last),
        skew_s: report.skew_ns as f64 / 1e9,
        records_per_s: board.exporter_rate(&report.address),
        records: counts.records,
        messages: counts.messages,
        lost: counts.lost,
        one_way: (flows > 0).then(|| counts.one_way as f64 / flows as f64),
        counts: counts
            .named()
            .into_iter()
            .map(|(name, count)| Counted::new(name, count))
            .collect(),
        notes: remarks(report),
        methods: methods
            .into_iter()
            .map(|(meta, reach)| covered(meta.code, &reach))
            .collect(),
    }
}

fn covered(method: &str, reach: &Reach) -> Covered {
    let words = |needs: &[Need]| {
        let words: Vec<_> = needs.iter().map(|need| need.words()).collect();
        words.join(", ")
    };
    let (reach, missing) = match reach {
        Reach::Full => (MethodReach::Full, Vec::new()),
        Reach::Part(missing) => {
            let missing = missing.iter().map(|(name, needs)| Missing {
                submethod: Some((*name).to_owned()),
                needs: words(needs),
            });
            (MethodReach::Part, missing.collect())
        }
        Reach::Blind(needs) => {
            let missing = Missing {
                submethod: None,
                needs: words(needs),
            };
            (MethodReach::Blind, vec![missing])
        }
    };
    Covered {
        method: method.to_owned(),
        reach,
        missing,
    }
}

/// Lists of indicators: those that are fetched, then those of files.
pub(super) fn indicators(config: &Config) -> Vec<IndicatorList> {
    let mut lists: Vec<IndicatorList> = config.remotes.iter().map(fetched).collect();
    for line in &config.list_lines {
        let name = line.strip_prefix("list ").and_then(|rest| rest.split_once(':'));
        let Some((name, _)) = name else { continue };
        let name = name.trim_end_matches(" (fetched)");
        match lists.iter_mut().find(|list| list.name == name) {
            Some(list) => list.line = Some(line.clone()),
            None => lists.push(IndicatorList {
                line: Some(line.clone()),
                ..nothing(name)
            }),
        }
    }
    lists
}

fn nothing(name: &str) -> IndicatorList {
    IndicatorList {
        name: name.to_owned(),
        fetched: false,
        from: None,
        indicators: None,
        bytes: None,
        confirmed: None,
        changed: None,
        next: None,
        failures: 0,
        error: None,
        line: None,
    }
}

fn fetched(remote: &Remote) -> IndicatorList {
    let state = remote.state();
    let at = |seconds: u64| {
        let seconds = i64::try_from(seconds).ok().filter(|seconds| *seconds > 0);
        seconds.map(|seconds| stamp(Time::from_secs(seconds)))
    };
    // A query of the URL, and a user in it, may be secrets.
    let host = remote.url.host_str().unwrap_or_default();
    IndicatorList {
        fetched: true,
        from: Some(format!("{}://{host}{}", remote.url.scheme(), remote.url.path())),
        indicators: Some(state.indicators),
        bytes: Some(state.bytes),
        confirmed: at(state.fetched_s),
        changed: at(state.changed_s),
        next: at(remote.due_s(&state)),
        failures: state.failures,
        error: state.error,
        ..nothing(&remote.name)
    }
}

/// Patterns: people's own, then those of the program.
pub(super) fn patterns(config: &Config, layers: &Layers) -> Vec<PatternShown> {
    let written: Vec<NewPattern> = layers
        .managed_patterns()
        .iter()
        .filter_map(|value| value.clone().try_into().ok())
        .collect();
    let own = config.patterns.iter().map(|pattern| {
        let name = pattern.compiled.name();
        let name = name.strip_prefix(USER_PREFIX).unwrap_or(name);
        let written = written.iter().find(|written| written.name == name).cloned();
        let origin = match written {
            Some(_) => Origin::Managed,
            None => Origin::File,
        };
        shown(pattern, origin, written)
    });
    let program = shipped()
        .iter()
        .map(|pattern| shown(pattern, Origin::Default, None));
    own.chain(program).collect()
}

fn shown(pattern: &ReadPattern, origin: Origin, written: Option<NewPattern>) -> PatternShown {
    let behaviour = pattern.compiled.behaviour();
    PatternShown {
        name: pattern.compiled.name().to_owned(),
        title: pattern.compiled.title().to_owned(),
        pattern: behaviour.to_string(),
        records: behaviour.records.word().to_owned(),
        about: pattern.about.clone(),
        priority: pattern.priority.map(|priority| priority.word().to_owned()),
        enabled: pattern.enabled,
        origin,
        written,
    }
}

/// Reads a pattern as the configuration would; an error is for people.
pub(super) fn read_pattern(config: &Config, pattern: &NewPattern) -> Result<ReadPattern, String> {
    let text = toml::to_string(pattern).map_err(|error| error.to_string())?;
    of_text(&text, "pattern", USER_PREFIX, &config.lists).map_err(|error| error.to_string())
}

/// How far the methods are that learn, by what was written down last.
pub(super) fn learned(config: &Config, folder: &Path) -> Result<Learned> {
    let instances = config.instances_for(HAVE, true)?;
    let learns = |code: &str| {
        REGISTRY
            .iter()
            .any(|entry| entry.learns && entry.meta.code == code)
    };
    let methods = instances
        .iter()
        .filter(|instance| learns(instance.meta.code))
        .count();
    if !folder.is_dir() {
        return Ok(Learned {
            methods,
            ..Learned::default()
        });
    }
    let mut shard = Shard::new(0, 1, &instances);
    for (_, text) in learned::Learned::open(folder)?.read()? {
        // What cannot be taken up is told when the line begins.
        let _ = text.map(|text| shard.restore(&text));
    }
    let progress = shard.progress();
    let slowest = progress
        .iter()
        .filter(|one| one.ready == 0 && one.learned.1 > 0)
        .min_by(|one, other| share(one.learned).total_cmp(&share(other.learned)));
    Ok(Learned {
        methods,
        ready: progress.iter().filter(|one| one.ready > 0).count(),
        rest: slowest.map(|one| format!("{} has learned {:.0} %", one.method, share(one.learned) * 100.0)),
    })
}

fn share((learned, needed): (u64, u64)) -> f64 {
    learned as f64 / needed.max(1) as f64
}
