//! `berth context inspect`.

use std::collections::BTreeMap;

use crate::cmd::inspect::print_all;
use crate::globals::Globals;
use crate::remote;
use crate::remote::contexts::{Context, Contexts, DEFAULT};
use crate::ui::template::Value;
use crate::verbs::{Outcome, Verb};

/// Docker's word for what is in no file.
const IN_MEMORY: &str = "<IN MEMORY>";

/// Show all that is known of contexts; without a name, of the one that is used
#[derive(Debug, clap::Args)]
pub struct Inspect {
    /// Print with a Go template, or `json`
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// The names
    #[arg(value_name = "CONTEXT")]
    names: Vec<String>,
}

impl Verb for Inspect {
    fn run(self, globals: &Globals) -> Outcome {
        let contexts = Contexts::open()?;
        let names = match self.names.is_empty() {
            true => vec![remote::context_name(globals)?],
            false => self.names,
        };
        print_all(&names, self.format.as_deref(), |name| {
            let context = super::look(&contexts, name)?;
            Ok(shown(&context, &contexts))
        })
    }
}

fn shown(context: &Context, contexts: &Contexts) -> Value {
    let name = &context.name;
    let endpoints = context.endpoints.iter().map(|(kind, endpoint)| {
        let fields = Value::fields([
            ("Host", endpoint.host.as_str().into()),
            ("SkipTLSVerify", endpoint.skip_tls_verify.into()),
        ]);
        (kind.clone(), fields)
    });
    let files = match name.as_str() {
        DEFAULT => Vec::new(),
        name => contexts.tls_files(name),
    };
    let mut material = BTreeMap::new();
    if !files.is_empty() {
        let files = files.into_iter().map(Value::from).collect();
        material.insert("docker".to_owned(), Value::List(files));
    }
    let metadata = match context.description() {
        "" => BTreeMap::new(),
        text => BTreeMap::from([("Description".to_owned(), Value::from(text))]),
    };
    let place = |path: std::path::PathBuf| match name.as_str() {
        DEFAULT => Value::from(IN_MEMORY),
        _ => path.to_string_lossy().into_owned().into(),
    };
    Value::fields([
        ("Name", name.as_str().into()),
        ("Metadata", Value::Map(metadata)),
        ("Endpoints", Value::Map(endpoints.collect())),
        ("TLSMaterial", Value::Map(material)),
        (
            "Storage",
            Value::fields([
                ("MetadataPath", place(contexts.meta(name))),
                ("TLSPath", place(contexts.tls_root(name))),
            ]),
        ),
    ])
}
