//! Services in the schema, with the forms of what stands in them.

use super::{
    CHOICE, COMMAND, CONFIGS, DISTINCT, DISTINCT_NUMBERS, DURATION, EXTRA_HOSTS, FLOAT, HOOKS,
    MODE, OPTIONS, OPTIONS_OR_NULL, PAIRS, PATH, PRIORITY, SECRETS, SIZE, SIZE_OF_INT,
    STRICT_CHOICE, STRICT_TRUTH, TEXT_ONLY, TEXT_OR_NUMBER, TEXTS, TRUTH, ULIMITS, VARIABLES,
    WHOLE, WHOLE_NUMBER, build, deploy,
};
use crate::expand;
use crate::shape::{
    INT, Join, Keys, List, NONE, NULL, NUMBER, Read, Shape, Struct, TEXT, Union, f, fields, list,
    scalar,
};
use crate::value;

/// A service.
pub(crate) static SERVICE: Shape = Shape::Struct(&Struct {
    fields: &[
        f("profiles", &DISTINCT),
        f("annotations", &PAIRS),
        f("attach", &CHOICE),
        f("build", &build::BUILD),
        f("develop", &build::DEVELOP),
        f("blkio_config", &BLKIO),
        f("cap_add", &DISTINCT),
        f("cap_drop", &DISTINCT),
        f("cgroup_parent", &TEXT_ONLY),
        f("cgroup", &scalar(TEXT, Read::OneOf(&["host", "private"]))),
        f("cpu_count", &super::COUNT),
        f("cpu_percent", &scalar(INT | TEXT, Read::Whole(0, 100))),
        f("cpu_period", &scalar(NUMBER | TEXT, Read::Micros)),
        f("cpu_quota", &scalar(NUMBER | TEXT, Read::Micros)),
        f("cpu_rt_period", &scalar(NUMBER | TEXT, Read::Micros)),
        f("cpu_rt_runtime", &scalar(NUMBER | TEXT, Read::Micros)),
        f("cpus", &FLOAT),
        f("cpuset", &TEXT_ONLY),
        f("cpu_shares", &WHOLE_NUMBER),
        f("command", &COMMAND),
        f("configs", &CONFIGS),
        f(
            "container_name",
            &scalar(TEXT, Read::Checked(value::container_name)),
        ),
        f("credential_spec", &CREDENTIAL_SPEC),
        f("depends_on", &DEPENDS_ON),
        f("deploy", &deploy::DEPLOY),
        f("device_cgroup_rules", &DISTINCT),
        f("devices", &DEVICES),
        f("dns", &TEXTS),
        f("dns_opt", &DISTINCT),
        f("dns_search", &TEXTS),
        f("domainname", &TEXT_ONLY),
        f("entrypoint", &COMMAND),
        f("provider", &PROVIDER),
        f("environment", &VARIABLES),
        f("env_file", &ENV_FILE),
        f("expose", &DISTINCT_NUMBERS),
        f("extends", &EXTENDS),
        f("external_links", &DISTINCT),
        f("extra_hosts", &EXTRA_HOSTS),
        f("group_add", &DISTINCT_NUMBERS),
        f("gpus", &deploy::GPUS),
        f("hostname", &TEXT_ONLY),
        f("healthcheck", &HEALTHCHECK),
        f("image", &TEXT_ONLY),
        f("init", &CHOICE),
        f("ipc", &TEXT_ONLY),
        f("isolation", &TEXT_ONLY),
        f("labels", &PAIRS),
        f("label_file", &LABEL_FILE),
        f("links", &DISTINCT),
        f("logging", &LOGGING),
        f("mem_limit", &SIZE),
        f("mem_reservation", &SIZE_OF_INT),
        f("memswap_limit", &SIZE),
        f("mem_swappiness", &scalar(INT | TEXT, Read::Whole(0, 100))),
        f("mac_address", &TEXT_ONLY),
        f("models", &MODELS),
        f("network_mode", &TEXT_ONLY),
        f("networks", &NETWORKS),
        f("oom_kill_disable", &TRUTH),
        f(
            "oom_score_adj",
            &scalar(INT | TEXT, Read::Whole(-1000, 1000)),
        ),
        f("pid", &scalar(TEXT | NULL, Read::Verbatim)),
        f("pids_limit", &WHOLE_NUMBER),
        f("platform", &TEXT_ONLY),
        f("ports", &PORTS),
        f("privileged", &TRUTH),
        f(
            "pull_policy",
            &scalar(TEXT, Read::Checked(value::pull_policy)),
        ),
        f("pull_refresh_after", &TEXT_ONLY),
        f("read_only", &TRUTH),
        f("restart", &scalar(TEXT, Read::Checked(value::restart))),
        f("runtime", &TEXT_ONLY),
        f("scale", &super::COUNT),
        f("secrets", &SECRETS),
        f("security_opt", &DISTINCT),
        f("shm_size", &SIZE),
        f("stdin_open", &TRUTH),
        f("stop_grace_period", &DURATION),
        f("stop_signal", &TEXT_ONLY),
        f("storage_opt", &Shape::Map(Keys::Any, &Shape::Anything)),
        f("sysctls", &PAIRS),
        f("tmpfs", &TEXTS),
        f("tty", &TRUTH),
        f("ulimits", &ULIMITS),
        f("use_api_socket", &STRICT_TRUTH),
        f("user", &TEXT_ONLY),
        f("userns_mode", &TEXT_ONLY),
        f("uts", &TEXT_ONLY),
        f("volumes", &VOLUMES),
        f("volumes_from", &DISTINCT),
        f("working_dir", &TEXT_ONLY),
        f("post_start", &HOOKS),
        f("pre_stop", &HOOKS),
    ],
    required: &[],
    extensions: true,
    same: None,
});

