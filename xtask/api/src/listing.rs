//! The public API of a crate as a text in which each line is one promise.

use std::{collections::BTreeMap, fmt::Write, path::Path};

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{
    Fields, Generics, ImplItem, Item, ItemImpl, TraitItem, Type, Visibility, parse_quote,
    visit_mut::VisitMut,
};

use crate::{
    attributes::{above, attributes, beside, conditions, derived, is_left_out},
    expand::rules,
    names::{Index, Replace},
    print::text,
    public::{self, Reexport},
    signature::{signature, value},
    source::{self, Names},
};

/// What is listed of an item: blocks by the path of what they are about, their rank, and their first line.
type Blocks = BTreeMap<(String, u8, String), Vec<String>>;

/// Ranks of blocks about one item.
const ITEM: u8 = 0;
const OWN_IMPL: u8 = 1;
const TRAIT_IMPL: u8 = 2;

/// Returns the listing of the crate whose `src/lib.rs` is given.
pub(crate) fn listing(library: &Path, features: &[String]) -> Result<String, String> {
    let (index, reexports) = public::find(source::read(library)?);
    let mut listing = Listing { index: &index, blocks: Blocks::new() };
    reexports.iter().for_each(|reexport| listing.reexport(reexport));
    for (module, here) in &index.modules {
        for item in &here.items {
            listing.item(module, &here.conditions, item)?;
        }
    }
    Ok(print(features, listing.blocks))
}

fn print(features: &[String], blocks: Blocks) -> String {
    let mut printed = String::new();
    let mut features: Vec<&String> = features.iter().collect();
    features.sort();
    for feature in features {
        let _ = writeln!(printed, "feature {feature}");
    }
    let mut last = None;
    for ((path, _, first), mut lines) in blocks {
        if last.as_ref() != Some(&path) && !printed.is_empty() {
            printed.push('\n');
        }
        let _ = writeln!(printed, "{first}");
        lines.sort();
        lines.dedup();
        for line in lines {
            let _ = writeln!(printed, "    {line}");
        }
        last = Some(path);
    }
    printed
}

struct Listing<'a> {
    index: &'a Index,
    blocks: Blocks,
}

