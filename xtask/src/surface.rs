//! The crate's public items: what a reviewer reads when the document has changed.
//!
//! Read from the source with `syn`. Rustdoc's JSON would know more, but needs a nightly toolchain, and then only some
//! machines could check the snapshot.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Once;

use quote::ToTokens;
use serde_json::{Map, Value};
use syn::{
    Fields, GenericArgument, ImplItem, Item, PathArguments, ReturnType, TraitItem, Type, TypeParamBound,
    Visibility, WherePredicate,
};

use crate::error::TaskError;
use crate::lower::{Document, closure, references};

#[path = "../../liveavatar-api/build/generate.rs"]
#[expect(dead_code, reason = "the index of operations is for the build")]
mod generate;

/// The module that the generated code is included in.
const GENERATED: &str = "raw";

/// One public item.
#[derive(Clone, Debug)]
pub struct PublicItem {
    /// The module, such as `raw::types`; empty for the crate's root.
    pub module: String,
    /// The type that a field, variant or function belongs to, without its generics.
    pub owner: Option<String>,
    /// The item's own name.
    pub name: String,
    /// What the item is.
    pub kind: ItemKind,
    line: String,
}

/// What a public item is, with the parts that a comparison needs.
#[derive(Clone, Debug)]
pub enum ItemKind {
    /// A module.
    Module,
    /// A struct, enum or alias, with its definition apart from the name.
    Type(String),
    /// A field of a struct, with its type.
    Field(String),
    /// A variant of an enum.
    Variant,
    /// What a variant holds, with its type.
    Payload(String),
    /// A function or method.
    Function(FunctionTypes),
    /// A constant, static, trait, implementation or reexport.
    Other,
}

/// The types of a function that a comparison needs.
#[derive(Clone, Debug, Default)]
pub struct FunctionTypes {
    /// The name of the returned type, without its path and generics.
    pub output: String,
    /// `T` in a returned `Result<ResponseValue<T>, _>`.
    pub response: Option<String>,
    /// `T` in a bound `TryInto<T>`.
    pub converted: Option<String>,
    /// Whether a bound is `FnOnce`.
    pub takes_closure: bool,
}

impl fmt::Display for PublicItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

/// Returns the public items that progenitor generates from a lowered document, sorted.
///
/// # Errors
/// When progenitor rejects the document.
pub fn generated(lowered: &Value) -> Result<Vec<PublicItem>, TaskError> {
    let rejected = |reason: String| {
        TaskError::new(
            format!("progenitor rejects the lowered document: {reason}"),
            "add a lowering step for the new quirk to xtask/src/lower/mod.rs",
        )
    };
    let file = catch_panic(|| generate::generate(lowered)).and_then(|file| file).map_err(rejected)?;
    let mut found = Vec::new();
    read_items(&file.items, GENERATED, &mut found);
    Ok(sorted(found))
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

/// Returns the public items generated from each of two lowered documents, except items that cannot differ.
///
/// Only the operations and components that differ, and the components that they reach, are generated. The rest is the
/// same in both documents and takes most of the time.
///
/// # Errors
/// When progenitor rejects a document.
pub fn differing(old: &Value, new: &Value) -> Result<(Vec<PublicItem>, Vec<PublicItem>), TaskError> {
    let (old, new) = (Document(old.clone()), Document(new.clone()));
    let components = differing_keys(old.schemas(), new.schemas());
    let reaches = |document: &Document, part: &Value| {
        !closure(document.schemas(), references(part)).is_disjoint(&components)
    };
    let paths =
        |document: &Document| document.0.get("paths").and_then(Value::as_object).cloned().unwrap_or_default();
    let (old_paths, new_paths) = (paths(&old), paths(&new));
    let mut changed = differing_keys(&old_paths, &new_paths);
    for (document, paths) in [(&old, &old_paths), (&new, &new_paths)] {
        changed
            .extend(paths.iter().filter(|(_, item)| reaches(document, item)).map(|(path, _)| path.clone()));
    }
    if components.is_empty() && changed.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }

    let part = |document: &Document, mut paths: Map<String, Value>| {
        paths.retain(|path, _| changed.contains(path));
        let mut part = document.0.clone();
        part["paths"] = Value::Object(paths);
        let roots = &components | &references(&part["paths"]);
        let kept = closure(document.schemas(), roots);
        if let Some(schemas) = part.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
            schemas.retain(|name, _| kept.contains(name));
        }
        part
    };
    let (old, new) = (part(&old, old_paths), part(&new, new_paths));
    std::thread::scope(|scope| {
        let old = scope.spawn(|| generated(&old));
        let new = generated(&new);
        let old = old.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((old?, new?))
    })
}

/// The keys under which two objects differ.
fn differing_keys(old: &Map<String, Value>, new: &Map<String, Value>) -> BTreeSet<String> {
    old.keys().chain(new.keys()).filter(|key| old.get(*key) != new.get(*key)).cloned().collect()
}

