//! From the lowered document to Rust: progenitor with our settings. Shared by `build.rs` and `cargo xtask`.

use progenitor::{CrateVers, GenerationSettings, Generator, HooksMode, InterfaceStyle, TagStyle};

/// Generates the raw client from the lowered document.
pub(crate) fn generate(document: &openapiv3::OpenAPI) -> Result<syn::File, String> {
    let mut settings = GenerationSettings::default();
    settings
        .with_interface(InterfaceStyle::Builder)
        .with_tag(TagStyle::Merged)
        .with_derive("PartialEq")
        // A client without our hooks would send requests without credentials; this makes that a compile error.
        .with_hooks(HooksMode::Expected)
        .with_inner_type(quote::quote!(crate::transport::Transport))
        .with_map_type("::std::collections::BTreeMap")
        .with_crate("liveavatar-api", CrateVers::Any, None);
    let tokens = Generator::new(&settings).generate_tokens(document).map_err(|error| error.to_string())?;
    let mut file = syn::parse2(tokens).map_err(|error| error.to_string())?;
    leave_room(&mut file);
    Ok(file)
}

/// Marks the document's types `non_exhaustive`: a field or a value more is news to callers, not a breaking change.
///
/// progenitor's own patches do this by type name only, and a list of names is what the document is for.
fn leave_room(file: &mut syn::File) {
    for item in &mut file.items {
        let syn::Item::Mod(module) = item else { continue };
        let Some((_, types)) = module.content.as_mut().filter(|_| module.ident == "types") else { continue };
        for item in types {
            let attributes = match item {
                syn::Item::Struct(item) if matches!(item.fields, syn::Fields::Named(_)) => &mut item.attrs,
                syn::Item::Enum(item) => &mut item.attrs,
                _ => continue,
            };
            attributes.push(syn::parse_quote!(#[non_exhaustive]));
        }
    }
}
