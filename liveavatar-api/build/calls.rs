//! One call type per operation, from the signatures of the generated functions. No rule names an operation.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use quote::{ToTokens as _, format_ident};
use syn::{Attribute, Expr, FnArg, Ident, ImplItem, ImplItemFn, Item, ItemStruct, Pat, Type, parse_quote};

use super::builders::{Set, setter, setters};
use super::docs::{Docs, plain};
use super::types::{Types, default_path, doc_text, identifiers, optional};
use super::{argument, last, methods, result};

/// A generated function, and the type of its response.
pub(crate) struct Call {
    function: ImplItemFn,
    pub(crate) response: Type,
}

/// An argument of a generated function.
pub(crate) struct Argument {
    pub(crate) name: Ident,
    /// The type as a call keeps it.
    pub(crate) kept: Type,
    /// Reads the argument and passes it on.
    passed: Expr,
}

pub(crate) fn calls(file: &syn::File) -> Vec<Call> {
    methods(&file.items)
        .filter(|(owner, function)| *owner == "Client" && function.sig.asyncness.is_some())
        .filter_map(|(_, function)| {
            // `Result<ResponseValue<T>, Error<()>>`
            let response = argument(last(argument(last(result(function)?)?)?)?)?.clone();
            Some(Call { function: function.clone(), response })
        })
        .collect()
}

impl Call {
    pub(crate) fn id(&self) -> String {
        self.function.sig.ident.to_string()
    }

    pub(crate) fn arguments(&self) -> Vec<Argument> {
        self.function.sig.inputs.iter().filter_map(Argument::new).collect()
    }

    /// The items of a list that has pages.
    pub(crate) fn page_item(&self) -> Option<&Type> {
        let page = last(data_of(&self.response)).filter(|segment| segment.ident == "Page").and_then(argument);
        page.filter(|_| self.arguments().iter().any(|argument| argument.name == "page"))
    }

    /// Collects the types that the call sends, and those of whole bodies.
    pub(super) fn collect_requests(&self, requests: &mut BTreeSet<String>, bodies: &mut BTreeSet<String>) {
        for argument in self.arguments() {
            identifiers(&argument.kept, requests);
            if argument.is_body() {
                identifiers(&argument.kept, bodies);
            }
        }
    }
}

impl Argument {
    fn new(input: &FnArg) -> Option<Self> {
        let FnArg::Typed(input) = input else { return None };
        let Pat::Ident(name) = &*input.pat else { return None };
        let name = name.ident.clone();
        let wire = name.to_string().trim_end_matches('_').to_owned();
        let read = |kept: &Type| -> Expr {
            if name == "body" {
                parse_quote!(arguments.body::<#kept>()?)
            } else {
                parse_quote!(arguments.parameter::<#kept>(#wire)?)
            }
        };
        let (kept, passed) = owned(&input.ty, &read);
        Some(Self { name, kept, passed })
    }

    pub(crate) fn is_body(&self) -> bool {
        self.name == "body"
    }

    /// The struct whose fields the body has, if it is one.
    pub(crate) fn fields<'t>(&self, types: &'t Types) -> Option<&'t ItemStruct> {
        types.structs.get(&last(&self.kept)?.ident.to_string())
    }

    fn wire_name(&self) -> String {
        self.name.to_string().trim_end_matches('_').to_owned()
    }
}

