//! What request and response types read: nulls, missing fields, numbers as text. No rule names a type or a field.

use std::collections::{BTreeMap, BTreeSet};

use quote::ToTokens as _;
use syn::{Fields, File, Item, parse_quote};

use super::calls::Call;
use super::docs::Docs;
use super::types::{identifiers, optional};
use super::{argument, last, module};

/// Makes PATCH bodies keep a null when they are read from JSON; serde's `Option` would read it as an absent field.
pub(super) fn keep_nulls(file: &mut File) {
    for item in module(file, "types").into_iter().flatten() {
        let Item::Struct(item) = item else { continue };
        for field in &mut item.fields {
            let inner =
                last(&field.ty).filter(|outer| outer.ident == "Option").and_then(argument).and_then(last);
            if inner.is_some_and(|inner| inner.ident == "Nullable") {
                field.attrs.push(parse_quote!(#[serde(default, deserialize_with = "crate::wire::nullable")]));
            }
        }
    }
}

/// Makes a field that is required and nullable read as null if it is missing; it is always written.
pub(super) fn allow_missing_nulls(file: &mut File) {
    for item in module(file, "types").into_iter().flatten() {
        let Item::Struct(item) = item else { continue };
        for field in item.fields.iter_mut().filter(|field| optional(&field.ty).is_some()) {
            field.attrs.retain(|attribute| {
                let text = attribute.to_token_stream().to_string();
                !text.contains("Option::deserialize")
            });
        }
    }
}

/// Makes responses decode when a value is unexpectedly null or missing, or a number is written as text.
///
/// Ids and secrets stay strict, because an empty one would be used. The exception is an id in the response of an operation
/// that only a session token authorizes: it echoes the id of the token's session, which may run by now. Response types are
/// those that calls return, and the types of their fields.
pub(super) fn tolerate(file: &mut File, calls: &[Call], docs: &Docs<'_>) {
    let Some(types) = module(file, "types") else { return };
    let mut holds = BTreeMap::new();
    for item in &*types {
        let (name, fields): (_, Vec<&Fields>) = match item {
            Item::Struct(item) => (&item.ident, vec![&item.fields]),
            Item::Enum(item) => (&item.ident, item.variants.iter().map(|variant| &variant.fields).collect()),
            _ => continue,
        };
        let mut inner = BTreeSet::new();
        fields.into_iter().flatten().for_each(|field| identifiers(&field.ty, &mut inner));
        holds.insert(name.to_string(), inner);
    }
    let (mut open, mut echoing) = (BTreeSet::new(), BTreeSet::new());
    for call in calls {
        let echoes = docs.needs_only_a_token(&call.id());
        identifiers(&call.response, if echoes { &mut echoing } else { &mut open });
    }
    echoing.retain(|name| !open.contains(name));
    open.extend(echoing.iter().cloned());
    let mut responses = BTreeSet::new();
    while let Some(name) = open.pop_first() {
        if let Some(inner) = holds.get(&name)
            && responses.insert(name)
        {
            open.extend(inner.iter().cloned());
        }
    }

    for item in types {
        let Item::Struct(item) = item else { continue };
        if !responses.contains(&item.ident.to_string()) {
            continue;
        }
        for field in &mut item.fields {
            let name = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
            let Some(segment) = last(&field.ty) else { continue };
            let inner = argument(segment).and_then(last).map(|inner| inner.ident.to_string());
            let reader = match (segment.ident.to_string().as_str(), inner.as_deref()) {
                ("Option", Some("i64" | "f64")) => "crate::wire::number_or_none",
                ("i64" | "f64", _) => "crate::wire::number",
                ("String", _) if name == "id" || name.ends_with("_id") => {
                    if echoing.contains(&item.ident.to_string()) {
                        // Without a default: a response that lacks the field has another shape.
                        field.attrs.push(parse_quote!(#[serde(deserialize_with = "crate::wire::echo")]));
                    }
                    continue;
                }
                ("String" | "bool" | "Vec" | "BTreeMap" | "OpenEnum" | "Timestamp" | "Credits", _) => {
                    "crate::wire::null_as_default"
                }
                _ => continue,
            };
            // A second default does not compile; the generator adds one to the tag of a union.
            if field.attrs.iter().any(|attribute| attribute.to_token_stream().to_string().contains("default"))
            {
                continue;
            }
            // The only value of a transparent type cannot be missing.
            let default: Option<syn::Path> = field.ident.as_ref().map(|_| parse_quote!(default));
            let default = default.into_iter();
            field.attrs.push(parse_quote!(#[serde(#(#default,)* deserialize_with = #reader)]));
        }
    }
}
