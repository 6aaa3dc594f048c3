//! `[[profiles]]`: views that are counted while flow records are stored.

use toml::{Table, Value};
use weir_query::{Expr, Lists};
use weir_store::flow::profile::{self, ALL, CHANNELS_MAX, Channel, NAME_BYTES_MAX, PROFILES_MAX, Profile};

use super::{Result, bad, check_name, sub, text, unknown};

const KEYS: [&str; 4] = ["name", "title", "filter", "channels"];
const CHANNEL_KEYS: [&str; 2] = ["name", "filter"];

/// The profiles of a configuration; `None` when it says nothing of them.
pub(super) fn read(config: &Table, lists: &dyn Lists) -> Result<Option<Vec<Profile>>> {
    let Some(value) = config.get("profiles") else {
        return Ok(None);
    };
    let all = value
        .as_array()
        .ok_or_else(|| bad("profiles", "must be tables: write [[profiles]] above each"))?;
    if all.len() >= PROFILES_MAX {
        let why = format!("are {}, and at most {} are counted", all.len(), PROFILES_MAX - 1);
        return Err(bad("profiles", &why));
    }
    let mut read = Vec::<Profile>::new();
    for (at, value) in all.iter().enumerate() {
        let place = format!("profiles[{}]", at + 1);
        let profile = one(sub(&place, value)?, &place, lists)?;
        if profile.name == ALL {
            return Err(bad(
                &place,
                "\"all\" is there already: the profile of all records",
            ));
        }
        if read.iter().any(|known| known.name == profile.name) {
            let why = format!("there are two profiles named {:?}", profile.name);
            return Err(bad(&place, &why));
        }
        read.push(profile);
    }
    let channels: usize = read.iter().map(|profile| profile.channels.len()).sum();
    if channels >= CHANNELS_MAX {
        let why = format!(
            "have {channels} channels together, and at most {} are counted",
            CHANNELS_MAX - 1
        );
        return Err(bad("profiles", &why));
    }
    Ok(Some(read))
}

fn one(table: &Table, place: &str, lists: &dyn Lists) -> Result<Profile> {
    let at = |key: &str| format!("{place}.{key}");
    if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(unknown(&at(key), key, KEYS));
    }
    let name = named(table, place)?;
    let title = table
        .get("title")
        .map(|value| text(&at("title"), value))
        .transpose()?;
    let filter = match table.get("filter") {
        Some(value) => parsed(&at("filter"), value, lists)?,
        None => Expr::Any,
    };
    let channels = match table.get("channels") {
        None => vec![Channel {
            name: ALL.to_owned(),
            filter: Expr::Any,
        }],
        Some(value) => channels(&at("channels"), value, lists)?,
    };
    let channels_text = channels.iter().map(|channel| channel.filter.to_string());
    let filters: Vec<String> = channels_text.chain([filter.to_string()]).collect();
    let named = lists.names().into_iter().filter(|name| {
        let mark = format!("@{name}");
        filters.iter().any(|text| text.contains(&mark))
    });
    let lists = named.filter_map(|name| lists.items(&name).map(|items| (name, items)));
    Ok(Profile {
        lists: lists.collect(),
        title: title.unwrap_or(name).to_owned(),
        name: name.to_owned(),
        filter,
        channels,
    })
}

fn channels(place: &str, value: &Value, lists: &dyn Lists) -> Result<Vec<Channel>> {
    let all = value.as_array().filter(|all| !all.is_empty());
    let all = all.ok_or_else(|| bad(place, "must be a list of { name = \"...\", filter = \"...\" }"))?;
    let mut read = Vec::<Channel>::new();
    for (at, value) in all.iter().enumerate() {
        let place = format!("{place}[{}]", at + 1);
        let table = sub(&place, value)?;
        if let Some(key) = table.keys().find(|key| !CHANNEL_KEYS.contains(&key.as_str())) {
            return Err(unknown(&format!("{place}.{key}"), key, CHANNEL_KEYS));
        }
        let name = named(table, &place)?;
        if read.iter().any(|known| known.name == name) {
            return Err(bad(&place, &format!("there are two channels named {name:?}")));
        }
        let filter = table
            .get("filter")
            .ok_or_else(|| bad(&place, "needs filter = \"...\""))?;
        read.push(Channel {
            name: name.to_owned(),
            filter: parsed(&format!("{place}.filter"), filter, lists)?,
        });
    }
    Ok(read)
}

