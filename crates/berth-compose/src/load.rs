//! Files become the project's tree.

use std::collections::BTreeMap;

use crate::error::{Error, Problem};
use crate::files::{Files, read};
use crate::interpolate::Variables;
use crate::merge::{merge, strip};
use crate::model::Project;
use crate::model::service::built_image;
use crate::node::{Map, Node, Path, Place, Tag, Value};
use crate::settle::{self, Settle};
use crate::{
    check, dotenv, extends, include, limits, locate, model, normal, paths, profiles, schema, yaml,
};

/// What to load, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The files, absolute; the later over the earlier ones. `-` is asked for by this name.
    pub files: Vec<String>,
    /// The project's directory, absolute.
    pub directory: String,
    /// The caller's directory: names of files are told as seen from there.
    pub from: String,
    /// What `~` stands for.
    pub home: Option<String>,
    /// The variables.
    pub variables: BTreeMap<String, String>,
    /// The project's name, if it was given.
    pub name: Option<String>,
    /// The profiles that are wanted; `*`: all.
    pub profiles: Vec<String>,
    /// The services that are wanted, with what they depend on; none: all.
    pub services: Vec<String>,
    /// Replace variables.
    pub interpolate: bool,
    /// Add what is implied: names, the default network, what is depended on.
    pub normalize: bool,
    /// Take variables and labels of services from their files, and from outside.
    pub resolve_environment: bool,
    /// Check what refers to what.
    pub check: bool,
    /// Keep networks, volumes, secrets and configs that no wanted service uses.
    pub all_resources: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            files: Vec::new(),
            directory: "/".to_owned(),
            from: "/".to_owned(),
            home: None,
            variables: BTreeMap::new(),
            name: None,
            profiles: Vec::new(),
            services: Vec::new(),
            interpolate: true,
            normalize: true,
            resolve_environment: true,
            check: true,
            all_resources: false,
        }
    }
}

/// A project's tree, and what was noticed on the way.
#[derive(Debug)]
pub struct Loaded {
    /// The project's name.
    pub name: String,
    /// The tree: canonical, in long forms.
    pub tree: Node,
    /// The profiles that there are.
    pub profiles: Vec<String>,
    /// Services that are not wanted: their profiles are not, or they were not named.
    pub disabled: Vec<String>,
    /// What the user may want to know.
    pub warnings: Vec<String>,
}

impl Loaded {
    /// The services' images, those that are built here by the names that they get.
    pub fn images(&self) -> Vec<String> {
        let services = self
            .tree
            .get("services")
            .into_iter()
            .flat_map(Node::entries);
        let services = services.filter(|(_, entry)| entry.node.get("provider").is_none());
        let image = |(service, entry): (&String, &crate::node::Entry)| {
            let own = entry.node.get_text("image").map(str::to_owned);
            own.unwrap_or_else(|| built_image(&self.name, service))
        };
        services.map(image).collect()
    }

    /// The typed project.
    ///
    /// # Errors
    /// It was not checked or normalized, or there is a bug.
    pub fn project(&self) -> Result<Project, Error> {
        model::read(&self.tree)
    }
}

/// Loads a project.
///
/// # Errors
/// A file cannot be read, or what is in it makes no sense.
pub fn load(files: &dyn Files, options: &Options) -> Result<Loaded, Error> {
    let mut loader = Loader::new(files, options);
    let mut documents = Vec::new();
    for path in &options.files {
        let parsed = loader.parse(path)?;
        documents.push((path.clone(), parsed));
    }
    let mut variables = Variables::new(options.variables.clone());
    let name = loader.name(&documents, &variables)?;
    variables.set("COMPOSE_PROJECT_NAME", &name);

    let mut tree = loader.model(documents, &options.directory, &variables, &mut Vec::new())?;
    if loader.has_tags {
        strip(&mut tree);
    }
    tree.make_map().remove("version");
    tree.make_map().remove("include");
    tree.set("name", Node::text(Place::default(), &name));
    let all = profiles::all(&tree);
    let disabled = profiles::select(&mut tree, options)?;
    if options.resolve_environment {
        loader.environment(&mut tree, &variables)?;
    }
    let mut problems = Vec::new();
    if options.normalize {
        normal::normalize(&mut tree);
    }
    if options.check {
        check::check(&tree, &disabled, &loader.names, &mut problems);
    }
    raise(problems)?;
    profiles::narrow(&mut tree, options);
    normal::prune(&mut tree);
    let mut warnings = loader.warnings;
    warnings.extend(missed(&variables));
    Ok(Loaded {
        name,
        tree,
        profiles: all,
        disabled: disabled.keys().cloned().collect(),
        warnings,
    })
}

