//! Writes a caller for every generated method and readers of its body and answer, so that the tests reach each of them
//! without listing any.

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
    let answers = answers(&client.items);
    let by_answer = |reader: &str| -> Vec<_> {
        let reader = format_ident!("{reader}");
        let arm = |(method, builder): &(syn::Ident, String)| {
            let id = method.to_string();
            // Without an envelope there is nothing to read.
            Some(match answers.get(builder)? {
                Type::Tuple(nothing) if nothing.elems.is_empty() => quote! { #id => None, },
                envelope => quote! { #id => Some(#reader::<#envelope>(answer)), },
            })
        };
        methods.iter().filter_map(arm).collect()
    };
    let (opening, rereading) = (by_answer("opened"), by_answer("reopened"));
    let rewriting = methods.iter().filter_map(|(method, builder)| {
        let id = method.to_string();
        let (_, body) = setters.get(builder)?.iter().find(|(name, _)| name == "body")?;
        Some(quote! { #id => Some(rewritten::<#body>(body)), })
    });
    let reading = quote! {
        /// Reads the bytes as the operation's answer; none where it answers nothing.
        #[must_use]
        #[expect(clippy::match_same_arms, clippy::too_many_lines, reason = "an arm per operation, written by a program")]
        pub fn open(operation: &str, answer: &[u8]) -> Option<Result<String, Error>> {
            match operation {
                #(#opening)*
                other => Some(open_handwritten(other, answer)),
            }
        }

        /// Reads the bytes as the operation's answer, writes its data, reads that again and writes it again.
        #[must_use]
        #[expect(clippy::match_same_arms, clippy::too_many_lines, reason = "an arm per operation, written by a program")]
        pub fn reread(operation: &str, answer: &[u8]) -> Option<Result<[Value; 2], Error>> {
            match operation {
                #(#rereading)*
                other => Some(reopen_handwritten(other, answer)),
            }
        }

        /// Reads JSON as the operation's body and writes it back; none where the operation takes no JSON.
        #[must_use]
        pub fn rewrite(operation: &str, body: Value) -> Option<serde_json::Result<Value>> {
            match operation {
                #(#rewriting)*
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
                #[allow(unused_mut, reason = "operations without arguments have nothing to set")]
                let mut call = client.#method();
                #(#sets)*
                let builder = format!("{call:?} {call:#?}");
                Shown::new(builder, call.send().await)
            }
        }
    });
    let code = quote! {
        /// Calls the operation with every argument of the example set, and keeps what a log could show of it.
        #[expect(clippy::too_many_lines, reason = "an arm per operation, written by a program")]
        pub async fn show(client: &Client, operation: &str, example: &Example) -> Shown {
            match operation {
                #(#arms)*
                other => handwritten(client, other, example).await,
            }
        }

        #reading
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    fs::write(out.join("calls.rs"), prettyplease::unparse(&syn::parse2(code)?))?;
    Ok(())
}

/// The client's methods that return a builder, with the builder's name.
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

/// For every builder of a call: its setters and the type that each converts into.
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

/// For every builder of a call: what stands inside the `ResponseValue` that `send` returns.
fn answers(items: &[Item]) -> BTreeMap<String, Type> {
    let sends = builder_functions(items).filter(|(_, function)| function.sig.ident == "send");
    sends
        .filter_map(|(owner, function)| {
            let syn::ReturnType::Type(_, result) = &function.sig.output else { return None };
            let response = argument_of(result, "Result")?;
            Some((owner, argument_of(response, "ResponseValue")?.clone()))
        })
        .collect()
}

/// The functions of the builders of calls, each with its builder's name.
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

/// The first `T` of a type that is called `name`.
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

/// The `T` of a setter's `V: TryInto<T>`.
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
