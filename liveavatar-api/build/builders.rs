//! The builders of request types, and what their setters take. No rule names a type or a field.

use std::collections::BTreeSet;

use quote::format_ident;
use syn::{
    Attribute, Expr, Field, Generics, Ident, ImplItem, Item, ItemStruct, Pat, Stmt, Type, parse_quote,
};

use super::docs::{absence, plain};
use super::types::{Types, default_path, doc_text, is_always_written, optional, wire_name};
use super::{argument, last};

const KEEPING: &str = "If it is not set, its value is kept.";
const CLEARING: &str = "If it is not set, its value is kept; `Nullable::Null` clears it.";
const CLEARING_ALWAYS: &str =
    "It is always sent: `None::<&str>` clears it. To keep it, send its current value.";
const BUILD_ERRORS: &str = "All fields that are missing or invalid, at once.";

/// Lets requests hold values that are not listed, which `OpenEnum::other` makes on purpose.
///
/// An enum of one value is the tag of a union's member, and not open.
pub(super) fn open_enums(items: &mut [Item], requests: &BTreeSet<String>, types: &mut Types) {
    for item in items {
        let Item::Struct(item) = item else { continue };
        let name = item.ident.to_string();
        if !requests.contains(&name) || !types.structs.contains_key(&name) {
            continue;
        }
        for field in &mut item.fields {
            let inner = optional(&field.ty).unwrap_or(&field.ty).clone();
            let values =
                last(&inner).and_then(|segment| types.texts.get(&segment.ident.to_string())).copied();
            if values.flatten().is_none_or(|values| values < 2) {
                continue;
            }
            field.ty = match optional(&field.ty) {
                Some(_) => parse_quote!(::std::option::Option<::liveavatar_api::OpenEnum<#inner>>),
                None => parse_quote!(::liveavatar_api::OpenEnum<#inner>),
            };
        }
        types.structs.insert(name, item.clone());
    }
}

/// Says in the docs of a PATCH body's fields what `None` and null mean.
pub(super) fn explain_absence(items: &mut [Item], types: &Types) {
    for item in items {
        let Item::Struct(item) = item else { continue };
        if types.patches.contains(&item.ident.to_string()) {
            for field in &mut item.fields {
                let Some(note) = absence(field) else { continue };
                if !doc_text(&field.attrs).trim().is_empty() {
                    field.attrs.push(parse_quote!(#[doc = ""]));
                }
                field.attrs.push(parse_quote!(#[doc = #note]));
            }
        }
    }
}

/// Adds `builder()` to request types, and the module of their builders.
///
/// `configurations` are the members of a union of whole bodies. Their builders also build what the hand-written layer makes of
/// such a body.
pub(super) fn add(
    items: &mut Vec<Item>,
    types: &Types,
    requests: &BTreeSet<String>,
    configurations: &BTreeSet<String>,
) {
    let mut builders: Vec<Item> = Vec::new();
    let of_requests = |name: &&String| requests.contains(*name);
    for (name, item) in types.structs.iter().filter(|(name, _)| of_requests(name)) {
        builders.extend(builder(item, types, configurations.contains(name)));
        let ident = &item.ident;
        items.push(parse_quote! {
            impl #ident {
                /// Returns a builder, with a setter for each field.
                pub fn builder() -> builder::#ident {
                    ::std::default::Default::default()
                }
            }
        });
    }
    for name in types.texts.keys() {
        let ident = format_ident!("{name}");
        items.push(parse_quote!(impl crate::builder::Text for #ident {}));
    }
    for (name, members) in types.unions.iter().filter(|(name, _)| of_requests(name)) {
        let ident = format_ident!("{name}");
        for (_, member) in members {
            let own = last(member).map(|segment| segment.ident.clone());
            let mut sources: Vec<(Type, Expr)> =
                vec![(member.clone(), parse_quote!(|member| crate::builder::Given::typed(&member)))];
            match own {
                Some(own) if types.structs.contains_key(&own.to_string()) => {
                    sources.push((
                        parse_quote!(builder::#own),
                        parse_quote!(|builder| crate::builder::Draft::from(builder).into()),
                    ));
                }
                Some(own) if own == "String" => {
                    sources
                        .push((parse_quote!(&str), parse_quote!(|text| crate::builder::Given::text(text))));
                }
                _ => {}
            }
            let (sources, given): (Vec<Type>, Vec<Expr>) = sources.into_iter().unzip();
            items.push(parse_quote! {
                crate::builder::conversions! {
                    #(#sources => #ident, ::std::option::Option<#ident>: #given;)*
                }
            });
        }
    }
    items.push(parse_quote! {
        /// The builders of request types.
        pub mod builder {
            use crate::builder::{Draft, FromDraft, Given};

            #(#builders)*
        }
    });
}

fn builder(item: &ItemStruct, types: &Types, is_configuration: bool) -> Vec<Item> {
    let name = &item.ident;
    let set = Set::new(parse_quote!(self.draft), "set");
    let setters = setters(item, types, &parse_quote!(super), &set);
    let mut items =
        if is_configuration { configuration_builder(name, &setters) } else { plain_builder(name, &setters) };
    let defaults = item.fields.iter().filter_map(|field| {
        let (name, path) = (wire_name(field), default_path(field)?);
        Some(parse_quote!(draft.set(#name, Given::present(&super::#path()));))
    });
    let defaults: Vec<Stmt> = defaults.collect();
    let draft: Pat = if defaults.is_empty() { parse_quote!(draft) } else { parse_quote!(mut draft) };
    let generics: Option<Generics> = is_configuration.then(|| parse_quote!(<B>));
    items.extend([
        parse_quote! {
            impl #generics ::std::default::Default for #name #generics {
                #[inline]
                fn default() -> Self {
                    let #draft = Draft::default();
                    #(#defaults)*
                    Self::with_draft(draft)
                }
            }
        },
        parse_quote! {
            impl ::std::convert::From<super::#name> for #name {
                #[inline]
                fn from(value: super::#name) -> Self {
                    Self::with_draft(Draft::of(&value))
                }
            }
        },
        parse_quote! {
            impl #generics ::std::convert::From<#name #generics> for Draft {
                #[inline]
                fn from(builder: #name #generics) -> Self {
                    builder.draft
                }
            }
        },
        parse_quote! {
            crate::builder::conversions! {
                #name => super::#name, ::std::option::Option<super::#name>,
                    ::std::option::Option<crate::Nullable<super::#name>>: |builder| builder.draft.into();
            }
        },
    ]);
    items
}

fn plain_builder(name: &Ident, setters: &[ImplItem]) -> Vec<Item> {
    let id = name.to_string();
    let title = format!("Builds [`{name}`](super::{name}).");
    vec![
        parse_quote! {
            #[doc = #title]
            #[derive(Clone, Debug)]
            #[must_use]
            pub struct #name {
                draft: Draft,
            }
        },
        parse_quote! {
            impl #name {
                #(#setters)*

                /// Checks all fields and builds.
                ///
                /// # Errors
                #[doc = #BUILD_ERRORS]
                #[inline]
                pub fn build(self) -> ::std::result::Result<super::#name, crate::Error> {
                    self.draft.build(#id)
                }

                fn with_draft(draft: Draft) -> Self {
                    Self { draft }
                }
            }
        },
    ]
}

/// The builder of a request that also builds the session configuration `B`, which has rules beyond the schema.
fn configuration_builder(name: &Ident, setters: &[ImplItem]) -> Vec<Item> {
    let id = name.to_string();
    let title = format!("Builds [`{name}`](super::{name}), or a session configuration of that request.");
    vec![
        parse_quote! {
            #[doc = #title]
            #[must_use]
            pub struct #name<B = super::#name> {
                draft: Draft,
                built: ::std::marker::PhantomData<fn() -> B>,
            }
        },
        parse_quote! {
            impl<B> #name<B> {
                #(#setters)*

                fn with_draft(draft: Draft) -> Self {
                    Self { draft, built: ::std::marker::PhantomData }
                }
            }
        },
        parse_quote! {
            impl<B: FromDraft> #name<B> {
                /// Checks all fields and builds.
                ///
                /// # Errors
                #[doc = #BUILD_ERRORS]
                pub fn build(self) -> ::std::result::Result<B, B::Error> {
                    B::from_draft(self.draft)
                }
            }
        },
        parse_quote! {
            impl FromDraft for super::#name {
                type Error = crate::Error;

                fn from_draft(draft: Draft) -> ::std::result::Result<Self, crate::Error> {
                    draft.build(#id)
                }
            }
        },
        parse_quote! {
            impl<B> ::std::clone::Clone for #name<B> {
                fn clone(&self) -> Self {
                    Self::with_draft(self.draft.clone())
                }
            }
        },
        parse_quote! {
            impl<B> ::std::fmt::Debug for #name<B> {
                fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                    f.debug_tuple(#id).field(&self.draft).finish()
                }
            }
        },
    ]
}

