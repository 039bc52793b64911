//! The generated public items, read without the code that only sends or converts.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens as _;
use serde_json::Value;
use syn::Type;

use super::handwritten::line;
use super::{Surface, SurfaceItem};
use crate::files::generate;
use crate::files::generate::builders::{Taken, taken};
use crate::files::generate::calls::{Call, calls, data_of};

/// Returns the same surface as the whole code.
pub(super) fn outline(document: &Value) -> Result<Surface, String> {
    let tokens = outlined(generate::tokens(document)?.into_token_stream(), false);
    let mut file: syn::File = syn::parse2(tokens).map_err(|error| error.to_string())?;
    let calls = calls(&file);
    let mut none = Vec::new();
    let items = generate::module(&mut file, "types").unwrap_or(&mut none);
    let (types, requests, _) = generate::request_types(items, &calls);
    let mut surface = Surface::default();
    surface.read_raw(&file);
    for name in types.structs.keys().filter(|name| requests.contains(*name)) {
        surface.add(SurfaceItem::Builder(name.clone()), "");
    }
    for call in &calls {
        surface.add(SurfaceItem::Call(call.id()), line(data_of(&call.response)));
        if call.page_item().is_some() {
            surface.add(SurfaceItem::Pages(call.id()), "");
        }
        surface.add_setters(call, &types);
    }
    Ok(surface)
}

impl Surface {
    fn add_setters(&mut self, call: &Call, types: &generate::Types) {
        let mut add = |name: String, kind: String| self.add(SurfaceItem::Setter(call.id(), name), kind);
        let arguments = call.arguments();
        for argument in &arguments {
            if !argument.is_body() {
                add(argument.name.to_string(), setter(&argument.kept));
                continue;
            }
            let Some(body) = argument.fields(types) else {
                add("body".to_owned(), line(&argument.kept));
                continue;
            };
            add("body".to_owned(), body.ident.to_string());
            for field in &body.fields {
                // A parameter hides a field of the same name.
                if let Some(name) = &field.ident
                    && arguments.iter().all(|argument| argument.name != *name)
                {
                    add(name.to_string(), setter(&field.ty));
                }
            }
        }
    }
}

/// The text of what the setter of a field takes.
fn setter(kind: &Type) -> String {
    match taken(kind) {
        Taken::Value(kind) => line(kind),
        Taken::List(item) => format!("[{}]", line(item)),
        Taken::Map(value) => format!("{{{}}}", line(value)),
    }
}

/// Generated code without attributes and the bodies of functions, and in a module without implementations. What can be read
/// from text remains marked as such.
fn outlined(tokens: TokenStream, in_module: bool) -> TokenStream {
    let (mut kept, mut item) = (Vec::new(), Vec::new());
    let mut tokens = tokens.into_iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' => drop(tokens.next()),
            TokenTree::Punct(mark) if mark.as_char() == ';' => {
                item.push(mark.into());
                kept.append(&mut item);
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let starts = |word: &str| {
                    let mut words = item.iter().filter(|token| !is(token, "pub")).take(1);
                    words.any(|token| is(token, word))
                };
                let inner = if starts("impl") {
                    if in_module {
                        if item.iter().any(|token| is(token, "FromStr")) {
                            item.push(Group::new(Delimiter::Brace, TokenStream::new()).into());
                            kept.append(&mut item);
                        }
                        item.clear();
                        continue;
                    }
                    signatures(group.stream())
                } else if starts("mod") {
                    outlined(group.stream(), true)
                } else {
                    without_attributes(group.stream())
                };
                item.push(Group::new(Delimiter::Brace, inner).into());
                kept.append(&mut item);
            }
            other => item.push(other),
        }
    }
    kept.append(&mut item);
    kept.into_iter().collect()
}

fn is(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

/// The functions of an implementation without attributes and bodies.
fn signatures(tokens: TokenStream) -> TokenStream {
    without_attributes(tokens)
        .into_iter()
        .map(|token| match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                Group::new(Delimiter::Brace, TokenStream::new()).into()
            }
            other => other,
        })
        .collect()
}

fn without_attributes(tokens: TokenStream) -> TokenStream {
    let mut tokens = tokens.into_iter();
    let next = || {
        let token = tokens.next()?;
        if matches!(&token, TokenTree::Punct(mark) if mark.as_char() == '#') {
            tokens.next();
            return Some(None);
        }
        Some(Some(token))
    };
    std::iter::from_fn(next).flatten().collect()
}
