//! Writes functions that call every generated method and decode its body and response, so that the tests cover every operation
//! without a list.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use quote::{format_ident, quote};
use syn::{FnArg, GenericArgument, ImplItem, ImplItemFn, Item, Type, TypeParamBound, WherePredicate};

#[path = "../liveavatar-api/build/generate.rs"]
mod generate;

const LOWERED: &str = "../openapi/liveavatar-v1.json";

fn main() -> Result<(), Box<dyn Error>> {
    for input in [LOWERED, "build.rs", "../liveavatar-api/build/generate.rs"] {
        println!("cargo::rerun-if-changed={input}");
    }
    let document: openapiv3::OpenAPI = serde_json::from_str(&fs::read_to_string(LOWERED)?)?;
    let client = generate::generate(&document)?;

    let methods = methods(&client.items);
    let setters = setters(&client.items);
    let responses = responses(&client.items);
    let arms_calling = |function: &str| -> Vec<_> {
        let function = format_ident!("{function}");
        let arm = |(method, builder): &(syn::Ident, String)| {
            let id = method.to_string();
            // The unit type means an empty response body.
            Some(match responses.get(builder)? {
                Type::Tuple(unit) if unit.elems.is_empty() => quote! { #id => None, },
                envelope => quote! { #id => Some(#function::<#envelope>(response)), },
            })
        };
        methods.iter().filter_map(arm).collect()
    };
    let (decode_arms, round_trip_arms) = (arms_calling("decode_as"), arms_calling("round_trip_as"));
    let body_arms = methods.iter().filter_map(|(method, builder)| {
        let id = method.to_string();
        let (_, body) = setters.get(builder)?.iter().find(|(name, _)| name == "body")?;
        Some(quote! { #id => Some(round_trip_body_as::<#body>(body)), })
    });
    let decoding = quote! {
        /// Decodes the operation's response and returns its `Debug` output, or `None` for an operation without a response body.
        #[must_use]
        #[expect(clippy::match_same_arms, clippy::too_many_lines, reason = "generated, with one arm per operation")]
        pub fn decode(operation: &str, response: &[u8]) -> Option<Result<String, Error>> {
            match operation {
                #(#decode_arms)*
                other => Some(decode_handwritten(other, response)),
            }
        }

        /// Decodes the operation's response and serializes its data, twice.
        #[must_use]
        #[expect(clippy::match_same_arms, clippy::too_many_lines, reason = "generated, with one arm per operation")]
        pub fn round_trip(operation: &str, response: &[u8]) -> Option<Result<[Value; 2], Error>> {
            match operation {
                #(#round_trip_arms)*
                other => Some(round_trip_handwritten(other, response)),
            }
        }

        /// Decodes the operation's JSON body and serializes it again. Returns `None` if the operation takes no JSON.
        #[must_use]
        pub fn round_trip_body(operation: &str, body: Value) -> Option<serde_json::Result<Value>> {
            match operation {
                #(#body_arms)*
                _ => None,
            }
        }
    };
    let arms = methods.iter().map(|(method, builder)| {
        let id = method.to_string();
        let sets = setters.get(builder).into_iter().flatten().map(|(name, kind)| {
            let argument = name.to_string();
            let argument = argument.trim_end_matches('_');
            quote! { call = call.#name(argument::<#kind>(example, #argument)); }
        });
        quote! {
            #id => {
                #[allow(unused_mut, reason = "not every operation has arguments")]
                let mut call = client.#method();
                #(#sets)*
                let builder = format!("{call:?} {call:#?}");
                Shown::new(builder, call.send().await)
            }
        }
    });
    let code = quote! {
        /// Calls the operation with all arguments of the example, and keeps the `Debug` output.
        #[expect(clippy::too_many_lines, reason = "generated, with one arm per operation")]
        pub async fn show(client: &Client, operation: &str, example: &Example) -> Shown {
            match operation {
                #(#arms)*
                other => handwritten(client, other, example).await,
            }
        }

        #decoding
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    fs::write(out.join("calls.rs"), prettyplease::unparse(&syn::parse2(code)?))?;
    Ok(())
}

/// Returns the client's methods that return a builder, with the builder's name.
fn methods(items: &[Item]) -> Vec<(syn::Ident, String)> {
    let mut found = Vec::new();
    for item in items {
        let Item::Impl(item) = item else { continue };
        let Type::Path(owner) = item.self_ty.as_ref() else { continue };
        if item.trait_.is_some() || !owner.path.is_ident("Client") {
            continue;
        }
        for member in &item.items {
            let ImplItem::Fn(function) = member else { continue };
            let syn::ReturnType::Type(_, kind) = &function.sig.output else { continue };
            if let Type::Path(path) = kind.as_ref()
                && path.path.segments.first().is_some_and(|first| first.ident == "builder")
                && let Some(last) = path.path.segments.last()
            {
                found.push((function.sig.ident.clone(), last.ident.to_string()));
            }
        }
    }
    found
}

/// Returns the setters of each call's builder, with the type that each of them converts into.
fn setters(items: &[Item]) -> BTreeMap<String, Vec<(syn::Ident, Type)>> {
    let mut found = BTreeMap::<String, Vec<_>>::new();
    for (owner, function) in builder_functions(items) {
        let takes_value = function.sig.inputs.len() == 2 && matches!(function.sig.inputs[1], FnArg::Typed(_));
        // `body_map` takes a closure.
        if takes_value && let Some(kind) = converts_into(&function.sig) {
            found.entry(owner).or_default().push((format_ident!("{}", function.sig.ident), kind));
        }
    }
    found
}

/// Returns the type inside of the `ResponseValue` that each builder's `send` returns.
fn responses(items: &[Item]) -> BTreeMap<String, Type> {
    let sends = builder_functions(items).filter(|(_, function)| function.sig.ident == "send");
    sends
        .filter_map(|(owner, function)| {
            let syn::ReturnType::Type(_, result) = &function.sig.output else { return None };
            let response = argument_of(result, "Result")?;
            Some((owner, argument_of(response, "ResponseValue")?.clone()))
        })
        .collect()
}

/// Returns the functions of the calls' builders, each with its builder's name.
fn builder_functions(items: &[Item]) -> impl Iterator<Item = (String, &ImplItemFn)> {
    let builders = items.iter().find_map(|item| match item {
        Item::Mod(module) if module.ident == "builder" => module.content.as_ref(),
        _ => None,
    });
    builders.into_iter().flat_map(|(_, items)| items).flat_map(|item| {
        let Item::Impl(item) = item else { return Vec::new() };
        let Type::Path(owner) = item.self_ty.as_ref() else { return Vec::new() };
        let Some(owner) = owner.path.segments.last().map(|last| last.ident.to_string()) else {
            return Vec::new();
        };
        let functions = item.items.iter().filter_map(|member| match member {
            ImplItem::Fn(function) => Some((owner.clone(), function)),
            _ => None,
        });
        functions.collect()
    })
}

fn argument_of<'t>(kind: &'t Type, name: &str) -> Option<&'t Type> {
    let Type::Path(path) = kind else { return None };
    first_argument(path.path.segments.last().filter(|last| last.ident == name)?)
}

fn first_argument(segment: &syn::PathSegment) -> Option<&Type> {
    let syn::PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(kind) => Some(kind),
        _ => None,
    }
}

/// Returns the `T` of a setter's `V: TryInto<T>`.
fn converts_into(signature: &syn::Signature) -> Option<Type> {
    for predicate in &signature.generics.where_clause.as_ref()?.predicates {
        let WherePredicate::Type(predicate) = predicate else { continue };
        for bound in &predicate.bounds {
            let TypeParamBound::Trait(bound) = bound else { continue };
            let last = bound.path.segments.last()?;
            if last.ident == "TryInto"
                && let Some(kind) = first_argument(last)
            {
                return Some(kind.clone());
            }
        }
    }
    None
}
