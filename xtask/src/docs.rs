//! `cargo xtask docs`: the reference pages, rendered from the tables the program itself runs on.
//! The pages are committed and compared in CI, so that a change of behaviour shows in review.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use weir_model::elements::ELEMENTS;
use weir_model::{Anomaly, FieldKind, Transport};
use weir_store::flow::clickhouse::{Layout, definition};

const HEAD: &str = "<!-- Written by `cargo xtask docs`; edit the code it comes from, not this page. -->\n\n";

pub(crate) fn run(root: &Path, check: bool) -> Result<()> {
    let folder = root.join("docs/reference");
    fs::create_dir_all(&folder)?;
    let page = |name, text: String| (name, format!("{HEAD}{text}"));
    let pages = [
        page("methods.md", methods()),
        page("dissectors.md", dissectors()),
        page("elements.md", elements()),
        page("anomalies.md", anomalies()),
        page("config.md", config()),
        page("query.md", weir_query::reference()),
        page("proof.md", crate::proof::page(root)?),
        ("clickhouse.sql", clickhouse()),
        // JSON has no comments: its own description says what it is.
        ("openapi.json", weir_api::document()),
        ("config.schema.json", weir::config::schema()),
    ];
    let mut stale = Vec::new();
    for (name, text) in pages {
        let path = folder.join(name);
        if fs::read_to_string(&path).ok().as_deref() != Some(&text) {
            if check {
                stale.push(name);
            } else {
                fs::write(&path, text).with_context(|| path.display().to_string())?;
            }
        }
    }
    if stale.is_empty() {
        Ok(())
    } else {
        bail!("stale: {}; run `cargo xtask docs`", stale.join(", "))
    }
}

/// Definitions of the tables in ClickHouse, of one server and of a cluster.
fn clickhouse() -> String {
    let text = |about: &str, layout: &Layout| {
        let statements = definition("weir", layout, Some(30)).join(";\n\n");
        format!("-- {about}\n\n{statements};\n")
    };
    format!(
        "-- Written by `cargo xtask docs`; edit the code it comes from, not this page.\n\n{}\n{}",
        text("One server: Weir makes these itself.", &Layout::Server),
        text("A cluster named weir.", &Layout::Cluster("weir".to_owned()))
    )
}

fn methods() -> String {
    let mut text = String::from("# Detection methods\n\n");
    for entry in weir_detect::REGISTRY {
        let meta = entry.meta;
        let _ = writeln!(
            text,
            "- [{}](#{}) {}, {}",
            meta.code,
            meta.code.to_lowercase(),
            meta.title,
            meta.priority
        );
    }
    for entry in weir_detect::REGISTRY {
        let _ = writeln!(
            text,
            "\n## {}\n\n```text\n{}```",
            entry.meta.code,
            weir::cli::manual_page(entry)
        );
    }
    text
}

fn dissectors() -> String {
    let mut text = String::from("# Application protocols\n");
    for entry in weir_dissect::REGISTRY {
        let meta = entry.meta;
        let over: Vec<_> = meta
            .transports
            .iter()
            .map(|transport| match transport {
                Transport::Tcp => "TCP",
                Transport::Udp => "UDP",
                Transport::Icmp6 => "ICMPv6",
                Transport::Link => "the link",
            })
            .collect();
        let ports: Vec<String> = meta.ports.iter().map(ToString::to_string).collect();
        let usual = if ports.is_empty() {
            String::new()
        } else {
            format!(", usually port {}", ports.join(", "))
        };
        let _ = writeln!(
            text,
            "\n## {}\n\nOver {}{usual}. {}\n",
            meta.protocol.word(),
            over.join(" and "),
            meta.about
        );
        text.push_str("| field | type | meaning |\n|---|---|---|\n");
        for field in meta.fields {
            let kind = match field.kind {
                FieldKind::Number => "number",
                FieldKind::Text => "text",
                FieldKind::Flag => "yes/no",
                FieldKind::Ip => "address",
                FieldKind::Mac => "hardware address",
                FieldKind::Texts => "texts",
            };
            let _ = writeln!(text, "| `{}` | {kind} | {} |", field.name, field.label);
        }
    }
    text
}

fn elements() -> String {
    let mut text = String::from(
        "# Columns of flow records\n\n| column | IPFIX element | made by | meaning |\n|---|---|---|---|\n",
    );
    for element in ELEMENTS {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            element.name, element.ipfix, element.producer, element.label
        );
    }
    text
}

