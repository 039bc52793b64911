//! The generated types as the rules need them: by name, and by what they are made of.

use std::collections::{BTreeMap, BTreeSet};

use syn::{
    Attribute, Expr, ExprLit, Field, Fields, GenericArgument, Ident, Item, ItemStruct, Lit, Meta,
    PathArguments, Type, Variant, parse_quote,
};

use super::{argument, last};

/// The generated types, by name.
pub(crate) struct Types {
    /// Structs with named fields.
    pub(crate) structs: BTreeMap<String, ItemStruct>,
    /// The name and type of each member of a union.
    pub(super) unions: BTreeMap<String, Vec<(Ident, Type)>>,
    /// Types that are written as text; the number of values of an enum.
    pub(super) texts: BTreeMap<String, Option<usize>>,
    /// The first value of each enum, in JSON.
    pub(super) first_values: BTreeMap<String, String>,
    /// The bodies of PATCH operations.
    pub(super) patches: BTreeSet<String>,
    all: BTreeSet<String>,
}

impl Types {
    pub(super) fn new(items: &[Item]) -> Self {
        let from_str: BTreeSet<String> = items
            .iter()
            .filter_map(|item| match item {
                Item::Impl(item) => {
                    let of = &item.trait_.as_ref()?.0.segments.last()?.ident;
                    (of == "FromStr").then(|| last(&item.self_ty).map(|name| name.ident.to_string()))?
                }
                _ => None,
            })
            .collect();
        let mut types = Self {
            structs: BTreeMap::new(),
            unions: BTreeMap::new(),
            texts: BTreeMap::new(),
            first_values: BTreeMap::new(),
            patches: BTreeSet::new(),
            all: BTreeSet::new(),
        };
        for item in items {
            let name = match item {
                Item::Struct(item) => {
                    let name = item.ident.to_string();
                    if matches!(item.fields, Fields::Named(_)) {
                        types.structs.insert(name.clone(), item.clone());
                    } else if from_str.contains(&name) {
                        types.texts.insert(name.clone(), None);
                    }
                    name
                }
                Item::Enum(item) => {
                    let name = item.ident.to_string();
                    // A union of numbers is read from text, too.
                    let is_union = item.variants.iter().any(|variant| !variant.fields.is_empty());
                    if from_str.contains(&name) && !is_union {
                        types.texts.insert(name.clone(), Some(item.variants.len()));
                        let first = item.variants.first().map(|first| {
                            serde_value(&first.attrs, "rename").unwrap_or_else(|| first.ident.to_string())
                        });
                        types.first_values.extend(first.map(|first| (name.clone(), first)));
                    } else {
                        let member = |variant: &Variant| {
                            Some((variant.ident.clone(), variant.fields.iter().next()?.ty.clone()))
                        };
                        types.unions.insert(name.clone(), item.variants.iter().filter_map(member).collect());
                    }
                    name
                }
                _ => continue,
            };
            types.all.insert(name);
        }
        types
    }

    /// Whether a type is written as text, so that its setter takes `&str`.
    pub(super) fn is_text(&self, kind: &Type) -> bool {
        last(kind).is_some_and(|segment| {
            let name = segment.ident.to_string();
            matches!(name.as_str(), "String" | "Uuid" | "Secret" | "OpenEnum")
                || self.texts.contains_key(&name)
        })
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.all.contains(name)
    }

    /// The named types and every type inside them.
    pub(super) fn closure(&self, mut open: BTreeSet<String>) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        while let Some(name) = open.pop_first() {
            if !self.all.contains(&name) || !found.insert(name.clone()) {
                continue;
            }
            for field in self.structs.get(&name).iter().flat_map(|item| &item.fields) {
                identifiers(&field.ty, &mut open);
            }
            for (_, member) in self.unions.get(&name).into_iter().flatten() {
                identifiers(member, &mut open);
            }
        }
        found
    }

    /// A type as another module writes it: with `prefix` before the names of generated types.
    pub(super) fn relocated(&self, kind: &Type, prefix: &syn::Path) -> Type {
        let mut kind = kind.clone();
        self.relocate(&mut kind, prefix);
        kind
    }

    fn relocate(&self, kind: &mut Type, prefix: &syn::Path) {
        let Type::Path(path) = kind else { return };
        for segment in &mut path.path.segments {
            if let PathArguments::AngleBracketed(arguments) = &mut segment.arguments {
                for argument in &mut arguments.args {
                    if let GenericArgument::Type(kind) = argument {
                        self.relocate(kind, prefix);
                    }
                }
            }
        }
        let is_bare = path.path.leading_colon.is_none() && path.path.segments.len() == 1;
        if let Some(segment) = path.path.segments.first().filter(|_| is_bare)
            && self.contains(&segment.ident.to_string())
        {
            let segment = segment.clone();
            path.path = parse_quote!(#prefix::#segment);
        }
    }
}

/// Collects every identifier in a type, including its arguments.
pub(super) fn identifiers(kind: &Type, found: &mut BTreeSet<String>) {
    let kind = match kind {
        Type::Reference(reference) => &reference.elem,
        other => other,
    };
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

/// The type inside an `Option`.
pub(super) fn optional(kind: &Type) -> Option<&Type> {
    last(kind).filter(|segment| segment.ident == "Option").and_then(argument)
}

/// The field's name in JSON.
pub(super) fn wire_name(field: &Field) -> String {
    serde_value(&field.attrs, "rename")
        .unwrap_or_else(|| field.ident.as_ref().map(ToString::to_string).unwrap_or_default())
}

/// Whether an absent field is written as null.
pub(super) fn is_always_written(field: &Field) -> bool {
    optional(&field.ty).is_some() && serde_value(&field.attrs, "skip_serializing_if").is_none()
}

/// The function that makes the field's default.
pub(super) fn default_path(field: &Field) -> Option<syn::Path> {
    syn::parse_str(&serde_value(&field.attrs, "default")?).ok()
}

/// The text of `key = "text"` in the serde attributes.
pub(super) fn serde_value(attributes: &[Attribute], key: &str) -> Option<String> {
    let mut found = None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        // Every attribute that the generator writes is a list of keys, some of which have a value.
        let _ = attribute.parse_nested_meta(|meta| {
            if meta.input.peek(syn::Token![=]) {
                let text: syn::LitStr = meta.value()?.parse()?;
                if meta.path.is_ident(key) {
                    found = Some(text.value());
                }
            }
            Ok(())
        });
    }
    found
}

/// The text of the doc comments.
pub(super) fn doc_text(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n")
}
