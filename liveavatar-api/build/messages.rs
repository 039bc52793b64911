//! Plain wording for the errors of generated builders, which reach users.

use std::collections::BTreeMap;

use syn::{Fields, Item};

/// The values of each enum in the generated types.
pub(crate) type Enums = BTreeMap<String, Vec<String>>;

/// Collects the enums whose values are plain texts.
pub(crate) fn enums(file: &syn::File) -> Enums {
    let types = file.items.iter().filter_map(|item| match item {
        Item::Mod(module) if module.ident == "types" => module.content.as_ref().map(|(_, items)| items),
        _ => None,
    });
    let enums = types.flatten().filter_map(|item| match item {
        Item::Enum(item) if item.variants.iter().all(|variant| matches!(variant.fields, Fields::Unit)) => {
            Some(item)
        }
        _ => None,
    });
    enums.map(|item| (item.ident.to_string(), item.variants.iter().map(wire_name).collect())).collect()
}

fn wire_name(variant: &syn::Variant) -> String {
    let mut name = variant.ident.to_string();
    for attribute in variant.attrs.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        // Other keys of the attribute do not concern us.
        let _ = attribute.parse_nested_meta(|meta| {
            let value: syn::LitStr = meta.value()?.parse()?;
            if meta.path.is_ident("rename") {
                name = value.value();
            }
            Ok(())
        });
    }
    name
}

/// Rewrites the messages in the generated code: which field, and which values are allowed.
pub(crate) fn reword(code: &str, enums: &Enums) -> String {
    let mut plain = String::with_capacity(code.len());
    let mut pieces = code.split('"');
    plain.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        plain.push('"');
        match message(piece, enums) {
            Some(message) => plain.push_str(&message),
            None => plain.push_str(piece),
        }
    }
    plain
}

fn message(text: &str, enums: &Enums) -> Option<String> {
    let required =
        text.strip_suffix(" was not initialized").or_else(|| text.strip_prefix("no value supplied for "));
    if let Some(field) = required {
        return Some(format!("`{}` is required", field.trim_end_matches('_')));
    }
    if let Some(field) = text.strip_prefix("error converting supplied value for ") {
        let field = field.strip_suffix(": {e}")?;
        return Some(format!("`{}`: {{e}}", field.trim_end_matches('_')));
    }
    if let Some(rest) = text.strip_prefix("conversion to `") {
        let (kind, rest) = rest.split_once("` for ")?;
        let (field, cause) = rest.split_once(" failed")?;
        let field = field.trim_end_matches('_');
        let name = kind.rsplit("::").next().unwrap_or(kind).trim();
        return Some(match (cause, enums.get(name), name) {
            (": {}", ..) => format!("`{field}`: {{}}"),
            (_, Some(values), _) => {
                let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
                format!("`{field}` is not one of {}", values.join(", "))
            }
            (_, None, "Uuid") => format!("`{field}` is not a UUID"),
            (_, None, "i64") => format!("`{field}` is not an integer"),
            (_, None, _) => format!("`{field}` is not a valid `{name}`"),
        });
    }
    // The generator does not inflect.
    text.ends_with("than 1 characters").then(|| text.trim_end_matches('s').to_owned())
}
