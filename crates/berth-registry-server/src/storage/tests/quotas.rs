//! Rules and quotas: how much may be held, by whom, and how rules are found.

use super::*;

/// G5.
#[test]
fn a_quota_is_kept() {
    let (_dir, storage) = storage();
    let (one, two) = (
        repository(&storage, "team/one"),
        repository(&storage, "team/two"),
    );
    let rules = Rules {
        prefix: "team".into(),
        quota_bytes: Some(1000),
        ..Rules::default()
    };
    assert_eq!(
        repository(&storage, "b").room(&Rules::default()).unwrap(),
        None
    );
    push_blob(&repository(&storage, "teams"), &[7; 900]);
    assert_eq!(one.room(&rules).unwrap(), Some(1000));
    let mut upload = one.begin_upload().unwrap().under(&rules);
    upload.append(&[1; 600]).unwrap();
    assert_eq!(two.room(&rules).unwrap(), Some(400));
    let mut other = two.begin_upload().unwrap().under(&rules);
    other.append(&[2; 300]).unwrap();
    assert_eq!(code(other.append(&[2; 101])), Code::NoSpace);
    drop(other);
    assert_eq!(
        two.room(&rules).unwrap(),
        Some(400),
        "what was refused is gone"
    );
    let id = upload.id().to_owned();
    drop(upload);
    let upload = one.upload(&id).unwrap().unwrap().under(&rules);
    upload.finish(&Digest::of(&[1; 600])).unwrap();
    // Again: nothing more.
    push_blob(&one, &[1; 600]);
    assert_eq!(one.room(&rules).unwrap(), Some(400));
    // A link in another repository counts there.
    assert!(two.mount_blob(&one, &Digest::of(&[1; 600])).unwrap());
    assert_eq!(one.room(&rules).unwrap(), Some(0));
    let manifest = manifest_of(&repository(&storage, "x"), &[b"config"]);
    let refused = one.put_manifest(&by_tag("v1"), media::MANIFEST, &manifest, "me", &rules);
    assert_eq!(code(refused), Code::NoSpace);
    assert!(two.remove_blob(&Digest::of(&[1; 600])).unwrap());
    assert_eq!(one.room(&rules).unwrap(), Some(400));
    // Who measures anew finds the same.
    let other = Storage::open(storage.root()).unwrap();
    assert_eq!(
        repository(&other, "team/one").room(&rules).unwrap(),
        Some(400)
    );
}

#[test]
fn the_longest_prefix_rules() {
    let bytes = |prefix: &str, quota_bytes| Rules {
        prefix: prefix.to_owned(),
        quota_bytes,
        ..Rules::default()
    };
    let team = Rules {
        immutable: vec!["v?.*".into()],
        ..bytes("team", Some(2))
    };
    let rules = RuleSet(vec![bytes("", Some(1)), team, bytes("team/app", None)]);
    let of = |name: &str| rules.of(&RepositoryName::parse(name).unwrap());
    assert_eq!(of("x").quota_bytes, Some(1));
    assert_eq!(of("teams").quota_bytes, Some(1));
    assert_eq!(of("team").quota_bytes, Some(2));
    assert_eq!(of("team/x/y").quota_bytes, Some(2));
    assert_eq!(of("team/app").quota_bytes, None);
    assert!(of("team").is_immutable(&tag("v1.2")));
    assert!(!of("team").is_immutable(&tag("v12")));
}

#[test]
fn durations() {
    let parse = rules::parse_duration;
    assert_eq!(parse("90s"), Some(Duration::from_secs(90)));
    assert_eq!(parse("30d"), Some(Duration::from_secs(30 * 86400)));
    for bad in [
        "",
        "d",
        "30",
        "-1d",
        "1é",
        "99999999999999999999d",
        "999999999999999999d",
    ] {
        assert_eq!(parse(bad), None, "{bad}");
    }
}

#[test]
fn patterns() {
    let matches = rules::matches;
    for (pattern, text, expected) in [
        ("*", "", true),
        ("", "", true),
        ("", "a", false),
        ("v*", "v1", true),
        ("v*", "av1", false),
        ("*-rc*", "v1-rc2", true),
        ("*a*b", "xaxbxab", true),
        ("*a*b", "xaxbxa", false),
        ("v?", "v", false),
        ("v?", "v1", true),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
    }
}
