//! Unit tests of the plan.

use super::*;

fn of(kind: NamespaceKind, path: Option<&str>) -> Namespace {
    Namespace {
        kind,
        path: path.map(PathBuf::from),
    }
}

fn plan(namespaces: Vec<Namespace>) -> Result<Plan> {
    let linux = Linux {
        namespaces,
        ..Linux::default()
    };
    Plan::new(&Spec::default(), &linux)
}

#[test]
fn new_ones_and_joined_ones() {
    let plan = plan(vec![
        of(NamespaceKind::Pid, None),
        of(NamespaceKind::Cgroup, None),
        of(NamespaceKind::Network, Some("/proc/self/ns/net")),
        of(NamespaceKind::User, Some("/proc/self/ns/user")),
    ])
    .unwrap();
    assert_eq!(plan.new & !namespace::MOUNT, namespace::PID);
    assert!(plan.outside().is_some());
    assert!(
        plan.new_cgroup && !plan.own.network,
        "the host's own is not the container's"
    );
    assert!(plan.joins.is_empty() && !plan.needs_maker() && !plan.held);
}

#[test]
fn what_is_no_namespace_is_refused() {
    for path in ["/dev/null", "/proc/self/status", "/nonexistent"] {
        assert!(
            plan(vec![of(NamespaceKind::Network, Some(path))]).is_err(),
            "{path}"
        );
    }
}

#[test]
fn what_would_change_the_host_is_refused() {
    let own = || vec![of(NamespaceKind::Uts, Some("/proc/self/ns/uts"))];
    let named = |namespaces| {
        let spec = Spec {
            hostname: "x".into(),
            ..Spec::default()
        };
        let linux = Linux {
            namespaces,
            ..Linux::default()
        };
        Plan::new(&spec, &linux)
    };
    assert!(named(own()).is_err() && named(Vec::new()).is_err());
    named(vec![of(NamespaceKind::Uts, None)]).unwrap();
    plan(own()).unwrap();
    plan(vec![of(NamespaceKind::User, None)]).unwrap_err();
}

#[test]
fn clocks_are_set_in_a_new_time_namespace_only() {
    use berth_oci::spec::TimeOffset;
    let offset = |secs, nanosecs| Some(TimeOffset { secs, nanosecs });
    let with = |namespaces: Vec<Namespace>, monotonic, boottime| Linux {
        namespaces,
        time_offsets: Some(TimeOffsets {
            boottime,
            monotonic,
        }),
        ..Linux::default()
    };
    let new = || vec![of(NamespaceKind::Time, None)];
    check(&with(new(), offset(-5, 999_999_999), None)).unwrap();
    check(&with(new(), offset(0, 1_000_000_000), None)).unwrap_err();
    check(&with(Vec::new(), None, offset(1, 0))).unwrap_err();
    let joined = vec![of(NamespaceKind::Time, Some("/proc/self/ns/time"))];
    check(&with(joined, None, offset(1, 0))).unwrap_err();
    let relative = vec![of(NamespaceKind::Network, Some("ns/net"))];
    check(&with(relative, None, None)).unwrap_err();
    let both = with(new(), offset(7, 8), offset(-9, 0));
    let plan = Plan::new(&Spec::default(), &both).unwrap();
    assert_eq!(plan.offsets, "monotonic 7 8\nboottime -9 0\n");
    assert!(plan.needs_maker() && plan.held);
}
