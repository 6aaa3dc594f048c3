//! Named lists: `@servers` stands for addresses, ports or texts the program keeps. The language only asks for their
//! items; where they are kept and who may change them is the program's affair.

/// Where named lists come from.
pub trait Lists {
    /// The items of a list, each as it would be written in a filter; `None` when there is no such list.
    fn items(&self, name: &str) -> Option<Vec<String>>;

    /// Names of all lists, for completion and for the nearest name in errors.
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// No lists at all.
pub struct NoLists;

impl Lists for NoLists {
    fn items(&self, _: &str) -> Option<Vec<String>> {
        None
    }
}

/// A function from names to items is enough where nothing is completed.
impl<F: Fn(&str) -> Option<Vec<String>>> Lists for F {
    fn items(&self, name: &str) -> Option<Vec<String>> {
        self(name)
    }
}

/// Lists kept in memory.
impl Lists for std::collections::BTreeMap<String, Vec<String>> {
    fn items(&self, name: &str) -> Option<Vec<String>> {
        self.get(name).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }
}