static BLKIO: Shape = Shape::Struct(&Struct {
    fields: &[
        f("weight", &scalar(INT | TEXT, Read::Whole(0, 1000))),
        f("weight_device", &list(&Shape::Struct(&WEIGHT))),
        f("device_read_bps", &list(&Shape::Struct(&RATE))),
        f("device_read_iops", &list(&Shape::Struct(&RATE))),
        f("device_write_bps", &list(&Shape::Struct(&RATE))),
        f("device_write_iops", &list(&Shape::Struct(&RATE))),
    ],
    required: &[],
    extensions: false,
    same: None,
});

macro_rules! device_struct {
    ($name:ident, $key:literal, $shape:expr) => {
        static $name: Struct = Struct {
            fields: &[f("path", &TEXT_ONLY), f($key, $shape)],
            required: &[],
            extensions: false,
            same: None,
        };
    };
}
device_struct!(WEIGHT, "weight", &WHOLE);
device_struct!(RATE, "rate", &SIZE_OF_INT);

static CREDENTIAL_SPEC: Shape = Shape::Struct(&fields(
    &[
        f("config", &TEXT_ONLY),
        f("file", &TEXT_ONLY),
        f("registry", &TEXT_ONLY),
    ],
    &[],
));

static DEPENDS_ON: Shape = Shape::Union(&Union {
    list: Some(&DISTINCT),
    map: Some(&Shape::Map(
        Keys::Names,
        &Shape::Struct(&fields(
            &[
                f(
                    "condition",
                    &scalar(
                        TEXT,
                        Read::OneOf(&[
                            "service_started",
                            "service_healthy",
                            "service_completed_successfully",
                        ]),
                    ),
                ),
                f("restart", &TRUTH),
                f("required", &STRICT_CHOICE),
            ],
            &["condition"],
        )),
    )),
    expand: Some(expand::depends_on),
    ..NONE
});

static DEVICES: Shape = Shape::List(List {
    item: &Shape::Union(&Union {
        scalar: Some(&TEXT_ONLY),
        map: Some(&Shape::Struct(&fields(
            &[
                f("source", &TEXT_ONLY),
                f("target", &TEXT_ONLY),
                f("permissions", &TEXT_ONLY),
            ],
            &["source"],
        ))),
        expand: Some(expand::device),
        ..NONE
    }),
    distinct: false,
    join: Join::Unique(expand::target_or_source),
});

static PROVIDER: Shape = Shape::Struct(&fields(
    &[
        f("type", &TEXT_ONLY),
        f(
            "options",
            &Shape::Map(
                Keys::Any,
                &Shape::Union(&Union {
                    scalar: Some(&PROVIDED),
                    list: Some(&list(&PROVIDED)),
                    expand: Some(expand::one_to_list),
                    ..NONE
                }),
            ),
        ),
    ],
    &["type"],
));
static PROVIDED: Shape = scalar(TEXT | NUMBER | crate::shape::BOOL, Read::Text);

pub(crate) static ENV_FILE: Shape = Shape::Union(&Union {
    scalar: Some(&TEXT_ONLY),
    list: Some(&Shape::List(List {
        item: &Shape::Union(&Union {
            scalar: Some(&TEXT_ONLY),
            map: Some(&Shape::Struct(&Struct {
                fields: &[
                    f("path", &PATH),
                    f("required", &CHOICE),
                    f("format", &scalar(TEXT, Read::OneOf(&["raw"]))),
                ],
                required: &["path"],
                extensions: false,
                same: None,
            })),
            expand: Some(expand::env_file),
            ..NONE
        }),
        distinct: false,
        join: Join::Unique(expand::path_of),
    })),
    expand: Some(expand::env_files),
    ..NONE
});

static LABEL_FILE: Shape = Shape::Union(&Union {
    scalar: Some(&PATH),
    list: Some(&list(&PATH)),
    expand: Some(expand::one_to_list),
    ..NONE
});

static EXTENDS: Shape = Shape::Union(&Union {
    scalar: Some(&TEXT_ONLY),
    map: Some(&Shape::Struct(&Struct {
        fields: &[f("file", &TEXT_ONLY), f("service", &TEXT_ONLY)],
        required: &["service"],
        extensions: false,
        same: None,
    })),
    expand: Some(expand::extends),
    replace: true,
    ..NONE
});

