//! What is not as docker 20.10's, and why. A line that has become the same fails the test: take it out.

use Part::{Code, Errors, Output};

/// What of a line's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The exit code.
    Code,
    /// Standard output.
    Output,
    /// Standard error.
    Errors,
}

/// Differences with one reason.
pub struct Difference {
    /// Why they stay.
    #[allow(dead_code, reason = "for who reads it")]
    pub reason: &'static str,
    pub parts: &'static [Part],
    /// Each of them differs in each of the parts; `*`: some line does.
    pub lines: &'static [&'static str],
}

/// Of docker with berth's daemon, and of berth without one.
pub const BOTH: &[Difference] = &[
    Difference {
        reason: "an image is known by its manifest's digest from the start, not from its first push or pull on",
        parts: &[Output],
        lines: &[
            "docker images -a --digests --no-trunc",
            "docker images --format '{{.Repository}}|{{.Tag}}|{{.ID}}|{{.Digest}}|{{.CreatedSince}}|{{.Size}}'",
            "docker rmi second:1",
            "docker rmi busybox",
            "docker rmi -f committed:1",
            "docker rmi imported:1",
            "docker rmi busybox other.example/team/third",
        ],
    },
    Difference {
        reason: "the archive is an OCI layout too, which has one file more",
        parts: &[Output],
        lines: &["docker save busybox | tar t | grep -c ."],
    },
    Difference {
        reason: "docker takes the words `no such file or directory` for the program's, which is 127; no program was started",
        parts: &[Code],
        lines: &["docker run --rm --device /nosuch busybox true"],
    },
    Difference {
        reason: "the image's variables stand first; no name is there twice, so their order says nothing",
        parts: &[Output],
        lines: &["docker inspect --format '{{json .Config.Env}}' web"],
    },
    Difference {
        reason: "a signal is kept by its whole name, whichever of the three ways it was given in",
        parts: &[Output],
        lines: &[
            "docker inspect --format '{{.Config.Image}} {{.Config.WorkingDir}} {{.Config.StopSignal}} {{.Config.Hostname}} [{{.Config.Domainname}}] [{{.Config.User}}]' web",
        ],
    },
    Difference {
        reason: "the network that is used is shown, as docker does since 26",
        parts: &[Output],
        lines: &[
            "docker inspect --format '{{json .HostConfig.LogConfig}} {{.HostConfig.NetworkMode}} {{.HostConfig.AutoRemove}} [{{.HostConfig.VolumeDriver}}] {{json .HostConfig.VolumesFrom}}' web",
        ],
    },
    Difference {
        reason: "a cgroup namespace of one's own on cgroup v1 too: it costs nothing and shows the host less",
        parts: &[Output],
        lines: &[
            "docker inspect --format '{{.HostConfig.IpcMode}}|{{.HostConfig.PidMode}}|{{.HostConfig.UTSMode}}|{{.HostConfig.UsernsMode}}|{{.HostConfig.CgroupnsMode}}|{{.HostConfig.Cgroup}}' web",
        ],
    },
    Difference {
        reason: "the runtime is berth's",
        parts: &[Output],
        lines: &[
            "docker inspect --format '{{.HostConfig.Privileged}} {{.HostConfig.PublishAllPorts}} {{.HostConfig.ReadonlyRootfs}} {{json .HostConfig.SecurityOpt}} {{.HostConfig.ShmSize}} {{.HostConfig.Runtime}} {{json .HostConfig.Init}}' web",
            "docker info --format '{{.OSType}} {{.Architecture}} {{.Containers}} {{.ContainersRunning}} {{.ContainersPaused}} {{.ContainersStopped}} {{.Images}} {{.NCPU}} {{.Driver}} {{.LoggingDriver}} {{.CgroupDriver}} {{.CgroupVersion}} {{.DefaultRuntime}}'",
        ],
    },
    Difference {
        reason: "an empty list or map is `[]` or `{}`, as the API's definition has it, not `null`",
        parts: &[Output],
        lines: &[
            "docker inspect --format '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.CpuShares}} {{.HostConfig.MemorySwap}} {{json .HostConfig.MemorySwappiness}} {{json .HostConfig.PidsLimit}} {{json .HostConfig.Ulimits}} {{json .HostConfig.OomKillDisable}} {{.HostConfig.OomScoreAdj}}' web",
            "docker inspect --format '{{json .HostConfig.Devices}} {{json .HostConfig.BlkioDeviceReadBps}} {{.HostConfig.BlkioWeight}} {{json .HostConfig.DeviceCgroupRules}} {{json .HostConfig.DeviceRequests}}' web",
            "docker inspect --type volume named --format '{{.Name}} {{.Driver}} {{.Scope}} {{json .Options}} {{json .Labels}}'",
        ],
    },
    Difference {
        reason: "more is masked, as docker does since 27",
        parts: &[Output],
        lines: &["docker inspect --format '{{json .HostConfig.MaskedPaths}}' web"],
    },
    Difference {
        reason: "sizes are what is taken on the disk, directories among it",
        parts: &[Output],
        lines: &[
            "docker inspect --size --format '{{.SizeRw}}' plain",
            "docker system df",
        ],
    },
    Difference {
        reason: "limits of the kernel's own memory are left out: the kernel has them no more (5.16)",
        parts: &[Output],
        lines: &[r#"docker inspect web | grep -o '^            "[A-Za-z0-9]*"' | sort"#],
    },
    Difference {
        reason: "columns can be chosen without the pid's",
        parts: &[Code, Output],
        lines: &["docker top plain -o comm"],
    },
    Difference {
        reason: "127 as `run` has it, and as docker has it here since 23, whose message is on standard error",
        parts: &[Code, Output],
        lines: &["docker exec plain nosuch"],
    },
    Difference {
        reason: "docker 20.10 has the runtime's message on standard output",
        parts: &[Output],
        lines: &[
            "docker exec plain /etc/passwd",
            "docker exec -u nosuch plain true",
        ],
    },
    Difference {
        reason: "125, the engine's: it is the working directory that cannot be had, not the program",
        parts: &[Code, Output],
        lines: &["docker exec -w /nosuch plain true"],
    },
    Difference {
        reason: "docker 20.10 refuses a limit of memory unless swap is given with it, although neither was limited",
        parts: &[Code, Output],
        lines: &["docker update --memory 64m plain"],
    },
    Difference {
        reason: "the history says what made the layer",
        parts: &[Output],
        lines: &["docker history imported:1"],
    },
    Difference {
        reason: "a volume is mounted by its container's start and made once: neither is an event of its own; each that a prune removes is",
        parts: &[Output],
        lines: &[
            "docker events --since 1h --until 0s --filter type=volume --format '{{.Action}} {{.Actor.ID}}'",
        ],
    },
];

/// Of docker with berth's daemon.
pub const DAEMON: &[Difference] = &[
    Difference {
        reason: "what failed is said in berth's words, and what can be done; no client looks for docker's here",
        parts: &[Errors],
        lines: &[
            "echo no archive | docker load",
            "docker create nosuch.invalid/image",
            "docker run --rm busybox nosuch",
            "docker run --rm busybox /etc/passwd",
            "docker run --rm -u nobodyhere busybox true",
            "docker run --rm --log-opt nosuch=1 busybox true",
            "docker run --rm --runtime nosuch busybox true",
            "docker run --rm --device /nosuch busybox true",
            "docker run --rm --ipc nosuch busybox true",
            "docker ps -a --filter exited=x",
            "docker ps -a --filter health=nosuch",
            "docker ps -a --filter since=nosuch",
            "docker top plain -o comm",
            "docker exec plain nosuch",
            "docker exec plain /etc/passwd",
            "docker exec -w /nosuch plain true",
            "docker exec -u nosuch plain true",
            "docker update --memory 64m plain",
            "docker commit -c 'NOSUCH x' plain",
            "docker pull 127.0.0.1:1/nosuch",
        ],
    },
    Difference {
        reason: "what cannot be is refused when the container is made: docker finds out at its start",
        parts: &[Errors],
        lines: &[
            "docker run --rm --network nosuch busybox true",
            "docker run --rm --network container:nosuch busybox true",
        ],
    },
    Difference {
        reason: "the whole name is told, with its tag",
        parts: &[Errors],
        lines: &["docker save nosuch", "docker push nosuch.invalid/image"],
    },
    Difference {
        reason: "keys that cannot be are refused; docker 20.10 sends the refusal as output, which its client cannot read",
        parts: &[Errors],
        lines: &["docker run --rm --name keys --detach-keys ctrl-nosuch busybox true"],
    },
];

/// Of berth without a daemon.
pub const BERTH: &[Difference] = &[
    Difference {
        reason: "berth's errors read `error: …`, with causes and a hint",
        parts: &[Errors],
        lines: &["*"],
    },
    Difference {
        reason: "`json` is a format, as in docker since 23",
        parts: &[Output],
        lines: &["docker image ls --format json | head -c 9"],
    },
    Difference {
        reason: "a name is checked as every flag's value is",
        parts: &[Code],
        lines: &[
            "docker create --name 'bad name' busybox true",
            "docker run --rm --name keys --detach-keys ctrl-nosuch busybox true",
            "docker update --memory 1k plain",
        ],
    },
    Difference {
        reason: "docker takes no notice of it",
        parts: &[Code],
        lines: &[
            "docker run --rm --ip 1.2.3.4 busybox true",
            "docker run --rm --pull sometimes busybox true",
        ],
    },
    Difference {
        reason: "docker takes a number that is none for `all`",
        parts: &[Code, Output],
        lines: &["docker logs --tail bad web"],
    },
    Difference {
        reason: "what a document leaves out looks the same as what it never has",
        parts: &[Code, Output],
        lines: &["docker inspect --format '{{.HostConfig.Nosuch}}' web"],
    },
    Difference {
        reason: "content that no image needs any more is told by its digests",
        parts: &[Output],
        lines: &["docker image prune -f"],
    },
    Difference {
        reason: "a volume with a name goes with `--all` only, as in docker since 23",
        parts: &[Output],
        lines: &[
            "docker volume prune -f",
            "docker volume ls -q",
            "docker system df --format '{{.Type}}|{{.TotalCount}}|{{.Active}}'",
        ],
    },
    Difference {
        reason: "a field of the API's newer versions",
        parts: &[Output],
        lines: &[r#"docker network inspect none | grep -o '"[A-Z][A-Za-z0-9]*":'"#],
    },
    Difference {
        reason: "there are no client and server, no commit and no language's version to tell; what is there instead is told",
        parts: &[Output],
        lines: &[
            "docker version | grep -o '^ [A-Z][a-zA-Z ]*:'",
            "docker info 2>/dev/null | grep -o '^ [A-Z][A-Za-z ]*:'",
        ],
    },
    Difference {
        reason: "a template is for one list, and there are four",
        parts: &[Code, Output],
        lines: &["docker system df -v --format x"],
    },
    Difference {
        reason: "warnings are berth's own, as errors are",
        parts: &[Output],
        lines: &["docker login -u me -p secret 127.0.0.1:1 2>&1 | head -n 1"],
    },
    Difference {
        reason: "progress is on standard error, the result alone on standard output",
        parts: &[Output],
        lines: &[
            "docker push nosuch.invalid/image",
            "docker pull 127.0.0.1:1/nosuch",
        ],
    },
];
