//! Observation points: capture files (and later interfaces) as packets.
