//! What services share: networks, volumes, secrets, configs, models.

use super::{CHOICE, OPTIONS, PAIRS, PATH, TEXT_LIST, TEXT_ONLY, TEXT_OPTIONS, TRUTH};
use crate::expand;
use crate::shape::{BOOL, INT, Join, List, NONE, Read, Shape, TEXT, Union, f, fields, scalar};

/// A network.
pub(crate) static NETWORK: Shape = Shape::Union(&Union {
    null: true,
    map: Some(&Shape::Struct(&fields(
        &[
            f("name", &TEXT_ONLY),
            f("driver", &TEXT_ONLY),
            f("driver_opts", &OPTIONS),
            f("ipam", &IPAM),
            f("external", &EXTERNAL),
            f("internal", &TRUTH),
            f("attachable", &TRUTH),
            f("labels", &PAIRS),
            f("enable_ipv4", &CHOICE),
            f("enable_ipv6", &CHOICE),
        ],
        &[],
    ))),
    expand: Some(expand::external),
    ..NONE
});

static IPAM: Shape = Shape::Struct(&fields(
    &[
        f("driver", &TEXT_ONLY),
        f(
            "config",
            &Shape::List(List {
                item: &Shape::Struct(&fields(
                    &[
                        f("subnet", &TEXT_ONLY),
                        f("gateway", &TEXT_ONLY),
                        f("ip_range", &TEXT_ONLY),
                        f("aux_addresses", &TEXT_OPTIONS),
                    ],
                    &[],
                )),
                distinct: false,
                join: Join::Unique(expand::subnet_of),
            }),
        ),
        f("options", &TEXT_OPTIONS),
    ],
    &[],
));

/// That somebody else made it; the old way to give its name becomes the new one.
static EXTERNAL: Shape = Shape::Union(&Union {
    scalar: Some(&scalar(BOOL | TEXT, Read::Truth)),
    map: Some(&Shape::Struct(&fields(&[f("name", &TEXT_ONLY)], &[]))),
    replace: true,
    ..NONE
});

/// A volume.
pub(crate) static VOLUME: Shape = Shape::Union(&Union {
    null: true,
    map: Some(&Shape::Struct(&fields(
        &[
            f("name", &TEXT_ONLY),
            f("driver", &TEXT_ONLY),
            f("driver_opts", &OPTIONS),
            f("external", &EXTERNAL),
            f("labels", &PAIRS),
        ],
        &[],
    ))),
    expand: Some(expand::volume_resource),
    ..NONE
});

/// A secret.
pub(crate) static SECRET: Shape = Shape::Union(&Union {
    map: Some(&Shape::Struct(&fields(
        &[
            f("name", &TEXT_ONLY),
            f("file", &PATH),
            f("environment", &TEXT_ONLY),
            f("external", &EXTERNAL),
            f("labels", &PAIRS),
            f("driver", &TEXT_ONLY),
            f("driver_opts", &OPTIONS),
            f("template_driver", &TEXT_ONLY),
        ],
        &[],
    ))),
    expand: Some(expand::external),
    ..NONE
});

/// A config.
pub(crate) static CONFIG: Shape = Shape::Union(&Union {
    map: Some(&Shape::Struct(&fields(
        &[
            f("name", &TEXT_ONLY),
            f("file", &PATH),
            f("environment", &TEXT_ONLY),
            f("content", &TEXT_ONLY),
            f("external", &EXTERNAL),
            f("labels", &PAIRS),
            f("template_driver", &TEXT_ONLY),
        ],
        &[],
    ))),
    expand: Some(expand::external),
    ..NONE
});

/// A language model.
pub(crate) static MODEL: Shape = Shape::Struct(&fields(
    &[
        f("name", &TEXT_ONLY),
        f("model", &TEXT_ONLY),
        f("context_size", &scalar(INT, Read::Whole(0, i64::MAX))),
        f("runtime_flags", &TEXT_LIST),
    ],
    &["model"],
));
