//! `X-Registry-Auth`: a login that comes with a request, is good for its registry alone, and is kept nowhere
//! (security: D24). The daemon's own logins are never used for a client.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use berth_engine::image::RegistryConfig;
use berth_engine::login::{Login, Secret};
use http::HeaderMap;
use serde::Deserialize;

use crate::ask::Ask;
use crate::error::Failure;

/// Docker's name of the header.
const HEADER: &str = "x-registry-auth";

/// What the header holds.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    username: Option<String>,
    password: Option<String>,
    /// Both of them, `name:password`, in base64.
    auth: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

/// How registries are reached for a request about the registry `host`.
pub(crate) fn registries(ask: &Ask, host: &str) -> Result<RegistryConfig, Failure> {
    let mut config = RegistryConfig::from_env(ask.docker.environment)?;
    config.credentials = Default::default();
    if let Some(login) = login(&ask.headers)? {
        config.credentials = config.credentials.with(host, login);
    }
    Ok(config)
}

/// What went wrong is told without what was sent.
fn login(headers: &HeaderMap) -> Result<Option<Login>, Failure> {
    let Some(value) = headers.get(HEADER).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let bad = || Failure::bad("invalid X-Registry-Auth header: it is not JSON in base64url");
    let bytes = decode(value.as_bytes()).ok_or_else(bad)?;
    let auth: Option<Auth> = serde_json::from_slice(&bytes).map_err(|_| bad())?;
    let auth = auth.unwrap_or_default();
    let text = |text: Option<String>| text.filter(|text| !text.is_empty());
    if let Some(token) = text(auth.registrytoken) {
        return Ok(Some(Login::Bearer(Secret::new(token))));
    }
    if let Some(token) = text(auth.identitytoken) {
        return Ok(Some(Login::Identity(Secret::new(token))));
    }
    let both = text(auth.auth).map(|both| pair(&both).ok_or_else(bad));
    let given = text(auth.username).zip(auth.password);
    let login = match given {
        Some(given) => Some(given),
        None => both.transpose()?,
    };
    Ok(login.map(|(username, password)| Login::Basic {
        username,
        password: Secret::new(password),
    }))
}

fn pair(both: &str) -> Option<(String, String)> {
    let text = String::from_utf8(decode(both.as_bytes())?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

/// Some clients pad and some do not; old ones use the other alphabet.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let by = |alphabet| GeneralPurpose::new(&alphabet, config).decode(text).ok();
    by(URL_SAFE).or_else(|| by(STANDARD))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str) -> Result<Option<Login>, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, value.parse().expect("a header"));
        login(&headers)
    }

    fn encoded(json: &str) -> String {
        base64::engine::general_purpose::URL_SAFE.encode(json)
    }

    #[test]
    fn logins_of_all_clients_are_read() {
        let basic = |name: &str, password: &str| Login::Basic {
            username: name.into(),
            password: Secret::new(password),
        };
        for (json, login) in [
            (
                r#"{"username":"u","password":"p?>~"}"#,
                Some(basic("u", "p?>~")),
            ),
            (
                r#"{"username":"u","password":"","email":null,"serveraddress":"x"}"#,
                Some(basic("u", "")),
            ),
            (r#"{"auth":"dTpwOng="}"#, Some(basic("u", "p:x"))),
            (
                r#"{"identitytoken":"t"}"#,
                Some(Login::Identity(Secret::new("t"))),
            ),
            (
                r#"{"registrytoken":"t"}"#,
                Some(Login::Bearer(Secret::new("t"))),
            ),
            ("{}", None),
            ("null", None),
            (r#"{"username":""}"#, None),
        ] {
            let text = encoded(json);
            assert_eq!(of(&text).unwrap(), login, "{json}");
            assert_eq!(of(text.trim_end_matches('=')).unwrap(), login, "{json}");
            let old = base64::engine::general_purpose::STANDARD.encode(json);
            assert_eq!(of(&old).unwrap(), login, "{json}");
        }
        assert!(of("").unwrap().is_none());
    }

    /// D24.
    #[test]
    fn what_cannot_be_read_is_not_repeated() {
        for text in [
            "{\"username\":\"canary\"}",
            "c2VjcmV0",
            &encoded(r#"{"password":["canary"]}"#),
            &encoded(r#"{"auth":"canary"}"#),
        ] {
            let failure = of(text).unwrap_err();
            assert_eq!(failure.status, http::StatusCode::BAD_REQUEST);
            assert!(!failure.message.contains("canary"), "{}", failure.message);
        }
    }
}
