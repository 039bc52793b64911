//! The crate's public surface, one line per item: what a reviewer reads when the document has changed.
//!
//! Read from the source, generated and hand-written, with `syn`: rustdoc's JSON would know more, but asks for a nightly
//! toolchain, and a snapshot that only some machines can check is none.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Once;

use quote::ToTokens;
use serde_json::{Map, Value};
use syn::{Fields, ImplItem, Item, ReturnType, TraitItem, Visibility};

use crate::failure::Failure;
use crate::lower::{Document, closure, references};

#[path = "../../liveavatar-api/build/generate.rs"]
mod generate;

/// The module that the generated code is included in.
const GENERATED: &str = "raw";

/// The public items that progenitor makes of a lowered document.
///
/// # Errors
/// When progenitor refuses the document.
pub fn generated(lowered: &Value) -> Result<Vec<String>, Failure> {
    let refused = |why: String| {
        Failure::new(
            format!("progenitor refuses the lowered document: {why}"),
            "add a lowering step for the new quirk to xtask/src/lower/mod.rs",
        )
    };
    let document: openapiv3::OpenAPI =
        serde_json::from_value(lowered.clone()).map_err(|error| refused(error.to_string()))?;
    let file = caught(|| generate::generate(&document)).and_then(|file| file).map_err(refused)?;
    let mut lines = Vec::new();
    items(&file.items, GENERATED, &mut lines);
    lines.sort();
    Ok(lines)
}

/// Runs what may panic: most of what progenitor cannot do ends so, which is worth as much as an error here.
fn caught<T>(run: impl FnOnce() -> T + std::panic::UnwindSafe) -> Result<T, String> {
    thread_local! {
        static QUIET: Cell<bool> = const { Cell::new(false) };
    }
    static HOOK: Once = Once::new();
    // The message goes into the error; a backtrace through the generator helps nobody.
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

/// The public items that progenitor makes of each of two lowered documents, apart from those that cannot differ.
///
/// Only the operations and components that differ, and what these lead to, are generated: the rest is the same in both, and
/// takes most of the time.
///
/// # Errors
/// When progenitor refuses a document.
pub fn differing(old: &Value, new: &Value) -> Result<(Vec<String>, Vec<String>), Failure> {
    let (old, new) = (Document(old.clone()), Document(new.clone()));
    let components: BTreeSet<String> = differing_keys(old.schemas(), new.schemas()).into_iter().collect();
    let reaches = |document: &Document, part: &Value| {
        let mut roots = BTreeSet::new();
        references(part, &mut roots);
        !closure(document.schemas(), roots).is_disjoint(&components)
    };
    let paths =
        |document: &Document| document.0.get("paths").and_then(Value::as_object).cloned().unwrap_or_default();
    let (old_paths, new_paths) = (paths(&old), paths(&new));
    let mut changed: BTreeSet<String> = differing_keys(&old_paths, &new_paths).into_iter().collect();
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
        let mut roots = components.clone();
        references(&part["paths"], &mut roots);
        let kept = closure(document.schemas(), roots);
        if let Some(schemas) = part.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
            schemas.retain(|name, _| kept.contains(name));
        }
        part
    };
    let (old, new) = (part(&old, old_paths), part(&new, new_paths));
    std::thread::scope(|scope| {
        let other = scope.spawn(|| generated(&old));
        let new = generated(&new);
        let old = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((old?, new?))
    })
}

/// The keys under which two objects differ.
fn differing_keys(old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<String> {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    keys.into_iter().filter(|key| old.get(*key) != new.get(*key)).cloned().collect()
}

/// The public items of the hand-written part of the crate below `src`.
///
/// # Errors
/// When a source file cannot be read or parsed.
pub fn handwritten(src: &Path) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    let mut open = vec![src.to_path_buf()];
    while let Some(folder) = open.pop() {
        let unreadable = |error: &dyn std::fmt::Display| {
            Failure::new(format!("{}: {error}", folder.display()), "mend the source first")
        };
        for entry in fs::read_dir(&folder).map_err(|error| unreadable(&error))? {
            let path = entry.map_err(|error| unreadable(&error))?.path();
            if path.is_dir() {
                // A program's own items are nobody's to use.
                if path != src.join("bin") {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).map_err(|error| unreadable(&error))?;
                let file = syn::parse_file(&text).map_err(|error| {
                    Failure::new(format!("{}: {error}", path.display()), "mend the source first")
                })?;
                let relative = path.strip_prefix(src).unwrap_or(&path).with_extension("");
                let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
                let module: Vec<_> =
                    parts.iter().map(String::as_str).filter(|part| !matches!(*part, "lib" | "mod")).collect();
                items(&file.items, &module.join("::"), &mut lines);
            }
        }
    }
    lines.sort();
    Ok(lines)
}

