//! What a file includes stands beside what it has itself: other projects' files, with their own directory and
//! variables. Nothing may be there twice, unless it is the same.

use crate::error::Error;
use crate::interpolate::Variables;
use crate::load::{Loader, raise};
use crate::locate;
use crate::node::{Node, Place, Value};
use crate::{limits, paths, settle};

const SECTIONS: [&str; 6] = [
    "services", "networks", "volumes", "secrets", "configs", "models",
];

/// Brings in what the file includes.
pub(crate) fn include(
    loader: &mut Loader<'_>,
    document: &mut Node,
    path: &str,
    directory: &str,
    variables: &Variables,
    including: &mut Vec<String>,
) -> Result<(), Error> {
    let Some(list) = document.as_map_mut().and_then(|map| map.remove("include")) else {
        return Ok(());
    };
    including.push(path.to_owned());
    for (n, one) in list.node.items().iter().enumerate() {
        let included = model(loader, one, n, directory, variables, including)?;
        bring(loader, document, included)?;
    }
    including.pop();
    Ok(())
}

fn model(
    loader: &mut Loader<'_>,
    one: &Node,
    n: usize,
    directory: &str,
    variables: &Variables,
    including: &mut Vec<String>,
) -> Result<Node, Error> {
    let here = |text: &str| paths::absolute(text, directory, None);
    let texts = |key: &str| -> Vec<String> {
        let items = one.get(key).map(Node::items).unwrap_or_default();
        items.iter().filter_map(Node::as_text).map(here).collect()
    };
    let files = texts("path");
    let wrong = |loader: &Loader<'_>, at: Place, text: String, hint: &str| {
        let (path, hint) = (format!("include[{n}]"), Some(hint.to_owned()));
        Err(Error::one(settle::problem(
            &loader.names,
            at,
            path,
            text,
            hint,
        )))
    };
    let Some(first) = files.first() else {
        return wrong(loader, one.at, "`path` is empty".to_owned(), "name a file");
    };
    if including.contains(first) || including.len() >= limits::CHAIN {
        let names: Vec<&str> = including
            .iter()
            .chain([first])
            .map(|path| loader.shown(path))
            .collect();
        let text = format!("files include each other: {}", names.join(" → "));
        return wrong(loader, one.at, text, "one of them has to stand for itself");
    }
    let own = match one.get_text("project_directory") {
        Some(text) => here(text),
        None => paths::parent(first).to_owned(),
    };
    let mut env_files = texts("env_file");
    env_files.retain(|path| path != "/dev/null");
    if one.get("env_file").is_none() {
        let usual = paths::absolute(".env", &own, None);
        env_files.extend(Some(usual).filter(|path| loader.files.exists(path.as_ref())));
    }
    let values = locate::read_env_files(loader.files, &env_files, variables, "")?;
    let variables = variables.with_below(values);
    let mut documents = Vec::new();
    for path in &files {
        let parsed = loader.parse(path)?;
        documents.push((path.clone(), parsed));
    }
    let tree = loader.model(documents, &own, &variables, including)?;
    loader.warnings.extend(crate::load::missed(&variables));
    Ok(tree)
}

fn bring(loader: &Loader<'_>, document: &mut Node, mut included: Node) -> Result<(), Error> {
    let mut problems = Vec::new();
    for section in SECTIONS {
        let Some(from) = included.as_map_mut().and_then(|map| map.remove(section)) else {
            continue;
        };
        let Value::Map(from_map) = from.node.value else {
            continue;
        };
        if document.get(section).is_none() {
            document.set(section, Node::map(from.at));
        }
        let Some(to) = document.get_mut(section).and_then(Node::as_map_mut) else {
            continue;
        };
        for (name, entry) in from_map {
            match to.get(&name) {
                None => {
                    to.insert(name, entry);
                }
                Some(own) if own.node == entry.node => {}
                Some(own) => {
                    let other = settle::problem(
                        &loader.names,
                        entry.at,
                        String::new(),
                        String::new(),
                        None,
                    );
                    let text = format!(
                        "it is in an included file, too: {}:{}:{}",
                        other.file, other.line, other.column
                    );
                    let hint = "give one of them another name, or change it in an override file";
                    let path = format!("{section}.{name}");
                    problems.push(settle::problem(
                        &loader.names,
                        own.at,
                        path,
                        text,
                        Some(hint.to_owned()),
                    ));
                }
            }
        }
    }
    raise(problems)
}