/// What is said of variables that are not set.
pub(crate) fn missed(variables: &Variables) -> Vec<String> {
    let said = |name: &String| {
        format!("The \"{name}\" variable is not set. Defaulting to a blank string.")
    };
    variables.missed().iter().map(said).collect()
}

/// Raises problems, by their places.
pub(crate) fn raise(mut problems: Vec<Problem>) -> Result<(), Error> {
    if problems.is_empty() {
        return Ok(());
    }
    problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    problems.dedup();
    problems.truncate(limits::PROBLEMS);
    Err(Error::Invalid { problems })
}

/// What all files of a project share.
pub(crate) struct Loader<'a> {
    pub files: &'a dyn Files,
    options: &'a Options,
    /// Names of files as they are told, by their numbers.
    pub names: Vec<String>,
    /// Values that may still come.
    left: usize,
    pub warnings: Vec<String>,
    /// Somewhere is a `!reset` or `!override`.
    has_tags: bool,
}

/// The documents of a file.
pub(crate) type Documents = Vec<Node>;

impl<'a> Loader<'a> {
    fn new(files: &'a dyn Files, options: &'a Options) -> Self {
        Loader {
            files,
            options,
            names: Vec::new(),
            left: limits::NODES,
            warnings: Vec::new(),
            has_tags: false,
        }
    }

    /// A path as it is told.
    pub(crate) fn shown<'p>(&self, path: &'p str) -> &'p str {
        locate::shown(path, &self.options.from)
    }

    /// Reads a compose file.
    pub(crate) fn parse(&mut self, path: &str) -> Result<Documents, Error> {
        let number = self.names.len();
        self.names.push(self.shown(path).to_owned());
        let whole = |text: &str, hint: &str| {
            let at = Place {
                file: number as u32,
                ..Place::default()
            };
            (at, text.to_owned(), Some(hint.to_owned()))
        };
        let wrong = match number < limits::FILES {
            false => whole("too many files in one project", "include fewer"),
            true => {
                let text = read(self.files, path)?;
                self.has_tags |= text.contains("!reset") || text.contains("!override");
                match yaml::parse(&text, number as u32, &mut self.left) {
                    Ok(documents) if documents.iter().all(Node::is_null) => {
                        whole("it is empty", "it needs `services:` at least")
                    }
                    Ok(documents) => {
                        return Ok(documents
                            .into_iter()
                            .filter(|node| !node.is_null())
                            .collect());
                    }
                    Err(fault) => (fault.at, fault.text, fault.hint),
                }
            }
        };
        let (at, text, hint) = wrong;
        let at = Place {
            file: number as u32,
            ..at
        };
        Err(Error::one(settle::problem(
            &self.names,
            at,
            String::new(),
            text,
            hint,
        )))
    }

    /// The project's name: given, from the variables, from the last file that has one, from the directory.
    fn name(
        &self,
        documents: &[(String, Documents)],
        variables: &Variables,
    ) -> Result<String, Error> {
        let strict = |name: &str| match normalized(name) == name && !name.is_empty() {
            true => Ok(name.to_owned()),
            false => Err(Error::Name {
                name: name.to_owned(),
            }),
        };
        let given = self
            .options
            .name
            .as_deref()
            .or_else(|| variables.get("COMPOSE_PROJECT_NAME"));
        if let Some(name) = given.filter(|name| !name.is_empty()) {
            return strict(name);
        }
        let nodes = documents.iter().flat_map(|(_, documents)| documents);
        let named = nodes.filter_map(|node| node.get("name")).next_back();
        let from_file = match named.and_then(Node::as_text) {
            Some(text) if self.options.interpolate => {
                // Said again, with its place, when the file is settled.
                variables.replace(text).unwrap_or_default()
            }
            text => text.unwrap_or_default().to_owned(),
        };
        let raw = match from_file.as_str() {
            "" => paths::last(&self.options.directory),
            name => name,
        };
        match normalized(raw) {
            name if name.is_empty() => Err(Error::Name {
                name: raw.to_owned(),
            }),
            name => Ok(name),
        }
    }

    /// Files of one directory become one tree, with what they extend and include. Tags are kept.
    pub(crate) fn model(
        &mut self,
        documents: Vec<(String, Documents)>,
        directory: &str,
        variables: &Variables,
        including: &mut Vec<String>,
    ) -> Result<Node, Error> {
        let mut tree: Option<Node> = None;
        let mut cache = extends::Cache::default();
        for (path, documents) in documents {
            for mut document in documents {
                self.settle(&mut document, directory, variables)?;
                extends::extend(self, &mut document, &path, directory, variables, &mut cache)?;
                include::include(self, &mut document, &path, directory, variables, including)?;
                tree = Some(match tree {
                    Some(base) => merge(base, document, &schema::FILE),
                    None => document,
                });
            }
        }
        let mut tree = tree.unwrap_or_default();
        if self.options.resolve_environment {
            from_outside(&mut tree, variables);
        }
        Ok(tree)
    }

    /// Replaces variables, checks and makes canonical.
    pub(crate) fn settle(
        &mut self,
        document: &mut Node,
        directory: &str,
        variables: &Variables,
    ) -> Result<(), Error> {
        let mut settle = Settle {
            files: &self.names,
            base: directory,
            home: self.options.home.as_deref(),
            verbatim: !self.options.interpolate,
            problems: Vec::new(),
        };
        if self.options.interpolate {
            interpolate(document, variables, &mut settle, &Path::Root);
        }
        if settle.problems.is_empty() {
            settle.value(document, &schema::FILE, &Path::Root);
        }
        raise(settle.problems)
    }

    /// Files of variables and of labels become part of their services.
    fn environment(&mut self, tree: &mut Node, variables: &Variables) -> Result<(), Error> {
        for (name, entry) in tree
            .get_mut("services")
            .and_then(Node::as_map_mut)
            .into_iter()
            .flatten()
        {
            normal::variables(self, name, &mut entry.node, variables)?;
        }
        Ok(())
    }

    /// Reads a file of variables over `values`.
    pub(crate) fn env_file(
        &mut self,
        path: &str,
        raw: bool,
        outside: &dyn Fn(&str) -> Option<String>,
        values: &mut BTreeMap<String, String>,
        missed: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        let text = read(self.files, path)?;
        let done = match raw {
            true => dotenv::parse_raw(&text, outside, values),
            false => dotenv::parse(&text, outside, values, missed),
        };
        done.map_err(|wrong| Error::one(locate::in_env_file(path, &self.options.from, wrong)))
    }
}

