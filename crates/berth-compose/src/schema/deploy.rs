//! How many of a service there are, and what each may use.

use super::{
    COUNT, DISTINCT, DURATION, FLOAT, PAIRS, SIZE_OF_TEXT, TEXT_LIST, TEXT_ONLY, WHOLE,
    WHOLE_NUMBER,
};
use crate::expand;
use crate::shape::{Field, INT, NONE, Read, Shape, Struct, TEXT, Union, f, fields, list, scalar};

/// `deploy`.
pub(crate) static DEPLOY: Shape = Shape::Union(&Union {
    null: true,
    map: Some(&Shape::Struct(&fields(
        &[
            f("mode", &TEXT_ONLY),
            f("replicas", &COUNT),
            f("labels", &PAIRS),
            f("update_config", &UPDATE),
            f("rollback_config", &UPDATE),
            f("resources", &RESOURCES),
            f("restart_policy", &RESTART),
            f("placement", &PLACEMENT),
            f("endpoint_mode", &TEXT_ONLY),
        ],
        &[],
    ))),
    ..NONE
});

static UPDATE: Shape = Shape::Struct(&fields(
    &[
        f("parallelism", &COUNT),
        f("delay", &DURATION),
        f("failure_action", &TEXT_ONLY),
        f("monitor", &DURATION),
        f("max_failure_ratio", &FLOAT),
        f(
            "order",
            &scalar(TEXT, Read::OneOf(&["start-first", "stop-first"])),
        ),
    ],
    &[],
));

static RESOURCES: Shape = Shape::Struct(&fields(
    &[
        f(
            "limits",
            &Shape::Struct(&fields(
                &[
                    f("cpus", &FLOAT),
                    f("memory", &SIZE_OF_TEXT),
                    f("pids", &WHOLE),
                ],
                &[],
            )),
        ),
        f(
            "reservations",
            &Shape::Struct(&fields(
                &[
                    f("cpus", &FLOAT),
                    f("memory", &SIZE_OF_TEXT),
                    f("devices", &list(&Shape::Struct(&DEVICE_REQUEST))),
                    f("generic_resources", &list(&GENERIC)),
                ],
                &[],
            )),
        ),
    ],
    &[],
));

static GENERIC: Shape = Shape::Struct(&fields(
    &[f(
        "discrete_resource_spec",
        &Shape::Struct(&fields(
            &[f("kind", &TEXT_ONLY), f("value", &WHOLE_NUMBER)],
            &[],
        )),
    )],
    &[],
));

static DEVICE_REQUEST: Struct = fields(DEVICE_REQUEST_FIELDS, &["capabilities"]);

static DEVICE_REQUEST_FIELDS: &[Field] = &[
    f("capabilities", &DISTINCT),
    f("driver", &TEXT_ONLY),
    f("count", &GPU_COUNT),
    f("device_ids", &DISTINCT),
    f("options", &PAIRS),
];

/// How many, or `all`.
static GPU_COUNT: Shape = scalar(TEXT | INT, Read::GpuCount);

/// `gpus`.
pub(crate) static GPUS: Shape = Shape::Union(&Union {
    scalar: Some(&scalar(TEXT, Read::OneOf(&["all"]))),
    list: Some(&list(&Shape::Struct(&fields(DEVICE_REQUEST_FIELDS, &[])))),
    expand: Some(expand::gpus),
    ..NONE
});

static RESTART: Shape = Shape::Struct(&fields(
    &[
        f("condition", &TEXT_ONLY),
        f("delay", &DURATION),
        f("max_attempts", &COUNT),
        f("window", &DURATION),
    ],
    &[],
));

static PLACEMENT: Shape = Shape::Struct(&fields(
    &[
        f("constraints", &TEXT_LIST),
        f(
            "preferences",
            &list(&Shape::Struct(&fields(&[f("spread", &TEXT_ONLY)], &[]))),
        ),
        f("max_replicas_per_node", &COUNT),
    ],
    &[],
));
