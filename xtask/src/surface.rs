//! The crate's public surface, one line per item: what a reviewer reads when the document has changed.
//!
//! Read from the source, generated and hand-written, with `syn`: rustdoc's JSON would know more, but asks for a nightly
//! toolchain, and a snapshot that only some machines can check is none.

use std::fs;
use std::path::Path;

use quote::ToTokens;
use serde_json::Value;
use syn::{Fields, ImplItem, Item, ReturnType, TraitItem, Visibility};

use crate::failure::Failure;

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
    // Most of what progenitor cannot do ends in a panic, which is worth as much as an error here.
    let file = std::panic::catch_unwind(|| generate::generate(&document))
        .map_err(|_| refused("it panicked, see above".to_owned()))?
        .map_err(refused)?;
    let mut lines = Vec::new();
    items(&file.items, GENERATED, &mut lines);
    lines.sort();
    Ok(lines)
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
                open.push(path);
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
