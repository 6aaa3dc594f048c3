//! The detection methods as they describe themselves: the same text as `weir methods` and the reference.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::problem::{Part, Problem, Result};
use crate::state::MethodPage;

/// A method in the list.
#[derive(Serialize, ToSchema)]
pub(crate) struct Method {
    /// Code in events: `DICTATTACK`.
    code: &'static str,
    /// Key in the configuration: `dictattack`.
    slug: &'static str,
    family: &'static str,
    title: &'static str,
    priority: &'static str,
    /// What it recognises and why it matters.
    what: &'static str,
    submethods: Vec<Submethod>,
    /// What it needs of the traffic.
    needs: Vec<&'static str>,
}

/// What exactly a method recognises.
#[derive(Serialize, ToSchema)]
pub(crate) struct Submethod {
    name: &'static str,
    about: &'static str,
    /// It fires when any of these holds.
    rules: Vec<String>,
    /// ATT&CK.
    attack: Vec<Technique>,
    needs: Vec<&'static str>,
    /// What it lacks here and now, when it is off for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    blind: Option<String>,
}

/// ATT&CK.
#[derive(Serialize, ToSchema)]
pub(crate) struct Technique {
    tactic: &'static str,
    technique: &'static str,
}

/// A method with its manual.
#[derive(Serialize, ToSchema)]
pub(crate) struct Manual {
    #[serde(flatten)]
    method: Method,
    /// How it decides, on which traits of traffic.
    basis: &'static str,
    /// What it does when in doubt.
    bias: &'static str,
    /// What harmless traffic may look the same.
    false_positives: &'static str,
    /// What to do about an event.
    response: &'static str,
    params: Vec<Param>,
    /// The whole manual page as text of fixed width.
    page: String,
}

/// A parameter of a method.
#[derive(Serialize, ToSchema)]
pub(crate) struct Param {
    name: &'static str,
    /// Effect, with the unit.
    about: &'static str,
    /// Default as TOML.
    default: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    low: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    high: Option<f64>,
}

/// All methods, in the order of the manual.
#[utoipa::path(get, path = "/methods", tag = "methods", security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = [Method])))]
pub(crate) async fn list(State(app): State<Arc<App>>) -> Json<Vec<Method>> {
    Json(app.set.methods.iter().map(|page| method(&app, page)).collect())
}

/// One method with its manual page.
#[utoipa::path(get, path = "/methods/{code}", tag = "methods", security(("session" = ["viewer"]), ("token" = ["viewer"])),
    params(("code" = String, Path, description = "Code or slug, in any case")),
    responses((status = 200, body = Manual), (status = 404, body = Problem)))]
pub(crate) async fn one(State(app): State<Arc<App>>, Part(code): Part<String>) -> Result<Json<Manual>> {
    let page = app
        .set
        .methods
        .iter()
        .find(|page| page.meta.code.eq_ignore_ascii_case(&code));
    let page = page.ok_or_else(|| Problem::not_found(format!("there is no method {code:?}")))?;
    let manual = &page.meta.manual;
    let params = page.params.iter().map(|row| Param {
        name: row.name,
        about: row.about,
        default: row.default.clone(),
        low: row.bounds.map(|bounds| bounds.0),
        high: row.bounds.map(|bounds| bounds.1),
    });
    Ok(Json(Manual {
        method: method(&app, page),
        basis: manual.basis,
        bias: manual.bias,
        false_positives: manual.false_positives,
        response: manual.response,
        params: params.collect(),
        page: page.page.clone(),
    }))
}

fn method(app: &App, page: &MethodPage) -> Method {
    let meta = page.meta;
    let status = app.status();
    let words = |needs: &[weir_model::Need]| needs.iter().map(|need| need.words()).collect::<Vec<_>>();
    let submethods = meta.submethods.iter().map(|submethod| {
        let full = format!("{}.{}", meta.code, submethod.name);
        let blind = status.blind.iter().find(|blind| blind.submethods.contains(&full));
        Submethod {
            name: submethod.name,
            about: submethod.about,
            rules: submethod
                .rules
                .iter()
                .map(|rule| weir_model::rule_text(rule))
                .collect(),
            attack: submethod
                .techniques
                .iter()
                .map(|known| Technique {
                    tactic: known.tactic,
                    technique: known.technique,
                })
                .collect(),
            needs: words(submethod.needs),
            blind: blind.map(|blind| blind.missing.clone()),
        }
    });
    Method {
        code: meta.code,
        slug: meta.slug,
        family: meta.family,
        title: meta.title,
        priority: meta.priority.word(),
        what: meta.manual.what,
        submethods: submethods.collect(),
        needs: words(meta.needs),
    }
}