fn interpolate(node: &mut Node, variables: &Variables, settle: &mut Settle<'_>, path: &Path<'_>) {
    if node.tag == Tag::Reset {
        return;
    }
    match &mut node.value {
        Value::Text(text) if text.contains('$') => match variables.replace(text) {
            Ok(replaced) => {
                *text = replaced;
                node.interpolated = true;
            }
            Err(fault) => {
                let hint = match &fault {
                    crate::interpolate::Fault::Required { name, .. } => {
                        format!("set {name} in the environment or in .env")
                    }
                    _ => "a dollar that is meant as such is written `$$`".to_owned(),
                };
                settle.problem_with(node.at, path, dotenv::says(fault), Some(hint));
            }
        },
        Value::List(list) => {
            for (n, item) in list.iter_mut().enumerate() {
                interpolate(item, variables, settle, &path.item(n));
            }
        }
        Value::Map(map) => {
            for (key, entry) in map {
                interpolate(&mut entry.node, variables, settle, &path.key(key));
            }
        }
        _ => {}
    }
}

/// Variables of services without a value take the one from outside.
fn from_outside(tree: &mut Node, variables: &Variables) {
    let services = tree.get_mut("services").and_then(Node::as_map_mut);
    for (_, service) in services.into_iter().flatten() {
        let environment = service
            .node
            .get_mut("environment")
            .and_then(Node::as_map_mut);
        fill(environment, variables);
        let build = service.node.get_mut("build");
        let args = build
            .and_then(|build| build.get_mut("args"))
            .and_then(Node::as_map_mut);
        fill(args, variables);
    }
}

fn fill(map: Option<&mut Map>, variables: &Variables) {
    for (name, entry) in map.into_iter().flatten() {
        if let (Value::Null, Some(value)) = (&entry.node.value, variables.get(name)) {
            entry.node.value = Value::Text(value.to_owned());
        }
    }
}

/// A project's name of any text: small letters, digits, `-` and `_`, a letter or digit first.
///
/// Source: the Compose Specification, "Version and name top-level elements".
pub(crate) fn normalized(text: &str) -> String {
    let lower = text.to_lowercase();
    let fits = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let kept: String = lower.chars().filter(fits).collect();
    kept.trim_start_matches(['-', '_']).to_owned()
}

#[cfg(test)]
mod tests;
