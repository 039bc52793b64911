//! The crate's public items: what a reviewer reads when the document has changed.
//!
//! Read from the source with `syn`. Rustdoc's JSON would know more, but needs a nightly toolchain, and then only some
//! machines could check the snapshot.

mod handwritten;
mod outline;
mod rejection;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Once;

use serde_json::Value;
use syn::{Fields, FnArg, Item, Signature, Type, TypeParamBound};

use crate::error::TaskError;
use crate::files::generate::{argument, last, methods, result};
use crate::files::{self, generate};
use crate::lower::Lowered;
pub use handwritten::handwritten;
use handwritten::{is_public, line};
pub(crate) use rejection::Rejection;

/// A public item that is generated from the document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SurfaceItem {
    /// A method of the client that returns a call, with the data that the call returns.
    Call(String),
    /// A call's setter for a parameter, a field of the body or the whole body, with the type that it takes.
    Setter(String, String),
    /// The methods of a call that read several pages.
    Pages(String),
    /// A struct, enum or union, with its kind.
    Type(String),
    /// The builder of a type, which has a setter for each field.
    Builder(String),
    /// A field of a struct, with its type.
    Field(String, String),
    /// A value of an enum, or a member of a union with its type.
    Variant(String, String),
    /// A function of the raw client, with its positional parameters.
    Raw(String),
}

/// The generated public items, each with the text of its type.
#[derive(Clone, Debug, Default)]
pub struct Surface(pub BTreeMap<SurfaceItem, String>);

/// Prints one line for each call, type without fields and raw function, and a block for each type with fields.
impl fmt::Display for Surface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut title = "";
        for (item, kind) in &self.0 {
            let (next, name) = match item {
                SurfaceItem::Call(name) => ("calls", name),
                SurfaceItem::Type(name) => ("types", name),
                SurfaceItem::Raw(name) => ("raw", name),
                _ => continue,
            };
            if title != next {
                let blank = if title.is_empty() { "" } else { "\n" };
                writeln!(f, "{blank}{next}:")?;
                title = next;
            }
            let members = self.members(name).collect::<Vec<_>>();
            match item {
                SurfaceItem::Call(_) => {
                    let paged =
                        if self.0.contains_key(&SurfaceItem::Pages(name.clone())) { ", paged" } else { "" };
                    writeln!(f, "  {name}({}) -> {kind}{paged}", members.join(", "))?;
                }
                SurfaceItem::Raw(_) => writeln!(f, "  {name}({kind})")?,
                _ if kind == "struct" => {
                    let builder = if self.has_builder(name) { ", with a builder" } else { "" };
                    writeln!(f, "  struct {name}{builder}")?;
                    members.iter().try_for_each(|member| writeln!(f, "    {member}"))?;
                }
                _ if members.is_empty() => writeln!(f, "  {name}: {kind}")?,
                _ => {
                    let open = if self.is_open(name) { ", open in requests" } else { "" };
                    writeln!(f, "  {kind} {name}{open}: {}", members.join(", "))?;
                }
            }
        }
        Ok(())
    }
}

impl Surface {
    /// The text of an item's type.
    #[must_use]
    pub fn get(&self, item: &SurfaceItem) -> Option<&str> {
        self.0.get(item).map(String::as_str)
    }

    /// Whether a type has a builder.
    #[must_use]
    pub fn has_builder(&self, name: &str) -> bool {
        self.0.contains_key(&SurfaceItem::Builder(name.to_owned()))
    }

    /// The setters, fields or variants of a call or type.
    fn members<'a>(&'a self, of: &'a str) -> impl Iterator<Item = String> + 'a {
        self.0.iter().filter_map(move |(item, kind)| match item {
            SurfaceItem::Setter(owner, name)
            | SurfaceItem::Field(owner, name)
            | SurfaceItem::Variant(owner, name) => (owner == of).then(|| match kind.as_str() {
                "" => name.clone(),
                kind if kind == name => kind.to_owned(),
                kind => format!("{name}: {kind}"),
            }),
            _ => None,
        })
    }

    /// Whether a field of a request type takes other values than those of an enum.
    fn is_open(&self, name: &str) -> bool {
        let open = format!("OpenEnum<{name}>");
        self.0.iter().any(|(item, kind)| {
            kind.contains(&open) && matches!(item, SurfaceItem::Field(owner, _) if self.has_builder(owner))
        })
    }

    fn add(&mut self, item: SurfaceItem, kind: impl Into<String>) {
        self.0.insert(item, kind.into());
    }

    /// Reads the types, and the functions of the raw client.
    fn read_raw(&mut self, file: &syn::File) {
        for (_, function) in methods(&file.items) {
            if function.sig.asyncness.is_some() {
                let parameters: Vec<String> = function.sig.inputs.iter().skip(1).map(line).collect();
                self.add(SurfaceItem::Raw(function.sig.ident.to_string()), parameters.join(", "));
            }
        }
        for item in module(&file.items, "types") {
            self.read_type(item);
        }
    }

