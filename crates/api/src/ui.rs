//! The web interface inside the binary: files of web/dist as they were when the program was built, and a plain page in
//! their place when there were none.

use axum::extract::Request;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::{Embed, EmbeddedFile};

use crate::openapi::ROOT;
use crate::problem::Problem;

/// Files whose names change with their content.
const HASHED: &str = "assets/";
const INDEX: &str = "index.html";

#[derive(Embed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Dist;

/// Was the web interface built before the program?
pub fn is_built() -> bool {
    Dist::get(INDEX).is_some()
}

/// Whatever is not the API: a file, or the page that finds out itself what its address means.
pub(crate) async fn serve(request: Request) -> Response {
    let path = request.uri().path();
    if path.starts_with("/api/") {
        let detail = format!(
            "there is no {} {path}; {ROOT}/openapi.json lists what there is",
            request.method()
        );
        return Problem::not_found(detail).into_response();
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Problem::new(StatusCode::METHOD_NOT_ALLOWED, "pages are only read").into_response();
    }
    let path = path.trim_start_matches('/');
    let gzip = request
        .headers()
        .get(ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("gzip"));
    let known = request.headers().get(IF_NONE_MATCH);
    if let Some(response) = file(path, gzip, known) {
        return response;
    }
    if path.starts_with(HASHED) {
        return Problem::not_found("this file belongs to another version; load the page again")
            .into_response();
    }
    file(INDEX, gzip, known).unwrap_or_else(|| Html(PLAIN).into_response())
}

fn file(path: &str, gzip: bool, known: Option<&HeaderValue>) -> Option<Response> {
    let plain = Dist::get(path)?;
    let packed = if gzip {
        Dist::get(&format!("{path}.gz"))
    } else {
        None
    };
    let (file, is_packed): (EmbeddedFile, bool) = match packed {
        Some(packed) => (packed, true),
        None => (plain, false),
    };
    let hash: String = file
        .metadata
        .sha256_hash()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let tag = format!("\"{hash}\"");
    let cache = if path.starts_with(HASHED) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let fresh = known.is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let status = if fresh {
        StatusCode::NOT_MODIFIED
    } else {
        StatusCode::OK
    };
    let body = if fresh { Vec::new() } else { file.data.into_owned() };
    let headers = [
        (CONTENT_TYPE, kind(path)),
        (CACHE_CONTROL, cache),
        (ETAG, &tag),
        (VARY, "Accept-Encoding"),
    ];
    let mut response = (status, headers, body).into_response();
    if is_packed {
        response
            .headers_mut()
            .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Some(response)
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" | "webmanifest" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

const PLAIN: &str = "<!doctype html>
<html lang=\"en\">
<head><meta charset=\"utf-8\"><title>Weir</title></head>
<body>
<h1>Weir</h1>
<p>The server runs, but it was built without the web interface. To have it, install Node and npm, run
<code>make web</code> and build Weir again.</p>
<p>The interface for programs is here: <a href=\"/api/v1/openapi.json\">/api/v1/openapi.json</a> describes it.</p>
</body>
</html>
";