fn config() -> String {
    let mut text = String::from(
        "# Configuration\n\nA TOML file given with `--config`. Every key has a default; a key Weir does not know is an error.\n\n\
         | key | default | meaning |\n|---|---|---|\n\
         | `inside` | guessed | inside networks, a list of prefixes |\n\
         | `preset` | `\"balanced\"` | `\"quiet\"`: medium priority and above; `\"balanced\"`: one event per attack; \
         `\"everything\"`: every method speaks |\n\
         | `lists.NAME` | none | addresses, prefixes, ports or texts behind `@NAME` in filters |\n\
         | `[[indicators]]` | none | a list of indicators: `path`, `name`, `format`, `class`, `category`, `score` (10), \
         `expire_days`, `inside`, `allow`; in the place of `path` one that is fetched: `url`, `via` (`\"file\"`, `\"misp\"`, \
         `\"taxii\"`), `interval_s` (21600), `size_max_mib` (64), `timeout_s` (60), `private` (false: no servers inside), \
         `header_file`, `ca_file`, `collection` |\n\
         | `indicators_dir` | `\"indicators\"` | folder of lists that are fetched, relative to the configuration |\n\
         | `[[patterns]]` | none | a pattern of BPATTERNS: `name`, `title`, `pattern`, `detail`, `about`, `priority`, `attack`, \
         `source` (`\"initiator\"`, `\"responder\"`), `enabled`; or `path` of a file with these |\n\
         | `[[profiles]]` | none | a view that is counted while records are stored: `name`, `title`, `filter`, `channels` \
         (`{ name, filter }` each; one of all its records when absent); that of all records, `all`, is always there |\n\
         | `[[briefings]]` | none | `path` of a briefing: `name`, `title`, `text`, `category`, `score`, `indicators` or `file` |\n\
         | `geo.files` | none | files in the MaxMind DB format that tell countries and AS numbers (MaxMind, DB-IP, IPinfo), \
         asked in this order; the live collector reads them again when they change |\n\
         | `detect.shards` | 1 | detection workers, 1 to 16; events do not depend on it |\n\
         | `serve.listen` | `\"127.0.0.1:8844\"` | where `weir serve` shows its interface; beyond this machine over TLS |\n\
         | `serve.tls_cert`, `serve.tls_key` | own certificate | certificate chain and private key of the interface (PEM) |\n\
         | `serve.oidc` | none | identity provider that people may log in through (docs/guide/serve.md): `issuer`, `client_id`, \
         `client_secret_file`, `url` (of this server), `roles` (`{group = \"analyst\"}` or \
         `{group = {role = \"analyst\", sites = [\"acme\"]}}`), `name`, `scopes` \
         (`[\"openid\", \"profile\"]`), `name_claim` (`\"preferred_username\"`), `groups_claim` (`\"groups\"`), `private` \
         (false: no provider inside), `ca_file` |\n\
         | `[[sites]]` | none | a site with stores of its own (docs/guide/serve.md): `name`, `collect`, `watch`, `inside` |\n\
         | `serve.store` | the state folder | folder of flows, events, accounts and learned state |\n\
         | `serve.flows` | the folder | `\"s3://BUCKET/PREFIX\"` or `\"clickhouse://HOST/DATABASE\"`: flow records go there instead |\n\
         | `serve.events_copy` | none | `\"mongodb://HOST/DATABASE\"` or `\"postgres://HOST/DATABASE\"`: every event goes there as well |\n\
         | `serve.watch` | none | folder whose capture files are read as they come |\n\
         | `serve.collect` | `[\"netflow\", \"ipfix\", \"sflow\"]` | where flow exports are taken; `[]`: nowhere |\n\
         | `serve.keep_days` | no limit | days that flow records and transactions are kept |\n\
         | `serve.keep_gib` | no limit | GiB that each of their two tables may take; the oldest go first |\n\
         | `serve.free_gib` | `2` | GiB of the disk that are left to others: below it the oldest records go |\n\
         | `serve.keep_days_30s` | `92` | days that half minutes of profiles are kept |\n\
         | `serve.keep_days_5min` | `1826` | days that their five minutes are kept |\n\
         | `serve.keep_days_1day` | `7305` | days that their days are kept |\n",
    );
    let defaults = weir_meter::MeterConfig::default();
    for key in weir::config::METER_KEYS {
        let default = (key.get)(&defaults);
        let _ = writeln!(
            text,
            "| `meter.{}` | {default} | {} ({} to {}) |",
            key.name, key.about, key.low, key.high
        );
    }
    for key in weir::syscheck::KEYS {
        let _ = writeln!(
            text,
            "| `syscheck.{}` | {} | {} ({} to {}) |",
            key.name, key.default, key.about, key.low, key.high
        );
    }
    text.push_str(
        "| `syscheck.deactivate_on_flood` | false | a method past `events_max` is silent for an hour |\n",
    );
    text.push_str(
        "\nEach method has a table `[methods.<name in lower case>]` with `enabled` (true), `off` (submethods left out), \
         `priority`, `filter` (records it sees), and its parameters (see [methods](methods.md)); `[[methods.<name>]]` several \
         times, each with a `name`, makes several instances:\n\n```toml\ninside = [\"10.0.0.0/8\"]\n\n\
         [methods.dictattack]\nattempts_min = 30\noff = [\"HTTPProtocol\"]\npriority = \"critical\"\n```\n",
    );
    text
}

fn anomalies() -> String {
    let mut text = String::from(
        "# Anomalies of input\n\nCounted, never fatal; the summary names those that occurred.\n\n",
    );
    for anomaly in Anomaly::ALL {
        let _ = writeln!(text, "- `{anomaly}`: {}", anomaly.about());
    }
    text
}
