//! The modules of a crate, read from its files.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::TokenStream;
use syn::{Item, UseTree, Visibility};

use crate::{
    attributes::{attributes, conditions, is_left_out},
    expand::expand,
};

/// Names from the root of a crate to a module or an item.
pub(crate) type Names = Vec<String>;

/// A module: what it defines and what it takes from elsewhere.
#[derive(Default)]
pub(crate) struct Module {
    pub(crate) items: Vec<Item>,
    pub(crate) modules: Vec<Child>,
    pub(crate) uses: Vec<Use>,
    /// The conditions under which the module is there, such as `cfg(feature = "axum")`.
    pub(crate) conditions: Vec<String>,
}

/// A module inside of another.
pub(crate) struct Child {
    pub(crate) name: String,
    pub(crate) is_public: bool,
}

/// A name that a `use` brings in.
pub(crate) struct Use {
    /// `None` for `*`.
    pub(crate) name: Option<String>,
    pub(crate) path: Names,
    pub(crate) is_public: bool,
    pub(crate) conditions: Vec<String>,
}

/// All modules of a crate by their names; the root's is empty.
pub(crate) type Modules = BTreeMap<Names, Module>;

/// Macros of other crates whose calls make no public item.
const WITHOUT_ITEMS: &[&str] = &["compile_error", "task_local", "thread_local"];

/// Reads a crate from its `src/lib.rs` on.
pub(crate) fn read(library: &Path) -> Result<Modules, String> {
    let mut reader = Reader { modules: Modules::new(), macros: BTreeMap::new(), calls: Vec::new() };
    reader.file(library, &Names::new(), Vec::new(), library.parent().unwrap_or(library))?;
    // Macros can be called in modules before the one that defines them, so calls come last.
    while let Some(call) = reader.calls.pop() {
        reader.call(&call)?;
    }
    Ok(reader.modules)
}

struct Reader {
    modules: Modules,
    macros: BTreeMap<String, TokenStream>,
    calls: Vec<Call>,
}

/// The call of a macro in the place of an item.
struct Call {
    module: Names,
    folder: PathBuf,
    call: syn::Macro,
}

impl Reader {
    fn file(
        &mut self,
        file: &Path,
        module: &Names,
        conditions: Vec<String>,
        folder: &Path,
    ) -> Result<(), String> {
        let at = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
        let text = fs::read_to_string(file).map_err(|error| at(&error))?;
        let parsed = syn::parse_file(&text).map_err(|error| at(&error))?;
        self.modules.entry(module.clone()).or_default().conditions = conditions;
        self.items(parsed.items, module, folder)
    }

    fn items(&mut self, items: Vec<Item>, module: &Names, folder: &Path) -> Result<(), String> {
        for item in items {
            if is_left_out(attributes(&item)) {
                // A macro can still be called, by code that is listed.
                if let Item::Macro(hidden) = item {
                    self.define(&hidden);
                }
                continue;
            }
            self.item(item, module, folder)?;
        }
        Ok(())
    }

    fn item(&mut self, item: Item, module: &Names, folder: &Path) -> Result<(), String> {
        let here = self.modules.entry(module.clone()).or_default();
        match item {
            Item::Mod(child) => {
                let name = child.ident.to_string();
                let is_public = matches!(child.vis, Visibility::Public(_));
                here.modules.push(Child { name: name.clone(), is_public });
                let mut inside = here.conditions.clone();
                inside.extend(conditions(&child.attrs));
                let names: Names = module.iter().cloned().chain([name.clone()]).collect();
                let folder_inside = folder.join(&name);
                if let Some((_, items)) = child.content {
                    self.modules.entry(names.clone()).or_default().conditions = inside;
                    return self.items(items, &names, &folder_inside);
                }
                if child.attrs.iter().any(|attribute| attribute.path().is_ident("path")) {
                    return Err(format!(
                        "{name}: modules with a `path` attribute are not supported"
                    ));
                }
                let beside = folder.join(format!("{name}.rs"));
                let file = if beside.exists() { beside } else { folder_inside.join("mod.rs") };
                self.file(&file, &names, inside, &folder_inside)
            }
            Item::Use(item) => {
                let is_public = matches!(item.vis, Visibility::Public(_));
                let mut found = Vec::new();
                leaves(&item.tree, &mut Names::new(), &mut found);
                here.uses.extend(found.into_iter().map(|(name, path)| Use {
                    name,
                    path,
                    is_public,
                    conditions: conditions(&item.attrs),
                }));
                Ok(())
            }
            Item::Macro(item) if item.mac.path.is_ident("macro_rules") => {
                self.define(&item);
                if item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export")) {
                    // It belongs to the root, wherever it is written.
                    self.modules.entry(Names::new()).or_default().items.push(Item::Macro(item));
                }
                Ok(())
            }
            Item::Macro(item) => {
                self.calls.push(Call {
                    module: module.clone(),
                    folder: folder.to_owned(),
                    call: item.mac,
                });
                Ok(())
            }
            other => {
                here.items.push(other);
                Ok(())
            }
        }
    }

    fn define(&mut self, item: &syn::ItemMacro) {
        if let Some(name) = &item.ident {
            self.macros.insert(name.to_string(), item.mac.tokens.clone());
        }
    }

    fn call(&mut self, Call { module, folder, call }: &Call) -> Result<(), String> {
        let name =
            call.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        if WITHOUT_ITEMS.contains(&&*name) {
            return Ok(());
        }
        let expanded = match self.macros.get(&name) {
            Some(rules) => expand(rules, &call.tokens),
            // Its input is the items themselves.
            None if name == "pin_project" => Some(call.tokens.clone()),
            None => None,
        };
        let items = expanded.map(syn::parse2::<syn::File>);
        let Some(Ok(file)) = items else {
            let place = module.join("::");
            return Err(format!(
                "{name}!, called in `crate::{place}`, makes items that cannot be listed; write them out, or teach xtask/api the macro"
            ));
        };
        self.items(file.items, module, folder)
    }
}

/// The names that a `use` brings in, with the paths that they stand for.
fn leaves(tree: &UseTree, path: &mut Names, found: &mut Vec<(Option<String>, Names)>) {
    match tree {
        UseTree::Path(inner) => {
            path.push(inner.ident.to_string());
            leaves(&inner.tree, path, found);
            path.pop();
        }
        UseTree::Name(name) if name.ident == "self" => {
            found.push((path.last().cloned(), path.clone()))
        }
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            found.push((Some(name.clone()), path.iter().cloned().chain([name]).collect()));
        }
        UseTree::Rename(rename) => {
            let mut path = path.clone();
            if rename.ident != "self" {
                path.push(rename.ident.to_string());
            }
            found.push((Some(rename.rename.to_string()), path));
        }
        UseTree::Glob(_) => found.push((None, path.clone())),
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, path, found)),
    }
}