/// A parameter's type as a call keeps it, and the expression that reads and passes it.
fn owned(kind: &Type, read: &dyn Fn(&Type) -> Expr) -> (Type, Expr) {
    let is_text = |kind: &Type| last(kind).is_some_and(|segment| segment.ident == "str");
    let own = |kind: &Type| if is_text(kind) { parse_quote!(::std::string::String) } else { kind.clone() };
    match (kind, optional(kind)) {
        (Type::Reference(reference), _) => {
            let kept = own(&reference.elem);
            let read = read(&kept);
            (kept, parse_quote!(&#read))
        }
        (_, Some(Type::Reference(reference))) => {
            let inner = own(&reference.elem);
            let kept = parse_quote!(::std::option::Option<#inner>);
            let read = read(&kept);
            let borrow = format_ident!("{}", if is_text(&reference.elem) { "as_deref" } else { "as_ref" });
            (kept, parse_quote!(#read.#borrow()))
        }
        // An optional header that is also nullable.
        (_, Some(inner)) if optional(inner).is_some() => {
            let (kept, passed) = owned(inner, read);
            (kept, parse_quote!(#passed.map(::std::option::Option::Some)))
        }
        (kept, _) => (kept.clone(), read(kept)),
    }
}

/// Adds the module of the call types, and the methods of the client that return them.
pub(super) fn add(file: &mut syn::File, calls: &[Call], types: &Types, docs: &Docs<'_>) {
    let mut items: Vec<Item> = vec![
        parse_quote!(
            use crate::calls::{Arguments, Request, Response};
        ),
        parse_quote!(
            use super::types;
        ),
    ];
    let mut entries: Vec<ImplItem> = Vec::new();
    let mut bare = BTreeMap::new();
    for call in calls {
        let response = &call.response;
        if !is_unit(response) && std::ptr::eq(data_of(response), response) {
            bare.insert(response.to_token_stream().to_string(), response);
        }
        items.extend(call_type(call, types));
        let id = &call.function.sig.ident;
        let name = type_name(&id.to_string());
        let about = docs.method(&id.to_string(), data_of(&call.response), &example(call, types));
        entries.push(parse_quote! {
            #[doc = #about]
            pub fn #id(&self) -> calls::#name {
                calls::#name::new(self.caller())
            }
        });
    }
    // A body without an envelope is the data.
    items.extend(bare.into_values().flat_map(|response| {
        let response = types.relocated(response, &parse_quote!(types));
        let items: [Item; 2] = [
            parse_quote! {
                impl crate::wire::FromBody for #response {
                    fn from_body(body: crate::wire::Body) -> ::serde_json::Result<Self> {
                        ::serde_json::from_slice(&body.bytes)
                    }
                }
            },
            parse_quote! {
                impl crate::calls::Open for #response {
                    type Data = Self;

                    fn open(response: Response<Self>) -> ::std::result::Result<Self, crate::Error> {
                        Ok(response.body)
                    }
                }
            },
        ];
        items
    }));
    file.items.push(parse_quote! {
        /// One call type per operation.
        pub mod calls {
            #(#items)*
        }
    });
    file.items.push(parse_quote! {
        /// The operations of the service, one method each; [`calls`](crate::calls) has what they return.
        impl crate::Client {
            #(#entries)*
        }
    });
}

fn call_type(call: &Call, types: &Types) -> Vec<Item> {
    let id = call.id();
    let name = type_name(&id);
    let arguments = call.arguments();
    let setters = call_setters(call, &arguments, types);
    let about = format!("A call of [`Client::{id}`](crate::Client::{id}).");
    let mut items: Vec<Item> = vec![
        parse_quote! {
            #[doc = #about]
            #[derive(Clone, Debug)]
            #[must_use = "nothing is sent before the call is awaited"]
            pub struct #name(Request);
        },
        parse_quote! {
            impl #name {
                #[inline]
                pub(crate) fn new(client: &::std::sync::Arc<super::Client>) -> Self {
                    Self(Request::new(client))
                }

                #(#setters)*
            }
        },
    ];
    items.extend(sending(call, &name, &arguments, types));
    if let Some(item) = call.page_item() {
        items.extend(paging(&name, item));
    }
    items
}

/// A setter for each parameter, and for the body or each of its fields.
fn call_setters(call: &Call, arguments: &[Argument], types: &Types) -> Vec<ImplItem> {
    let described = parameter_docs(&call.function.attrs);
    let [parameter, field] = ["parameter", "field"].map(|method| Set::new(parse_quote!(self.0), method));
    let mut items: Vec<ImplItem> = Vec::new();
    for argument in arguments {
        let kept = &argument.kept;
        if !argument.is_body() {
            let doc = described.get(&argument.name.to_string()).cloned().unwrap_or_default();
            items.push(setter(&argument.name, &argument.wire_name(), kept, &doc, types, &parameter));
        } else if let Some(body) = argument.fields(types) {
            let own = &body.ident;
            items.push(parse_quote! {
                /// Sets the whole body, as a value or a builder, in place of its fields.
                pub fn body(mut self, body: impl ::std::convert::Into<types::builder::#own>) -> Self {
                    self.0.set_body(body.into().into());
                    self
                }
            });
            // A parameter hides a field of the same name, which `body` can still set.
            let is_free = |setter: &ImplItem| match setter {
                ImplItem::Fn(setter) => arguments.iter().all(|argument| argument.name != setter.sig.ident),
                _ => true,
            };
            items.extend(setters(body, types, &parse_quote!(types), &field).into_iter().filter(is_free));
        } else {
            items.push(parse_quote! {
                /// Sets the body.
                pub fn body(mut self, body: impl crate::IntoField<#kept>) -> Self {
                    self.0.set_body(crate::IntoField::into_given(body).into());
                    self
                }
            });
        }
    }
    items
}

fn sending(call: &Call, name: &Ident, arguments: &[Argument], types: &Types) -> Vec<Item> {
    let (method, id, response) = (&call.function.sig.ident, call.id(), &call.response);
    let data = data_of(response);
    let body =
        arguments.iter().filter(|argument| argument.is_body()).find_map(|argument| argument.fields(types));
    let body: Expr = match body.map(|body| body.ident.to_string()) {
        Some(body) => parse_quote!(::std::option::Option::Some(#body)),
        None => parse_quote!(::std::option::Option::None),
    };
    let passed = arguments.iter().map(|argument| &argument.passed);
    let taken: Pat = if arguments.is_empty() { parse_quote!(_) } else { parse_quote!(mut arguments) };
    vec![
        parse_quote! {
            impl #name {
                /// Sends the call and returns the data of its response.
                ///
                /// # Errors
                /// If an argument is missing or invalid, the call fails, or the response is not of the documented shape.
                ///
                /// # Cancel safety
                /// If dropped after sending, the service may still act.
                #[inline]
                pub async fn send(self) -> ::std::result::Result<#data, crate::Error> {
                    crate::calls::send(self).await
                }

                /// Sends the call and returns the whole response: status, headers and body.
                ///
                /// # Errors
                /// If an argument is missing or invalid, or the call fails.
                ///
                /// # Cancel safety
                /// If dropped after sending, the service may still act.
                #[inline]
                pub async fn send_raw(self) -> ::std::result::Result<Response<#response>, crate::Error> {
                    crate::calls::send_raw(self).await
                }
            }
        },
        parse_quote! {
            impl ::std::future::IntoFuture for #name {
                type Output = ::std::result::Result<#data, crate::Error>;
                type IntoFuture = ::futures_util::future::BoxFuture<'static, Self::Output>;

                #[inline]
                fn into_future(self) -> Self::IntoFuture {
                    ::std::boxed::Box::pin(self.send())
                }
            }
        },
        parse_quote! {
            impl crate::calls::Call for #name {
                type Response = #response;
                type Data = #data;
                const OPERATION: &'static str = #id;
                const BODY: ::std::option::Option<&'static str> = #body;

                #[inline]
                fn request(&mut self) -> &mut Request {
                    &mut self.0
                }

                #[inline]
                fn into_request(self) -> Request {
                    self.0
                }

                #[inline]
                fn build(client: &super::Client, #taken: Arguments) -> ::std::result::Result<::reqwest::Request, crate::Error> {
                    Ok(super::Requests(client).#method(#(#passed),*)?)
                }
            }
        },
    ]
}

fn paging(name: &Ident, item: &Type) -> Vec<Item> {
    vec![
        parse_quote! {
            impl crate::calls::Paged for #name {
                type Item = #item;
            }
        },
        parse_quote! {
            impl #name {
                /// Returns a stream of the pages from this call's page on, each with its number.
                ///
                /// Lazy: polling the stream requests the next page. The stream ends after a page without `next`, an empty page,
                /// a page whose `next` does not lead forward, and after an error; `page(n)` with the number after the last page
                /// resumes it. Of `next`, only the page number is used, so the host in it does not matter.
                ///
                /// # Errors
                /// If a page fails, or the list ends with fewer items than the last page's `count`
                /// ([`ErrorKind::Decode`](crate::ErrorKind::Decode)). If `count` is absent, or the call starts at a later page
                /// without a `page_size`, then if the last page has a `next`. Pages are numbered, so items can be missed without
                /// an error if the list shrinks while it is read.
                ///
                /// # Cancel safety
                /// Cancel safe: a page that was not received is requested again.
                #[inline]
                pub fn pages(self) -> ::futures_util::stream::BoxStream<'static, ::std::result::Result<(i64, crate::Page<#item>), crate::Error>> {
                    crate::calls::pages(self)
                }

                /// Returns a stream of the items of all pages from this call's page on.
                ///
                /// Lazy, like [`pages`](Self::pages). An item that moves to a later page while the list is read may occur twice.
                ///
                /// # Errors
                /// The same as [`pages`](Self::pages); the items before the error are valid.
                ///
                /// # Cancel safety
                /// Cancel safe: a page that was not received is requested again.
                #[inline]
                pub fn items(self) -> ::futures_util::stream::BoxStream<'static, ::std::result::Result<#item, crate::Error>> {
                    crate::calls::items(self)
                }

                /// Returns all items of all pages from this call's page on.
                ///
                /// # Errors
                /// The same as [`pages`](Self::pages); the items before the error are lost, unlike with [`items`](Self::items).
                ///
                /// # Cancel safety
                /// Cancel safe: nothing changes on the service.
                #[inline]
                pub async fn all(self) -> ::std::result::Result<::std::vec::Vec<#item>, crate::Error> {
                    crate::calls::all(self).await
                }
            }
        },
    ]
}

