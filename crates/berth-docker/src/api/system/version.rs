//! `GET /version`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::version::{MAX, MIN};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    platform: Platform,
    components: Vec<Component>,
    version: &'static str,
    api_version: String,
    #[serde(rename = "MinAPIVersion")]
    min_api_version: String,
    git_commit: &'static str,
    go_version: &'static str,
    os: &'static str,
    arch: String,
    kernel_version: String,
    build_time: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Platform {
    name: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Component {
    name: &'static str,
    version: &'static str,
    details: BTreeMap<&'static str, String>,
}

pub(crate) async fn answer(_: Ask) -> Result<Answer, Failure> {
    let version = env!("CARGO_PKG_VERSION");
    let kernel_version = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    let arch = berth_oci::Platform::host().architecture;
    let details = BTreeMap::from([
        ("ApiVersion", MAX.to_string()),
        ("MinAPIVersion", MIN.to_string()),
        ("Arch", arch.clone()),
        ("Os", "linux".to_owned()),
        ("KernelVersion", kernel_version.clone()),
    ]);
    Ok(Answer::json(&Document {
        platform: Platform { name: "berth" },
        components: vec![Component {
            name: "Engine",
            version,
            details,
        }],
        version,
        api_version: MAX.to_string(),
        min_api_version: MIN.to_string(),
        // What clients ask for and a program in Rust does not have.
        git_commit: "",
        go_version: "",
        os: "linux",
        arch,
        kernel_version,
        build_time: "",
    }))
}
