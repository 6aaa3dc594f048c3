//! The tables of methods: `[methods.upload]` for the one instance "default", `[[methods.upload]]` for several, each with a
//! name, a filter of the traffic it sees, and parameters of its own.

use toml::{Table, Value};
use weir_detect::{Entry, Filter};
use weir_model::Priority;
use weir_query::{Catalog, Lists};

use super::{Result, bad, check_name, flag, sub, text, texts, unknown};

/// Instances of one method. Each costs a look at every record.
const INSTANCES_MAX: usize = 64;
/// Characters of an instance's name.
const NAME_CHARS_MAX: usize = 64;
/// The one instance of a method whose table is single, or missing.
pub(super) const DEFAULT: &str = "default";

/// One instance of a method.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) name: &'static str,
    pub(super) disabled: bool,
    pub(super) off: Vec<String>,
    pub(super) priority: Option<Priority>,
    pub(super) filter: Option<Filter>,
    pub(super) params: serde_json::Map<String, serde_json::Value>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: DEFAULT,
            disabled: false,
            off: Vec::new(),
            priority: None,
            filter: None,
            params: serde_json::Map::new(),
        }
    }
}

/// Reads the table, or the array of tables, of a method.
pub(super) fn read(entry: &Entry, place: &str, value: &Value, lists: &dyn Lists) -> Result<Vec<Settings>> {
    let Value::Array(all) = value else {
        return Ok(vec![one(entry, place, sub(place, value)?, lists)?]);
    };
    if all.is_empty() || all.len() > INSTANCES_MAX {
        return Err(bad(place, &format!("must be 1 to {INSTANCES_MAX} instances")));
    }
    let mut read: Vec<Settings> = Vec::new();
    for (at, value) in all.iter().enumerate() {
        let place = format!("{place}[{}]", at + 1);
        let settings = one(entry, &place, sub(&place, value)?, lists)?;
        if read.iter().any(|known| known.name == settings.name) {
            return Err(bad(
                &place,
                &format!(
                    "there are two instances named {:?}: give each a name",
                    settings.name
                ),
            ));
        }
        read.push(settings);
    }
    Ok(read)
}

fn one(entry: &Entry, place: &str, table: &Table, lists: &dyn Lists) -> Result<Settings> {
    let rows = (entry.params)();
    let mut settings = Settings::default();
    for (key, value) in table {
        let place = format!("{place}.{key}");
        match key.as_str() {
            "name" => {
                let name = text(&place, value)?;
                check_name(&place, name, NAME_CHARS_MAX)?;
                // Events carry it to the end of the program; a configuration has few.
                settings.name = name.to_owned().leak();
            }
            "enabled" => settings.disabled = !flag(&place, value)?,
            "off" => settings.off = texts(&place, value)?,
            "priority" => {
                let priority = Priority::from_word(text(&place, value)?);
                settings.priority =
                    Some(priority.ok_or_else(|| {
                        bad(&place, "must be critical, high, medium, low or informational")
                    })?);
            }
            "filter" => settings.filter = Some(filter(entry, &place, text(&place, value)?, lists)?),
            name if rows.iter().any(|row| row.name == name) => {
                let json = serde_json::to_value(value).map_err(|error| bad(&place, &error.to_string()))?;
                settings.params.insert(name.to_owned(), json);
            }
            _ => {
                let own = ["name", "enabled", "off", "priority", "filter"].into_iter();
                return Err(unknown(&place, key, own.chain(rows.iter().map(|row| row.name))));
            }
        }
    }
    Ok(settings)
}

/// The filter over every kind of record the method reads: it must mean something for each, or it would let pass what
/// it does not know.
fn filter(entry: &Entry, place: &str, text: &str, lists: &dyn Lists) -> Result<Filter> {
    let reads = entry.meta.reads;
    let parse = |catalog: &Catalog| {
        weir_query::parse(text, catalog, lists).map_err(|error| bad(place, &format!("{error}")))
    };
    Ok(Filter {
        flows: parse(Catalog::flows())?,
        transactions: if reads.any_transaction() {
            parse(&transactions())?
        } else {
            weir_query::Expr::Any
        },
    })
}

/// The words for transactions: those of all dissectors.
pub(super) fn transactions() -> Catalog {
    let fields = weir_dissect::REGISTRY
        .iter()
        .flat_map(|entry| entry.meta.fields.iter().copied());
    Catalog::transactions(fields)
}

/// The items of `[lists]`: `servers = ["10.0.0.0/28", "10.0.1.7"]` stands behind `@servers` in every filter.
pub(super) fn named_lists(value: &Value) -> Result<std::collections::BTreeMap<String, Vec<String>>> {
    let mut lists = std::collections::BTreeMap::new();
    for (name, value) in sub("lists", value)? {
        let place = format!("lists.{name}");
        check_name(&place, name, NAME_CHARS_MAX)?;
        let items = value
            .as_array()
            .ok_or_else(|| bad(&place, "must be a list of addresses, prefixes, ports or texts"))?;
        let items = items.iter().map(|item| match item {
            Value::String(text) => Ok(text.clone()),
            Value::Integer(number) => Ok(number.to_string()),
            _ => Err(bad(&place, "holds neither text nor number")),
        });
        lists.insert(name.clone(), items.collect::<Result<Vec<_>>>()?);
    }
    Ok(lists)
}
