//! Tests of image documents: good ones of OCI and Docker, and each lie that is refused.

use super::*;

const SHA: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn descriptor(media_type: &str) -> String {
    format!(r#"{{"mediaType":"{media_type}","digest":"{SHA}","size":7}}"#)
}

fn manifest(extra: &str) -> String {
    let (config, layer) = (descriptor(media::CONFIG), descriptor(media::LAYER_GZIP));
    format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layer}]{extra}}}"#)
}

fn index(extra: &str) -> String {
    let entry = descriptor(media::MANIFEST);
    format!(r#"{{"schemaVersion":2,"manifests":[{entry}]{extra}}}"#)
}

#[test]
fn manifests_and_indexes_of_both_families_parse() {
    for (own, content_type) in [
        (None, None),
        (None, Some(media::MANIFEST)),
        (Some(media::MANIFEST), Some(media::MANIFEST)),
        (Some(media::DOCKER_MANIFEST), Some(media::DOCKER_MANIFEST)),
        (Some(media::MANIFEST), Some("application/json")),
        (
            Some(media::MANIFEST),
            Some("application/vnd.oci.image.manifest.v1+json; charset=utf-8"),
        ),
    ] {
        let extra = own
            .map(|own| format!(r#","mediaType":"{own}""#))
            .unwrap_or_default();
        let parsed = parse_manifest(manifest(&extra).as_bytes(), content_type).unwrap();
        assert_eq!(parsed.layers[0].size, 7);
    }
    let text = index(r#","annotations":null"#);
    let parsed = parse_index(text.as_bytes(), Some(media::INDEX)).unwrap();
    assert_eq!(parsed.manifests.len(), 1);
    assert!(parse_manifest(text.as_bytes(), None).is_err());
    assert!(parse_index(manifest("").as_bytes(), None).is_err());
}

/// T17.
#[test]
fn a_document_is_one_thing_only() {
    let kind = |text: &str, content_type| parse_document(text.as_bytes(), content_type);
    let both = manifest(r#","manifests":[]"#);
    assert!(matches!(kind(&both, None), Err(Error::Ambiguous)));
    let half = index(r#","layers":[]"#);
    assert!(matches!(kind(&half, None), Err(Error::Ambiguous)));
    let neither = r#"{"schemaVersion":2}"#;
    assert!(matches!(
        kind(neither, None),
        Err(Error::NeitherManifestNorIndex)
    ));
    let no_layers = format!(
        r#"{{"schemaVersion":2,"config":{}}}"#,
        descriptor(media::CONFIG)
    );
    assert!(matches!(
        kind(&no_layers, None),
        Err(Error::NeitherManifestNorIndex)
    ));
    for (own, content_type) in [
        (media::INDEX, None),
        (media::MANIFEST, Some(media::INDEX)),
        (media::MANIFEST, Some(media::DOCKER_MANIFEST)),
        (media::CONFIG, None),
        (media::MANIFEST, Some("text/html")),
    ] {
        let text = manifest(&format!(r#","mediaType":"{own}""#));
        let result = kind(&text, content_type);
        assert!(
            matches!(result, Err(Error::MediaTypeMismatch { .. })),
            "{own} {content_type:?}"
        );
    }
    let v1 = manifest("").replace(r#""schemaVersion":2"#, r#""schemaVersion":1"#);
    assert!(matches!(
        kind(&v1, None),
        Err(Error::UnsupportedSchema { version: 1, .. })
    ));
}

/// T18.
#[test]
fn duplicate_and_look_alike_keys_are_refused() {
    for extra in [
        r#","layers":[]"#,
        r#","Layers":[]"#,
        r#","Manifests":[]"#,
        r#","annotations":{"a":"1","a":"2"}"#,
    ] {
        let result = parse_document(manifest(extra).as_bytes(), None);
        assert!(matches!(result, Err(Error::ParseJson { .. })), "{extra}");
    }
    let huge = manifest("").replace(r#""size":7"#, r#""size":18446744073709551616"#);
    assert!(parse_document(huge.as_bytes(), None).is_err());
    let negative = manifest("").replace(r#""size":7"#, r#""size":-1"#);
    assert!(parse_document(negative.as_bytes(), None).is_err());
    let text = manifest("").replace(r#""size":7"#, r#""size":"7""#);
    assert!(parse_document(text.as_bytes(), None).is_err());
    let digest = manifest("").replace(SHA, "sha256:../../x");
    assert!(parse_document(digest.as_bytes(), None).is_err());
}

/// T19.
#[test]
fn counts_and_sizes_are_capped() {
    let layer = descriptor(media::LAYER_GZIP);
    let with = |count: usize| {
        let more = format!("{layer},").repeat(count - 1);
        manifest("").replace(r#""layers":["#, &format!(r#""layers":[{more}"#))
    };
    assert!(parse_manifest(with(MAX_LAYERS).as_bytes(), None).is_ok());
    let result = parse_manifest(with(MAX_LAYERS + 1).as_bytes(), None);
    assert!(matches!(result, Err(Error::TooMany { count: 513, .. })));
    let mut padded = manifest("").into_bytes();
    padded.resize(MAX_MANIFEST_BYTES as usize + 1, b' ');
    assert!(matches!(
        parse_manifest(&padded, None),
        Err(Error::TooLarge { .. })
    ));
    padded.pop();
    assert!(parse_manifest(&padded, None).is_ok());

    let one = parse_manifest(manifest("").as_bytes(), None).unwrap();
    let config = |ids: &str| {
        let text = format!(
            r#"{{"os":"linux","architecture":"amd64","rootfs":{{"type":"layers","diff_ids":[{ids}]}}}}"#
        );
        parse_config(text.as_bytes()).unwrap()
    };
    assert!(one.check_against(&config(&format!("\"{SHA}\""))).is_ok());
    assert!(matches!(
        one.check_against(&config("")),
        Err(Error::LayerCount { .. })
    ));
}

/// T20 and artifacts.
#[test]
fn foreign_layers_and_artifacts_do_not_run() {
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    for (from, to) in [
        (media::LAYER_GZIP, foreign),
        (media::CONFIG, "application/vnd.x+json"),
    ] {
        let parsed = parse_manifest(manifest("").replace(from, to).as_bytes(), None).unwrap();
        assert!(matches!(
            parsed.check_types(),
            Err(Error::UnsupportedMediaType { .. })
        ));
    }
}

#[test]
fn dockers_configuration_parses() {
    let text = format!(
        r#"{{"architecture":"amd64","os":"linux","created":"2024-01-01T00:00:00Z",
        "docker_version":"20.10","container":"x","container_config":{{"Hostname":"h"}},
        "config":{{"Hostname":"","Env":["A=b"],"Cmd":["sh"],"Image":"","Volumes":{{"/v":{{}}}},
        "Entrypoint":null,"OnBuild":null,"Labels":null,"ExposedPorts":{{"80/tcp":{{}}}},
        "Healthcheck":{{"Test":["CMD","x"],"Interval":1000}},"StopSignal":"SIGINT"}},
        "history":[{{"created":"2024-01-01T00:00:00Z","created_by":"x"}},{{"empty_layer":true}}],
        "rootfs":{{"type":"layers","diff_ids":["{SHA}"]}}}}"#
    );
    let config = parse_config(text.as_bytes()).unwrap();
    assert_eq!(config.config.env, ["A=b"]);
    assert_eq!(config.config.entrypoint, None);
    assert!(config.config.volumes.contains_key("/v"));
    assert!(config.history[1].empty_layer);
    assert_eq!(config.platform().to_string(), "linux/amd64");
    assert!(parse_config(text.replace("layers", "oddity").as_bytes()).is_err());
    let null = r#"{"config":null,"rootfs":{"type":"layers","diff_ids":null}}"#;
    assert!(parse_config(null.as_bytes()).unwrap().config.env.is_empty());
    assert!(parse_config(b"null").is_err());
    assert!(parse_config(b"[]").is_err());
}

#[test]
fn our_own_documents_read_back() {
    let config = Descriptor::of(media::CONFIG, b"{}");
    let ours = Manifest::new(config, vec![Descriptor::of(media::LAYER_GZIP, b"x")]);
    let bytes = serde_json::to_vec(&ours).unwrap();
    assert_eq!(parse_manifest(&bytes, Some(media::MANIFEST)).unwrap(), ours);
    let index = Index::default();
    assert_eq!(
        parse_index(&serde_json::to_vec(&index).unwrap(), None).unwrap(),
        index
    );
}
