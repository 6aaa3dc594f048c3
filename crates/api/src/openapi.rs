//! The document of the interface (OpenAPI 3.1) and its routes, both from one list of handlers. The document is committed
//! as docs/reference/openapi.json; the web interface takes its types from it.

use std::sync::Arc;

use axum::Router;
use utoipa::Modify;
use utoipa::OpenApi as _;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::Type;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ObjectBuilder, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::sites::{SITE, Scope};
use crate::{
    App, audit, events, exporters, exports, false_positives, filter, flows, guard, health, hosts, indicators,
    jobs, methods, overview, patterns, perspectives, profiles, searches, second_factor, servers, session,
    settings, sign_in, start, stream, users,
};

/// Where the interface lies.
pub(crate) const ROOT: &str = "/api/v1";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Weir",
        description = "Everything the web interface does. Times are RFC 3339 in UTC; spans have a default of a day; lists \
                       have a limit and a cursor; faults are problem+json. The role a route needs stands beside its \
                       security scheme: viewer, analyst, hunter, editor, auditor or admin. Requests that change something need the header \
                       X-Weir-CSRF unless they bring a token.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(events::EventDocument, patterns::PatternVerdict, start::PresetShown)),
    modifiers(&Schemes)
)]
struct Document;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        let cookie = ApiKey::Cookie(ApiKeyValue::with_description(
            "weir",
            "Opened by POST /session; named __Host-weir over TLS.",
        ));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
    }
}

/// Routes of the first day.
fn first_day() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(start::checklist))
        .routes(routes!(start::networks))
        .routes(routes!(servers::servers))
        .routes(routes!(start::presets))
}

/// Routes and document.
pub(crate) fn parts() -> (Router<Arc<App>>, OpenApi) {
    let routes = OpenApiRouter::new()
        .routes(routes!(session::who, session::log_in, session::log_out))
        .routes(routes!(session::set_up))
        .routes(routes!(sign_in::begin))
        .routes(routes!(sign_in::end))
        .routes(routes!(overview::overview))
        .routes(routes!(events::list))
        .routes(routes!(events::facets))
        .routes(routes!(events::histogram))
        .routes(routes!(events::act))
        .routes(routes!(events::one))
        .routes(routes!(perspectives::list))
        .routes(routes!(perspectives::preview))
        .routes(routes!(perspectives::export))
        .routes(routes!(perspectives::import))
        .routes(routes!(perspectives::choose))
        .routes(routes!(perspectives::keep, perspectives::remove))
        .routes(routes!(false_positives::propose))
        .routes(routes!(false_positives::list, false_positives::add))
        .routes(routes!(false_positives::preview))
        .routes(routes!(false_positives::remove))
        .routes(routes!(hosts::list))
        .routes(routes!(hosts::one))
        .routes(routes!(flows::list))
        .routes(routes!(flows::groups))
        .routes(routes!(flows::series))
        .routes(routes!(flows::columns))
        .routes(routes!(profiles::list))
        .routes(routes!(profiles::series))
        .routes(routes!(filter::check))
        .routes(routes!(filter::complete))
        .routes(routes!(methods::list))
        .routes(routes!(methods::one))
        .routes(routes!(health::sources))
        .routes(routes!(health::health))
        .routes(routes!(stream::follow))
        .routes(routes!(users::users, users::add_user))
        .routes(routes!(users::change_user, users::remove_user))
        .routes(routes!(users::tokens, users::add_token))
        .routes(routes!(users::remove_token))
        .routes(routes!(settings::all, settings::change))
        .routes(routes!(settings::methods))
        .routes(routes!(settings::reload))
        .routes(routes!(second_factor::help))
        .routes(routes!(second_factor::begin))
        .routes(routes!(second_factor::confirm))
        .routes(routes!(second_factor::end))
        .routes(routes!(searches::list, searches::add))
        .routes(routes!(searches::replace, searches::forget))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::one, jobs::cancel))
        .routes(routes!(jobs::result))
        .routes(routes!(exports::flows))
        .routes(routes!(exports::events))
        .routes(routes!(exporters::list))
        .routes(routes!(exporters::one))
        .routes(routes!(indicators::list))
        .routes(routes!(indicators::refresh))
        .routes(routes!(patterns::list))
        .routes(routes!(patterns::check))
        .routes(routes!(patterns::test))
        .merge(first_day())
        .routes(routes!(audit::trail));
    let (router, mut document) = OpenApiRouter::with_openapi(Document::openapi())
        .nest(ROOT, routes)
        .split_for_parts();
    name(&mut document);
    (router, document)
}

/// Gives every operation a name, and those of sites the parameter that names one.
fn name(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let words = path.trim_start_matches(ROOT).replace(['/', '{', '}'], " ");
        let words = words.split_whitespace().collect::<Vec<_>>().join("_");
        let of_site = Scope::of(path).is_some_and(|scope| !scope.is_of_first());
        for (method, operation) in guard::operations(item) {
            if of_site {
                operation
                    .parameters
                    .get_or_insert_default()
                    .push(site_parameter().into());
            }
            operation.operation_id = Some(format!("{}_{words}", method.to_lowercase()));
        }
    }
}

/// Names the site of a request; taken out before the handler sees it.
fn site_parameter() -> Parameter {
    ParameterBuilder::new()
        .name(SITE)
        .parameter_in(ParameterIn::Query)
        .description(Some(
            "Name of the site; without it the server's own, or the first that the asker may see.",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

/// The document as JSON.
pub fn document() -> String {
    let mut text = parts().1.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}
