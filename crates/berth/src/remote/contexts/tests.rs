//! Contexts on disk, in docker's form.

use super::*;

#[test]
fn a_context_is_kept_as_docker_keeps_it() {
    let place = tempfile::tempdir().expect("a directory");
    let contexts = Contexts {
        config: place.path().to_owned(),
    };
    assert_eq!(contexts.all().expect("none").len(), 0);
    let tls = BTreeMap::from([("ca.pem".to_owned(), b"x".to_vec())]);
    let context = Context::new("web", "a machine", "tcp://web:2376");
    contexts.put(&context, Some(&tls)).expect("kept");
    // `printf web | sha256sum`
    let hash = "4b5e57f6eb2f42b9039b3d1e13929295f231749c510cbe341cd68036d9af97e2";
    assert!(contexts.meta("web").ends_with(hash));
    let meta = fs::read_to_string(contexts.meta("web").join("meta.json")).expect("the file");
    assert_eq!(
        meta,
        r#"{"Name":"web","Metadata":{"Description":"a machine"},"Endpoints":{"docker":{"Host":"tcp://web:2376","SkipTLSVerify":false}}}"#
    );
    assert_eq!(contexts.tls_files("web"), ["ca.pem"]);
    assert_eq!(contexts.get("web").expect("it"), context);
    assert_eq!(contexts.current().expect("none"), None);
    contexts.set_current("web").expect("set");
    assert_eq!(contexts.current().expect("it").as_deref(), Some("web"));
    contexts.set_current(DEFAULT).expect("set");
    assert_eq!(contexts.current().expect("none"), None);
    contexts.remove("web").expect("removed");
    assert!(!contexts.has("web") && contexts.tls_files("web").is_empty());
}

#[test]
fn names_are_dockers() {
    for good in ["ab", "web-1", "a.b+c_d"] {
        assert!(check_name(good).is_ok(), "{good}");
    }
    for bad in ["", "a", "-a", "a/b", "../x", "default", "a b"] {
        assert!(check_name(bad).is_err(), "{bad}");
    }
}
