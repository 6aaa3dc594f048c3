//! The stream: what happens arrives, and whoever was away goes on where they were.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::Request;
use weir_api::accounts::Role;

use crate::house::{Badge, House, block_on};

/// Reads so many messages as `(kind, id, data)`.
async fn read(body: &mut Body, count: usize) -> Vec<(String, String, String)> {
    let mut text = String::new();
    while text.matches("\n\n").count() < count {
        let frame = std::future::poll_fn(|context| std::pin::Pin::new(&mut *body).poll_frame(context));
        let frame = tokio::time::timeout(Duration::from_secs(5), frame)
            .await
            .expect("a message comes");
        let bytes = frame.expect("the stream goes on").unwrap().into_data().unwrap();
        text += std::str::from_utf8(&bytes).unwrap();
    }
    let field = |message: &str, name: &str| {
        let line = message.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default().trim().to_owned()
    };
    let messages = text.split("\n\n").filter(|message| !message.is_empty());
    messages
        .map(|one| (field(one, "event:"), field(one, "id:"), field(one, "data:")))
        .collect()
}

async fn open(house: &House, badge: &Badge, last: Option<&str>) -> Body {
    let mut request = Request::get("/api/v1/stream")
        .header("host", "weir.test")
        .header("cookie", badge.cookie.clone().unwrap());
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    house.open(request.body(Body::empty()).unwrap()).await
}

#[test]
fn resume() {
    block_on(async {
        let house = House::new("stream", "").await;
        let viewer = house.badge(Role::Viewer).await;
        let stream = house.app.stream();
        stream.tell("event", "{\"before\":1}");
        let mut body = open(&house, &viewer, None).await;
        stream.tell("event", "{\"n\":1}");
        stream.tell("status", "{}");
        let first = read(&mut body, 2).await;
        assert_eq!(
            (first[0].0.as_str(), first[0].2.as_str()),
            ("event", "{\"n\":1}"),
            "not what was before"
        );
        assert_eq!(first[1].0, "status");
        drop(body);
        stream.tell("event", "{\"n\":2}");
        let mut body = open(&house, &viewer, Some(&first[0].1)).await;
        let missed = read(&mut body, 2).await;
        assert_eq!(missed[0], first[1], "what was not read yet comes again");
        assert_eq!(missed[1].2, "{\"n\":2}");
        let mut body = open(&house, &viewer, Some("another-run")).await;
        assert_eq!(read(&mut body, 1).await[0].0, "reset");
        for number in 0..2000 {
            stream.tell("event", &format!("{number}"));
        }
        let mut body = open(&house, &viewer, Some(&first[0].1)).await;
        assert_eq!(read(&mut body, 1).await[0].0, "reset", "too much was missed");
    });
}