    fn read(&mut self, file: &syn::File) {
        self.read_raw(file);
        // The names of the call types, with the methods that return them.
        let mut calls = BTreeMap::new();
        for (_, function) in methods(&file.items) {
            if function.sig.asyncness.is_none()
                && let Some(call) = result(function)
            {
                calls.insert(line(call), function.sig.ident.to_string());
            }
        }
        for (owner, function) in methods(module(&file.items, "calls")) {
            let Some(call) = calls.get(&owner.to_string()) else { continue };
            let name = function.sig.ident.to_string();
            match (setter(&function.sig), name.as_str()) {
                (Some(kind), _) => self.add(SurfaceItem::Setter(call.clone(), name), kind),
                (None, "send") => {
                    let data = result(function).and_then(last).and_then(argument).map(line);
                    self.add(SurfaceItem::Call(call.clone()), data.unwrap_or_default());
                }
                (None, "pages") => self.add(SurfaceItem::Pages(call.clone()), ""),
                _ => {}
            }
        }
        for item in module(module(&file.items, "types"), "builder") {
            if let Item::Struct(item) = item {
                self.add(SurfaceItem::Builder(item.ident.to_string()), "");
            }
        }
    }

    fn read_type(&mut self, item: &Item) {
        match item {
            Item::Struct(item) => {
                let name = item.ident.to_string();
                for field in item.fields.iter().filter(|field| is_public(&field.vis)) {
                    if let Some(field_name) = &field.ident {
                        self.add(SurfaceItem::Field(name.clone(), field_name.to_string()), line(&field.ty));
                    }
                }
                let is_named = matches!(item.fields, Fields::Named(_));
                let kind = if is_named { "struct".to_owned() } else { payload(&item.fields) };
                self.add(SurfaceItem::Type(name), kind);
            }
            Item::Enum(item) => {
                let name = item.ident.to_string();
                for variant in &item.variants {
                    let member = SurfaceItem::Variant(name.clone(), variant.ident.to_string());
                    self.add(member, payload(&variant.fields));
                }
                let is_union = item.variants.iter().any(|variant| !variant.fields.is_empty());
                self.add(SurfaceItem::Type(name), if is_union { "union" } else { "enum" });
            }
            _ => {}
        }
    }
}

fn module<'i>(items: &'i [Item], name: &str) -> &'i [Item] {
    let found = items.iter().find_map(|item| match item {
        Item::Mod(module) if module.ident == name => module.content.as_ref(),
        _ => None,
    });
    found.map_or(&[], |(_, items)| items)
}

fn payload(fields: &Fields) -> String {
    fields.iter().map(|field| line(&field.ty)).collect::<Vec<_>>().join(", ")
}

/// What a setter takes: `T` of `impl IntoField<T>`, `[T]` of `impl IntoList<T, Via>`, `{T}` of `impl IntoMap<T, Via>`.
fn setter(signature: &Signature) -> Option<String> {
    let FnArg::Typed(input) = signature.inputs.get(1)? else { return None };
    let Type::ImplTrait(taken) = &*input.ty else { return None };
    let Some(TypeParamBound::Trait(bound)) = taken.bounds.first() else { return None };
    let conversion = bound.path.segments.last()?;
    let kind = line(argument(conversion)?);
    Some(match conversion.ident.to_string().as_str() {
        "IntoList" => format!("[{kind}]"),
        "IntoMap" => format!("{{{kind}}}"),
        _ => kind,
    })
}

/// Returns the public items that are generated from a lowered document.
///
/// # Errors
/// When no code can be generated for an operation; one error for each.
pub fn generated(lowered: &Value) -> Result<Surface, TaskError> {
    let file = generate(lowered)
        .map_err(|reason| Rejection { document: lowered.clone(), reason }.error(&BTreeMap::new()))?;
    let mut surface = Surface::default();
    surface.read(&file);
    Ok(surface)
}

/// The same from what the code is generated from, which takes a fraction of the time.
///
/// # Errors
/// When no code can be generated for an operation; one error for each.
pub fn outlined(lowered: &Value) -> Result<Surface, TaskError> {
    try_outlined(lowered).map_err(|rejection| rejection.error(&BTreeMap::new()))
}

/// The same with the cause found only when it is asked for.
pub(crate) fn try_outlined(lowered: &Value) -> Result<Surface, Rejection> {
    catch_panic(|| outline::outline(lowered))
        .and_then(|surface| surface)
        .map_err(|reason| Rejection { document: lowered.clone(), reason })
}

/// Generates the files that the crate includes.
///
/// # Errors
/// When no code can be generated for an operation; one error for each.
pub(crate) fn files(lowered: &Lowered, corrected: &Value) -> Result<[(&'static str, String); 6], TaskError> {
    let document = &lowered.document;
    catch_panic(|| files::files(document, corrected))
        .and_then(|files| files)
        .map_err(|reason| Rejection { document: document.clone(), reason }.error(&lowered.origins))
}

fn generate(lowered: &Value) -> Result<syn::File, String> {
    catch_panic(|| generate::generate(lowered)).and_then(|file| file)
}

/// Turns a panic into an error: progenitor panics on most of what it cannot do.
fn catch_panic<T>(run: impl FnOnce() -> T + std::panic::UnwindSafe) -> Result<T, String> {
    thread_local! {
        static QUIET: Cell<bool> = const { Cell::new(false) };
    }
    static HOOK: Once = Once::new();
    // The error carries the message; a backtrace through the generator is useless.
    HOOK.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                hook(panic);
            }
        }));
    });
    QUIET.set(true);
    let result = std::panic::catch_unwind(run);
    QUIET.set(false);
    result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
    })
}
