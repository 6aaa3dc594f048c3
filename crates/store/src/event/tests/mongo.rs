//! Events in a MongoDB, against what speaks its protocol (nx-27017). Only what a real MongoDB does as well is asserted.

use bson::{Bson, Document, doc};
use weir_testkit::server::{free_port, mongodb};

use super::super::mongo::{MongoSink, document};
use super::super::{EventStore, Keeper, Place, Spool};
use super::{Folder, block_on, life, record};

fn url(port: u16) -> String {
    format!("mongodb://127.0.0.1:{port}/siem")
}

async fn events(url: &str) -> mongodb::Collection<Document> {
    let client = mongodb::Client::with_uri_str(url).await.unwrap();
    client.default_database().unwrap().collection("events")
}

async fn found(url: &str, id: &str) -> Document {
    let one = events(url).await.find_one(doc! { "_id": id }).await.unwrap();
    one.expect("the event is there")
}

fn text<'a>(document: &'a Document, key: &str) -> &'a str {
    document.get_str(key).unwrap()
}

#[test]
fn a_later_state_replaces_an_earlier_one() {
    let Some(server) = mongodb(free_port()) else {
        return;
    };
    let url = url(server.port);
    let place = Place::parse(&url);
    block_on(async {
        let sink = MongoSink::open(&place, &url).await.unwrap();
        let states = life(1);
        let id = states[0].id().to_owned();
        let put = sink.put(&states[..2]).await.unwrap();
        assert_eq!((put.stored, put.stale), (2, 0));
        let open = found(&url, &id).await;
        assert_eq!((text(&open, "state"), text(&open, "reason")), ("open", "step 1"));
        assert!(open.get("end").is_none());
        // What others add stays.
        let added = doc! { "$set": { "ticket": "T-1" } };
        let all = events(&url).await;
        all.update_one(doc! { "_id": &id }, added).await.unwrap();
        let put = sink
            .put(&[states[3].clone(), states[0].clone(), states[2].clone()])
            .await;
        let put = put.unwrap();
        assert_eq!(
            (put.stored, put.stale),
            (1, 2),
            "an earlier one never replaces a later one"
        );
        let again = sink.put(&states[3..]).await.unwrap();
        assert_eq!((again.stored, again.stale), (1, 0), "the same twice is the same");
        let closed = found(&url, &id).await;
        assert_eq!(
            (text(&closed, "state"), text(&closed, "ticket")),
            ("closed", "T-1")
        );
        let target = closed.get_array("targets").unwrap()[0].as_document().unwrap();
        assert_eq!(text(target, "ip"), "192.0.2.3");
        assert_eq!(all.count_documents(doc! {}).await.unwrap(), 1);
        let source = doc! { "source.ip": closed.get_document("source").unwrap().get_str("ip").unwrap() };
        assert_eq!(all.count_documents(source).await.unwrap(), 1);
        sink.close().await;
        let read = EventStore::open(&place).await.unwrap_err().to_string();
        assert!(read.contains("with its own tools"), "{read}");
    });
}

#[test]
fn events_wait_while_it_is_away() {
    let port = free_port();
    let url = url(port);
    let folder = Folder::new("mongo");
    let spool = || Spool::open(&folder.path().join("spool"), 1 << 20).unwrap();
    let away = block_on(async {
        let place = Place::parse(&url);
        assert!(
            Keeper::open(place.clone(), spool()).await.is_err(),
            "away at the start"
        );
        let mut keeper = Keeper::waiting(place, spool());
        keeper
            .keep((1..4).map(|number| record(number, |_| {})).collect())
            .await;
        keeper.keep(life(4)).await;
        let stats = keeper.stats();
        assert_eq!((stats.spooled, stats.stored, stats.lost), (7, 0, 0));
        assert!(keeper.trouble().is_some());
        assert!(!keeper.finish().await);
        stats.failures
    });
    assert!(away > 0);
    let Some(_server) = mongodb(port) else { return };
    block_on(async {
        let mut keeper = Keeper::open(Place::parse(&url), spool()).await.unwrap();
        keeper.keep(vec![record(5, |_| {})]).await;
        let stats = keeper.stats();
        assert_eq!((stats.caught_up, stats.rejected, stats.lost), (7, 0, 0));
        assert!(keeper.finish().await && keeper.trouble().is_none());
        assert_eq!(events(&url).await.count_documents(doc! {}).await.unwrap(), 5);
    });
}

/// What is sent; the test's server keeps dates and truth values as other types.
#[test]
fn documents_have_dates_and_an_order() {
    let states = life(1);
    let documents: Vec<Document> = states.iter().map(|state| document(state).unwrap()).collect();
    for moment in ["first_flow", "detected", "last_update", "end"] {
        let date = documents[3].get(moment);
        assert!(matches!(date, Some(Bson::DateTime(_))), "{moment}: {date:?}");
    }
    assert_eq!(documents[3].get("end"), documents[3].get("last_update"));
    let detail = documents[3].get_document("detail").unwrap();
    assert_eq!(
        detail.get("FlowCount").map(ToString::to_string).as_deref(),
        Some("195")
    );
    assert!(documents[0].get("end").is_none() && documents[0].get("id").is_none());
    let revisions: Vec<&str> = documents.iter().map(|own| text(own, "weir_revision")).collect();
    assert!(
        revisions.is_sorted() && revisions[0] < revisions[3],
        "{revisions:?}"
    );
}

#[test]
fn urls_are_shown_without_their_password() {
    let place = Place::parse("mongodb://kim:secret@db.example/siem?tls=true");
    assert_eq!(place.shown(), "mongodb://kim@db.example/siem?tls=true");
    assert!(!place.exists());
}
