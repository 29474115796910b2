//! A service lies over the one that it extends, of the same file or another one.
//!
//! Paths of another file are relative to that file. Who extends himself, even over others, is told the whole circle.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::error::Error;
use crate::interpolate::Variables;
use crate::load::Loader;
use crate::merge::merge;
use crate::node::{Node, Place, Tag};
use crate::schema::{self, service::SERVICE};
use crate::{limits, paths, settle};

/// Other files' trees, by path: many services may extend one.
#[derive(Debug, Default)]
pub(crate) struct Cache(BTreeMap<String, Rc<Node>>);

/// One file, as seen from an extending service.
#[derive(Clone)]
struct File {
    tree: Rc<Node>,
    path: String,
    /// What paths in it are relative to.
    directory: String,
}

/// Replaces each service that extends another one.
pub(crate) fn extend(
    loader: &mut Loader<'_>,
    document: &mut Node,
    path: &str,
    directory: &str,
    variables: &Variables,
    cache: &mut Cache,
) -> Result<(), Error> {
    let Some(services) = document.get("services").and_then(Node::as_map) else {
        return Ok(());
    };
    let extending: Vec<String> = services
        .iter()
        .filter(|(_, entry)| entry.node.get("extends").is_some())
        .map(|(name, _)| name.clone())
        .collect();
    if extending.is_empty() {
        return Ok(());
    }
    let file = File {
        tree: Rc::new(document.clone()),
        path: path.to_owned(),
        directory: directory.to_owned(),
    };
    let mut walk = Walk {
        loader,
        variables,
        cache,
    };
    for name in extending {
        let service = walk.resolve(&file, &name, &mut Vec::new())?;
        let services = document.get_mut("services").and_then(Node::as_map_mut);
        if let Some(entry) = services.and_then(|services| services.get_mut(&name)) {
            entry.node = service;
        }
    }
    Ok(())
}

struct Walk<'a, 'l> {
    loader: &'a mut Loader<'l>,
    variables: &'a Variables,
    cache: &'a mut Cache,
}

impl Walk<'_, '_> {
    fn resolve(
        &mut self,
        file: &File,
        name: &str,
        chain: &mut Vec<(String, String)>,
    ) -> Result<Node, Error> {
        let entry = file
            .tree
            .get("services")
            .and_then(|services| services.get(name));
        let mut service = entry.cloned().unwrap_or_default();
        let Some(extends) = service
            .get("extends")
            .filter(|node| node.tag != Tag::Reset)
            .cloned()
        else {
            return Ok(service);
        };
        let step = (file.path.clone(), name.to_owned());
        let wrong = |walk: &Self, at: Place, text: String, hint: Option<&str>| {
            let path = format!("services.{name}.extends");
            let hint = hint.map(str::to_owned);
            Err(Error::one(settle::problem(
                &walk.loader.names,
                at,
                path,
                text,
                hint,
            )))
        };
        if chain.contains(&step) || chain.len() >= limits::CHAIN {
            let names = chain.iter().chain([&step]).map(|(_, name)| name.as_str());
            let text = format!(
                "services extend each other: {}",
                names.collect::<Vec<_>>().join(" → ")
            );
            return wrong(
                self,
                extends.at,
                text,
                Some("one of them has to stand for itself"),
            );
        }
        chain.push(step);
        let base = match extends.get_text("file") {
            None => file.clone(),
            Some(other) => self.file(&paths::absolute(other, &file.directory, None))?,
        };
        let target = extends.get_text("service").unwrap_or_default();
        let known = base.tree.get("services").and_then(Node::as_map);
        if !known.is_some_and(|services| services.contains_key(target)) {
            let at = extends.get("service").map_or(extends.at, |node| node.at);
            let text = format!(
                "there is no service `{target}` in {}",
                self.loader.shown(&base.path)
            );
            let names: Vec<&str> = known
                .into_iter()
                .flatten()
                .map(|(name, _)| name.as_str())
                .collect();
            let hint = format!("there are {}", names.join(", "));
            return wrong(self, at, text, (!names.is_empty()).then_some(&hint));
        }
        let below = self.resolve(&base, target, chain)?;
        chain.pop();
        service.make_map().remove("extends");
        Ok(merge(below, service, &SERVICE))
    }

    fn file(&mut self, path: &str) -> Result<File, Error> {
        let directory = paths::parent(path).to_owned();
        let tree = match self.cache.0.get(path) {
            Some(tree) => tree.clone(),
            None => {
                let mut tree: Option<Node> = None;
                for mut document in self.loader.parse(path)? {
                    self.loader
                        .settle(&mut document, &directory, self.variables)?;
                    tree = Some(match tree {
                        Some(base) => merge(base, document, &schema::FILE),
                        None => document,
                    });
                }
                let tree = Rc::new(tree.unwrap_or_default());
                self.cache.0.insert(path.to_owned(), tree.clone());
                tree
            }
        };
        Ok(File {
            tree,
            path: path.to_owned(),
            directory,
        })
    }
}
