//! What is in force, key by key, with the layer it comes from and what it does; and the JSON Schema of the file.

use serde_json::{Map, Value as Json, json};
use toml::{Table, Value};
use weir_api::settings::{
    InstanceSettings, MethodSettings, NamedList, Origin, ParamSetting, SettingValue, SubmethodSetting,
};
use weir_detect::{Entry, REGISTRY};
use weir_meter::MeterConfig;
use weir_model::ParamMeta;

use super::layers::Layers;
use super::{KEYS, METER_KEYS, SHARDS_DEFAULT, SHARDS_MAX, instances};

/// Items of a list that are shown.
const ITEMS_SHOWN: usize = 1000;

/// A key outside of the tables of meter and methods.
pub(super) struct PlainKey {
    name: &'static str,
    /// Effect for the operator.
    about: &'static str,
    /// JSON Schema of its value.
    schema: fn() -> Json,
    /// Default as JSON.
    default: fn() -> Json,
}

/// These keys, in the order of the reference.
pub(super) const PLAIN_KEYS: &[PlainKey] = &[
    PlainKey {
        name: "inside",
        about: "Inside networks, a list of prefixes. Guessed from the traffic when absent.",
        schema: || json!({"type": "array", "items": {"type": "string"}}),
        default: || Json::Null,
    },
    PlainKey {
        name: "preset",
        about: "\"quiet\": medium priority and above; \"balanced\": one event per attack; \"everything\": every method speaks.",
        schema: || json!({"enum": ["quiet", "balanced", "everything"]}),
        default: || json!("balanced"),
    },
    PlainKey {
        name: "detect.shards",
        about: "Detection workers, 1 to 16; events do not depend on it.",
        schema: || json!({"type": "integer", "minimum": 1, "maximum": SHARDS_MAX}),
        default: || json!(SHARDS_DEFAULT),
    },
];

/// Does a change of this top-level key wait for a restart, whatever runs?
pub fn needs_restart(key: &str) -> bool {
    matches!(key, "serve" | "sites" | "detect" | "profiles")
}

/// Every value that is in force, in the order of the reference; methods apart.
pub fn values(layers: &Layers) -> Vec<SettingValue> {
    let merged = layers.merged();
    let mut values = Vec::new();
    let mut add = |key: &str, default: Json, about: &str| {
        let keys: Vec<&str> = key.split('.').collect();
        let value = find(&merged, &keys).map_or_else(|| default.clone(), json_of);
        values.push(SettingValue {
            key: key.to_owned(),
            value,
            default,
            origin: layers.origin(&keys),
            about: about.to_owned(),
            needs_restart: needs_restart(keys[0]),
        });
    };
    for key in PLAIN_KEYS {
        add(key.name, (key.default)(), key.about);
    }
    let meter = MeterConfig::default();
    for key in METER_KEYS {
        let about = format!("{} ({} to {})", key.about, key.low, key.high);
        add(&format!("meter.{}", key.name), json!((key.get)(&meter)), &about);
    }
    for (name, about) in super::serve::KEYS {
        add(&format!("serve.{name}"), Json::Null, about);
    }
    for (name, about) in super::oidc::KEYS {
        add(&format!("serve.oidc.{name}"), Json::Null, about);
    }
    for key in merged.keys().filter(|key| !shown_apart(key)) {
        add(key, Json::Null, "See docs/reference/config.md.");
    }
    values
}

/// Keys that [`values`] shows one by one, or others show.
fn shown_apart(key: &str) -> bool {
    let tables = ["meter", "serve", "methods", "lists"];
    tables.contains(&key)
        || PLAIN_KEYS
            .iter()
            .any(|plain| plain.name.split('.').next() == Some(key))
}