fn named<'a>(table: &'a Table, place: &str) -> Result<&'a str> {
    let name = table
        .get("name")
        .ok_or_else(|| bad(place, "needs name = \"...\""))?;
    let name = text(&format!("{place}.name"), name)?;
    check_name(&format!("{place}.name"), name, NAME_BYTES_MAX)?;
    Ok(name)
}

fn parsed(place: &str, value: &Value, lists: &dyn Lists) -> Result<Expr> {
    let filter = profile::filter(text(place, value)?, lists);
    filter.map_err(|error| bad(place, &error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::Config;

    #[test]
    fn profiles_and_their_channels() {
        let text = r#"
            lists.servers = ["10.0.0.1", "10.0.0.2"]
            [[profiles]]
            name = "servers"
            title = "Our servers"
            filter = "ip in [@servers]"
            channels = [{ name = "web", filter = "port in [80 443]" }, { name = "rest", filter = "not port in [80 443]" }]
            [[profiles]]
            name = "dns"
            filter = "port 53"
        "#;
        let config = Config::parse(text, Path::new("weir.toml")).unwrap();
        let profiles = config.profiles.unwrap();
        let names = |at: usize| {
            let channels = profiles[at].channels.iter();
            channels.map(|channel| channel.name.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(
            (profiles[0].name.as_str(), profiles[0].title.as_str(), names(0)),
            ("servers", "Our servers", vec!["web", "rest"])
        );
        assert_eq!((profiles[1].title.as_str(), names(1)), ("dns", vec!["all"]));
        assert!(
            profiles[0].lists["servers"].contains(&"10.0.0.2".to_owned()) && profiles[1].lists.is_empty(),
            "{}",
            profiles[0].filter
        );
        assert!(
            Config::parse("", Path::new("weir.toml"))
                .unwrap()
                .profiles
                .is_none()
        );
    }

    #[test]
    fn what_is_refused() {
        let error = |body: &str| {
            let text = format!("[[profiles]]\n{body}");
            Config::parse(&text, Path::new("weir.toml"))
                .err()
                .unwrap()
                .to_string()
        };
        assert_eq!(error("filter = \"any\""), "profiles[1]: needs name = \"...\"");
        assert!(error("name = \"all\"").contains("is there already"));
        assert!(error("name = \"a b\"").contains("is no name"));
        assert!(error("name = \"a\"\nfliter = \"any\"").contains("did you mean \"filter\""));
        assert!(error("name = \"a\"\nfilter = \"prot 53\"").contains("profiles[1].filter"));
        assert!(error("name = \"a\"\nchannels = []").contains("must be a list"));
        assert!(error("name = \"a\"\nchannels = [{ name = \"b\" }]").contains("needs filter"));
        let twice = "{ name = \"b\", filter = \"any\" }";
        assert!(
            error(&format!("name = \"a\"\nchannels = [{twice}, {twice}]")).contains("two channels named")
        );
        assert!(error("name = \"a\"\n[[profiles]]\nname = \"a\"").contains("two profiles named"));
        let more: String = (1..=255)
            .map(|at| format!("\n[[profiles]]\nname = \"p{at}\""))
            .collect();
        assert!(error(&("name = \"p0\"".to_owned() + &more)).contains("at most 255"));
        let channels: Vec<String> = (0..256)
            .map(|at| format!("{{ name = \"c{at}\", filter = \"any\" }}"))
            .collect();
        let many = format!("name = \"a\"\nchannels = [{}]", channels.join(","));
        assert!(error(&many).contains("have 256 channels"));
    }
}
