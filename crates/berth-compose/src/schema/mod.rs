//! The schema: every key of a compose file, in the order in which the output has them.
//!
//! Source: the Compose Specification's JSON schema.

pub(crate) mod build;
pub(crate) mod deploy;
pub(crate) mod resources;
pub(crate) mod service;

use crate::expand;
use crate::node::Node;
use crate::shape::{
    BOOL, Field, INT, Join, Keys, List, NONE, NULL, NUMBER, Pairs, Read, Shape, Struct, TEXT,
    Union, by_text, f, list, scalar,
};

/// The file as a whole.
pub(crate) static FILE: Shape = Shape::Struct(&Struct {
    fields: &[
        f("version", &TEXT_ONLY),
        f("name", &TEXT_ONLY),
        f("include", &INCLUDES),
        f("services", &Shape::Map(Keys::Names, &service::SERVICE)),
        f("networks", &Shape::Map(Keys::Names, &resources::NETWORK)),
        f("volumes", &Shape::Map(Keys::Names, &resources::VOLUME)),
        f("secrets", &Shape::Map(Keys::Names, &resources::SECRET)),
        f("configs", &Shape::Map(Keys::Names, &resources::CONFIG)),
        f("models", &Shape::Map(Keys::Names, &resources::MODEL)),
    ],
    required: &[],
    extensions: true,
    same: None,
});

static INCLUDES: Shape = list(&Shape::Union(&Union {
    scalar: Some(&TEXT_ONLY),
    map: Some(&Shape::Struct(&Struct {
        fields: &[
            f("path", &TEXTS),
            f("project_directory", &TEXT_ONLY),
            f("env_file", &TEXTS),
        ],
        required: &[],
        extensions: false,
        same: None,
    })),
    expand: Some(expand::include),
    ..NONE
}));

pub(crate) static TEXT_ONLY: Shape = scalar(TEXT, Read::Verbatim);
pub(crate) static TEXT_OR_NUMBER: Shape = scalar(TEXT | NUMBER, Read::Text);
pub(crate) static TEXT_OR_TRUTH: Shape = scalar(TEXT | BOOL, Read::Text);
pub(crate) static TRUTH: Shape = scalar(BOOL | TEXT, Read::Truth);
pub(crate) static STRICT_TRUTH: Shape = scalar(BOOL, Read::Truth);
/// A truth value that is not false when it is absent.
pub(crate) static CHOICE: Shape = scalar(BOOL | TEXT, Read::Choice);
pub(crate) static STRICT_CHOICE: Shape = scalar(BOOL, Read::Choice);
pub(crate) static DURATION: Shape = scalar(TEXT, Read::Duration);
pub(crate) static SIZE: Shape = scalar(NUMBER | TEXT, Read::Size);
pub(crate) static SIZE_OF_INT: Shape = scalar(INT | TEXT, Read::Size);
pub(crate) static SIZE_OF_TEXT: Shape = scalar(TEXT, Read::Size);
pub(crate) static FLOAT: Shape = scalar(NUMBER | TEXT, Read::Float);
pub(crate) static WHOLE: Shape = scalar(INT | TEXT, Read::Whole(i64::MIN, i64::MAX));
pub(crate) static COUNT: Shape = scalar(INT | TEXT, Read::Whole(0, i64::MAX));
pub(crate) static WHOLE_NUMBER: Shape = scalar(NUMBER | TEXT, Read::Whole(i64::MIN, i64::MAX));
pub(crate) static PRIORITY: Shape = scalar(NUMBER, Read::Whole(i32::MIN as i64, i32::MAX as i64));
pub(crate) static MODE: Shape = scalar(NUMBER | TEXT, Read::Mode);
pub(crate) static PATH: Shape = scalar(TEXT, Read::Path);

/// `list_or_dict` whose names without a value are empty.
pub(crate) static PAIRS: Shape = Shape::Pairs(Pairs {
    null: false,
    paths: false,
});
/// `list_or_dict` whose names without a value are taken from outside.
pub(crate) static VARIABLES: Shape = Shape::Pairs(Pairs {
    null: true,
    paths: false,
});
/// `list_or_dict` of contexts of builds.
pub(crate) static CONTEXTS: Shape = Shape::Pairs(Pairs {
    null: false,
    paths: true,
});

