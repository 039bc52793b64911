//! Generates the raw client: progenitor with our settings, then rules over the generated syntax tree.
//!
//! Shared by `build.rs` and `cargo xtask`. No rule names a type or an operation of the document.

use std::collections::{BTreeMap, BTreeSet};

use progenitor::{CrateVers, GenerationSettings, Generator, HooksMode, InterfaceStyle, TagStyle};
use syn::{
    Fields, GenericArgument, Ident, ImplItem, Item, PathArguments, PathSegment, ReturnType, Type, parse_quote,
};

/// Generates the raw client from the lowered document.
pub(crate) fn generate(document: &openapiv3::OpenAPI) -> Result<syn::File, String> {
    let mut settings = GenerationSettings::default();
    settings
        .with_interface(InterfaceStyle::Builder)
        .with_tag(TagStyle::Merged)
        .with_derive("PartialEq")
        // Without our hooks, requests would lack credentials; this makes that a compile error.
        .with_hooks(HooksMode::Expected)
        .with_inner_type(quote::quote!(crate::http::Transport))
        .with_map_type("::std::collections::BTreeMap")
        .with_crate("liveavatar-api", CrateVers::Any, None);
    let tokens = Generator::new(&settings).generate_tokens(document).map_err(|error| error.to_string())?;
    let mut file = syn::parse2(tokens).map_err(|error| error.to_string())?;
    let calls = calls(&file);
    mark_non_exhaustive(&mut file);
    keep_nulls(&mut file);
    allow_missing_nulls(&mut file);
    tolerate(&mut file, &calls);
    implement_calls(&mut file, calls);
    Ok(file)
}

/// A generated call: its method, its builder, and the response type of the builder's `send`.
struct Call {
    method: Ident,
    builder: Ident,
    response: Type,
}

fn module<'a>(file: &'a mut syn::File, name: &str) -> Option<&'a mut Vec<Item>> {
    file.items.iter_mut().find_map(|item| match item {
        Item::Mod(module) if module.ident == name => module.content.as_mut().map(|(_, items)| items),
        _ => None,
    })
}

/// The last segment of a path type, such as `Page` of `::liveavatar_api::Page<types::Avatar>`.
fn last(kind: &Type) -> Option<&PathSegment> {
    match kind {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

/// The first type argument, such as `types::Avatar` of `Page<types::Avatar>`.
fn argument(segment: &PathSegment) -> Option<&Type> {
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
fn methods(items: &[Item]) -> impl Iterator<Item = (&Ident, &syn::ImplItemFn)> {
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

fn result(function: &syn::ImplItemFn) -> Option<&Type> {
    match &function.sig.output {
        ReturnType::Type(_, kind) => Some(kind),
        ReturnType::Default => None,
    }
}

fn calls(file: &syn::File) -> Vec<Call> {
    let builders: Vec<Item> = file
        .items
        .iter()
        .find_map(|item| match item {
            Item::Mod(module) if module.ident == "builder" => {
                module.content.as_ref().map(|(_, items)| items.clone())
            }
            _ => None,
        })
        .unwrap_or_default();
    let responses: BTreeMap<&Ident, &Type> = methods(&builders)
        .filter(|(_, function)| function.sig.ident == "send")
        // `Result<ResponseValue<T>, Error<()>>`
        .filter_map(|(owner, function)| Some((owner, argument(last(argument(last(result(function)?)?)?)?)?)))
        .collect();
    methods(&file.items)
        .filter(|(owner, _)| *owner == "Client")
        .filter_map(|(_, function)| {
            let builder = &last(result(function)?)?.ident;
            let response = (*responses.get(builder)?).clone();
            Some(Call { method: function.sig.ident.clone(), builder: builder.clone(), response })
        })
        .collect()
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

/// Reads a missing field as null where the document requires a nullable one; serde's `Option` does so by default.
fn allow_missing_nulls(file: &mut syn::File) {
    let is_strict = |attribute: &syn::Attribute| {
        let text = quote::ToTokens::to_token_stream(attribute).to_string();
        text.contains("\"::std::option::Option::deserialize\"")
    };
    for item in module(file, "types").into_iter().flatten() {
        let Item::Struct(item) = item else { continue };
        for field in &mut item.fields {
            field.attrs.retain(|attribute| !is_strict(attribute));
        }
    }
}

/// Collects every identifier in a type, including its arguments.
fn identifiers(kind: &Type, found: &mut BTreeSet<String>) {
    if let Some(segment) = last(kind) {
        found.insert(segment.ident.to_string());
        if let PathArguments::AngleBracketed(arguments) = &segment.arguments {
            for argument in &arguments.args {
                if let GenericArgument::Type(kind) = argument {
                    identifiers(kind, found);
                }
            }
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

/// Implements the traits of all calls for every builder.
fn implement_calls(file: &mut syn::File, calls: Vec<Call>) {
    let Some(builders) = module(file, "builder") else { return };
    for Call { method, builder, response } in calls {
        let id = method.to_string();
        builders.push(parse_quote! {
            impl crate::calls::Call for #builder<'_> {
                type Response = #response;
                type Data = <ResponseValue<#response> as crate::calls::IntoData>::Data;
                const OPERATION: &'static str = #id;

                fn client(&self) -> &super::Client {
                    self.client
                }

                async fn response(self) -> Result<ResponseValue<Self::Response>, Error<()>> {
                    self.send().await
                }

                fn open(response: ResponseValue<Self::Response>) -> Result<Self::Data, crate::Error> {
                    crate::calls::IntoData::into_data(response)
                }
            }
        });
        let page = last(&response).filter(|last| last.ident == "Envelope").and_then(argument).and_then(last);
        if let Some(item) = page.filter(|page| page.ident == "Page").and_then(argument) {
            builders.push(parse_quote! {
                impl crate::calls::pages::Paged for #builder<'_> {
                    type Item = #item;

                    fn number(&self) -> i64 {
                        self.page.as_ref().ok().copied().flatten().unwrap_or(1)
                    }

                    fn at(self, number: i64) -> Self {
                        self.page(number)
                    }
                }
            });
        }
    }
}
