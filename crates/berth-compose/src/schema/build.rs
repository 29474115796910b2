//! How a service's image is built, and how it follows its sources.

use super::{
    CONTEXTS, EXTRA_HOSTS, HOOK, PAIRS, SECRETS, SIZE_OF_INT, STRICT_TRUTH, TEXT_LIST, TEXT_ONLY,
    TEXT_OR_TRUTH, TEXTS, TRUTH, ULIMITS, UNIQUE, VARIABLES,
};
use crate::expand;
use crate::shape::{NONE, Read, Shape, TEXT, Union, f, fields, list, scalar};

/// `build`.
pub(crate) static BUILD: Shape = Shape::Union(&Union {
    scalar: Some(&CONTEXT),
    map: Some(&Shape::Struct(&fields(
        &[
            f("context", &CONTEXT),
            f("dockerfile", &TEXT_ONLY),
            f("dockerfile_inline", &TEXT_ONLY),
            f("entitlements", &TEXT_LIST),
            f("args", &VARIABLES),
            f("provenance", &TEXT_OR_TRUTH),
            f("sbom", &TEXT_OR_TRUTH),
            f("ssh", &PAIRS),
            f("labels", &PAIRS),
            f("cache_from", &TEXT_LIST),
            f("cache_to", &TEXT_LIST),
            f("no_cache", &TRUTH),
            f("additional_contexts", &CONTEXTS),
            f("pull", &TRUTH),
            f("extra_hosts", &EXTRA_HOSTS),
            f("isolation", &TEXT_ONLY),
            f("network", &TEXT_ONLY),
            f("target", &TEXT_ONLY),
            f("secrets", &SECRETS),
            f("shm_size", &SIZE_OF_INT),
            f("tags", &UNIQUE),
            f("ulimits", &ULIMITS),
            f("platforms", &UNIQUE),
            f("privileged", &TRUTH),
        ],
        &[],
    ))),
    expand: Some(expand::build),
    ..NONE
});

static CONTEXT: Shape = scalar(TEXT, Read::PathOrUrl);

/// `develop`.
pub(crate) static DEVELOP: Shape = Shape::Union(&Union {
    null: true,
    map: Some(&Shape::Struct(&fields(&[f("watch", &list(&WATCH))], &[]))),
    ..NONE
});

static WATCH: Shape = Shape::Struct(&fields(
    &[
        f("path", &scalar(TEXT, Read::Path)),
        f(
            "action",
            &scalar(
                TEXT,
                Read::OneOf(&["rebuild", "sync", "restart", "sync+restart", "sync+exec"]),
            ),
        ),
        f("target", &TEXT_ONLY),
        f("exec", &HOOK),
        f("include", &TEXTS),
        f("ignore", &TEXTS),
        f("initial_sync", &STRICT_TRUTH),
    ],
    &["path", "action"],
));
