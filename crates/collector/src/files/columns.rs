//! Lines of cells whose order a header line gives: where each wanted column stands.

/// Names of columns, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Columns {
    names: Vec<String>,
}

/// Columns looked at; no log has half as many.
const COLUMNS_MAX: usize = 256;

impl Columns {
    /// Columns named by the cells of a header line.
    pub(super) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let clean = |name: &str| name.trim().trim_matches('"').to_ascii_lowercase();
        Self {
            names: names.take(COLUMNS_MAX).map(clean).collect(),
        }
    }

    /// Where the first of these (lower-case) names that is there stands.
    pub(super) fn place(&self, names: &[&str]) -> Place {
        let at = |name: &&str| self.names.iter().position(|column| column == name);
        Place(names.iter().find_map(at))
    }

    /// Is this column there?
    pub(super) fn has(&self, name: &str) -> bool {
        self.place(&[name]).0.is_some()
    }
}

/// Place of a column, if the file has it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place(Option<usize>);

impl Place {
    /// The cell in this column. `None` when there is no such column, or the cell is empty or "-".
    pub(super) fn of<'a>(self, cells: &[&'a str]) -> Option<&'a str> {
        let cell = cells.get(self.0?)?.trim();
        (!matches!(cell, "" | "-")).then_some(cell)
    }
}
