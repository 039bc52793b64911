//! Writes functions that call every generated operation and decode its body and response, so that the tests cover every operation
//! without a list.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use quote::{format_ident, quote};
use syn::{
    Expr, Fields, FnArg, GenericArgument, Ident, ImplItem, Item, Pat, PathSegment, ReturnType, Type,
    parse_quote,
};

#[expect(dead_code, reason = "only the build of the crate writes the index of operations")]
#[path = "../liveavatar-api/build/generate.rs"]
mod generate;

const LOWERED: &str = "../openapi/liveavatar-v1.json";

/// A generated function of the raw client, which has the arguments and the response of the call of the same name.
struct Operation {
    name: Ident,
    arguments: Vec<(Ident, Type)>,
    /// The data in the envelope; `None` if the response is empty.
    data: Option<Type>,
}

fn main() -> Result<(), Box<dyn Error>> {
    for input in [LOWERED, "build.rs", "../liveavatar-api/build"] {
        println!("cargo::rerun-if-changed={input}");
    }
    let document = serde_json::from_str(&fs::read_to_string(LOWERED)?)?;
    let items = generate::generate(&document)?.items;
    let (operations, fields) = (operations(&items), fields(&items));

    let arms_calling = |then: Expr| -> Vec<_> {
        let arm = |Operation { name, arguments, .. }: &Operation| {
            let id = name.to_string();
            let setters = arguments.iter().map(|(setter, kind)| {
                let argument = setter.to_string();
                let argument = argument.trim_end_matches('_');
                let value = quote!(argument::<#kind>(example, #argument));
                match last(kind).and_then(|kind| fields.get(&kind.ident.to_string())) {
                    // The fields of a body have setters of their own.
                    Some(fields) if argument == "body" => {
                        quote! { let body = #value; let call = call #(.#fields(body.#fields))*; }
                    }
                    _ => quote! { let call = call.#setter(#value); },
                }
            });
            quote! {
                #id => {
                    let call = client.#name();
                    #(#setters)*
                    #then
                }
            }
        };
        operations.iter().map(arm).collect()
    };
    let call_arms = arms_calling(parse_quote!(Ok(Decoded::new(&call.send().await?))));
    let show_arms = arms_calling(parse_quote!(Shown::new(&call.clone(), call.send_raw().await)));
    let arms_decoding = |function: &str| -> Vec<_> {
        let function = format_ident!("{function}");
        let arm = |Operation { name, data, .. }: &Operation| {
            let id = name.to_string();
            let result =
                data.as_ref().map_or_else(|| quote!(None), |data| quote!(Some(#function::<#data>(response))));
            quote! { #id => #result, }
        };
        operations.iter().map(arm).collect()
    };
    let (decode_arms, round_trip_arms) = (arms_decoding("decode_as"), arms_decoding("round_trip_as"));
    let body_arms = operations.iter().filter_map(|Operation { name, arguments, .. }| {
        let id = name.to_string();
        let (_, body) = arguments.iter().find(|(name, _)| name == "body")?;
        Some(quote! { #id => Some(round_trip_body_as::<#body>(body)), })
    });
    let code = quote! {
        /// Calls the operation with all arguments of the example.
        ///
        /// # Errors
        /// Returns the error of the call.
        #[expect(clippy::too_many_lines, reason = "generated, with one arm per operation")]
        pub async fn call(client: &Client, operation: &str, example: &Example) -> Result<Decoded, Error> {
            match operation {
                #(#call_arms)*
                other => call_handwritten(client, other, example).await,
            }
        }

        /// Calls the operation with all arguments of the example, and keeps the `Debug` output.
        #[expect(clippy::too_many_lines, reason = "generated, with one arm per operation")]
        pub async fn show(client: &Client, operation: &str, example: &Example) -> Shown {
            match operation {
                #(#show_arms)*
                other => show_handwritten(client, other, example).await,
            }
        }

        /// Decodes the operation's response and returns the `Debug` output of its envelope and its data, or the whole output of a
        /// failure. Returns `None` for an operation without a response body.
        #[must_use]
        #[allow(clippy::match_same_arms, clippy::too_many_lines, reason = "generated, with one arm per operation")]
        pub fn decode(operation: &str, response: &[u8]) -> Option<Result<String, String>> {
            match operation {
                #(#decode_arms)*
                other => Some(decode_handwritten(other, response)),
            }
        }

        /// Decodes the operation's response and serializes its data, twice.
        #[must_use]
        #[allow(clippy::match_same_arms, clippy::too_many_lines, reason = "generated, with one arm per operation")]
        pub fn round_trip(operation: &str, response: &[u8]) -> Option<Result<[Value; 2], String>> {
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
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    fs::write(out.join("calls.rs"), prettyplease::unparse(&syn::parse2(code)?))?;
    fs::write(out.join("docs.txt"), docs(&items))?;
    Ok(())
}

fn operations(items: &[Item]) -> Vec<Operation> {
    let mut found = Vec::new();
    for item in items {
        let Item::Impl(item) = item else { continue };
        let Type::Path(owner) = &*item.self_ty else { continue };
        if item.trait_.is_some() || !owner.path.is_ident("Client") {
            continue;
        }
        for member in &item.items {
            let ImplItem::Fn(function) = member else { continue };
            if function.sig.asyncness.is_none() {
                continue;
            }
            let arguments = function.sig.inputs.iter().filter_map(|input| {
                let FnArg::Typed(input) = input else { return None };
                let Pat::Ident(name) = &*input.pat else { return None };
                Some((name.ident.clone(), owned(&input.ty)))
            });
            // `Result<ResponseValue<Envelope<T>>, Error<()>>`
            let ReturnType::Type(_, result) = &function.sig.output else { continue };
            let response =
                first_argument(result, "Result").and_then(|it| first_argument(it, "ResponseValue"));
            let data = response.and_then(|it| first_argument(it, "Envelope")).cloned();
            found.push(Operation { name: function.sig.ident.clone(), arguments: arguments.collect(), data });
        }
    }
    found
}

/// Returns the fields of each struct among the types.
fn fields(items: &[Item]) -> BTreeMap<String, Vec<Ident>> {
    let types = items.iter().find_map(|item| match item {
        Item::Mod(module) if module.ident == "types" => module.content.as_ref(),
        _ => None,
    });
    let named = |item: &Item| match item {
        Item::Struct(item) if matches!(item.fields, Fields::Named(_)) => {
            let fields = item.fields.iter().filter_map(|field| field.ident.clone());
            Some((item.ident.to_string(), fields.collect()))
        }
        _ => None,
    };
    types.into_iter().flat_map(|(_, items)| items).filter_map(named).collect()
}

/// Returns the doc comment of each field of a struct and of each setter of a builder, one a line.
fn docs(items: &[Item]) -> String {
    let inside = |items: &[Item], name: &str| -> Vec<Item> {
        let modules = items.iter().filter_map(|item| match item {
            Item::Mod(module) if module.ident == name => Some(module.content.clone()?.1),
            _ => None,
        });
        modules.flatten().collect()
    };
    let text = |attributes: &[syn::Attribute]| {
        let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
            syn::Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
                Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
                _ => None,
            },
            _ => None,
        });
        lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
    };
    let types = inside(items, "types");
    let mut found = Vec::new();
    for item in &types {
        let Item::Struct(item) = item else { continue };
        for field in &item.fields {
            let Some(name) = &field.ident else { continue };
            found.push(format!("{}.{name}: {}", item.ident, text(&field.attrs)));
        }
    }
    for item in inside(&types, "builder") {
        let Item::Impl(item) = item else { continue };
        let Some(owner) = last(&item.self_ty).filter(|_| item.trait_.is_none()) else { continue };
        for member in &item.items {
            let ImplItem::Fn(function) = member else { continue };
            found.push(format!("{}.{}(): {}", owner.ident, function.sig.ident, text(&function.attrs)));
        }
    }
    found.join("\n")
}

/// Returns the type that a borrowed argument is read into.
fn owned(kind: &Type) -> Type {
    if let Some(inner) = first_argument(kind, "Option") {
        let inner = owned(inner);
        return parse_quote!(Option<#inner>);
    }
    let Type::Reference(reference) = kind else { return kind.clone() };
    match last(&reference.elem) {
        Some(segment) if segment.ident == "str" => parse_quote!(String),
        _ => (*reference.elem).clone(),
    }
}

fn last(kind: &Type) -> Option<&PathSegment> {
    match kind {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

/// Returns the `T` of a `name<T>`.
fn first_argument<'t>(kind: &'t Type, name: &str) -> Option<&'t Type> {
    let segment = last(kind).filter(|segment| segment.ident == name)?;
    let syn::PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(kind) => Some(kind),
        _ => None,
    }
}
