//! The file, and which of its policies fits.

use super::*;

fn reference(text: &str) -> Reference {
    Reference::parse(text).unwrap()
}

const FILE: &str = r#"
default = "reject"

[[policy]]
prefix = "r.example:5000"
require = "accept"

[[policy]]
prefix = "r.example:5000/team"
require = "signed"
keys = ["/etc/keys/team.pub", "/etc/keys/back \"up\\.pub"]

[[policy]]
prefix = "r.example:5000/team/open"
require = "accept"

[[policy]]
prefix = "docker.io/lib"
require = "accept"
"#;

#[test]
fn the_longest_prefix_of_whole_parts_decides() {
    let policies = Policies::parse(FILE).unwrap();
    for (name, prefix, word) in [
        ("busybox", None, "reject"),
        ("lib/x", Some("docker.io/lib"), "accept"),
        ("r.example/team/app", None, "reject"),
        ("r.example:5000/app", Some("r.example:5000"), "accept"),
        ("R.Example:5000/app", Some("r.example:5000"), "accept"),
        ("r.example:5000/teams", Some("r.example:5000"), "accept"),
        ("r.example:5000/team", Some("r.example:5000/team"), "signed"),
        (
            "r.example:5000/team/app:1",
            Some("r.example:5000/team"),
            "signed",
        ),
        (
            "R.EXAMPLE:5000/team/app:1",
            Some("r.example:5000/team"),
            "signed",
        ),
        (
            "r.example:5000/team/open/x",
            Some("r.example:5000/team/open"),
            "accept",
        ),
    ] {
        let (found, requirement) = policies.of(&reference(name));
        assert_eq!(found.map(Prefix::to_string).as_deref(), prefix, "{name}");
        assert_eq!(requirement.word(), word, "{name}");
    }
    let policies =
        Policies::parse("[[policy]]\nprefix = \"r.example\"\nrequire = \"reject\"").unwrap();
    for (name, word) in [
        ("r.example/x", "reject"),
        ("r.example:443/x", "reject"),
        ("r.example:444/x", "accept"),
        ("sub.r.example/x", "accept"),
    ] {
        assert_eq!(policies.of(&reference(name)).1.word(), word, "{name}");
    }
}

#[test]
fn one_line_closes_everything() {
    let policies = Policies::parse("default = \"reject\"").unwrap();
    assert_eq!(
        policies.of(&reference("busybox")),
        (None, &Requirement::Reject)
    );
    let policies = Policies::parse("").unwrap();
    assert_eq!(
        policies.of(&reference("busybox")),
        (None, &Requirement::Accept)
    );
}

#[test]
fn what_is_written_is_read() {
    let policies = Policies::parse(FILE).unwrap();
    assert_eq!(Policies::parse(&policies.to_toml()).unwrap(), policies);
    let prefix: Prefix = "r.example:5000/team".parse().unwrap();
    let changed = policies.clone().with(Policy {
        prefix: prefix.clone(),
        require: Requirement::Reject,
    });
    assert_eq!(changed.policies().len(), policies.policies().len());
    assert_eq!(
        changed.of(&reference("r.example:5000/team/x")).1,
        &Requirement::Reject
    );
    let fewer = changed.without(&prefix).unwrap();
    assert_eq!(
        fewer.of(&reference("r.example:5000/team/x")).1,
        &Requirement::Accept
    );
    assert_eq!(fewer.clone().without(&prefix), None);
    let keys = vec![PathBuf::from("/k.pub")];
    let closed = fewer.with_default(Requirement::new("signed", keys).unwrap());
    assert_eq!(Policies::parse(&closed.to_toml()).unwrap(), closed);
}

#[test]
fn a_typing_error_opens_nothing() {
    let policy = |rest: &str| format!("[[policy]]\n{rest}");
    for bad in [
        "defualt = \"reject\"".to_owned(),
        "default = \"rejected\"".into(),
        "default = \"Reject\"".into(),
        "default = true".into(),
        "default = \"signed\"".into(),
        "keys = [\"/k.pub\"]".into(),
        "default = \"signed\"\nkeys = []".into(),
        "default = \"signed\"\nkeys = [\"k.pub\"]".into(),
        "default = \"signed\"\nkeys = [\"/k\\u0000\"]".into(),
        "default = \"reject\"\ndefault = \"accept\"".into(),
        policy("prefix = \"r.example\""),
        policy("require = \"accept\""),
        policy("prefix = \"r.example\"\nrequire = \"signed\""),
        policy("prefix = \"r.example\"\nrequire = \"accept\"\nkeys = [\"/k\"]"),
        policy("prefix = \"r.example\"\nrequire = \"accept\"\nkey = \"/k\""),
        policy("prefix = \"r.example/\"\nrequire = \"accept\""),
        policy("prefix = \"r.example/a/../b\"\nrequire = \"accept\""),
        policy("prefix = \"r.example/a:1\"\nrequire = \"accept\""),
        policy("prefix = \"https://r.example\"\nrequire = \"accept\""),
        policy("prefix = \"*\"\nrequire = \"accept\""),
        policy("prefix = \"\"\nrequire = \"accept\""),
        policy("prefix = \"busybox\"\nrequire = \"accept\""),
        policy("prefix = \"library/busybox\"\nrequire = \"accept\""),
        policy("prefix = \"index.docker.io/x\"\nrequire = \"accept\""),
        policy("prefix = \"r.example\"\nrequire = \"accept\"\n")
            + &policy("prefix = \"R.example:443\"\nrequire = \"reject\""),
        policy(&format!(
            "prefix = \"r.example\"\nrequire = \"signed\"\nkeys = [{}]",
            "\"/k\",".repeat(MAX_KEYS + 1)
        )),
        "#".repeat(MAX_POLICY_BYTES as usize + 1),
    ] {
        let short: String = bad.chars().take(200).collect();
        assert!(Policies::parse(&bad).is_err(), "{short}");
    }
}
