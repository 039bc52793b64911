//! `--jq`: filtering JSON output as the `jq` program does.

use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Filter, Vars, data, unwrap_valr};
use jaq_json::{Val, read};
use serde_json::Value;

type Data = data::JustLut<Val>;

/// One result of an expression.
pub(crate) enum Found {
    /// Printed without quotes.
    Text(String),
    Json(String),
}

/// Checks an expression before the command sends anything.
pub(crate) fn check(expression: &str) -> Result<(), String> {
    compile(expression).map(drop)
}

/// Returns the results of an expression for a line of JSON output, up to the first error.
pub(crate) fn run(expression: &str, line: &Value) -> (Vec<Found>, Option<String>) {
    let filter = match compile(expression) {
        Ok(filter) => filter,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let input = match read::parse_single(line.to_string().as_bytes()) {
        Ok(input) => input,
        Err(error) => return (Vec::new(), Some(error.to_string())),
    };
    let mut found = Vec::new();
    for result in filter.id.run((Ctx::<Data>::new(&filter.lut, Vars::new([])), input)).map(unwrap_valr) {
        match result {
            Ok(Val::TStr(text) | Val::BStr(text)) => {
                found.push(Found::Text(String::from_utf8_lossy(&text).into_owned()));
            }
            Ok(other) => found.push(Found::Json(other.to_string())),
            Err(error) => return (found, Some(error.to_string())),
        }
    }
    (found, None)
}

fn compile(expression: &str) -> Result<Filter<Data>, String> {
    let definitions = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let functions = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let arena = Arena::default();
    let modules = Loader::new(definitions)
        .load(&arena, File { code: expression, path: () })
        .map_err(|_| "it is not a valid jq expression".to_owned())?;
    let compiled = Compiler::default().with_funs(functions).compile(modules);
    compiled.map_err(|errors| {
        let names = errors.into_iter().flat_map(|(_, errors)| errors).map(|(name, _)| format!("`{name}`"));
        format!("{} is not defined", names.collect::<Vec<_>>().join(", "))
    })
}
