//! The configuration's file as it is written; `registry.toml` beside this crate's sources shows all of it.

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::storage::rules::parse_duration;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) addr: Option<SocketAddr>,
    pub(super) root: Option<PathBuf>,
    pub(super) tls: Tls,
    pub(super) auth: Auth,
    pub(super) access: Vec<Access>,
    pub(super) limits: Limits,
    pub(super) allow: Allow,
    pub(super) repository: Vec<Repository>,
    pub(super) collect: Collect,
    pub(super) cache: OneOrMore<Cache>,
    pub(super) log: Log,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tls {
    pub(super) certificates: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) client_ca: Option<PathBuf>,
    pub(super) handshake_timeout: Option<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Auth {
    pub(super) htpasswd: Option<PathBuf>,
    pub(super) realm: Option<String>,
    pub(super) token: Option<Token>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Token {
    pub(super) realm: Option<String>,
    pub(super) service: Option<String>,
    pub(super) lifetime: Option<Span>,
    pub(super) issuer: Option<String>,
    pub(super) key: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Access {
    pub(super) prefix: String,
    pub(super) users: Vec<String>,
    pub(super) allow: Vec<Right>,
    pub(super) anonymous: Vec<Right>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Right {
    Pull,
    Push,
    Delete,
    #[serde(rename = "*")]
    All,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Limits {
    pub(super) connections: Option<usize>,
    pub(super) connections_per_address: Option<usize>,
    pub(super) head_timeout: Option<Span>,
    pub(super) body_timeout: Option<Span>,
    pub(super) body_step: Option<Size>,
    pub(super) manifest_size: Option<Size>,
    pub(super) blob_size: Option<Size>,
    pub(super) page_entries: Option<usize>,
    pub(super) stop_timeout: Option<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Allow {
    pub(super) push: Option<bool>,
    pub(super) delete: Option<bool>,
    pub(super) metrics: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Repository {
    pub(super) prefix: String,
    pub(super) immutable: Vec<String>,
    pub(super) quota: Option<Size>,
    pub(super) untagged: Option<Span>,
    pub(super) keep: Vec<Keep>,
    pub(super) rollback: Option<usize>,
    pub(super) history: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Keep {
    pub(super) tags: String,
    pub(super) newest: usize,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Collect {
    pub(super) every: Option<Span>,
    pub(super) grace: Option<Span>,
    pub(super) uploads: Option<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Cache {
    pub(super) prefix: String,
    pub(super) upstream: String,
    pub(super) ttl: Option<Span>,
    pub(super) username: Option<String>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) ca: Option<PathBuf>,
    pub(super) insecure: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Log {
    pub(super) access: Option<String>,
}

/// `90s`, `15m`, `12h`, `30d`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span(pub(super) Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Span, D::Error> {
        let text = String::deserialize(from)?;
        let span = parse_duration(&text).map(Span);
        span.ok_or_else(|| {
            de::Error::custom(format_args!(
                "`{text}` is no time: write 90s, 15m, 12h or 30d"
            ))
        })
    }
}

/// `4096`, `64KiB`, `10MiB`, `5GiB`, `1TiB`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size(pub(super) u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Size, D::Error> {
        struct Sizes;
        impl Visitor<'_> for Sizes {
            type Value = Size;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size: 4096, 64KiB, 10MiB, 5GiB")
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Size, E> {
                let size = u64::try_from(number).map(Size);
                size.map_err(|_| E::custom("a size is not negative"))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Size, E> {
                let size = parse_size(text).map(Size);
                size.ok_or_else(|| {
                    E::custom(format_args!(
                        "`{text}` is no size: write 4096, 64KiB, 10MiB or 5GiB"
                    ))
                })
            }
        }
        from.deserialize_any(Sizes)
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let shift = match unit.trim_start() {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// `[x]` or `[[x]]`.
#[derive(Debug)]
pub(super) struct OneOrMore<T>(pub(super) Vec<T>);

impl<T> Default for OneOrMore<T> {
    fn default() -> Self {
        OneOrMore(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMore<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = OneOrMore<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table, or several")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let one = T::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(OneOrMore(vec![one]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
                let mut several = Vec::new();
                while let Some(one) = all.next_element()? {
                    several.push(one);
                }
                Ok(OneOrMore(several))
            }
        }
        from.deserialize_any(Either(PhantomData))
    }
}
