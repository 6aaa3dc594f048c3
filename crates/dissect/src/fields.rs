//! Declares a dissector's field table. One line per field defines the static and its row in `ALL`, so that a new
//! field is one edit and the order of the lines is the order of the columns.

/// `NAME = kind("dotted.name", "Label");` per field; `kind` is a constructor of [`weir_model::Field`].
macro_rules! fields {
    ($($id:ident = $kind:ident($name:literal, $label:literal);)*) => {
        $(pub(crate) static $id: weir_model::Field = weir_model::Field::$kind($name, $label);)*

        /// Every field, in the order of the columns.
        pub(crate) const ALL: &[&weir_model::Field] = &[$(&$id),*];
    };
}

pub(crate) use fields;
