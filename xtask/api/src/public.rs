//! Which items are public, and under which path.

use std::collections::BTreeMap;

use crate::{
    names::{Index, Public, Target, name},
    source::{Modules, Names},
};

/// A name of the API that stands for something elsewhere.
pub(crate) struct Reexport {
    pub(crate) path: Names,
    pub(crate) of: Names,
    pub(crate) conditions: Vec<String>,
}

/// Finds the public items of a crate, and what it exports of other crates or under a second name.
pub(crate) fn find(modules: Modules) -> (Index, Vec<Reexport>) {
    let mut search = Search {
        index: Index { modules, public: BTreeMap::new() },
        reexports: Vec::new(),
        seen: Vec::new(),
    };
    search.module(&Names::new(), &Names::new());
    (search.index, search.reexports)
}

struct Search {
    index: Index,
    reexports: Vec<Reexport>,
    seen: Vec<(Names, Names)>,
}

impl Search {
    /// Adds the public items of a module that is public under a path.
    fn module(&mut self, module: &Names, path: &Names) {
        let pair = (module.clone(), path.clone());
        if self.seen.contains(&pair) {
            return;
        }
        self.seen.push(pair);
        let Some(here) = self.index.modules.get(module) else { return };
        let inside = |names: &Names, name: &str| {
            names.iter().cloned().chain([name.to_owned()]).collect::<Names>()
        };
        let items: Vec<String> = here
            .items
            .iter()
            .filter_map(name)
            .filter(|(_, is_public)| *is_public)
            .map(|(name, _)| name.to_string())
            .collect();
        let children: Vec<String> = here
            .modules
            .iter()
            .filter(|child| child.is_public)
            .map(|child| child.name.clone())
            .collect();
        let uses: Vec<(Option<String>, Names, Vec<String>)> = here
            .uses
            .iter()
            .filter(|used| used.is_public)
            .map(|used| (used.name.clone(), used.path.clone(), used.conditions.clone()))
            .collect();
        for name in items {
            self.item(&inside(module, &name), inside(path, &name), Vec::new());
        }
        for name in children {
            self.module(&inside(module, &name), &inside(path, &name));
        }
        for (name, of, conditions) in uses {
            let target = if name.as_ref() == of.first() && of.len() == 1 {
                None
            } else {
                self.index.resolve(module, &of)
            };
            let public = name.as_ref().map(|name| inside(path, name));
            match (target, public) {
                (Some(Target::Item(item)), Some(public)) => self.item(&item, public, conditions),
                (Some(Target::Module(other)), Some(public)) => self.module(&other, &public),
                (Some(Target::Module(other)), None) => self.module(&other, path),
                (Some(Target::Outside(of)), Some(public)) => {
                    self.reexports.push(Reexport { path: public, of, conditions });
                }
                (None, Some(public)) => {
                    self.reexports.push(Reexport { path: public, of, conditions })
                }
                (_, None) => {
                    self.reexports.push(Reexport {
                        path: inside(path, "*"),
                        of: inside(&of, "*"),
                        conditions,
                    });
                }
            }
        }
    }

    fn item(&mut self, item: &Names, path: Names, conditions: Vec<String>) {
        match self.index.public.get(item) {
            None => {
                self.index.public.insert(item.clone(), Public { path, conditions });
            }
            Some(first) if first.path != path => {
                self.reexports.push(Reexport { path, of: first.path.clone(), conditions });
            }
            Some(_) => {}
        }
    }
}
