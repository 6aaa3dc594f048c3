//! Every limit of the language in one place: filters come from people, saved searches, and whoever reaches the API.
//! Each is far above what a person writes and far below what would hurt.

/// Longest filter text, bytes. The longest hand-written filters seen in the field stay below 2 KiB.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Deepest nesting of parentheses and `not`; parsing and evaluation recurse, so this bounds the stack.
pub const DEPTH_MAX: usize = 64;
/// Comparisons in one filter; each costs a pass over the rows still undecided.
pub const TESTS_MAX: usize = 1024;
/// Items of one list written in the filter.
pub const LIST_ITEMS_MAX: usize = 4096;
/// Items of one named list; such lists are kept by the program, not typed.
pub const NAMED_LIST_ITEMS_MAX: usize = 100_000;
/// Longest quoted string or pattern, bytes.
pub const STRING_BYTES_MAX: usize = 1024;
/// Memory of one compiled pattern, bytes: a pattern that needs more is refused.
pub const PATTERN_BYTES_MAX: usize = 256 * 1024;
/// Patterns in one filter, so that all of them together stay below 8 MiB.
pub const PATTERNS_MAX: usize = 32;
/// Suggestions of one completion; a list longer than a screen helps nobody.
pub const SUGGESTIONS_MAX: usize = 100;
