//! What the names in a crate's code stand for.

use std::collections::BTreeMap;

use syn::{Ident, Item, Path, PathSegment, Type, TypePath, Visibility, visit_mut::VisitMut};

use crate::source::{Module, Modules, Names};

/// What a path leads to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Target {
    /// An item of the crate, by its module and name.
    Item(Names),
    Module(Names),
    /// An item of another crate, by its full path.
    Outside(Names),
}

/// A crate's modules, and under which names its items are public.
pub(crate) struct Index {
    pub(crate) modules: Modules,
    /// The public items, by their module and name.
    pub(crate) public: BTreeMap<Names, Public>,
}

/// Under which path an item is public.
pub(crate) struct Public {
    pub(crate) path: Names,
    /// The conditions of the `use` that makes it public.
    pub(crate) conditions: Vec<String>,
}

/// The name of an item that has one, and whether it is public in its module.
pub(crate) fn name(item: &Item) -> Option<(&Ident, bool)> {
    let (name, visibility) = match item {
        Item::Const(item) => (&item.ident, &item.vis),
        Item::Enum(item) => (&item.ident, &item.vis),
        Item::Fn(item) => (&item.sig.ident, &item.vis),
        Item::Static(item) => (&item.ident, &item.vis),
        Item::Struct(item) => (&item.ident, &item.vis),
        Item::Trait(item) => (&item.ident, &item.vis),
        Item::Type(item) => (&item.ident, &item.vis),
        Item::Union(item) => (&item.ident, &item.vis),
        // Only exported ones are kept.
        Item::Macro(item) => return item.ident.as_ref().map(|name| (name, true)),
        _ => return None,
    };
    Some((name, matches!(visibility, Visibility::Public(_))))
}

impl Index {
    /// Returns what a path, as it stands in a module, leads to; `None` for what the module does not bring in by itself,
    /// such as the names of the prelude, type parameters and paths that begin with the name of a crate.
    pub(crate) fn resolve(&self, module: &[String], path: &[String]) -> Option<Target> {
        self.resolve_within(module, path, 16)
    }

    fn resolve_within(&self, module: &[String], path: &[String], depth: usize) -> Option<Target> {
        match &**path.first()? {
            "crate" => self.walk(&[], &path[1..], depth),
            "self" => self.walk(module, &path[1..], depth),
            "super" => {
                let above = path.iter().take_while(|name| *name == "super").count();
                self.walk(&module[..module.len().checked_sub(above)?], &path[above..], depth)
            }
            _ => self.walk(module, path, depth),
        }
    }

    fn walk(&self, module: &[String], path: &[String], depth: usize) -> Option<Target> {
        let depth = depth.checked_sub(1)?;
        let Some((first, rest)) = path.split_first() else {
            return Some(Target::Module(module.to_vec()));
        };
        let here = self.modules.get(module)?;
        let inside = || module.iter().cloned().chain([first.clone()]).collect::<Names>();
        if rest.is_empty() && has_item(here, first) {
            return Some(Target::Item(inside()));
        }
        let is_module = here.modules.iter().any(|child| child.name == *first);
        // In front of `::` only a module can stand; at the end of a path, what has the same name goes first.
        if is_module && !rest.is_empty() {
            return self.walk(&inside(), rest, depth);
        }
        let used = here.uses.iter().filter(|used| used.name.as_ref() == Some(first));
        let mut used = used.filter_map(|used| {
            // `use memcache;` is about the crate.
            let target = (used.path != [first.clone()])
                .then(|| self.resolve_within(module, &used.path, depth))
                .flatten();
            Some(match target.unwrap_or_else(|| Target::Outside(used.path.clone())) {
                Target::Module(other) => self.walk(&other, rest, depth)?,
                Target::Outside(path) => Target::Outside([&path, rest].concat()),
                item if rest.is_empty() => item,
                Target::Item(_) => return None,
            })
        });
        if let Some(found) = used.next() {
            return Some(found);
        }
        if is_module {
            return Some(Target::Module(inside()));
        }
        let globs = here.uses.iter().filter(|used| used.name.is_none());
        globs.filter_map(|used| self.resolve_within(module, &used.path, depth)).find_map(|target| {
            match target {
                Target::Module(other) if other != *module => self.walk(&other, path, depth),
                _ => None,
            }
        })
    }

    /// Replaces the names in a piece of code that stands in a module: an item of the crate gets its public path, what a
    /// `use` brings in its full one. So neither aliases nor imports change a listing, and what they hide does.
    pub(crate) fn replace<'a>(&'a self, module: &'a Names) -> Replace<'a> {
        Replace { index: self, module, is_public: true }
    }
}

fn has_item(module: &Module, wanted: &str) -> bool {
    module.items.iter().filter_map(name).any(|(name, _)| name == wanted)
}

/// See [`Index::replace`].
pub(crate) struct Replace<'a> {
    index: &'a Index,
    module: &'a Names,
    /// Whether all items of the crate that were named so far are public.
    pub(crate) is_public: bool,
}

impl Replace<'_> {
    /// The type behind an alias of the crate that is not public, and so says nothing in a listing.
    fn private_alias(&self, ty: &Type) -> Option<(Names, Type)> {
        let Type::Path(TypePath { qself: None, path }) = ty else { return None };
        if path.segments.iter().any(|segment| !segment.arguments.is_none()) {
            return None;
        }
        let written: Names =
            path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let Some(Target::Item(item)) = self.index.resolve(self.module, &written) else {
            return None;
        };
        let (wanted, module) = item.split_last()?;
        let mut items = self.index.modules.get(module)?.items.iter();
        let alias = items.find_map(|item| match item {
            Item::Type(alias) if alias.ident == wanted => Some(&alias.ty),
            _ => None,
        })?;
        (!self.index.public.contains_key(&item)).then(|| (module.to_vec(), (**alias).clone()))
    }
}

impl VisitMut for Replace<'_> {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        let Some((module, alias)) = self.private_alias(ty) else {
            return syn::visit_mut::visit_type_mut(self, ty);
        };
        *ty = alias;
        let mut inside = Replace { index: self.index, module: &module, is_public: true };
        inside.visit_type_mut(ty);
        self.is_public &= inside.is_public;
    }

    fn visit_path_mut(&mut self, path: &mut Path) {
        syn::visit_mut::visit_path_mut(self, path);
        let written: Names =
            path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        // A path can go on behind an item, to a variant or an associated type.
        let found = (1..=written.len()).rev().find_map(|length| {
            let target = self.index.resolve(self.module, &written[..length])?;
            Some((length, target))
        });
        let Some((length, target)) = found else { return };
        let full = match target {
            Target::Outside(full) => full,
            Target::Module(_) => return,
            Target::Item(item) => match self.index.public.get(&item) {
                Some(public) => public.path.clone(),
                None => {
                    self.is_public = false;
                    return;
                }
            },
        };
        let Some(span) = path.segments.first().map(|segment| segment.ident.span()) else { return };
        let arguments = path.segments[length - 1].arguments.clone();
        let rest: Vec<_> = path.segments.iter().skip(length).cloned().collect();
        path.leading_colon = None;
        path.segments = full.iter().map(|name| PathSegment::from(Ident::new(name, span))).collect();
        if let Some(last) = path.segments.last_mut() {
            last.arguments = arguments;
        }
        path.segments.extend(rest);
    }

    // Attributes name no types of the API.
    fn visit_attribute_mut(&mut self, _: &mut syn::Attribute) {}
}
