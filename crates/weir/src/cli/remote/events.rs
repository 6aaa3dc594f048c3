//! `weir events --remote`: lists, counts, one event, and what people do with them.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use weir_model::Priority;
use weir_store::event::{Action, CategoryState, Facet, Page, Row, Workflow};

use crate::fetch::server::Server;

/// Conditions and the like, as the interface has them.
pub(crate) type Words = Vec<(&'static str, String)>;

/// A page of the list, and how many fit in all.
pub(crate) fn list(server: &Server, words: &Words) -> Result<(Page, i64)> {
    let answer = server.get("events", words)?;
    let rows = answer["events"]
        .as_array()
        .context("the server's list has no events")?;
    let page = Page {
        rows: rows.iter().map(row).collect::<Result<_>>()?,
        next: answer["next_cursor"].as_str().map(str::to_owned),
    };
    let paging = ["sort", "limit", "cursor"];
    let words: Words = words
        .iter()
        .filter(|(name, _)| !paging.contains(name))
        .cloned()
        .collect();
    let total = server.get("events/facets", &words)?["total"].as_i64();
    Ok((page, total.unwrap_or_default()))
}

/// Counts by something.
pub(crate) fn count(server: &Server, words: &Words, by: Facet) -> Result<Vec<(String, i64)>> {
    let answer = server.get("events/facets", words)?;
    let Some(groups) = answer[by.word()].as_array() else {
        bail!("the server does not count by {}", by.word());
    };
    let group = |one: &Value| Some((one["value"].as_str()?.to_owned(), one["count"].as_i64()?));
    Ok(groups.iter().filter_map(group).collect())
}

/// Everything kept of one event.
pub(crate) fn show(server: &Server, id: &str, perspective: Option<&str>) -> Result<Value> {
    full(id)?;
    let words: Words = perspective
        .map(|name| ("perspective", name.to_owned()))
        .into_iter()
        .collect();
    server.get(&format!("events/{id}"), &words)
}

/// Does something with events; each with whether it changed.
pub(crate) fn act(server: &Server, ids: &[String], action: &Action) -> Result<Vec<(String, bool)>> {
    ids.iter().try_for_each(|id| full(id))?;
    let (verb, text) = verb(action);
    let answer = server.post("events/actions", &json!({"ids": ids, "verb": verb, "text": text}))?;
    let results = answer["results"]
        .as_array()
        .context("the server does not say what became of it")?;
    let one = |result: &Value| Some((result["id"].as_str()?.to_owned(), result["changed"] == true));
    Ok(results.iter().filter_map(one).collect())
}

/// Ids go into addresses; abbreviations are a matter of a store.
fn full(id: &str) -> Result<()> {
    let good = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    if id.len() != 36 || !id.bytes().all(good) {
        bail!("{id:?} is no whole id: a server wants all 36 letters, as -o json and -o csv print them");
    }
    Ok(())
}

/// The word of the interface for an action, and what goes with it.
fn verb(action: &Action) -> (&'static str, Option<&str>) {
    match action {
        Action::Work(Workflow::Acknowledged) => ("acknowledge", None),
        Action::Work(Workflow::Resolved) => ("close", None),
        Action::Work(Workflow::New) => ("reopen", None),
        Action::Assign(who) => ("assign", who.as_deref()),
        Action::Label(label) => ("label", Some(label)),
        Action::Unlabel(label) => ("unlabel", Some(label)),
        Action::Categorise(name, CategoryState::New) => ("categorise", Some(name)),
        Action::Categorise(name, CategoryState::InWork) => ("categorise_in_work", Some(name)),
        Action::Categorise(name, CategoryState::Solved) => ("categorise_solved", Some(name)),
        Action::Uncategorise(name) => ("uncategorise", Some(name)),
        Action::Comment(body) => ("comment", Some(body)),
        Action::FalsePositive(note) => ("false_positive", Some(note)),
        Action::TruePositive => ("true_positive", None),
        Action::Pin(true) => ("pin", None),
        Action::Pin(false) => ("unpin", None),
    }
}

/// A row as a store would give it.
fn row(one: &Value) -> Result<Row> {
    let text = |name: &str| one[name].as_str().map(str::to_owned);
    let word = |name: &str| text(name).with_context(|| format!("an event of the server has no {name}"));
    let number = |name: &str| one[name].as_i64().unwrap_or_default();
    let priority = word("priority")?;
    let labels = one["labels"].as_array().into_iter().flatten();
    Ok(Row {
        id: word("id")?,
        site: word("site")?,
        feed: word("feed")?,
        instance: word("instance")?,
        method: word("method")?,
        submethod: word("submethod")?,
        title: word("title")?,
        priority: Priority::from_word(&priority)
            .with_context(|| format!("the server's priority {priority:?} is not known here"))?
            .word(),
        probability: number("probability"),
        risk: number("risk"),
        state: word("state")?,
        workflow: word("workflow")?,
        assignee: text("assignee"),
        false_positive: one["false_positive"] == true,
        pinned: one["pinned"] == true,
        source_ip: text("source_ip"),
        source_mac: text("source_mac"),
        source_name: text("source_name"),
        source_user: text("source_user"),
        target_count: number("target_count"),
        first_flow: word("first_flow")?,
        detected: word("detected")?,
        last_update: word("last_update")?,
        ended: text("ended"),
        updates: number("updates"),
        reason: word("reason")?,
        labels: labels
            .filter_map(|label| label.as_str().map(str::to_owned))
            .collect(),
    })
}
