//! Findings become events: correlation, priority, risk, evidence.
