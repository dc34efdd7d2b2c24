//! What the attributes of an item say about the API.

use quote::ToTokens;
use syn::{Attribute, Item, Path, Token, punctuated::Punctuated};

use crate::print::text;

/// The attributes that are a part of the API.
const KEPT: &[&str] = &["async_trait", "deprecated", "non_exhaustive", "repr"];

/// The lines above an item: under which conditions it is there, and what its attributes promise.
pub(crate) fn above(conditions: &[String], attributes: &[Attribute]) -> String {
    lines(conditions, attributes, "\n")
}

/// The same for a part of an item, in its line.
pub(crate) fn beside(attributes: &[Attribute]) -> String {
    lines(&conditions(attributes), attributes, " ")
}

fn lines(conditions: &[String], attributes: &[Attribute], end: &str) -> String {
    let mut all: Vec<&str> = conditions.iter().map(String::as_str).collect();
    all.sort_unstable();
    all.dedup();
    let kept = attributes.iter().filter(|one| KEPT.iter().any(|name| one.path().is_ident(name)));
    let kept: Vec<String> = kept.map(|attribute| text(&attribute.meta)).collect();
    all.into_iter()
        .chain(kept.iter().map(String::as_str))
        .map(|one| format!("#[{one}]{end}"))
        .collect()
}

/// The traits that an item derives.
pub(crate) fn derived(attributes: &[Attribute]) -> impl Iterator<Item = Path> {
    let derives = attributes.iter().filter(|attribute| attribute.path().is_ident("derive"));
    let paths = derives.filter_map(|derive| {
        derive.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated).ok()
    });
    paths.flatten()
}

/// The conditions in `cfg` attributes.
pub(crate) fn conditions(attributes: &[Attribute]) -> Vec<String> {
    let conditions = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    conditions.map(|attribute| text(&attribute.meta)).collect()
}

/// Returns true for what is only there in tests, and for what is hidden from the docs.
pub(crate) fn is_left_out(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let text = attribute.meta.to_token_stream().to_string();
        let is_hidden = attribute.path().is_ident("doc") && text.contains("(hidden");
        is_hidden
            || (attribute.path().is_ident("cfg") && text.contains("(test") && !text.contains("not"))
    })
}

/// The attributes of an item that can be listed or read.
pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