static HEALTHCHECK: Shape = Shape::Struct(&fields(
    &[
        f(
            "test",
            &Shape::Union(&Union {
                scalar: Some(&TEXT_ONLY),
                list: Some(&Shape::List(List {
                    item: &TEXT_ONLY,
                    distinct: false,
                    join: Join::Replace,
                })),
                expand: Some(expand::health_test),
                replace: true,
                ..NONE
            }),
        ),
        f("timeout", &DURATION),
        f("interval", &DURATION),
        f(
            "retries",
            &scalar(NUMBER | TEXT, Read::Whole(0, u32::MAX as i64)),
        ),
        f("start_period", &DURATION),
        f("start_interval", &DURATION),
        f("disable", &TRUTH),
    ],
    &[],
));

static LOGGING: Shape = Shape::Struct(&Struct {
    fields: &[f("driver", &TEXT_ONLY), f("options", &OPTIONS_OR_NULL)],
    required: &[],
    extensions: true,
    // Options of one driver mean nothing to another.
    same: Some("driver"),
});

static MODELS: Shape = Shape::Union(&Union {
    list: Some(&DISTINCT),
    map: Some(&Shape::Map(
        Keys::Names,
        &Shape::Struct(&fields(
            &[f("endpoint_var", &TEXT_ONLY), f("model_var", &TEXT_ONLY)],
            &[],
        )),
    )),
    expand: Some(expand::list_to_structs),
    ..NONE
});

static NETWORKS: Shape = Shape::Union(&Union {
    list: Some(&DISTINCT),
    map: Some(&Shape::Map(
        Keys::Names,
        &Shape::Union(&Union {
            null: true,
            map: Some(&Shape::Struct(&fields(
                &[
                    f("aliases", &DISTINCT),
                    f("driver_opts", &OPTIONS),
                    f("gw_priority", &PRIORITY),
                    f("interface_name", &TEXT_ONLY),
                    f("ipv4_address", &scalar(TEXT, Read::Checked(value::ipv4))),
                    f("ipv6_address", &scalar(TEXT, Read::Checked(value::ipv6))),
                    f("link_local_ips", &DISTINCT),
                    f("mac_address", &TEXT_ONLY),
                    f("priority", &PRIORITY),
                ],
                &[],
            ))),
            ..NONE
        }),
    )),
    expand: Some(expand::list_to_nulls),
    ..NONE
});

static PORTS: Shape = Shape::Union(&Union {
    list: Some(&Shape::List(List {
        item: &Shape::Union(&Union {
            scalar: Some(&TEXT_OR_NUMBER),
            map: Some(&Shape::Struct(&fields(
                &[
                    f("name", &TEXT_ONLY),
                    f("mode", &TEXT_ONLY),
                    f("host_ip", &scalar(TEXT, Read::Checked(value::ip))),
                    f("target", &scalar(INT | TEXT, Read::Whole(1, 65535))),
                    f("published", &scalar(TEXT | INT, Read::Text)),
                    f("protocol", &scalar(TEXT, Read::Checked(value::protocol))),
                    f("app_protocol", &TEXT_ONLY),
                ],
                &[],
            ))),
            ..NONE
        }),
        distinct: true,
        join: Join::Unique(expand::port_key),
    })),
    // One short form may be several ports.
    expand: Some(expand::ports),
    ..NONE
});

static VOLUMES: Shape = Shape::List(List {
    item: &Shape::Union(&Union {
        scalar: Some(&TEXT_ONLY),
        map: Some(&Shape::Struct(&fields(
            &[
                f(
                    "type",
                    &scalar(
                        TEXT,
                        Read::OneOf(&["bind", "volume", "tmpfs", "cluster", "npipe", "image"]),
                    ),
                ),
                f("source", &TEXT_ONLY),
                f("target", &TEXT_ONLY),
                f("read_only", &TRUTH),
                f("consistency", &TEXT_ONLY),
                f(
                    "bind",
                    &Shape::Struct(&fields(
                        &[
                            f("selinux", &scalar(TEXT, Read::OneOf(&["z", "Z"]))),
                            f("propagation", &TEXT_ONLY),
                            f("create_host_path", &CHOICE),
                            f(
                                "recursive",
                                &scalar(
                                    TEXT,
                                    Read::OneOf(&["enabled", "disabled", "writable", "readonly"]),
                                ),
                            ),
                        ],
                        &[],
                    )),
                ),
                f(
                    "volume",
                    &Shape::Struct(&fields(
                        &[
                            f("labels", &PAIRS),
                            f("nocopy", &TRUTH),
                            f("subpath", &TEXT_ONLY),
                        ],
                        &[],
                    )),
                ),
                f(
                    "tmpfs",
                    &Shape::Struct(&fields(&[f("size", &SIZE_OF_INT), f("mode", &MODE)], &[])),
                ),
                f(
                    "image",
                    &Shape::Struct(&fields(&[f("subpath", &TEXT_ONLY)], &[])),
                ),
            ],
            &["type"],
        ))),
        expand: Some(expand::volume),
        ..NONE
    }),
    distinct: true,
    join: Join::Unique(expand::target_or_source),
});
