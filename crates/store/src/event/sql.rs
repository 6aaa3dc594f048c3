//! A statement being put together: text with numbered places, and the values for them. Values never enter the text.

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, Arguments, AssertSqlSafe, Encode, Type};

/// A statement and its values. SQLite and PostgreSQL both understand `$1`.
#[derive(Default)]
pub(super) struct Sql {
    text: String,
    values: AnyArguments,
}

impl Sql {
    pub(super) fn new(text: &str) -> Self {
        let mut sql = Self::default();
        sql.push(text);
        sql
    }

    /// Adds text of ours.
    pub(super) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds a place and its value.
    pub(super) fn bind<'a, T: Encode<'a, Any> + Type<Any>>(&mut self, value: T) -> &mut Self {
        // Numbers and text cannot fail to encode.
        if self.values.add(value).is_ok() {
            self.text.push('$');
            self.text.push_str(&self.values.len().to_string());
        }
        self
    }

    /// Adds places and values with commas between them.
    pub(super) fn list<'a, T: Encode<'a, Any> + Type<Any>>(
        &mut self,
        values: impl IntoIterator<Item = T>,
    ) -> &mut Self {
        for (at, value) in values.into_iter().enumerate() {
            if at > 0 {
                self.push(", ");
            }
            self.bind(value);
        }
        self
    }

    pub(super) fn query(self) -> Query<'static, Any, AnyArguments> {
        sqlx::query_with(AssertSqlSafe(self.text), self.values)
    }
}

/// Columns by name, with words instead of a panic when the database holds something else.
pub(super) trait Columns {
    fn text(&self, name: &str) -> Result<String, sqlx::Error>;
    fn maybe_text(&self, name: &str) -> Result<Option<String>, sqlx::Error>;
    fn number(&self, name: &str) -> Result<i64, sqlx::Error>;
    fn maybe_number(&self, name: &str) -> Result<Option<i64>, sqlx::Error>;
}

impl Columns for AnyRow {
    fn text(&self, name: &str) -> Result<String, sqlx::Error> {
        sqlx::Row::try_get(self, name)
    }
    fn maybe_text(&self, name: &str) -> Result<Option<String>, sqlx::Error> {
        sqlx::Row::try_get(self, name)
    }
    fn number(&self, name: &str) -> Result<i64, sqlx::Error> {
        sqlx::Row::try_get(self, name)
    }
    fn maybe_number(&self, name: &str) -> Result<Option<i64>, sqlx::Error> {
        sqlx::Row::try_get(self, name)
    }
}
