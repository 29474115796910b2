//! Rows of `images`, lines of `history`.

use super::*;
use berth_oci::Reference;

fn sample(reference: Option<&str>) -> Row {
    let config = serde_json::json!({
        "created": "2024-01-01T00:00:00Z", "architecture": "amd64", "os": "linux",
        "config": {"Cmd": ["sh"], "Env": ["PATH=/bin"], "Labels": {"a": "1"}},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", "3".repeat(64))]},
    });
    Row {
        reference: reference.map(|text| Reference::parse(text).expect("a reference")),
        id: Digest::parse(&format!("sha256:{}", "ab".repeat(32))).expect("a digest"),
        digest: Digest::parse(&format!("sha256:{}", "cd".repeat(32))).expect("a digest"),
        config: serde_json::from_value(config).expect("a configuration"),
        size_bytes: 4_261_550,
        containers: 2,
    }
}

fn now() -> Timestamp {
    "2024-01-15T00:00:00Z".parse().expect("a time")
}

#[test]
fn the_table_is_dockers() {
    let rows = [
        row(&sample(Some("busybox")), now(), true),
        row(&sample(None), now(), true),
    ];
    assert_eq!(
        LISTING.print(None, false, &rows).expect("a list"),
        "REPOSITORY   TAG       IMAGE ID       CREATED       SIZE\n\
         busybox      latest    abababababab   2 weeks ago   4.26MB\n\
         <none>       <none>    abababababab   2 weeks ago   4.26MB\n"
    );
    let row = [row(&sample(Some("localhost:5000/a/b:1")), now(), false)];
    let text = LISTING
        .print(Some("{{.Repository}}:{{.Tag}} {{.ID}}"), false, &row)
        .expect("a list");
    assert_eq!(
        text,
        format!("localhost:5000/a/b:1 sha256:{}\n", "ab".repeat(32))
    );
}

#[test]
fn history_tells_the_latest_first() {
    let step = |id: &str, created_by: &str, size| Step {
        comment: String::new(),
        created: 1_704_067_200,
        created_by: created_by.to_owned(),
        id: id.to_owned(),
        size,
        tags: None,
    };
    let latest = format!("sha256:{}", "ab".repeat(32));
    let steps = [
        step(&latest, "CMD [\"sh\"]\u{1b}[2J", 0),
        step(
            "<missing>",
            "ADD\trootfs.tar / # a long instruction that is cut off here",
            4_261_550,
        ),
    ];
    let options = HistoryOptions {
        truncate: true,
        human: true,
    };
    let lines = history(&steps, now(), options);
    assert_eq!(
        HISTORY
            .print(
                Some("{{.ID}}|{{.CreatedSince}}|{{.CreatedBy}}|{{.Size}}"),
                false,
                &lines
            )
            .expect("a list"),
        "abababababab|2 weeks ago|CMD [\"sh\"]?[2J|0B\n<missing>|2 weeks ago|ADD rootfs.tar / # a long instruction that i…|4.26MB\n"
    );
}
