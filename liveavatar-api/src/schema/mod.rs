pub use crate::config::{Diagnostic, Diagnostics, Severity};
use serde_json::Value;
pub(crate) fn check_parameters(_: &str, _: &Value, _: &[String]) -> Diagnostics {
    Diagnostics::default()
}
pub(crate) fn check_type(_: &str, _: &Value, _: &[String]) -> Diagnostics {
    Diagnostics::default()
}
pub(crate) fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(value)
}
pub(crate) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
