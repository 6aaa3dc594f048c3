//! Enrichment: which side is inside, later names, places and reputation.