/// Texts one behind the other.
pub(crate) static TEXT_LIST: Shape = list(&TEXT_ONLY);
/// Texts that differ, in the file and when files are merged.
pub(crate) static DISTINCT: Shape = Shape::List(List {
    item: &TEXT_ONLY,
    distinct: true,
    join: Join::Unique(by_text),
});
/// As [`DISTINCT`], though the schema does not ask for it.
pub(crate) static UNIQUE: Shape = Shape::List(List {
    item: &TEXT_ONLY,
    distinct: false,
    join: Join::Unique(by_text),
});
pub(crate) static DISTINCT_NUMBERS: Shape = Shape::List(List {
    item: &TEXT_OR_NUMBER,
    distinct: true,
    join: Join::Unique(by_text),
});
/// A text or texts that differ.
pub(crate) static TEXTS: Shape = Shape::Union(&Union {
    scalar: Some(&TEXT_ONLY),
    list: Some(&DISTINCT),
    expand: Some(expand::one_to_list),
    ..NONE
});
/// Options of a driver.
pub(crate) static OPTIONS: Shape = Shape::Map(Keys::Any, &TEXT_OR_NUMBER);
pub(crate) static OPTIONS_OR_NULL: Shape = Shape::Map(Keys::Any, &scalar_or_null());
pub(crate) static TEXT_OPTIONS: Shape = Shape::Map(Keys::Any, &TEXT_ONLY);

const fn scalar_or_null() -> Shape {
    scalar(TEXT | NUMBER | NULL, Read::Text)
}

/// A command: a text is split as a shell does.
pub(crate) static COMMAND: Shape = Shape::Union(&Union {
    null: true,
    scalar: Some(&TEXT_ONLY),
    list: Some(&Shape::List(List {
        item: &TEXT_ONLY,
        distinct: false,
        join: Join::Replace,
    })),
    expand: Some(expand::command),
    replace: true,
    ..NONE
});

pub(crate) static EXTRA_HOSTS: Shape = Shape::Union(&Union {
    list: Some(&DISTINCT),
    map: Some(&Shape::Map(
        Keys::Any,
        &Shape::Union(&Union {
            scalar: Some(&TEXT_ONLY),
            list: Some(&TEXT_LIST),
            expand: Some(expand::one_to_list),
            ..NONE
        }),
    )),
    expand: Some(expand::extra_hosts),
    ..NONE
});

pub(crate) static ULIMITS: Shape = Shape::Map(
    Keys::Letters,
    &Shape::Union(&Union {
        scalar: Some(&WHOLE),
        map: Some(&Shape::Struct(&fields_soft_hard())),
        replace: true,
        ..NONE
    }),
);

const fn fields_soft_hard() -> Struct {
    const FIELDS: &[Field] = &[f("soft", &WHOLE), f("hard", &WHOLE)];
    crate::shape::fields(FIELDS, &["soft", "hard"])
}

/// Secrets of a service or build.
pub(crate) static SECRETS: Shape = files_of(expand::secret_key);
/// Configs of a service.
pub(crate) static CONFIGS: Shape = files_of(expand::config_key);

static FILE_REFERENCE: Shape = Shape::Union(&Union {
    scalar: Some(&TEXT_ONLY),
    map: Some(&Shape::Struct(&crate::shape::fields(
        &[
            f("source", &TEXT_ONLY),
            f("target", &TEXT_ONLY),
            f("uid", &TEXT_ONLY),
            f("gid", &TEXT_ONLY),
            f("mode", &MODE),
        ],
        &[],
    ))),
    expand: Some(expand::file_reference),
    ..NONE
});

const fn files_of(key: fn(&Node) -> String) -> Shape {
    Shape::List(List {
        item: &FILE_REFERENCE,
        distinct: false,
        join: Join::Unique(key),
    })
}

pub(crate) static HOOKS: Shape = list(&HOOK);
pub(crate) static HOOK: Shape = Shape::Struct(&crate::shape::fields(
    &[
        f("command", &COMMAND),
        f("user", &TEXT_ONLY),
        f("privileged", &TRUTH),
        f("working_dir", &TEXT_ONLY),
        f("environment", &VARIABLES),
    ],
    &["command"],
));

#[cfg(test)]
mod tests;
