//! `POST /networks/create`.

use std::collections::BTreeMap;

use berth_engine::network::NetworkRequest;
use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::form::network::AddressConfig;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Asked {
    name: String,
    driver: String,
    scope: String,
    #[serde(rename = "EnableIPv4")]
    enable_ipv4: Option<bool>,
    #[serde(rename = "EnableIPv6")]
    enable_ipv6: bool,
    internal: bool,
    attachable: bool,
    ingress: bool,
    config_only: bool,
    config_from: Option<ConfigFrom>,
    #[serde(rename = "IPAM")]
    ipam: Ipam,
    options: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ConfigFrom {
    network: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Ipam {
    driver: String,
    config: Vec<AddressConfig>,
    options: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    id: String,
    warning: &'static str,
}

impl Asked {
    fn meaning(self) -> Result<NetworkRequest, Failure> {
        let scope = self.scope.as_str();
        if !matches!(scope, "" | "local") || self.ingress {
            return Err(Failure::new(
                http::StatusCode::FORBIDDEN,
                format!("cannot create a swarm scoped network when swarm is not active ({scope})"),
            ));
        }
        let from = self.config_from.unwrap_or_default().network;
        Ok(NetworkRequest {
            name: self.name,
            driver: self.driver,
            ipv4: self.enable_ipv4.unwrap_or(true),
            ipv6: self.enable_ipv6,
            internal: self.internal,
            attachable: self.attachable,
            ipam_driver: self.ipam.driver,
            ipam_options: self.ipam.options,
            addresses: self.ipam.config.into_iter().map(Into::into).collect(),
            options: self.options,
            labels: self.labels,
            config_only: self.config_only,
            config_from: from,
        })
    }
}

pub(crate) async fn answer(mut ask: Ask) -> Result<Answer, Failure> {
    let asked: Asked = ask.json().await?;
    let request = asked.meaning()?;
    let id = ask
        .work(move |engine| engine.create_network(request))
        .await?;
    Ok(Answer::created(&Document { id, warning: "" }))
}