/// A setter for each field of a struct; it passes the field's name in JSON and the given value to `set`.
pub(super) fn setters(item: &ItemStruct, types: &Types, prefix: &syn::Path, set: &Set) -> Vec<ImplItem> {
    let setter_of = |field: &Field| {
        let name = field.ident.as_ref()?;
        let kind = types.relocated(&field.ty, prefix);
        let set = if is_always_written(field) { &set.or_null() } else { set };
        let set = if types.patches.contains(&item.ident.to_string()) { &set.of_patch() } else { set };
        Some(setter(name, &wire_name(field), &kind, &doc_text(&field.attrs), types, set))
    };
    item.fields.iter().filter_map(setter_of).collect()
}

/// The method that keeps what a setter was given.
pub(super) struct Set {
    pub(super) receiver: Expr,
    pub(super) method: &'static str,
    writes_null: bool,
    is_patch: bool,
}

impl Set {
    pub(super) fn new(receiver: Expr, method: &'static str) -> Self {
        Self { receiver, method, writes_null: false, is_patch: false }
    }

    /// For a field of a PATCH body, whose value is kept if it is absent.
    fn of_patch(&self) -> Self {
        Self { is_patch: true, receiver: self.receiver.clone(), ..*self }
    }

    /// Keeps a null for `None`, in a field that is always written.
    fn or_null(&self) -> Self {
        Self { writes_null: true, receiver: self.receiver.clone(), ..*self }
    }
}