/// Returns the public items of the hand-written source below `src`, sorted.
///
/// # Errors
/// When a source file cannot be read or parsed.
pub fn handwritten(src: &Path) -> Result<Vec<PublicItem>, TaskError> {
    let unreadable = |path: &Path, error: &dyn fmt::Display| {
        TaskError::new(format!("{}: {error}", path.display()), "correct the source first")
    };
    let mut found = Vec::new();
    let mut folders = vec![src.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| unreadable(&folder, &error))? {
            let path = entry.map_err(|error| unreadable(&folder, &error))?.path();
            if path.is_dir() {
                // The items of a program are not usable from outside.
                if path != src.join("bin") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
                let file = syn::parse_file(&text).map_err(|error| unreadable(&path, &error))?;
                let relative = path.strip_prefix(src).unwrap_or(&path).with_extension("");
                let names = relative.iter().map(|name| name.to_string_lossy().into_owned());
                let module: Vec<_> = names.filter(|name| name != "lib" && name != "mod").collect();
                read_items(&file.items, &module.join("::"), &mut found);
            }
        }
    }
    Ok(sorted(found))
}

fn sorted(mut items: Vec<PublicItem>) -> Vec<PublicItem> {
    items.sort_by(|a, b| a.line.cmp(&b.line));
    items
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Prints tokens on one line, spaced as people write them and without the paths that every Rust reader knows.
fn line(tokens: &impl ToTokens) -> String {
    let mut text = String::new();
    for word in tokens.to_token_stream().to_string().split_whitespace() {
        let word_like = |c: char| c.is_alphanumeric() || matches!(c, '_' | '\'');
        let joined = match (text.chars().last(), word.chars().next()) {
            (Some(':'), Some(_)) => text.ends_with("::") || word == ":",
            (Some(last), Some(next)) => !(word_like(last) && word_like(next) || matches!(last, ',' | '+')),
            _ => true,
        };
        if !joined {
            text.push(' ');
        }
        text.push_str(word);
    }
    for (from, to) in [
        ("::std::option::Option", "Option"),
        ("::std::result::Result", "Result"),
        ("std::result::Result", "Result"),
        ("::std::string::String", "String"),
        ("::std::vec::Vec", "Vec"),
        ("::std::collections::", ""),
        ("std::convert::TryInto", "TryInto"),
        (": ::TryInto", ": TryInto"),
        (": ::std::fmt::Display", ": Display"),
        ("::std::error::Error", "Error"),
        ("::liveavatar_api::", ""),
        (", >", ">"),
        (",>", ">"),
        (", T::Error: Display", ""),
        ("mut self", "self"),
    ] {
        text = text.replace(from, to);
    }
    text.trim_end_matches([',', ' ']).to_owned()
}

/// The last name of a path, without its generics.
fn last_name(path: &syn::Path) -> String {
    path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default()
}

fn type_path(kind: &Type) -> Option<&syn::Path> {
    if let Type::Path(kind) = kind { Some(&kind.path) } else { None }
}

/// The first type argument of a path that ends with `name`.
fn argument<'p>(path: &'p syn::Path, name: &str) -> Option<&'p Type> {
    let segment = path.segments.last().filter(|segment| segment.ident == name)?;
    let PathArguments::AngleBracketed(list) = &segment.arguments else { return None };
    list.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(kind) => Some(kind),
        _ => None,
    })
}

fn join(module: &str, name: impl fmt::Display) -> String {
    if module.is_empty() { name.to_string() } else { format!("{module}::{name}") }
}

