//! Looks every record up in the snapshot and ties to it what was found. Records without a match stay as they are.

use std::sync::Arc;

use weir_model::{
    Batch, FlowRecord, IndicatorKind, Protocol, SeenAt, Sighting, Sightings, Time, Transaction, proto,
};

use super::snapshot::{Question, Snapshot};
use super::value::target_of;

/// Marks a batch whose records know already who is inside.
pub(crate) fn mark(batch: &mut Batch, snapshot: &Snapshot) {
    let mut found = Vec::new();
    if snapshot.has_addresses() {
        for flow in batch.flows.iter_mut().filter(|flow| flow.key.is_ip()) {
            of_flow(flow, snapshot, &mut found);
            flow.sightings = take(&mut found);
        }
    }
    if snapshot.has_texts() {
        for transaction in &mut batch.transactions {
            of_transaction(transaction, snapshot, &mut found);
            transaction.sightings = take(&mut found);
        }
    }
}

fn take(found: &mut Vec<Sighting>) -> Sightings {
    found.truncate(Sighting::MAX);
    if found.is_empty() {
        return None;
    }
    Some(Arc::from(std::mem::take(found)))
}

fn of_flow(flow: &FlowRecord, snapshot: &Snapshot, found: &mut Vec<Sighting>) {
    let key = &flow.key;
    let question = |at, inside| Question {
        at,
        time: flow.start,
        inside,
    };
    let responder = question(SeenAt::Responder, flow.responder_inside);
    snapshot.address(key.responder_ip, responder, found);
    if matches!(key.proto, proto::TCP | proto::UDP | proto::SCTP) {
        snapshot.service(key.responder_ip, key.responder_port, responder, found);
    }
    snapshot.address(
        key.initiator_ip,
        question(SeenAt::Initiator, flow.initiator_inside),
        found,
    );
}

fn of_transaction(transaction: &Transaction, snapshot: &Snapshot, found: &mut Vec<Sighting>) {
    let time = transaction.start;
    match transaction.protocol {
        Protocol::Dns => {
            if let Some(name) = transaction.text("dns.query") {
                snapshot.name(&name.to_ascii_lowercase(), outside(SeenAt::DnsName, time), found);
            }
        }
        Protocol::Http => {
            if let Some(host) = transaction.text("http.host") {
                web(
                    host,
                    transaction.text("http.uri").unwrap_or_default(),
                    time,
                    snapshot,
                    found,
                );
            }
        }
        Protocol::Tls => handshake(transaction, snapshot, found),
        _ => {}
    }
}

fn outside(at: SeenAt, time: Time) -> Question {
    Question {
        at,
        time,
        inside: false,
    }
}

fn web(host: &str, uri: &str, time: Time, snapshot: &Snapshot, found: &mut Vec<Sighting>) {
    // To a proxy the whole URL is the target.
    let (host, target) = match uri.split_once("://") {
        Some((_, rest)) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => (host, uri),
    };
    let Some(url) = target_of(host, target) else {
        return;
    };
    let name = url.split(['/', ':']).next().unwrap_or_default();
    match name.parse() {
        // The connection's own address is asked for with the flow; a proxy's client names another one here.
        Ok(ip) => snapshot.address(ip, outside(SeenAt::WebName, time), found),
        Err(_) => snapshot.name(name, outside(SeenAt::WebName, time), found),
    }
    snapshot.text(IndicatorKind::Url, &url, outside(SeenAt::WebTarget, time), found);
}

fn handshake(transaction: &Transaction, snapshot: &Snapshot, found: &mut Vec<Sighting>) {
    let time = transaction.start;
    if let Some(name) = transaction.text("tls.sni") {
        snapshot.name(&name.to_ascii_lowercase(), outside(SeenAt::WebName, time), found);
    }
    for (field, kind) in [
        ("tls.ja3", IndicatorKind::Ja3),
        ("tls.ja4", IndicatorKind::Ja4),
        ("tls.cert_sha1", IndicatorKind::Certificate),
        ("tls.cert_sha256", IndicatorKind::Certificate),
    ] {
        if let Some(text) = transaction.text(field) {
            let text = text.to_ascii_lowercase();
            snapshot.text(kind, &text, outside(SeenAt::Handshake, time), found);
        }
    }
}
