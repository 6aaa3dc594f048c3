-- What lists of events are counted by, beside their moment: counts, histograms and threat scores of a window then read this
-- index alone, and not the events with their documents, which are a hundred times as large.

CREATE INDEX events_by_count ON events (
    detected_ns, priority, method, submethod, false_positive, source_ip, source_key, source_mac, site, feed, instance,
    state, closed, workflow, assignee, risk, probability, target_count, last_update_ns, id
);

-- A join from events finds their tactics, techniques and addresses of targets in the index.
CREATE INDEX event_attack_by_event ON event_attack (event_id, technique, tactic);
CREATE INDEX event_targets_by_event ON event_targets (event_id, ip, ip_key, mac, port);
