//! The public items of hand-written source, under the paths by which users name them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs;
use std::path::Path;

use quote::ToTokens;
use syn::{Attribute, Fields, ImplItem, Item, ReturnType, Signature, TraitItem, Type, UseTree, Visibility};

use crate::error::TaskError;

/// Returns the public items of the source below `src`, one line each, sorted by path.
///
/// # Errors
/// When a source file cannot be read or parsed.
pub fn handwritten(src: &Path) -> Result<Vec<String>, TaskError> {
    let unreadable = |path: &Path, error: &dyn Display| {
        TaskError::new(format!("{}: {error}", path.display()), "correct the source first")
    };
    let mut files = BTreeMap::new();
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
                files.insert(module.join("::"), file.items);
            }
        }
    }
    let mut found = CrateItems::default();
    // A module comes before the modules in it.
    for (module, items) in &files {
        found.collect_exports(module, items);
    }
    for (module, items) in &files {
        found.read(module, items);
    }
    let CrateItems { exports, mut lines, .. } = found;
    let defined: BTreeSet<String> =
        lines.iter().filter(|(_, part, _)| !part).map(|(path, ..)| path.clone()).collect();
    let exports =
        exports.iter().flat_map(|(name, modules)| modules.iter().map(move |module| join(module, name)));
    let exports: BTreeSet<String> = exports.collect();
    lines.retain(|(path, ..)| defined.contains(path) || exports.contains(path));
    // Items of other crates, and generated ones.
    lines.extend(exports.difference(&defined).map(|path| (path.clone(), false, format!("use {path}"))));
    Ok(lines.into_iter().map(|(_, _, line)| line).collect())
}

#[derive(Default)]
struct CrateItems {
    modules: BTreeSet<String>,
    /// The modules in which users find the types of other modules, by their names.
    exports: BTreeMap<String, BTreeSet<String>>,
    /// Traits that only this crate implements.
    sealed: BTreeSet<String>,
    /// The lines: the path of the item or of its type, whether it is a part of the type, and the text.
    lines: BTreeSet<(String, bool, String)>,
}

impl CrateItems {
    /// Collects the public modules in a module, what it exports from private ones, and its sealed traits.
    fn collect_exports(&mut self, module: &str, items: &[Item]) {
        let reachable = module.is_empty() || self.modules.contains(module);
        for item in items {
            match item {
                Item::Mod(item) if reachable && is_public(&item.vis) => {
                    self.modules.insert(join(module, &item.ident));
                }
                Item::Use(item) if reachable && is_public(&item.vis) => self.export(&item.tree, module),
                Item::Trait(item) => {
                    let known = self.path(module, &item.ident.to_string()).filter(|_| is_public(&item.vis));
                    if known.is_none() || trait_functions(item).any(|it| is_hidden(&it.attrs)) {
                        self.sealed.insert(item.ident.to_string());
                    }
                }
                _ => {}
            }
        }
    }

    fn export(&mut self, tree: &UseTree, module: &str) {
        let name = match tree {
            UseTree::Path(path) => return self.export(&path.tree, module),
            UseTree::Group(group) => return group.items.iter().for_each(|tree| self.export(tree, module)),
            UseTree::Name(name) => &name.ident,
            UseTree::Rename(rename) => &rename.rename,
            UseTree::Glob(_) => return,
        };
        self.exports.entry(name.to_string()).or_default().insert(module.to_owned());
    }

    /// The path by which users name an item of a module.
    fn path(&self, module: &str, name: &str) -> Option<String> {
        let modules = self.exports.get(name);
        let exported = modules.and_then(|modules| {
            modules.iter().rev().find(|outer| module.starts_with(outer.as_str())).or_else(|| modules.first())
        });
        let reachable = module.is_empty() || self.modules.contains(module);
        exported.map(String::as_str).or(reachable.then_some(module)).map(|module| join(module, name))
    }

    fn add(&mut self, path: &str, line: String) {
        self.lines.insert((path.to_owned(), true, line));
    }

