//! `POST /auth`: whether a login is good. It is kept nowhere: clients keep it, and send it with their requests.

use berth_engine::login::{Error, Login, Secret, Server, prove};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::ask::Ask;
use crate::auth;
use crate::error::Failure;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    username: String,
    password: String,
    serveraddress: String,
    identitytoken: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    status: &'static str,
    identity_token: String,
}

pub(crate) async fn answer(mut ask: Ask) -> Result<Answer, Failure> {
    let asked: Asked = ask.json().await?;
    let server = match asked.serveraddress.as_str() {
        "" => Server::hub(),
        name => Server::parse(name)?,
    };
    let login = match asked.identitytoken.is_empty() {
        true => Login::Basic {
            username: asked.username,
            password: Secret::new(asked.password),
        },
        false => Login::Identity(Secret::new(asked.identitytoken)),
    };
    let config = auth::registries(&ask, server.name())?;
    let proved = ask.work(move |_| match prove(config, &server, login) {
        Err(error @ Error::Denied { .. }) => {
            let failure = Failure::from(error);
            Err(Failure::new(StatusCode::UNAUTHORIZED, failure.message))
        }
        other => Ok(other?),
    });
    let identity_token = match proved.await? {
        Login::Identity(token) => token.expose().to_owned(),
        _ => String::new(),
    };
    Ok(Answer::json(&Document {
        status: "Login Succeeded",
        identity_token,
    }))
}