impl Listing<'_> {
    fn add(&mut self, path: &str, rank: u8, first: String, lines: Vec<String>) {
        self.blocks.entry((path.to_owned(), rank, first)).or_default().extend(lines);
    }

    fn reexport(&mut self, reexport: &Reexport) {
        let (path, of) = (reexport.path.join("::"), reexport.of.join("::"));
        // One in a module has another path, which is a promise too.
        let renamed = if reexport.path.len() == 1 && reexport.path.last() == reexport.of.last() {
            String::new()
        } else {
            format!(" as {path}")
        };
        let first = format!("{}pub use {of}{renamed}", above(&reexport.conditions, &[]));
        // Under no path, so that all of them stand together, first.
        self.add("", ITEM, first, Vec::new());
    }

    fn item(&mut self, module: &Names, outer: &[String], item: &Item) -> Result<(), String> {
        if let Item::Impl(item) = item {
            self.implementation(module, outer, item);
            return Ok(());
        }
        let Some((name, _)) = crate::names::name(item) else { return Ok(()) };
        let key: Names = module.iter().cloned().chain([name.to_string()]).collect();
        let Some(public) = self.index.public.get(&key) else { return Ok(()) };
        let path = public.path.join("::");
        let mut all = [outer, &public.conditions].concat();
        all.extend(conditions(attributes(item)));
        let over = above(&all, attributes(item));
        let (first, lines) = self.described(module, &path, item)?;
        for name in derived(attributes(item)) {
            let derived = self.derived(module, &path, item, name);
            self.add(&path, TRAIT_IMPL, format!("{}{derived}", above(&all, &[])), Vec::new());
        }
        self.add(&path, ITEM, format!("{over}{first}"), lines);
        Ok(())
    }

    /// What `derive` makes, as it would be written by hand.
    fn derived(&self, module: &Names, path: &str, item: &Item, mut name: syn::Path) -> String {
        let mut generics = match item {
            Item::Enum(item) => item.generics.clone(),
            Item::Struct(item) => item.generics.clone(),
            _ => Generics::default(),
        };
        // These two are in the prelude only for `derive`.
        for (short, long) in
            [("Debug", parse_quote!(std::fmt::Debug)), ("Hash", parse_quote!(std::hash::Hash))]
        {
            if name.is_ident(short) {
                name = long;
            }
        }
        for parameter in generics.type_params_mut() {
            parameter.default = None;
            parameter.bounds.push(parse_quote!(#name));
        }
        let mut replace = self.index.replace(module);
        replace.visit_generics_mut(&mut generics);
        replace.visit_path_mut(&mut name);
        let (parameters, arguments, bounds) = generics.split_for_impl();
        let bounds = text(bounds);
        let printed = format!(
            "impl{} {} for {path}{} {bounds}",
            text(parameters),
            text(name),
            text(arguments)
        );
        printed.trim_end().to_owned()
    }

    /// The first line about an item, and those about its parts.
    fn described(
        &self,
        module: &Names,
        path: &str,
        item: &Item,
    ) -> Result<(String, Vec<String>), String> {
        let of = |generics: &Generics| self.generics(module, generics);
        Ok(match item {
            Item::Const(item) => (
                format!("pub const {path}: {}{}", self.ty(module, &item.ty), value(&item.expr)),
                Vec::new(),
            ),
            Item::Static(item) => {
                (format!("pub static {path}: {}", self.ty(module, &item.ty)), Vec::new())
            }
            Item::Type(item) => {
                let (parameters, bounds) = of(&item.generics);
                (
                    format!("pub type {path}{parameters} = {}{bounds}", self.ty(module, &item.ty)),
                    Vec::new(),
                )
            }
            Item::Fn(item) => {
                (format!("pub {}", self.function(module, path, &item.sig)), Vec::new())
            }
            Item::Macro(item) => {
                let lines = rules(&item.mac.tokens)
                    .into_iter()
                    .map(|(pattern, _)| format!("({})", text(pattern)));
                (format!("macro {path}!"), lines.collect())
            }
            Item::Struct(item) => {
                let (parameters, bounds) = of(&item.generics);
                let (shape, lines) = self.fields(module, &item.fields);
                (format!("pub struct {path}{parameters}{shape}{bounds}"), lines)
            }
            Item::Enum(item) => {
                let (parameters, bounds) = of(&item.generics);
                let shown = item.variants.iter().filter(|variant| !is_left_out(&variant.attrs));
                let lines = shown.map(|variant| {
                    let mut bare = variant.clone();
                    bare.discriminant = None;
                    bare.attrs.clear();
                    bare.fields.iter_mut().for_each(|field| field.attrs.clear());
                    format!(
                        "{}{}",
                        beside(&variant.attrs),
                        self.named(module, bare, Replace::visit_variant_mut)
                    )
                });
                (format!("pub enum {path}{parameters}{bounds}"), lines.collect())
            }
            Item::Trait(item) => {
                let (parameters, bounds) = of(&item.generics);
                let above = item
                    .supertraits
                    .iter()
                    .map(|bound| {
                        self.named(module, bound.clone(), Replace::visit_type_param_bound_mut)
                    })
                    .collect::<Vec<_>>()
                    .join(" + ");
                let above = if above.is_empty() { above } else { format!(": {above}") };
                let lines = item.items.iter().filter_map(|part| self.trait_item(module, part));
                let word = if item.unsafety.is_some() { "unsafe trait" } else { "trait" };
                (format!("pub {word} {path}{parameters}{above}{bounds}"), lines.collect())
            }
            other => {
                return Err(format!("{path}: this kind of item is not supported: {}", text(other)));
            }
        })
    }

    /// How the fields of a struct are written where they can be, and the public ones.
    fn fields(&self, module: &Names, fields: &Fields) -> (&'static str, Vec<String>) {
        let all_public = fields.iter().all(|field| matches!(field.vis, Visibility::Public(_)));
        let shown = fields
            .iter()
            .enumerate()
            .filter(|(_, field)| matches!(field.vis, Visibility::Public(_)));
        let lines = shown.filter(|(_, field)| !is_left_out(&field.attrs)).map(|(index, field)| {
            let name = field.ident.as_ref().map_or_else(|| index.to_string(), ToString::to_string);
            format!("{}pub {name}: {}", beside(&field.attrs), self.ty(module, &field.ty))
        });
        let shape = match fields {
            Fields::Unit => ";",
            _ if !all_public => " { .. }",
            Fields::Unnamed(_) => "()",
            Fields::Named(_) => " {}",
        };
        (shape, lines.collect())
    }

    fn trait_item(&self, module: &Names, item: &TraitItem) -> Option<String> {
        let (attributes, line) = match item {
            TraitItem::Fn(item) => {
                let provided = if item.default.is_some() { " { .. }" } else { "" };
                let line = self.function(module, &item.sig.ident.to_string(), &item.sig);
                (&item.attrs, format!("{line}{provided}"))
            }
            TraitItem::Type(item) => {
                let mut bare = item.clone();
                bare.attrs.clear();
                let line = self.named(module, bare, Replace::visit_trait_item_type_mut);
                (&item.attrs, line.trim_end_matches([';', ' ']).to_owned())
            }
            TraitItem::Const(item) => {
                (&item.attrs, format!("const {}: {}", item.ident, self.ty(module, &item.ty)))
            }
            _ => return None,
        };
        (!is_left_out(attributes)).then(|| format!("{}{line}", beside(attributes)))
    }

    /// An implementation, if whoever uses the crate can name what it is of and for.
    fn implementation(&mut self, module: &Names, outer: &[String], item: &ItemImpl) {
        if is_left_out(&item.attrs) {
            return;
        }
        let mut header = item.clone();
        header.items.clear();
        header.attrs.clear();
        let mut replace = self.index.replace(module);
        replace.visit_item_impl_mut(&mut header);
        if !replace.is_public {
            return;
        }
        header.generics.where_clause.iter_mut().for_each(|bounds| {
            bounds.predicates.pop_punct();
        });
        let printed = text(&header);
        let printed = printed.trim_end().trim_end_matches(['{', '}', ' ', ',']);
        let mut all = outer.to_vec();
        all.extend(conditions(&item.attrs));
        let first = format!("{}{printed}", above(&all, &[]));
        let lines: Vec<String> = item
            .items
            .iter()
            .filter_map(|part| self.impl_item(module, part, item.trait_.is_some()))
            .collect();
        if item.trait_.is_none() && lines.is_empty() {
            return;
        }
        // A trait of the crate for a type of another one stands with the trait.
        let about = |ty: TokenStream| {
            let text = text(ty);
            let text = text
                .trim_start_matches(['&', '('])
                .trim_start_matches("mut ")
                .trim_start_matches("dyn ");
            text.split(['<', ' ']).next().unwrap_or_default().to_owned()
        };
        let ty = about(header.self_ty.to_token_stream());
        let is_ours = self.index.public.values().any(|public| public.path.join("::") == ty);
        let path = match &header.trait_ {
            Some((_, path, _)) if !is_ours => about(path.to_token_stream()),
            _ => ty,
        };
        self.add(&path, if item.trait_.is_some() { TRAIT_IMPL } else { OWN_IMPL }, first, lines);
    }

    fn impl_item(&self, module: &Names, item: &ImplItem, of_trait: bool) -> Option<String> {
        let is_public = |visibility: &Visibility| matches!(visibility, Visibility::Public(_));
        let (attributes, line) = match item {
            ImplItem::Fn(item) if !of_trait && is_public(&item.vis) => (
                &item.attrs,
                format!("pub {}", self.function(module, &item.sig.ident.to_string(), &item.sig)),
            ),
            ImplItem::Const(item) if !of_trait && is_public(&item.vis) => {
                let line = format!("pub const {}: {}", item.ident, self.ty(module, &item.ty));
                (&item.attrs, line)
            }
            ImplItem::Type(item) if of_trait => {
                (&item.attrs, format!("type {} = {}", item.ident, self.ty(module, &item.ty)))
            }
            _ => return None,
        };
        (!is_left_out(attributes)).then(|| format!("{}{line}", beside(attributes)))
    }

    fn function(&self, module: &Names, path: &str, sig: &syn::Signature) -> String {
        let mut sig = sig.clone();
        self.index.replace(module).visit_signature_mut(&mut sig);
        signature(path, sig)
    }

    /// The parameters behind a name, and the bounds at the end.
    fn generics(&self, module: &Names, generics: &Generics) -> (String, String) {
        let mut generics = generics.clone();
        self.index.replace(module).visit_generics_mut(&mut generics);
        if let Some(bounds) = &mut generics.where_clause {
            bounds.predicates.pop_punct();
        }
        let bounds = text(&generics.where_clause);
        let bounds = if bounds.is_empty() { bounds } else { format!(" {bounds}") };
        (text(&generics), bounds)
    }

    fn ty(&self, module: &Names, ty: &Type) -> String {
        self.named(module, ty.clone(), Replace::visit_type_mut)
    }

    /// A piece of code with its names replaced.
    fn named<'b, T: ToTokens>(
        &'b self,
        module: &'b Names,
        mut code: T,
        visit: fn(&mut Replace<'b>, &mut T),
    ) -> String {
        visit(&mut self.index.replace(module), &mut code);
        text(code)
    }
}