/// The named lists.
pub fn lists(layers: &Layers) -> Vec<NamedList> {
    let mut merged = layers.merged();
    let (Ok(()), Some(Value::Table(lists))) = (
        super::lists::insert(&mut merged, layers.folder()),
        merged.get("lists").cloned(),
    ) else {
        return Vec::new();
    };
    let shown = lists.iter().map(|(name, items)| {
        let items = items.as_array().map(Vec::as_slice).unwrap_or_default();
        let texts = items.iter().take(ITEMS_SHOWN).map(|item| match item {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        NamedList {
            name: name.clone(),
            items: texts.collect(),
            total: items.len(),
            origin: layers.origin(&["lists", name]),
        }
    });
    shown.collect()
}

/// All methods with their instances and parameters.
pub fn methods(layers: &Layers) -> Vec<MethodSettings> {
    let merged = layers.merged();
    let configured = merged.get("methods").and_then(Value::as_table);
    let shown = REGISTRY.iter().map(|entry| {
        let meta = entry.meta;
        let own = configured.and_then(|methods| methods.get(meta.slug));
        let empty = Table::new();
        let tables: Vec<&Table> = match own {
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_table).collect(),
            Some(Value::Table(one)) => vec![one],
            _ => vec![&empty],
        };
        MethodSettings {
            code: meta.code.to_owned(),
            slug: meta.slug.to_owned(),
            title: meta.title.to_owned(),
            family: meta.family.to_owned(),
            what: meta.manual.what.to_owned(),
            submethods: meta
                .submethods
                .iter()
                .map(|submethod| SubmethodSetting {
                    name: submethod.name.to_owned(),
                    about: submethod.about.to_owned(),
                })
                .collect(),
            instances: tables
                .iter()
                .map(|table| instance(layers, entry, table))
                .collect(),
            origin: layers.origin(&["methods", meta.slug]),
        }
    });
    shown.collect()
}

fn instance(layers: &Layers, entry: &Entry, table: &Table) -> InstanceSettings {
    let text = |key: &str| table.get(key).and_then(Value::as_str).map(str::to_owned);
    let off = table.get("off").and_then(Value::as_array);
    let params = (entry.params)().into_iter().map(|row| {
        let default = default_of(&row);
        ParamSetting {
            value: table.get(row.name).map_or_else(|| default.clone(), json_of),
            default,
            // Of an array of instances, what an instance does not name is still the default.
            origin: match table.contains_key(row.name) {
                true => layers.origin(&["methods", entry.meta.slug, row.name]),
                false => Origin::Default,
            },
            name: row.name.to_owned(),
            about: row.about.to_owned(),
            low: row.bounds.map(|bounds| bounds.0),
            high: row.bounds.map(|bounds| bounds.1),
        }
    });
    InstanceSettings {
        name: text("name").unwrap_or_else(|| instances::DEFAULT.to_owned()),
        enabled: table.get("enabled").and_then(Value::as_bool).unwrap_or(true),
        off: off
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        priority: text("priority").unwrap_or_else(|| entry.meta.priority.word().to_owned()),
        filter: text("filter"),
        params: params.collect(),
    }
}

fn find<'a>(table: &'a Table, keys: &[&str]) -> Option<&'a Value> {
    let (last, tables) = keys.split_last()?;
    let mut table = table;
    for key in tables {
        table = table.get(*key)?.as_table()?;
    }
    table.get(*last)
}

fn json_of(value: &Value) -> Json {
    serde_json::to_value(value).unwrap_or_default()
}

/// A parameter's default as JSON.
fn default_of(row: &ParamMeta) -> Json {
    let parsed = format!("value = {}", row.default).parse::<Table>();
    parsed
        .ok()
        .and_then(|table| table.get("value").map(json_of))
        .unwrap_or_default()
}

