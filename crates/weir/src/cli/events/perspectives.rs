//! `weir events --perspective NAME` and `weir events perspectives`: how much events matter to one audience, of a store of this
//! machine or of a server.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::Value;
use weir_model::{Perspective, PerspectiveFile};
use weir_query::NoLists;
use weir_store::event::{EventStore, Lens, LensError};

use super::now;
use super::print::Form;
use crate::fetch::server::Server;

/// Bytes of a file of perspectives: a hundred of the longest.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// What to do with perspectives; without anything they are listed.
#[derive(Args)]
pub(super) struct PerspectiveArgs {
    /// Prints all of them as one JSON object that can be imported elsewhere.
    #[arg(long, conflicts_with = "import")]
    export: bool,
    /// Keeps the perspectives of such a file, in the place of those of the same names.
    #[arg(long, value_name = "FILE")]
    import: Option<PathBuf>,
}

/// The perspective of this name in a store. Without a site any site's is meant, where only one has it.
pub(super) async fn lens(store: &EventStore, site: Option<&str>, name: &str) -> Result<Option<Arc<Lens>>> {
    if name == Perspective::STANDARD {
        return Ok(None);
    }
    let mut named = store.perspectives(site).await?;
    named.retain(|kept| kept.perspective.name == name);
    ensure!(
        named.len() < 2,
        "several sites have a perspective {name:?}; say which with --site"
    );
    let Some(kept) = named.pop() else {
        bail!("there is no perspective {name:?}; `weir events perspectives` lists them");
    };
    let lens = Lens::new(&kept.perspective, &NoLists).map_err(|error| match &error {
        LensError::Filter { error: fault, .. } if fault.to_string().contains('@') => {
            anyhow::anyhow!("{error}\nnamed lists are the server's: ask it with --remote")
        }
        _ => error.into(),
    })?;
    Ok(Some(Arc::new(lens)))
}

/// Lists, exports or imports those of a store.
pub(super) async fn run(
    out: &mut impl Write,
    args: &PerspectiveArgs,
    form: Form,
    store: &EventStore,
    site: Option<&str>,
    actor: &str,
) -> Result<()> {
    if let Some(path) = &args.import {
        let site = site.unwrap_or("default");
        for perspective in read(path)?.perspectives {
            let name = perspective.name.clone();
            let kept = match perspective.check() {
                Ok(()) => store
                    .keep_perspective(site, &perspective, None, actor, now())
                    .await
                    .map_err(anyhow::Error::from),
                Err(error) => Err(error.into()),
            };
            told(out, &name, kept.err().map(|error| error.to_string()).as_deref())?;
        }
        return Ok(());
    }
    let kept = store.perspectives(site).await?;
    let all = kept.into_iter().map(|kept| kept.perspective).collect();
    show(out, args, form, all)
}

/// The same of a server.
pub(super) fn elsewhere(
    out: &mut impl Write,
    args: &PerspectiveArgs,
    form: Form,
    server: &Server,
) -> Result<()> {
    if let Some(path) = &args.import {
        let answer = server.post("perspectives/import", &serde_json::to_value(read(path)?)?)?;
        let results = answer["results"].as_array();
        for one in results.context("the server does not say what became of it")? {
            told(out, one["name"].as_str().unwrap_or_default(), one["why"].as_str())?;
        }
        return Ok(());
    }
    let answer: Value = server.get("perspectives/export", &[])?;
    let file: PerspectiveFile = serde_json::from_value(answer).context("the server's perspectives")?;
    show(out, args, form, file.perspectives)
}

fn read(path: &PathBuf) -> Result<PerspectiveFile> {
    let shown = path.display();
    let bytes = fs::metadata(path).with_context(|| shown.to_string())?.len();
    ensure!(
        bytes <= FILE_BYTES_MAX,
        "{shown} has {bytes} bytes, at most {FILE_BYTES_MAX} are read"
    );
    let text = fs::read_to_string(path).with_context(|| shown.to_string())?;
    let file: PerspectiveFile = serde_json::from_str(&text).with_context(|| shown.to_string())?;
    ensure!(
        file.format == PerspectiveFile::FORMAT,
        "{shown} is no export of perspectives: its format is not {:?}",
        PerspectiveFile::FORMAT
    );
    Ok(file)
}

fn told(out: &mut impl Write, name: &str, why: Option<&str>) -> io::Result<()> {
    let name = weir_output::escape::shown(name);
    match why {
        None => writeln!(out, "{name} kept"),
        Some(why) => writeln!(out, "{name} not kept: {why}"),
    }
}

fn show(out: &mut impl Write, args: &PerspectiveArgs, form: Form, all: Vec<Perspective>) -> Result<()> {
    if args.export {
        let file = PerspectiveFile::new(all);
        writeln!(out, "{}", serde_json::to_string_pretty(&file)?)?;
        return Ok(());
    }
    let all = std::iter::once(Perspective::standard()).chain(all);
    if form == Form::Csv {
        writeln!(out, "name,title,rules,otherwise,about")?;
    }
    for one in all {
        let shown = |text: &str| weir_output::escape::shown(text).to_string();
        let (rules, otherwise) = (one.rules.len(), one.otherwise.word());
        match form {
            Form::Json => writeln!(out, "{}", serde_json::to_string(&one)?)?,
            Form::Csv => {
                let cells = [&*one.name, &one.title, &rules.to_string(), otherwise, &one.about];
                let cells: Vec<String> = cells.iter().map(|cell| weir_output::csv::cell(cell)).collect();
                writeln!(out, "{}", cells.join(","))?;
            }
            Form::Text => writeln!(
                out,
                "{:<20} {} ({rules} rules, otherwise {otherwise})",
                one.name,
                shown(&one.title)
            )?,
        }
    }
    Ok(())
}
