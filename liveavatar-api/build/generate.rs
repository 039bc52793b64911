//! Generates the raw client: progenitor with our settings, then rules over the generated syntax tree.
//!
//! Shared by `build.rs` and `cargo xtask`. No rule names a type or an operation of the document.

pub(crate) mod builders;
pub(crate) mod calls;
mod decoding;
mod docs;
mod sending;
mod types;

use std::collections::BTreeSet;

use progenitor::{CrateVers, GenerationSettings, Generator, HooksMode, InterfaceStyle, TagStyle};
use syn::{
    Fields, GenericArgument, Ident, ImplItem, Item, PathArguments, PathSegment, ReturnType, Type, parse_quote,
};

use calls::Call;
use docs::Docs;
use quote::ToTokens;
use serde_json::Value;
pub(crate) use types::Types;

/// Generates the raw client, the builders of request types and the call types from the lowered document.
pub(crate) fn generate(document: &Value) -> Result<syn::File, String> {
    let docs = Docs::new(document);
    let mut file = syn::parse2(tokens(document)?.into_token_stream()).map_err(|error| error.to_string())?;
    let calls = calls::calls(&file);
    sending::split(&mut file)?;
    mark_non_exhaustive(&mut file);
    decoding::keep_nulls(&mut file);
    decoding::allow_missing_nulls(&mut file);
    decoding::tolerate(&mut file, &calls, &docs);
    add_builders(&mut file, &calls, &docs);
    Ok(file)
}

/// Generates what progenitor makes of the lowered document.
pub(crate) fn tokens(document: &Value) -> Result<impl ToTokens, String> {
    let api = serde_json::from_value(document.clone()).map_err(|error| error.to_string())?;
    let mut settings = GenerationSettings::default();
    settings
        .with_interface(InterfaceStyle::Positional)
        .with_tag(TagStyle::Merged)
        .with_derive("PartialEq")
        // A function that sends without the crate would lack credentials; without hooks, that is a compile error.
        .with_hooks(HooksMode::Expected)
        .with_inner_type(quote::quote!(crate::http::Transport))
        .with_map_type("::std::collections::BTreeMap")
        .with_crate("liveavatar-api", CrateVers::Any, None);
    Generator::new(&settings).generate_tokens(&api).map_err(|error| error.to_string())
}

/// All operations in Markdown, by the document's tags.
pub(crate) fn index(document: &Value) -> String {
    Docs::new(document).index()
}

/// Adds the builders of request types and the call types.
fn add_builders(file: &mut syn::File, calls: &[Call], docs: &Docs<'_>) {
    let Some(items) = module(file, "types") else { return };
    let (mut types, requests, bodies) = request_types(items, calls);
    let patches = docs.patches();
    types.patches = requests.iter().filter(|name| patches.contains(&name.to_lowercase())).cloned().collect();
    builders::explain_absence(items, &types);
    let members = bodies.iter().filter_map(|name| types.unions.get(name)).flatten();
    let configurations = members.filter_map(|(_, member)| Some(last(member)?.ident.to_string())).collect();
    builders::add(items, &types, &requests, &configurations);
    calls::add(file, calls, &types, docs);
}

/// Returns all types, the names of those that requests contain, and of those that are whole bodies.
pub(crate) fn request_types(
    items: &mut [Item],
    calls: &[Call],
) -> (Types, BTreeSet<String>, BTreeSet<String>) {
    let mut types = Types::new(items);
    let (mut requests, mut bodies) = (BTreeSet::new(), BTreeSet::new());
    for call in calls {
        call.collect_requests(&mut requests, &mut bodies);
    }
    let requests = types.closure(requests);
    builders::open_enums(items, &requests, &mut types);
    (types, requests, bodies)
}

pub(crate) fn module<'a>(file: &'a mut syn::File, name: &str) -> Option<&'a mut Vec<Item>> {
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