/// The configuration in force as TOML, a key a line, with its origin.
pub fn dump(layers: &Layers, effective: bool) -> String {
    let mut lines = Vec::new();
    let origin_of = |origin: Origin| match origin {
        Origin::Default => "default".to_owned(),
        Origin::File => shown(layers.file()),
        Origin::Managed => shown(layers.managed_file()),
    };
    let mut add = |key: String, value: &Json, origin: Origin| {
        if origin == Origin::Default && !effective {
            return;
        }
        match Value::try_from(value) {
            Ok(value) => lines.push(format!("{key} = {value} # {}", origin_of(origin))),
            // Null: there is none.
            Err(_) => lines.push(format!("# {key} is not set")),
        }
    };
    for one in values(layers) {
        add(one.key, &one.value, one.origin);
    }
    let merged = layers.merged();
    for list in merged
        .get("lists")
        .and_then(Value::as_table)
        .into_iter()
        .flatten()
    {
        add(
            format!("lists.{}", list.0),
            &json_of(list.1),
            layers.origin(&["lists", list.0]),
        );
    }
    for method in methods(layers) {
        let place = format!("methods.{}", method.slug);
        let own = find(&merged, &["methods", &method.slug]);
        if let Some(Value::Array(_)) = own {
            add(place, &own.map(json_of).unwrap_or_default(), method.origin);
            continue;
        }
        let Some(one) = method.instances.first() else {
            continue;
        };
        let of = |key: &str| layers.origin(&["methods", &method.slug, key]);
        add(format!("{place}.enabled"), &json!(one.enabled), of("enabled"));
        add(format!("{place}.off"), &json!(one.off), of("off"));
        add(format!("{place}.priority"), &json!(one.priority), of("priority"));
        if let Some(filter) = &one.filter {
            add(format!("{place}.filter"), &json!(filter), of("filter"));
        }
        for param in &one.params {
            add(format!("{place}.{}", param.name), &param.value, param.origin);
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

fn shown(path: Option<&std::path::Path>) -> String {
    path.map_or_else(String::new, |path| path.display().to_string())
}

/// The JSON Schema (2020-12) of the configuration file, for editors.
pub fn schema() -> String {
    let object = |properties: Map<String, Json>| json!({"type": "object", "additionalProperties": false, "properties": properties});
    let mut meter = Map::new();
    let defaults = MeterConfig::default();
    for key in METER_KEYS {
        meter.insert(
            key.name.to_owned(),
            json!({
                "type": "integer", "minimum": key.low, "maximum": key.high,
                "default": (key.get)(&defaults), "description": key.about,
            }),
        );
    }
    let described = |keys: &[(&str, &str)]| -> Map<String, Json> {
        let described = keys
            .iter()
            .map(|(name, about)| ((*name).to_owned(), json!({"description": about})));
        described.collect()
    };
    let mut serve = described(&super::serve::KEYS);
    let mut oidc = object(described(&super::oidc::KEYS));
    oidc["required"] = json!(super::oidc::REQUIRED);
    serve.insert("oidc".to_owned(), oidc);
    let methods = REGISTRY.iter().map(|entry| {
        let instance = object(method(entry));
        let several = json!({"type": "array", "items": instance, "minItems": 1});
        let schema = json!({"description": entry.meta.title, "anyOf": [instance, several]});
        (entry.meta.slug.to_owned(), schema)
    });
    let items = json!({"type": "array", "items": {"type": ["string", "integer"]}});
    let file = json!({"type": "object", "required": ["file"], "properties": {"file": {"type": "string"}}});
    let mut properties: Map<String, Json> = KEYS.iter().map(|key| ((*key).to_owned(), json!({}))).collect();
    for key in PLAIN_KEYS {
        let mut schema = (key.schema)();
        schema["description"] = key.about.into();
        if !(key.default)().is_null() {
            schema["default"] = (key.default)();
        }
        match key.name.split_once('.') {
            None => properties.insert(key.name.to_owned(), schema),
            Some((table, name)) => {
                let inner = Map::from_iter([(name.to_owned(), schema)]);
                properties.insert(table.to_owned(), object(inner))
            }
        };
    }
    properties.insert("meter".to_owned(), object(meter));
    properties.insert("serve".to_owned(), object(serve));
    let mut site = object(described(&super::sites::KEYS));
    site["required"] = json!(["name"]);
    properties.insert(
        "sites".to_owned(),
        json!({"type": "array", "minItems": 1, "items": site}),
    );
    properties.insert("methods".to_owned(), object(methods.collect()));
    properties.insert(
        "lists".to_owned(),
        json!({"type": "object", "additionalProperties": {"anyOf": [items, file]}}),
    );
    let mut document = object(properties);
    document["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    document["title"] = "Configuration of Weir".into();
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

fn method(entry: &Entry) -> Map<String, Json> {
    let submethods: Vec<&str> = entry.meta.submethods.iter().map(|one| one.name).collect();
    let off = match submethods.is_empty() {
        // Named in the configuration itself.
        true => json!({"type": "string"}),
        false => json!({"enum": submethods}),
    };
    let mut rows = Map::from_iter([
        ("name".to_owned(), json!({"type": "string"})),
        ("enabled".to_owned(), json!({"type": "boolean", "default": true})),
        ("off".to_owned(), json!({"type": "array", "items": off})),
        (
            "priority".to_owned(),
            json!({"enum": ["critical", "high", "medium", "low", "informational"]}),
        ),
        ("filter".to_owned(), json!({"type": "string"})),
    ]);
    for row in (entry.params)() {
        let default = default_of(&row);
        let kind = match &default {
            Json::Bool(_) => Some("boolean"),
            Json::Number(number) if number.is_f64() => Some("number"),
            Json::Number(_) => Some("integer"),
            Json::String(_) => Some("string"),
            _ => None,
        };
        let mut schema = json!({"description": row.about, "default": default});
        if let Some(kind) = kind {
            schema["type"] = kind.into();
        }
        if let (Some((low, high)), Some("integer" | "number")) = (row.bounds, kind) {
            schema["minimum"] = json!(low);
            schema["maximum"] = json!(high);
        }
        rows.insert(row.name.to_owned(), schema);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_origin() {
        let folder = std::env::temp_dir().join(format!("weir-effective-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("weir.toml");
        std::fs::write(
            &file,
            "preset = \"quiet\"\nlists.servers = [\"10.0.0.1\", 7]\nmethods.dictattack.attempts_min = 30\n\
             [[methods.upload]]\nname = \"a\"\n[[methods.upload]]\nname = \"b\"\npriority = \"low\"\n",
        )
        .unwrap();
        let managed = folder.join("settings.toml");
        let layers = Layers::read(Some(&file), Some(&managed)).unwrap();
        let patch = json!({"methods": {"dictattack": {"off": ["HTTPProtocol"]}}, "meter": {"icmp_s": 7}});
        let layers = layers.patched(&patch).unwrap();
        let text = dump(&layers, false).replace(&folder.display().to_string(), "");
        assert_eq!(
            text,
            "preset = \"quiet\" # /weir.toml\nmeter.icmp_s = 7 # /settings.toml\n\
             lists.servers = [\"10.0.0.1\", 7] # /weir.toml\n\
             methods.dictattack.off = [\"HTTPProtocol\"] # /settings.toml\n\
             methods.dictattack.attempts_min = 30 # /weir.toml\n\
             methods.upload = [{ name = \"a\" }, { name = \"b\", priority = \"low\" }] # /weir.toml\n"
        );
        let effective = dump(&layers, true);
        assert!(effective.contains("meter.other_s = ") && effective.contains("# default"));
        // The dump without its unset keys is a configuration again.
        let again: Table = effective.parse().unwrap();
        assert_eq!(
            find(&again, &["methods", "dictattack", "attempts_min"]),
            Some(&Value::Integer(30))
        );
        let methods = methods(&layers);
        let upload = methods.iter().find(|method| method.slug == "upload").unwrap();
        assert_eq!(upload.instances.len(), 2);
        assert_eq!(
            (&*upload.instances[1].name, &*upload.instances[1].priority),
            ("b", "low")
        );
        assert_eq!(lists(&layers)[0].items, ["10.0.0.1", "7"]);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_schema_knows_every_key() {
        let schema: Json = serde_json::from_str(&schema()).unwrap();
        for key in KEYS {
            assert!(schema["properties"][key].is_object(), "{key}");
        }
        let attempts = &schema["properties"]["methods"]["properties"]["dictattack"]["anyOf"][0]["properties"];
        assert_eq!(attempts["attempts_min"]["type"], "integer");
        assert!(attempts["attempts_min"]["minimum"].is_number());
    }
}
