//! The sites that somebody may see: all of them, or those that are named. Whoever is limited to none sees nothing.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Word for all of them.
pub const ALL: &str = "*";

/// Sites of a user or token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sites(Option<BTreeSet<String>>);

impl Sites {
    /// Every site there is and will be.
    pub const fn all() -> Self {
        Self(None)
    }

    /// These; with `*` among them all.
    pub fn of(names: impl IntoIterator<Item = String>) -> Self {
        let names: BTreeSet<String> = names.into_iter().collect();
        if names.contains(ALL) {
            return Self::all();
        }
        Self(Some(names))
    }

    /// Is nothing held back?
    pub const fn is_all(&self) -> bool {
        self.0.is_none()
    }

    /// Is this one among them?
    pub fn has(&self, site: &str) -> bool {
        self.0.as_ref().is_none_or(|names| names.contains(site))
    }

    /// Those that are in both.
    pub fn within(&self, other: &Self) -> Self {
        match (&self.0, &other.0) {
            (None, _) => other.clone(),
            (_, None) => self.clone(),
            (Some(one), Some(two)) => Self(Some(one & two)),
        }
    }

    /// These and those.
    pub fn and(&self, other: &Self) -> Self {
        Self(self.0.as_ref().zip(other.0.as_ref()).map(|(one, two)| one | two))
    }

    /// Names, or `*`.
    pub fn names(&self) -> Vec<String> {
        match &self.0 {
            None => vec![ALL.to_owned()],
            Some(names) => names.iter().cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_is_less() {
        let of = |names: &[&str]| Sites::of(names.iter().map(|name| (*name).to_owned()));
        let (all, both, one, none) = (of(&["*", "a"]), of(&["a", "b"]), of(&["a"]), of(&[]));
        assert!(all.is_all() && all.has("a") && !both.is_all() && both.has("b") && !one.has("b"));
        assert!(
            !none.has("a") && !none.is_all(),
            "limited to nothing is not unlimited"
        );
        assert_eq!(
            (all.within(&one), one.within(&both), both.within(&of(&["b", "c"]))),
            (one.clone(), one.clone(), of(&["b"]))
        );
        assert_eq!(
            (one.within(&of(&["b"])), one.and(&of(&["b"])), one.and(&all)),
            (none, both, all)
        );
    }
}