/// Appends the public items of a module.
fn read_items(sources: &[Item], module: &str, found: &mut Vec<PublicItem>) {
    let item = |owner: Option<&str>, name: &dyn fmt::Display, kind: ItemKind, line: String| PublicItem {
        module: module.to_owned(),
        owner: owner.map(str::to_owned),
        name: name.to_string(),
        kind,
        line,
    };
    let function = |signature: &syn::Signature, owner: Option<&str>, path: &str| {
        item(
            owner,
            &signature.ident,
            ItemKind::Function(function_types(signature)),
            function_line(signature, path),
        )
    };
    for source in sources {
        let definition = match source {
            Item::Const(it) => Some(("const", &it.vis, &it.ident, format!(": {}", line(&it.ty)))),
            Item::Enum(it) => Some(("enum", &it.vis, &it.ident, line(&it.generics))),
            Item::Mod(it) => Some(("mod", &it.vis, &it.ident, String::new())),
            Item::Static(it) => Some(("static", &it.vis, &it.ident, format!(": {}", line(&it.ty)))),
            Item::Struct(it) => Some(("struct", &it.vis, &it.ident, line(&it.generics))),
            Item::Trait(it) => Some(("trait", &it.vis, &it.ident, line(&it.generics))),
            Item::Type(it) => {
                Some(("type", &it.vis, &it.ident, format!("{} = {}", line(&it.generics), line(&it.ty))))
            }
            _ => None,
        };
        let (mut name, mut path) = (String::new(), String::new());
        if let Some((word, visibility, ident, rest)) = definition {
            if !is_public(visibility) {
                continue;
            }
            (name, path) = (ident.to_string(), join(module, ident));
            let kind = match word {
                "enum" | "struct" | "type" => ItemKind::Type(format!("{word}{rest}")),
                "mod" => ItemKind::Module,
                _ => ItemKind::Other,
            };
            found.push(item(None, ident, kind, format!("{word} {path}{rest}")));
        }
        match source {
            Item::Struct(it) => {
                let public = fields(&it.fields).filter(|(_, field)| is_public(&field.vis));
                found.extend(public.map(|(field, it)| {
                    let kind = line(&it.ty);
                    let line = format!("{path}.{field}: {kind}");
                    item(Some(&name), &field, ItemKind::Field(kind), line)
                }));
            }
            Item::Enum(it) => {
                for it in &it.variants {
                    let (variant, path) = (&it.ident, join(&path, &it.ident));
                    found.push(item(Some(&name), variant, ItemKind::Variant, path.clone()));
                    found.extend(fields(&it.fields).map(|(field, it)| {
                        let kind = line(&it.ty);
                        let line = format!("{path}.{field}: {kind}");
                        item(Some(&name), variant, ItemKind::Payload(kind), line)
                    }));
                }
            }
            Item::Fn(it) if is_public(&it.vis) => found.push(function(&it.sig, None, module)),
            Item::Use(it) if is_public(&it.vis) => {
                found.push(item(None, &"", ItemKind::Other, format!("use {} in {module}", line(&it.tree))));
            }
            Item::Trait(it) => found.extend(it.items.iter().filter_map(|member| match member {
                TraitItem::Fn(it) => Some(function(&it.sig, Some(&name), &path)),
                _ => None,
            })),
            Item::Mod(it) => {
                it.content.iter().for_each(|(_, inner)| read_items(inner, &path, found));
            }
            Item::Impl(it) => {
                let path = join(module, line(&it.self_ty));
                let owner = type_path(&it.self_ty).map(last_name);
                let owner = owner.as_deref();
                match &it.trait_ {
                    // The generator implements the same traits for every type.
                    Some(_) if module.starts_with(GENERATED) => {}
                    Some((implemented, _)) => {
                        let line = format!("impl {} for {path}", line(implemented));
                        found.push(item(owner, &"", ItemKind::Other, line));
                    }
                    None => found.extend(it.items.iter().filter_map(|member| match member {
                        ImplItem::Fn(it) if is_public(&it.vis) => Some(function(&it.sig, owner, &path)),
                        ImplItem::Const(it) if is_public(&it.vis) => {
                            let line = format!("const {path}::{}: {}", it.ident, line(&it.ty));
                            Some(item(owner, &it.ident, ItemKind::Other, line))
                        }
                        _ => None,
                    })),
                }
            }
            _ => {}
        }
    }
}

/// The fields with their names, or with their positions if they have none.
fn fields(fields: &Fields) -> impl Iterator<Item = (String, &syn::Field)> {
    fields.iter().enumerate().map(|(index, field)| {
        (field.ident.as_ref().map_or_else(|| index.to_string(), ToString::to_string), field)
    })
}

fn function_types(signature: &syn::Signature) -> FunctionTypes {
    let mut types = FunctionTypes::default();
    if let ReturnType::Type(_, kind) = &signature.output
        && let Some(path) = type_path(kind)
    {
        types.output = last_name(path);
        let response = argument(path, "Result").and_then(type_path);
        types.response = response.and_then(|path| argument(path, "ResponseValue")).map(line);
    }
    for predicate in signature.generics.where_clause.iter().flat_map(|clause| &clause.predicates) {
        let WherePredicate::Type(predicate) = predicate else { continue };
        for bound in &predicate.bounds {
            let TypeParamBound::Trait(bound) = bound else { continue };
            types.takes_closure |= last_name(&bound.path) == "FnOnce";
            types.converted = types.converted.or_else(|| argument(&bound.path, "TryInto").map(line));
        }
    }
    types
}

fn function_line(signature: &syn::Signature, place: &str) -> String {
    let parameters: Vec<String> = signature.inputs.iter().map(line).collect();
    let result = match &signature.output {
        ReturnType::Default => String::new(),
        ReturnType::Type(_, kind) => format!(" -> {}", line(kind)),
    };
    let bounds = signature.generics.where_clause.as_ref();
    let bounds = bounds.map(|clause| format!(" {}", line(clause))).unwrap_or_default();
    let word = if signature.asyncness.is_some() { "async fn" } else { "fn" };
    let name = format!("{}{}", signature.ident, line(&signature.generics));
    format!("{word} {}({}){result}{bounds}", join(place, name), parameters.join(", "))
}
