//! Fields of HTTP transactions: of requests, and of the log-ins found in them.
//! Targets are kept whole but for their secrets, because what scanners ask for is what tells them apart.

crate::fields::fields! {
    METHOD = text("http.method", "Method");
    HOST = text("http.host", "Host asked, lower case");
    URI = text("http.uri", "Target of the request, secrets masked");
    USER_AGENT = text("http.user_agent", "Client program");
    REFERER = text("http.referer", "Page the request came from, secrets masked");
    X_FORWARDED_FOR = text("http.x_forwarded_for", "Client behind a proxy, as the proxy says");
    REQUEST_CONTENT_TYPE = text("http.request_content_type", "Media type sent");
    COOKIE = flag("http.cookie", "Request carries a cookie");
    AUTH = text("http.auth", "Scheme of the credentials; form for a web form");
    USER = text("http.user", "User of the credentials");
    STATUS = number("http.status", "Status of the response");
    SERVER = text("http.server", "Server program");
    CONTENT_TYPE = text("http.content_type", "Media type received");
    LOCATION = text("http.location", "Target of a redirection, secrets masked");
    REQUEST_BYTES = number("http.request_bytes", "Body sent, bytes");
    RESPONSE_BYTES = number("http.response_bytes", "Body received, bytes");
}
