//! Generates the raw client: progenitor with our settings, then rules over the generated syntax tree.
//!
//! Shared by `build.rs` and `cargo xtask`. No rule names a type or an operation of the document.

mod builders;
mod calls;
mod docs;
mod types;

use std::collections::{BTreeMap, BTreeSet};

use progenitor::{CrateVers, GenerationSettings, Generator, HooksMode, InterfaceStyle, TagStyle};
use syn::{
    Fields, GenericArgument, Ident, ImplItem, Item, PathArguments, PathSegment, ReturnType, Type, parse_quote,
};

use calls::Call;
use docs::Docs;
use serde_json::Value;
use types::{Types, identifiers, optional};

/// Generates the raw client, the builders of request types and the call types from the lowered document.
pub(crate) fn generate(document: &Value) -> Result<syn::File, String> {
    let docs = Docs::new(document);
    let document = serde_json::from_value(document.clone()).map_err(|error| error.to_string())?;
    let mut settings = GenerationSettings::default();
    settings
        .with_interface(InterfaceStyle::Positional)
        .with_tag(TagStyle::Merged)
        .with_derive("PartialEq")
        // Without our hooks, requests would lack credentials; this makes that a compile error.
        .with_hooks(HooksMode::Expected)
        .with_inner_type(quote::quote!(crate::http::Transport))
        .with_map_type("::std::collections::BTreeMap")
        .with_crate("liveavatar-api", CrateVers::Any, None);
    let tokens = Generator::new(&settings).generate_tokens(&document).map_err(|error| error.to_string())?;
    let mut file = syn::parse2(tokens).map_err(|error| error.to_string())?;
    let calls = calls::calls(&file);
    mark_non_exhaustive(&mut file);
    keep_nulls(&mut file);
    allow_missing_nulls(&mut file);
    tolerate(&mut file, &calls);
    add_builders(&mut file, &calls, &docs);
    Ok(file)
}

/// All operations in Markdown, by the document's tags.
pub(crate) fn index(document: &Value) -> String {
    Docs::new(document).index()
}

/// Adds the builders of request types and the call types.
fn add_builders(file: &mut syn::File, calls: &[Call], docs: &Docs<'_>) {
    let Some(items) = module(file, "types") else { return };
    let mut types = Types::new(items);
    let (mut requests, mut bodies) = (BTreeSet::new(), BTreeSet::new());
    for call in calls {
        call.collect_requests(&mut requests, &mut bodies);
    }
    let requests = types.closure(requests);
    builders::open_enums(items, &requests, &mut types);
    let members = bodies.iter().filter_map(|name| types.unions.get(name)).flatten();
    let configurations = members.filter_map(|(_, member)| Some(last(member)?.ident.to_string())).collect();
    builders::add(items, &types, &requests, &configurations);
    calls::add(file, calls, &types, docs);
}

fn module<'a>(file: &'a mut syn::File, name: &str) -> Option<&'a mut Vec<Item>> {
    file.items.iter_mut().find_map(|item| match item {
        Item::Mod(module) if module.ident == name => module.content.as_mut().map(|(_, items)| items),
        _ => None,
    })
}

/// The last segment of a path type, such as `Page` of `::liveavatar_api::Page<types::Avatar>`.
pub(crate) fn last(kind: &Type) -> Option<&PathSegment> {
    match kind {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

/// The first type argument, such as `types::Avatar` of `Page<types::Avatar>`.
pub(crate) fn argument(segment: &PathSegment) -> Option<&Type> {
    match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => {
            arguments.args.iter().find_map(|argument| match argument {
                GenericArgument::Type(kind) => Some(kind),
                _ => None,
            })
        }
        _ => None,
    }
}

/// The methods of every inherent `impl` in `items`, with the name of its type.
pub(crate) fn methods(items: &[Item]) -> impl Iterator<Item = (&Ident, &syn::ImplItemFn)> {
    let inherent = items.iter().filter_map(|item| match item {
        Item::Impl(item) if item.trait_.is_none() => Some((&last(&item.self_ty)?.ident, item)),
        _ => None,
    });
    inherent.flat_map(|(owner, item)| {
        item.items.iter().filter_map(move |member| match member {
            ImplItem::Fn(function) => Some((owner, function)),
            _ => None,
        })
    })
}

pub(crate) fn result(function: &syn::ImplItemFn) -> Option<&Type> {
    match &function.sig.output {
        ReturnType::Type(_, kind) => Some(kind),
        ReturnType::Default => None,
    }
}

/// Marks the document's types `non_exhaustive`, so that a new field or value does not break callers.
///
/// progenitor's own patches work by type name only.
fn mark_non_exhaustive(file: &mut syn::File) {
    for item in module(file, "types").into_iter().flatten() {
        let attributes = match item {
            Item::Struct(item) if matches!(item.fields, Fields::Named(_)) => &mut item.attrs,
            Item::Enum(item) => &mut item.attrs,
            _ => continue,
        };
        attributes.push(parse_quote!(#[non_exhaustive]));
    }
}

/// Makes PATCH bodies keep a null when they are read from JSON; serde's `Option` would read it as an absent field.
fn keep_nulls(file: &mut syn::File) {
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
fn allow_missing_nulls(file: &mut syn::File) {
    for item in module(file, "types").into_iter().flatten() {
        let Item::Struct(item) = item else { continue };
        for field in item.fields.iter_mut().filter(|field| optional(&field.ty).is_some()) {
            field.attrs.retain(|attribute| {
                let text = quote::ToTokens::to_token_stream(attribute).to_string();
                !text.contains("Option::deserialize")
            });
        }
    }
}

/// Makes responses decode when a value is unexpectedly null or missing, or a number is written as text.
///
/// Ids and secrets stay strict, because an empty one would be used. Response types are those that calls return, and the
/// types of their fields.
fn tolerate(file: &mut syn::File, calls: &[Call]) {
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
    let mut open = BTreeSet::new();
    for call in calls {
        identifiers(&call.response, &mut open);
    }
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
                ("String", _) if name == "id" || name.ends_with("_id") => continue,
                ("String" | "bool" | "Vec" | "BTreeMap" | "OpenEnum" | "Timestamp" | "Credits", _) => {
                    "crate::wire::null_as_default"
                }
                _ => continue,
            };
            // A second default does not compile; the generator adds one to the tag of a union.
            if field
                .attrs
                .iter()
                .any(|attribute| quote::ToTokens::to_token_stream(attribute).to_string().contains("default"))
            {
                continue;
            }
            field.attrs.push(parse_quote!(#[serde(default, deserialize_with = #reader)]));
        }
    }
}