fn public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Tokens on one line, spaced as people write them and without the paths that every Rust reader knows.
fn line(tokens: &impl ToTokens) -> String {
    let mut text = String::new();
    for word in tokens.to_token_stream().to_string().split_whitespace() {
        let word_like = |c: char| c.is_alphanumeric() || matches!(c, '_' | '\'');
        let glued = match (text.chars().last(), word.chars().next()) {
            (Some(':'), Some(_)) => text.ends_with("::") || word == ":",
            (Some(last), Some(next)) => !(word_like(last) && word_like(next) || matches!(last, ',' | '+')),
            _ => true,
        };
        if !glued {
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

fn join(module: &str, name: impl std::fmt::Display) -> String {
    if module.is_empty() { name.to_string() } else { format!("{module}::{name}") }
}

fn fields(fields: &Fields, owner: &str, all: bool, lines: &mut Vec<String>) {
    for (index, field) in fields.iter().enumerate() {
        if all || public(&field.vis) {
            let name = field.ident.as_ref().map_or_else(|| index.to_string(), ToString::to_string);
            lines.push(format!("{owner}.{name}: {}", line(&field.ty)));
        }
    }
}

fn items(list: &[Item], module: &str, lines: &mut Vec<String>) {
    for item in list {
        match item {
            Item::Struct(item) if public(&item.vis) => {
                let owner = join(module, &item.ident);
                lines.push(format!("struct {owner}{}", line(&item.generics)));
                fields(&item.fields, &owner, false, lines);
            }
            Item::Enum(item) if public(&item.vis) => {
                let owner = join(module, &item.ident);
                lines.push(format!("enum {owner}{}", line(&item.generics)));
                for variant in &item.variants {
                    let variant_name = join(&owner, &variant.ident);
                    lines.push(variant_name.clone());
                    fields(&variant.fields, &variant_name, true, lines);
                }
            }
            Item::Fn(item) if public(&item.vis) => lines.push(signature(&item.sig, module)),
            Item::Const(item) if public(&item.vis) => {
                lines.push(format!("const {}: {}", join(module, &item.ident), line(&item.ty)));
            }
            Item::Static(item) if public(&item.vis) => {
                lines.push(format!("static {}: {}", join(module, &item.ident), line(&item.ty)));
            }
            Item::Type(item) if public(&item.vis) => {
                lines.push(format!(
                    "type {}{} = {}",
                    join(module, &item.ident),
                    line(&item.generics),
                    line(&item.ty)
                ));
            }
            Item::Use(item) if public(&item.vis) => {
                lines.push(format!("use {} in {module}", line(&item.tree)));
            }
            Item::Trait(item) if public(&item.vis) => {
                let owner = join(module, &item.ident);
                lines.push(format!("trait {owner}{}", line(&item.generics)));
                for member in &item.items {
                    if let TraitItem::Fn(function) = member {
                        lines.push(signature(&function.sig, &owner));
                    }
                }
            }
            Item::Mod(item) if public(&item.vis) => {
                let name = join(module, &item.ident);
                lines.push(format!("mod {name}"));
                if let Some((_, inner)) = &item.content {
                    items(inner, &name, lines);
                }
            }
            Item::Impl(item) => {
                let owner = join(module, line(&item.self_ty));
                if let Some((path, _)) = &item.trait_ {
                    // The generator gives every type the same ones.
                    if !module.starts_with(GENERATED) {
                        lines.push(format!("impl {} for {owner}", line(path)));
                    }
                } else {
                    for member in &item.items {
                        match member {
                            ImplItem::Fn(function) if public(&function.vis) => {
                                lines.push(signature(&function.sig, &owner));
                            }
                            ImplItem::Const(constant) if public(&constant.vis) => {
                                lines.push(format!(
                                    "const {owner}::{}: {}",
                                    constant.ident,
                                    line(&constant.ty)
                                ));
                            }
                            _ => {}
                        }
                    }
                }
            }
            _ => {}
        }
    }
}

fn signature(signature: &syn::Signature, owner: &str) -> String {
    let parameters: Vec<String> = signature.inputs.iter().map(line).collect();
    let result = match &signature.output {
        ReturnType::Default => String::new(),
        ReturnType::Type(_, kind) => format!(" -> {}", line(kind)),
    };
    let bounds = signature
        .generics
        .where_clause
        .as_ref()
        .map(|clause| format!(" {}", line(clause)))
        .unwrap_or_default();
    let kind = if signature.asyncness.is_some() { "async fn" } else { "fn" };
    let name = format!("{}{}", signature.ident, line(&signature.generics));
    format!("{kind} {}({}){result}{bounds}", join(owner, name), parameters.join(", "))
}