/// The descriptions of the parameters in the doc comment of a generated function.
fn parameter_docs(attributes: &[Attribute]) -> BTreeMap<String, String> {
    let text = doc_text(attributes);
    let listed = text.split_once("Arguments:").map_or("", |(_, listed)| listed);
    let described = listed.lines().filter_map(|line| {
        let (name, doc) = line.trim().strip_prefix("- `")?.split_once('`')?;
        Some((name.to_owned(), doc.trim_start_matches(':').trim().to_owned()))
    });
    described.collect()
}

/// The name of an operation's call type: `ListVoices` of `list_voices`.
pub(super) fn type_name(id: &str) -> Ident {
    let words = id.split('_').map(|word| {
        let mut letters = word.chars();
        letters
            .next()
            .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
            .unwrap_or_default()
    });
    format_ident!("{}", words.collect::<String>())
}

/// The data in a response.
fn is_unit(kind: &Type) -> bool {
    matches!(kind, Type::Tuple(tuple) if tuple.elems.is_empty())
}

pub(crate) fn data_of(response: &Type) -> &Type {
    last(response).filter(|segment| segment.ident == "Envelope").and_then(argument).unwrap_or(response)
}

/// An example with all required arguments: texts and other values are parameters of a hidden function.
fn example(call: &Call, types: &Types) -> String {
    let mut parameters = vec!["client: liveavatar_api::Client".to_owned()];
    let mut setters = String::new();
    let mut require = |name: &str, kind: &Type| {
        if optional(kind).is_some() {
            return;
        }
        let own = last(kind).map(|segment| segment.ident.to_string()).unwrap_or_default();
        let open = last(kind).filter(|segment| segment.ident == "OpenEnum").and_then(argument).and_then(last);
        let text = open.map_or(own.clone(), |segment| segment.ident.to_string());
        let _ = if let Some(value) = types.first_values.get(&text) {
            write!(setters, ".{name}(\"{value}\")")
        } else {
            let is_text = types.is_text(kind);
            let kind = if is_text { "&str".to_owned() } else { plain(kind) };
            let kind = if types.contains(&own) && !is_text {
                format!("liveavatar_api::types::{kind}")
            } else {
                kind
            };
            parameters.push(format!("{name}: {kind}"));
            write!(setters, ".{name}({name})")
        };
    };
    for argument in call.arguments() {
        match argument.fields(types).filter(|_| argument.is_body()) {
            Some(body) => {
                for field in body.fields.iter().filter(|field| default_path(field).is_none()) {
                    let name = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
                    require(&name, &field.ty);
                }
            }
            None => require(&argument.name.to_string(), &argument.kept),
        }
    }
    let (id, parameters) = (&call.function.sig.ident, parameters.join(", "));
    let name = result_name(data_of(&call.response));
    format!(
        "# async fn example({parameters}) -> Result<(), liveavatar_api::Error> {{\n{name}client.{id}(){setters}.send().await?;\n\
         # Ok(())\n# }}\n"
    )
}

/// What an example calls the data: `let voice = `.
fn result_name(data: &Type) -> String {
    let Some(segment) = last(data) else { return String::new() };
    let mut name = String::new();
    for letter in segment.ident.to_string().chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    match name.as_str() {
        "vec" => "let list = ".to_owned(),
        "btree_map" | "value" => "let data = ".to_owned(),
        _ => format!("let {name} = "),
    }
}
