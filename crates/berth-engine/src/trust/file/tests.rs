//! Which file counts, and what a change leaves.

use super::*;

fn files(dir: &Path, named: Option<&str>) -> Files {
    let path = |name: &str| dir.join(name).to_string_lossy().into_owned();
    Files::from_env(|name| match name {
        "BERTH_TRUST" => named.map(path),
        "XDG_CONFIG_HOME" => Some(path("config")),
        _ => None,
    })
}

#[test]
fn the_named_file_has_to_be_there_and_the_own_one_may_be() {
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("config/berth/trust.toml");
    assert!(matches!(
        files(dir.path(), Some("named.toml")).load(),
        Err(Error::File { .. })
    ));
    std::fs::create_dir_all(own.parent().unwrap()).unwrap();
    std::fs::write(&own, "default = \"reject\"").unwrap();
    let trust = files(dir.path(), None).load().unwrap();
    assert_eq!(trust.path.as_ref(), Some(&own));
    assert_eq!(trust.policies.default_requirement().word(), "reject");
    // What is there and cannot be read or understood accepts nothing.
    for bad in ["default = reject", "\u{0}"] {
        std::fs::write(&own, bad).unwrap();
        assert!(files(dir.path(), None).load().is_err(), "{bad}");
    }
    std::fs::write(&own, [0xff]).unwrap();
    assert!(files(dir.path(), None).load().is_err());
    std::fs::remove_file(&own).unwrap();
    std::fs::create_dir(&own).unwrap();
    assert!(files(dir.path(), None).load().is_err());
    std::fs::remove_dir(&own).unwrap();
    std::fs::remove_dir(own.parent().unwrap()).unwrap();
    std::fs::write(own.parent().unwrap(), "no directory").unwrap();
    assert!(files(dir.path(), None).load().is_err());
}

#[test]
fn a_change_is_whole_or_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let files = files(dir.path(), None);
    let closed =
        |_: &Path, policies: Policies| Ok(policies.with_default(berth_trust::Requirement::Reject));
    let path = files.edit(true, closed).unwrap();
    assert!(path.ends_with("config/berth/trust.toml"));
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    let loaded = files.load().unwrap();
    assert_eq!(loaded.policies.default_requirement().word(), "reject");
    let refused = files.edit(true, |path, _| {
        Err(Error::NoPolicy {
            prefix: "x".into(),
            path: path.to_owned(),
        })
    });
    assert!(refused.is_err());
    assert_eq!(files.load().unwrap().policies, loaded.policies);
    // A link stays one.
    let real = dir.path().join("real.toml");
    std::fs::rename(&path, &real).unwrap();
    std::os::unix::fs::symlink(&real, &path).unwrap();
    files.edit(true, |_, _| Ok(Policies::default())).unwrap();
    assert!(path.is_symlink());
    assert_eq!(files.load().unwrap().policies, Policies::default());
    // What cannot be read is not replaced.
    std::fs::write(&real, "default = reject").unwrap();
    assert!(files.edit(true, |_, policies| Ok(policies)).is_err());
    assert_eq!(std::fs::read_to_string(&real).unwrap(), "default = reject");
}
