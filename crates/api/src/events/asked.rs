//! Which events are asked for: parameters of the URL as conditions of the database.

use serde::Deserialize;
use utoipa::IntoParams;
use weir_model::Priority;
use weir_store::event::{Filter, SourceFilter, Workflow};

use crate::App;
use crate::perspectives;
use crate::problem::{Problem, Result};
use crate::window::Window;

/// Which events. Lists are separated by commas; all conditions must hold.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventParams {
    /// Detected at or after: RFC 3339, `now`, `now-2h` (s, m, h, d). A day before `until` when absent.
    pub(crate) since: Option<String>,
    /// Detected before; `now` when absent.
    pub(crate) until: Option<String>,
    /// Words that must all occur in what the event says.
    pub(crate) text: Option<String>,
    /// Codes of methods.
    pub(crate) method: Option<String>,
    pub(crate) submethod: Option<String>,
    /// `informational`, `low`, `medium`, `high`, `critical`.
    pub(crate) priority: Option<String>,
    /// Address or prefix of the source.
    pub(crate) source: Option<String>,
    /// Address or prefix of a target.
    pub(crate) target: Option<String>,
    /// `open` or `closed`: does the traffic go on?
    pub(crate) state: Option<String>,
    /// `new`, `acknowledged`, `resolved`: how far are people?
    pub(crate) workflow: Option<String>,
    pub(crate) label: Option<String>,
    /// ATT&CK; T1110 also finds T1110.001.
    pub(crate) technique: Option<String>,
    pub(crate) assignee: Option<String>,
    pub(crate) feed: Option<String>,
    pub(crate) false_positive: Option<bool>,
    /// Name of a perspective: priorities are what it gives, and what it hides is not there. `security`, the built-in one, when
    /// absent.
    pub(crate) perspective: Option<String>,
    /// `detected` (latest first, the default), `oldest`, `updated`, `risk`. For lists.
    pub(crate) sort: Option<String>,
    /// 1 to 1000; 100 when absent. For lists and counts.
    pub(crate) limit: Option<u32>,
    /// `next_cursor` of the page before. For lists.
    pub(crate) cursor: Option<String>,
    /// Length of a step in seconds; chosen when absent. For histograms.
    pub(crate) step: Option<u32>,
}

/// A question, understood.
pub(crate) struct Asked {
    pub(crate) filter: Filter,
    pub(crate) window: Window,
}

impl Asked {
    pub(crate) async fn read(app: &App, params: &EventParams) -> Result<Self> {
        let lens = perspectives::lens(app, params.perspective.as_deref()).await?;
        let window = Window::read(params.since.as_deref(), params.until.as_deref(), app.now())?;
        let words = |list: &Option<String>| -> Vec<String> {
            let words = list.as_deref().unwrap_or_default().split(',');
            words
                .map(str::trim)
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let range = |place: &str, text: &Option<String>| match text.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => SourceFilter::parse(text)
                .map(Some)
                .ok_or_else(|| Problem::at(place, "must be an address or a prefix such as 10.0.0.0/8")),
        };
        let known = |place: &str, options: &str| Problem::at(place, format!("must be of {options}"));
        let priorities = words(&params.priority)
            .iter()
            .map(|word| Priority::from_word(word))
            .collect();
        let priorities: Option<Vec<Priority>> = priorities;
        let workflow = words(&params.workflow);
        let workflow = workflow
            .iter()
            .map(|word| Workflow::ALL.into_iter().find(|one| one.word() == word));
        let workflow: Option<Vec<Workflow>> = workflow.collect();
        let open = match params.state.as_deref() {
            None | Some("") => None,
            Some("open") => Some(true),
            Some("closed") => Some(false),
            Some(_) => return Err(known("state", "open, closed")),
        };
        let filter = Filter {
            methods: words(&params.method),
            submethods: words(&params.submethod),
            feeds: words(&params.feed),
            labels: words(&params.label),
            priorities: priorities
                .ok_or_else(|| known("priority", "informational, low, medium, high, critical"))?,
            workflow: workflow.ok_or_else(|| known("workflow", "new, acknowledged, resolved"))?,
            source: range("source", &params.source)?,
            target: range("target", &params.target)?,
            open,
            false_positive: params.false_positive,
            technique: params.technique.clone().filter(|text| !text.is_empty()),
            assignee: params.assignee.clone().filter(|text| !text.is_empty()),
            text: params.text.clone().filter(|text| !text.is_empty()),
            lens,
            ..within(window)
        };
        Ok(Self { filter, window })
    }
}

/// Events of a span. The database holds those of one site.
pub(crate) fn within(window: Window) -> Filter {
    Filter {
        since_ns: Some(window.since.0),
        until_ns: Some(window.until.0),
        ..Filter::default()
    }
}
