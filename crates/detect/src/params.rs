//! Parameters of methods: one declaration gives the struct, its defaults, bounds, configuration keys and manual text.

use serde::Serialize;
use serde::de::DeserializeOwned;
use weir_model::ParamMeta;

/// What the [`crate::params!`] macro implements for a method's `Params`.
pub trait ParamTable: Clone + Default + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// The manual's table.
    fn rows() -> Vec<ParamMeta>;
    /// Are all values within their bounds? The error names the parameter, its value and the bounds.
    fn check(&self) -> Result<(), String>;
}

/// Checks one value against its bounds.
pub fn check_bounds(name: &str, value: f64, low: f64, high: f64) -> Result<(), String> {
    if (low..=high).contains(&value) {
        Ok(())
    } else {
        Err(format!(
            "{name} = {value} is out of bounds: it must be between {low} and {high}"
        ))
    }
}

/// Declares the parameters of a method.
///
/// ```ignore
/// params! {
///     /// Attempts before anything is said. More makes it quieter and slower.
///     attempts_min: u32 = 20, 2..=100_000;
///     /// Sources that may do this, as prefixes.
///     ignore_sources: Vec<IpNet> = Vec::new();
/// }
/// ```
/// The doc comment is the manual text: effect for the operator and unit. Bounds are optional.
#[macro_export]
macro_rules! params {
    ($( $(#[doc = $doc:literal])+ $name:ident : $type:ty = $default:expr $(, $low:literal ..= $high:literal)? ; )*) => {
        /// Parameters; see each field.
        #[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Params {
            $( $(#[doc = $doc])+ pub $name: $type, )*
        }

        impl Default for Params {
            fn default() -> Self {
                Self { $( $name: $default, )* }
            }
        }

        impl $crate::ParamTable for Params {
            fn rows() -> Vec<weir_model::ParamMeta> {
                let defaults = serde_json::to_value(Self::default()).unwrap_or_default();
                vec![$(
                    weir_model::ParamMeta {
                        name: stringify!($name),
                        about: concat!($($doc),+).trim(),
                        default: defaults[stringify!($name)].to_string(),
                        bounds: None $( .or(Some(($low as f64, $high as f64))) )?,
                    },
                )*]
            }

            fn check(&self) -> Result<(), String> {
                $( $( $crate::check_bounds(stringify!($name), self.$name as f64, $low as f64, $high as f64)?; )? )*
                Ok(())
            }
        }
    };
}
