//! Public encodings: events, flows and transactions as JSON, CSV and tables.
