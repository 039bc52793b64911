//! Writes a caller for every generated method, so that the tests reach each of them without listing any.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use quote::{format_ident, quote};
use syn::{FnArg, ImplItem, Item, Type, TypeParamBound, WherePredicate};

#[path = "../liveavatar-api/build/generate.rs"]
mod generate;

const LOWERED: &str = "../openapi/liveavatar-v1.json";

fn main() -> Result<(), Box<dyn Error>> {
    for input in [LOWERED, "build.rs", "../liveavatar-api/build/generate.rs"] {
        println!("cargo::rerun-if-changed={input}");
    }
    let document: openapiv3::OpenAPI = serde_json::from_str(&fs::read_to_string(LOWERED)?)?;
    let client = generate::generate(&document)?;

    let setters = setters(&client.items);
    let arms = methods(&client.items).into_iter().map(|(method, builder)| {
        let id = method.to_string();
        let sets = setters.get(&builder).into_iter().flatten().map(|(name, kind)| {
            let argument = name.to_string();
            let argument = argument.trim_end_matches('_');
            quote! { call = call.#name(argument::<#kind>(example, #argument)); }
        });
        quote! {
            #id => {
                #[allow(unused_mut, reason = "operations without arguments have nothing to set")]
                let mut call = client.#method();
                #(#sets)*
                outcome(call.send().await)
            }
        }
    });
    let code = quote! {
        /// Calls the operation with every argument of the example set.
        ///
        /// # Errors
        /// As the call.
        #[expect(clippy::too_many_lines, reason = "an arm per operation, written by a program")]
        pub async fn call(client: &Client, operation: &str, example: &Example) -> Result<Decoded, Error> {
            match operation {
                #(#arms)*
                other => handwritten(client, other, example).await,
            }
        }
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
    let builders = items.iter().find_map(|item| match item {
        Item::Mod(module) if module.ident == "builder" => module.content.as_ref(),
        _ => None,
    });
    for item in builders.into_iter().flat_map(|(_, items)| items) {
        let Item::Impl(item) = item else { continue };
        let Type::Path(owner) = item.self_ty.as_ref() else { continue };
        let Some(owner) = owner.path.segments.last().map(|last| last.ident.to_string()) else { continue };
        for member in &item.items {
            let ImplItem::Fn(function) = member else { continue };
            let takes_value =
                function.sig.inputs.len() == 2 && matches!(function.sig.inputs[1], FnArg::Typed(_));
            // `body_map` takes a closure.
            if takes_value && let Some(kind) = converts_into(&function.sig) {
                found.entry(owner.clone()).or_default().push((format_ident!("{}", function.sig.ident), kind));
            }
        }
    }
    found
}

/// The `T` of a setter's `V: TryInto<T>`.
fn converts_into(signature: &syn::Signature) -> Option<Type> {
    for predicate in &signature.generics.where_clause.as_ref()?.predicates {
        let WherePredicate::Type(predicate) = predicate else { continue };
        for bound in &predicate.bounds {
            let TypeParamBound::Trait(bound) = bound else { continue };
            let last = bound.path.segments.last()?;
            if last.ident == "TryInto"
                && let syn::PathArguments::AngleBracketed(arguments) = &last.arguments
                && let Some(syn::GenericArgument::Type(kind)) = arguments.args.first()
            {
                return Some(kind.clone());
            }
        }
    }
    None
}
