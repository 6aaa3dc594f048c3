//! Events in a MongoDB, for those whose tools are there: one document an event, as the event contract has it, with dates as
//! dates. It takes events and is asked by its own tools; what people do with events in Weir stays in Weir's database.

use bson::{Bson, DateTime, Document, doc};
use mongodb::error::{Error, ErrorKind, WriteFailure};
use mongodb::options::{ClientOptions, IndexOptions, WriteConcern};
use mongodb::{Client, Collection, IndexModel};

use std::time::Duration;

use super::record::{EventRecord, Moment};
use super::{Place, Put, StoreError};

/// Database and collection, when the URL names none; the collection is always this.
const DATABASE: &str = "weir";
const COLLECTION: &str = "events";
/// Where the password may stand instead of the URL.
const PASSWORD_VARIABLE: &str = "WEIR_MONGODB_PASSWORD";
/// How long a server is looked for before it counts as away.
const WAIT: Duration = Duration::from_secs(3);
/// Its number of "there is a document with this key".
const DUPLICATE: i32 = 11_000;
/// Field that tells later states from earlier ones.
const REVISION: &str = "weir_revision";
/// What events are found by.
const INDEXES: &[(&str, &[&str])] = &[
    ("weir_last_update", &["last_update"]),
    ("weir_method", &["method", "last_update"]),
    ("weir_source", &["source.ip", "last_update"]),
    ("weir_state", &["state", "last_update"]),
];

/// A MongoDB that takes events.
#[derive(Clone, Debug)]
pub(super) struct MongoSink {
    client: Client,
    events: Collection<Document>,
}

impl MongoSink {
    /// Connects, and makes the indexes that lack.
    pub(super) async fn open(place: &Place, url: &str) -> Result<Self, StoreError> {
        let failed = |error: Error| StoreError::Open {
            at: place.shown(),
            why: told(&error),
        };
        let mut options = ClientOptions::parse(url).await.map_err(failed)?;
        options.app_name.get_or_insert_with(|| "weir".to_owned());
        options.server_selection_timeout.get_or_insert(WAIT);
        options.connect_timeout.get_or_insert(WAIT);
        // An event is stored before anyone is told of it: on disk, and past the loss of one server.
        let durable = || WriteConcern::builder().w(mongodb::options::Acknowledgment::Majority);
        options
            .write_concern
            .get_or_insert_with(|| durable().journal(true).build());
        if let Some(credential) = options
            .credential
            .as_mut()
            .filter(|login| login.password.is_none())
        {
            credential.password = std::env::var(PASSWORD_VARIABLE).ok();
        }
        let database = options.default_database.clone();
        let client = Client::with_options(options).map_err(failed)?;
        let database = client.database(database.as_deref().unwrap_or(DATABASE));
        let sink = Self {
            events: database.collection(COLLECTION),
            client,
        };
        for (name, keys) in INDEXES {
            let keys: Document = keys
                .iter()
                .map(|key| ((*key).to_owned(), Bson::Int32(-1)))
                .collect();
            let options = IndexOptions::builder().name((*name).to_owned()).build();
            let index = IndexModel::builder().keys(keys).options(options).build();
            sink.events.create_index(index).await.map_err(failed)?;
        }
        Ok(sink)
    }

    /// Stores each record by its id: a later state in the place of an earlier one, never the other way round. Fields that
    /// somebody else added to a document stay.
    pub(super) async fn put(&self, records: &[EventRecord]) -> Result<Put, StoreError> {
        let mut put = Put::default();
        for record in records {
            let stored = self.put_one(record).await.map_err(|error| StoreError::Mongo {
                why: told(&error),
                record: is_record(&error),
            })?;
            put.stored += u64::from(stored);
            put.stale += u64::from(!stored);
        }
        Ok(put)
    }

    /// False: a later state is there already. An update and, when there is nothing to update, an insert, instead of one
    /// upsert: what speaks MongoDB's protocol without being one agrees on these two.
    async fn put_one(&self, record: &EventRecord) -> Result<bool, Error> {
        let document = document(record)?;
        let update = doc! { "$set": document.clone() };
        let updated = self.events.update_one(not_later(record), update.clone()).await?;
        if updated.matched_count > 0 {
            return Ok(true);
        }
        let mut new = doc! { "_id": &record.id };
        new.extend(document);
        match self.events.insert_one(new).await {
            Ok(_) => Ok(true),
            // It is there: with a later state, unless somebody stored an earlier one just now.
            Err(error) if is_duplicate(&error) => {
                let updated = self.events.update_one(not_later(record), update).await?;
                Ok(updated.matched_count > 0)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn close(&self) {
        self.client.clone().shutdown().await;
    }
}

/// The event, unless a later state of it is stored.
fn not_later(record: &EventRecord) -> Document {
    doc! { "_id": &record.id, REVISION: { "$lte": revision(record) } }
}

/// Text in the order of states: closed, last update, updates, as in the other databases.
fn revision(record: &EventRecord) -> String {
    let last = record.last_update.ns.cast_unsigned() ^ (1 << 63);
    format!("{}-{last:016x}-{:010}", u8::from(record.closed), record.updates)
}

/// The contract's line as a document, its times as dates (which have milliseconds).
pub(super) fn document(record: &EventRecord) -> Result<Document, Error> {
    let line: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(record.line()).map_err(Error::custom)?;
    let mut document = Document::new();
    for (key, value) in line.into_iter().filter(|(key, _)| key != "id") {
        document.insert(key, Bson::try_from(value)?);
    }
    let date = |moment: &Moment| DateTime::from_millis(moment.ns.div_euclid(1_000_000));
    document.insert("first_flow", date(&record.first_flow));
    document.insert("detected", date(&record.detected));
    document.insert("last_update", date(&record.last_update));
    if let Some(end) = &record.end {
        document.insert("end", date(end));
    }
    document.insert(REVISION, revision(record));
    Ok(document)
}

fn is_duplicate(error: &Error) -> bool {
    matches!(&*error.kind, ErrorKind::Write(WriteFailure::WriteError(error)) if error.code == DUPLICATE)
}

/// Is it the record's fault: too large, or refused by a rule of the collection?
fn is_record(error: &Error) -> bool {
    matches!(
        &*error.kind,
        ErrorKind::Write(WriteFailure::WriteError(_))
            | ErrorKind::BsonSerialization(_)
            | ErrorKind::InvalidArgument { .. }
            | ErrorKind::Custom(_)
    )
}

/// Its words without the kinds around them.
fn told(error: &Error) -> String {
    let text = error.kind.to_string();
    text.chars().take(400).collect()
}
