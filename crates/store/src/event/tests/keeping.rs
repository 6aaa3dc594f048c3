//! Databases that fail and come back, spools that are full, torn or in use; databases of newer programs.

use std::fs;
use std::io::ErrorKind;

use super::postgres::Server;
use super::{Folder, block_on, life, line, record};
use crate::event::sql::Sql;
use crate::event::{EventStore, Filter, Keeper, Place, Spool, StoreError};

const ROOM: u64 = 1 << 20;

fn spool(folder: &Folder) -> Spool {
    Spool::open(&folder.path().join("events.spool"), ROOM).unwrap()
}

/// A folder that cannot be one: a file stands in its place.
fn blocked(folder: &Folder) -> Place {
    fs::write(folder.path().join("db"), "in the way").unwrap();
    Place::Folder(folder.path().join("db"))
}

#[test]
fn events_wait_and_catch_up() {
    let folder = Folder::new("catch-up");
    let place = blocked(&folder);
    block_on(async {
        assert!(matches!(
            Keeper::open(place.clone(), spool(&folder)).await,
            Err(StoreError::Open { .. })
        ));
        let mut keeper = Keeper::waiting(place.clone(), spool(&folder));
        let states = life(1);
        keeper.keep(states[..2].to_vec()).await;
        keeper
            .keep((2..600).map(|number| record(number, |_| {})).collect())
            .await;
        let stats = keeper.stats();
        assert_eq!(
            (stats.taken, stats.spooled, stats.failures, stats.lost),
            (600, 600, 1, 0)
        );
        assert!(
            keeper.trouble().unwrap().contains("cannot be opened"),
            "{:?}",
            keeper.trouble()
        );
        assert!(!keeper.finish().await);
        drop(keeper);

        // The next start finds them.
        fs::remove_file(folder.path().join("db")).unwrap();
        let mut keeper = Keeper::open(place.clone(), spool(&folder)).await.unwrap();
        keeper.keep(vec![states[3].clone()]).await;
        let stats = keeper.stats();
        assert_eq!(
            (stats.caught_up, stats.stored, stats.spooled, stats.torn),
            (600, 601, 0, 0)
        );
        assert!(keeper.finish().await);
        assert_eq!(
            (
                keeper.trouble(),
                fs::metadata(keeper.spool().path()).unwrap().len()
            ),
            (None, 0)
        );
        let store = EventStore::open(&place).await.unwrap();
        assert_eq!(store.count(&Filter::default()).await.unwrap(), 599);
        assert_eq!(store.get(states[0].id()).await.unwrap().row.state, "closed");
        store.close().await;
    });
}

#[test]
fn postgresql_goes_away_and_comes_back() {
    let Some(server) = Server::start() else { return };
    let folder = Folder::new("away");
    let place = server.database("away");
    block_on(async {
        let mut keeper = Keeper::open(place.clone(), spool(&folder)).await.unwrap();
        keeper.keep(vec![record(1, |_| {})]).await;
        server.stop();
        keeper.keep(vec![record(2, |_| {})]).await;
        keeper.keep(vec![record(3, |_| {})]).await;
        let stats = keeper.stats();
        assert_eq!((stats.stored, stats.spooled, stats.lost), (1, 2, 0));
        server.resume();
        assert!(keeper.finish().await, "{:?}", keeper.trouble());
        let store = EventStore::open(&place).await.unwrap();
        assert_eq!(store.count(&Filter::default()).await.unwrap(), 3);
        store.close().await;
    });
}

/// A full spool loses events, and says how many.
#[test]
fn a_full_spool() {
    let folder = Folder::new("full");
    let place = blocked(&folder);
    let bytes = line(1, |_| {}).len() as u64;
    let small = Spool::open(&folder.path().join("events.spool"), 2 * bytes + 100).unwrap();
    block_on(async {
        let mut keeper = Keeper::waiting(place, small);
        for number in 1..=5 {
            keeper.keep(vec![record(number, |_| {})]).await;
        }
        let stats = keeper.stats();
        assert_eq!((stats.taken, stats.spooled, stats.lost), (5, 2, 3));
        assert!(keeper.trouble().unwrap().contains("full"));
    });
}

/// A crash tears the last line, a bit flips in another: both are told, the others come in.
#[test]
fn a_torn_spool() {
    let folder = Folder::new("torn");
    let path = folder.path().join("events.spool");
    let mut written = spool(&folder);
    let lines: Vec<String> = (1..=4).map(|number| line(number, |_| {})).collect();
    written.append(lines.iter().map(String::as_str)).unwrap();
    assert_eq!(
        Spool::open(&path, ROOM).unwrap_err().kind(),
        ErrorKind::ResourceBusy
    );
    drop(written);
    let mut bytes = fs::read(&path).unwrap();
    let second = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 40;
    bytes[second] ^= 1;
    bytes.truncate(bytes.len() - 7);
    fs::write(&path, &bytes).unwrap();
    let mut torn = spool(&folder);
    let (read, place) = torn.peek(10).unwrap();
    assert_eq!((read, torn.torn()), (vec![lines[0].clone(), lines[2].clone()], 2));
    assert!(!torn.is_empty());
    torn.done(place).unwrap();
    assert!(torn.is_empty());
    torn.append(["again"]).unwrap();
    assert_eq!(torn.peek(10).unwrap().0, ["again"]);
}

#[test]
fn spools_are_read_in_parts() {
    let folder = Folder::new("parts");
    let mut spool = spool(&folder);
    for number in 0..10 {
        spool.append([format!("line {number}").as_str()]).unwrap();
    }
    let mut read = Vec::new();
    while !spool.is_empty() {
        let (lines, place) = spool.peek(3).unwrap();
        read.extend(lines);
        spool.done(place).unwrap();
    }
    assert_eq!((read.len(), &*read[9]), (10, "line 9"));
}

#[test]
fn a_newer_database_is_left_alone() {
    let folder = Folder::new("newer");
    let place = Place::Folder(folder.path().to_owned());
    block_on(async {
        let store = EventStore::open(&place).await.unwrap();
        let newer = Sql::new(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (999, 'later', 1, x'00', 0)",
        );
        newer.query().execute(&store.pool).await.unwrap();
        store.close().await;
        let error = EventStore::open(&place).await.unwrap_err();
        assert!(matches!(error, StoreError::Newer { .. }), "{error}");
    });
}

#[test]
fn places() {
    for (text, shown) in [
        ("store", "store/events.db"),
        (
            "postgres://kim:secret@db.example/weir",
            "postgres://kim@db.example/weir",
        ),
        ("postgresql://db/weir", "postgresql://db/weir"),
        ("postgres://kim:p@ss@db/weir", "postgres://kim@db/weir"),
    ] {
        assert_eq!(Place::parse(text).shown(), shown);
    }
    let folder = Folder::new("odd %41 name?#");
    let place = Place::Folder(folder.path().to_owned());
    assert!(!place.exists());
    block_on(async { EventStore::open(&place).await.unwrap().close().await });
    assert!(place.exists());
}