    fn read(&mut self, module: &str, items: &[Item]) {
        for item in items {
            let (visibility, ident, word, rest) = match item {
                Item::Const(it) => (&it.vis, &it.ident, "const", format!(": {}", line(&it.ty))),
                Item::Enum(it) => (&it.vis, &it.ident, "enum", line(&it.generics)),
                Item::Static(it) => (&it.vis, &it.ident, "static", format!(": {}", line(&it.ty))),
                Item::Struct(it) => (&it.vis, &it.ident, "struct", line(&it.generics)),
                Item::Trait(it) => (&it.vis, &it.ident, "trait", line(&it.generics)),
                Item::Type(it) => {
                    (&it.vis, &it.ident, "type", format!("{} = {}", line(&it.generics), line(&it.ty)))
                }
                Item::Fn(it) => (&it.vis, &it.sig.ident, "fn", String::new()),
                Item::Mod(it) => (&it.vis, &it.ident, "mod", String::new()),
                Item::Impl(it) => {
                    self.read_implementation(module, it);
                    continue;
                }
                _ => continue,
            };
            let path = self.path(module, &ident.to_string()).filter(|_| is_public(visibility));
            let Some(path) = path else { continue };
            let text = match item {
                Item::Fn(it) => function_line(&it.sig, &path),
                _ => format!("{word} {path}{rest}"),
            };
            self.lines.insert((path.clone(), false, text));
            match item {
                Item::Struct(it) => {
                    for (field, it) in fields(&it.fields).filter(|(_, it)| is_public(&it.vis)) {
                        self.add(&path, format!("{path}.{field}: {}", line(&it.ty)));
                    }
                }
                Item::Enum(it) => {
                    for it in &it.variants {
                        let variant = join(&path, &it.ident);
                        for (field, it) in fields(&it.fields) {
                            self.add(&path, format!("{variant}.{field}: {}", line(&it.ty)));
                        }
                        self.add(&path, variant);
                    }
                }
                Item::Trait(it) => {
                    for it in trait_functions(it).filter(|it| !is_hidden(&it.attrs)) {
                        self.add(&path, function_line(&it.sig, &join(&path, &it.sig.ident)));
                    }
                }
                Item::Mod(it) => it.content.iter().for_each(|(_, inner)| self.read(&path, inner)),
                _ => {}
            }
        }
    }

    fn read_implementation(&mut self, module: &str, item: &syn::ItemImpl) {
        let Type::Path(owner) = &*item.self_ty else { return };
        let Some(owner) = owner.path.segments.last() else { return };
        let Some(path) = self.path(module, &owner.ident.to_string()) else { return };
        let shown = path.clone() + &line(&owner.arguments);
        if let Some((implemented, _)) = &item.trait_ {
            let name = implemented.segments.last().map(|last| last.ident.to_string());
            if name.is_some_and(|name| self.sealed.contains(&name)) {
                return;
            }
            self.add(&path, format!("impl {} for {shown}", line(implemented)));
            return;
        }
        for member in &item.items {
            match member {
                ImplItem::Fn(it) if is_public(&it.vis) && !is_hidden(&it.attrs) => {
                    self.add(&path, function_line(&it.sig, &join(&shown, &it.sig.ident)));
                }
                ImplItem::Const(it) if is_public(&it.vis) => {
                    self.add(&path, format!("const {shown}::{}: {}", it.ident, line(&it.ty)));
                }
                _ => {}
            }
        }
    }
}

fn trait_functions(item: &syn::ItemTrait) -> impl Iterator<Item = &syn::TraitItemFn> {
    item.items.iter().filter_map(|member| match member {
        TraitItem::Fn(function) => Some(function),
        _ => None,
    })
}

pub(super) fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("doc") && attribute.to_token_stream().to_string().contains("hidden")
    })
}

/// Prints tokens on one line, spaced as people write them, with the last name of each path.
pub(super) fn line(tokens: &impl ToTokens) -> String {
    let word_like = |c: char| c.is_alphanumeric() || matches!(c, '_' | '\'');
    let spaced = |word: &str| matches!(word, "->" | "+" | "=");
    let mut text = String::new();
    for word in tokens.to_token_stream().to_string().split_whitespace() {
        // `reqwest` and this crate have types of the same name.
        if word == "::" && !text.ends_with('>') && !text.ends_with("reqwest") {
            text.truncate(text.trim_end_matches(word_like).len());
            continue;
        }
        let before = text.rsplit(' ').next().unwrap_or_default();
        let apart = text.ends_with([',', ':']) && word != ":" && !text.ends_with("::")
            || spaced(word)
            || spaced(before)
            || text.ends_with(word_like) && word.starts_with(word_like);
        if apart {
            text.push(' ');
        }
        text.push_str(word);
    }
    let text = text.replace(", >", ">").replace(",>", ">").replace("mut self", "self").replace("&'a ", "&");
    text.trim_end_matches([',', ' ']).to_owned()
}

fn join(module: &str, name: impl Display) -> String {
    if module.is_empty() { name.to_string() } else { format!("{module}::{name}") }
}

/// The fields with their names, or with their positions if they have none.
fn fields(fields: &Fields) -> impl Iterator<Item = (String, &syn::Field)> {
    fields.iter().enumerate().map(|(index, field)| {
        (field.ident.as_ref().map_or_else(|| index.to_string(), ToString::to_string), field)
    })
}

fn function_line(signature: &Signature, path: &str) -> String {
    let parameters: Vec<String> = signature.inputs.iter().map(line).collect();
    let result = match &signature.output {
        ReturnType::Default => String::new(),
        ReturnType::Type(_, kind) => format!(" -> {}", line(kind)),
    };
    let bounds = signature.generics.where_clause.as_ref();
    let bounds = bounds.map(|clause| format!(" {}", line(clause))).unwrap_or_default();
    let word = if signature.asyncness.is_some() { "async fn" } else { "fn" };
    format!("{word} {path}{}({}){result}{bounds}", line(&signature.generics), parameters.join(", "))
}
