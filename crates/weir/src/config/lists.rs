//! Lists that are too long for the configuration: `relays = { file = "relays.txt" }` in the table of a method stands for
//! the lines of that file, one entry a line, `#` begins a comment. Read once, when the configuration is read.

use std::fs;
use std::path::Path;

use toml::{Table, Value};

use super::{ConfigError, Result, bad};

/// Longest file. A million addresses take less.
const FILE_BYTES_MAX: u64 = 32 << 20;

/// Puts the lines of files in the place of `{ file = ... }`; relative names are relative to `folder`, the
/// configuration's.
pub(super) fn insert(config: &mut Table, folder: &Path) -> Result<()> {
    if let Some(Value::Table(named)) = config.get_mut("lists") {
        insert_into(named, "lists", folder)?;
    }
    let Some(Value::Table(methods)) = config.get_mut("methods") else {
        return Ok(());
    };
    for (slug, settings) in methods {
        match settings {
            Value::Table(settings) => insert_into(settings, &format!("methods.{slug}"), folder)?,
            Value::Array(instances) => {
                for settings in instances.iter_mut().filter_map(Value::as_table_mut) {
                    insert_into(settings, &format!("methods.{slug}"), folder)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn insert_into(settings: &mut Table, place: &str, folder: &Path) -> Result<()> {
    for (name, value) in settings {
        let place = format!("{place}.{name}");
        if let Value::Table(source) = value {
            let file = match (source.len(), source.get("file")) {
                (1, Some(Value::String(file))) => folder.join(file),
                _ => return Err(bad(&place, "must be a value, or { file = \"...\" } for a list")),
            };
            *value = Value::Array(lines(&place, &file)?);
        }
    }
    Ok(())
}

fn lines(place: &str, file: &Path) -> Result<Vec<Value>> {
    let unreadable = |error| ConfigError::Unreadable {
        path: file.to_owned(),
        error,
    };
    let bytes = fs::metadata(file).map_err(unreadable)?.len();
    if bytes > FILE_BYTES_MAX {
        let why = format!(
            "{} has {bytes} bytes, at most {FILE_BYTES_MAX} are read",
            file.display()
        );
        return Err(bad(place, &why));
    }
    let text = fs::read_to_string(file).map_err(unreadable)?;
    Ok(text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .map(|line| match line.parse() {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::String(line.to_owned()),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn refused(toml: &str, folder: &std::path::Path) -> String {
        match Config::parse(toml, &folder.join("weir.toml")) {
            Ok(_) => panic!("{toml} was taken"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_list_beside_the_configuration() {
        let folder = std::env::temp_dir().join(format!("weir-lists-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(
            folder.join("relays.txt"),
            "# relays\n192.0.2.1\n\n192.0.2.2:9001 # entrance\n",
        )
        .unwrap();
        std::fs::write(folder.join("ports.txt"), "8080\n8443\n").unwrap();
        std::fs::write(folder.join("odd.txt"), "192.0.2.0/24\n").unwrap();
        let path = folder.join("weir.toml");
        let good = "methods.tor.relays = { file = \"relays.txt\" }\nmethods.scans.ignore_ports = { file = \"ports.txt\" }";
        let config = Config::parse(good, &path).unwrap();
        let instances = config.instances(true).unwrap();
        let tor = instances
            .iter()
            .find(|instance| instance.meta.code == "TOR")
            .unwrap();
        assert!(tor.blind.is_empty());

        let error = refused("methods.tor.relays = { file = \"odd.txt\" }", &folder);
        assert!(error.contains("192.0.2.0/24"), "{error}");
        let error = refused("methods.tor.relays = { file = \"missing.txt\" }", &folder);
        assert!(error.contains("missing.txt"), "{error}");
        let error = refused("methods.tor.relays = { url = \"x\" }", &folder);
        assert!(
            error.starts_with("methods.tor.relays: must be a value"),
            "{error}"
        );
        let file = std::fs::File::create(folder.join("endless.txt")).unwrap();
        file.set_len(super::FILE_BYTES_MAX + 1).unwrap();
        let error = refused("methods.tor.relays = { file = \"endless.txt\" }", &folder);
        assert!(error.contains("at most"), "{error}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