/// What a setter takes.
pub(crate) enum Taken<'t> {
    Value(&'t Type),
    /// With the type of the items.
    List(&'t Type),
    /// With the type of the values.
    Map(&'t Type),
}

/// What the setter of a field of this type takes.
pub(crate) fn taken(kind: &Type) -> Taken<'_> {
    let bare = optional(kind).unwrap_or(kind);
    let nullable = last(bare).filter(|segment| segment.ident == "Nullable").and_then(argument);
    let element = |name: &str| {
        last(nullable.unwrap_or(bare))
            .filter(|segment| segment.ident == name)
            .and_then(|segment| arguments(segment).last().copied())
    };
    let list = element("Vec").map(Taken::List);
    list.or_else(|| element("BTreeMap").map(Taken::Map)).unwrap_or(Taken::Value(kind))
}

pub(super) fn setter(
    name: &Ident,
    wire_name: &str,
    kind: &Type,
    doc: &str,
    types: &Types,
    set: &Set,
) -> ImplItem {
    let doc = if doc.trim().is_empty() { format!("Sets `{wire_name}`.") } else { doc.to_owned() };
    let inner = optional(kind);
    let bare = inner.unwrap_or(kind);
    let nullable = last(bare).filter(|segment| segment.ident == "Nullable").and_then(argument);
    let mut note: Option<String> = None;
    let (generic, input, convert): (Option<Ident>, Type, Expr) = match taken(kind) {
        Taken::List(item) => {
            note = Some(if nullable.is_some() {
                CLEARING.to_owned()
            } else {
                format!("An empty list needs the type of its items: `[] as [{}; 0]`.", plain(item))
            });
            let input = parse_quote!(impl crate::IntoList<#item, Via>);
            (Some(format_ident!("Via")), input, parse_quote!(crate::IntoList::into_given(#name)))
        }
        Taken::Map(value) => {
            let input = parse_quote!(impl crate::IntoMap<#value, Via>);
            (Some(format_ident!("Via")), input, parse_quote!(crate::IntoMap::into_given(#name)))
        }
        Taken::Value(kind) => {
            let text = match (inner.is_some() && types.is_text(bare), set.writes_null) {
                (_, _) if nullable.is_some() => Some(CLEARING),
                (_, true) if set.is_patch => Some(CLEARING_ALWAYS),
                (_, false) if set.is_patch && inner.is_some() => Some(KEEPING),
                (true, true) => Some("`None::<&str>` writes null."),
                (true, false) => Some("To leave it out in an expression, write `None::<&str>`."),
                (false, _) => None,
            };
            note = text.map(str::to_owned);
            (
                None,
                parse_quote!(impl crate::IntoField<#kind>),
                parse_quote!(crate::IntoField::into_given(#name)),
            )
        }
    };
    let convert: Expr = if set.writes_null { parse_quote!(#convert.or_null()) } else { convert };
    let (receiver, method) = (&set.receiver, format_ident!("{}", set.method));
    let mut docs: Vec<Attribute> = vec![parse_quote!(#[doc = #doc])];
    if let Some(note) = note {
        docs.push(parse_quote!(#[doc = ""]));
        docs.push(parse_quote!(#[doc = #note]));
    }
    let generics: Option<Generics> = generic.map(|via| parse_quote!(<#via>));
    parse_quote! {
        #(#docs)*
        pub fn #name #generics(mut self, #name: #input) -> Self {
            #receiver.#method(#wire_name, #convert);
            self
        }
    }
}

fn arguments(segment: &syn::PathSegment) -> Vec<&Type> {
    match &segment.arguments {
        syn::PathArguments::AngleBracketed(arguments) => arguments
            .args
            .iter()
            .filter_map(|argument| match argument {
                syn::GenericArgument::Type(kind) => Some(kind),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}
