//! From what the file says to what is set: whether values make sense, alone and together.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use berth_oci::image::MAX_MANIFEST_BYTES;
use berth_oci::reference::check_path;
use berth_serve::tls;

use super::file::{self, File, Right};
use super::{Collect, Config};
use crate::access::Rights;
use crate::auth::Tokens;
use crate::auth::rights::{Entry, Table, plus};
use crate::cache::Upstream;
use crate::settings::{AccessLog, Allowed, Limits, Settings};
use crate::setup::Error;
use crate::storage::{KeepTags, Retain, RuleSet, Rules};

/// Security: G4.
const MAX_PAGE_ENTRIES: usize = 1000;
/// What tokens call us, and how long ours are good.
const SERVICE: &str = "berth";
const LIFETIME: Duration = Duration::from_secs(300);
/// A token is to be short-lived, as it cannot be taken back.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);

pub(super) fn config(file: File, base: &Path) -> Result<Config, Error> {
    let default = Config::default();
    let outside = file.auth.token.as_ref().is_some_and(|t| t.issuer.is_some());
    let (tokens, htpasswd) = tokens(&file.auth, base)?;
    let rights = rights(file.access, outside, htpasswd.is_some())?;
    let anybody_may = |table: &Table| table.may_pull_somewhere(None);
    let tokens = match tokens {
        // Docker's client asks once whether a password is needed, and then shows it always or never: only a token may
        // also be nobody's.
        Tokens::None if htpasswd.is_some() && rights.as_ref().is_some_and(anybody_may) => {
            Tokens::Own {
                realm: None,
                service: SERVICE.into(),
                lifetime: LIFETIME,
            }
        }
        tokens => tokens,
    };
    Ok(Config {
        addr: file.addr.unwrap_or(default.addr),
        root: file.root.map_or(default.root, |root| base.join(root)),
        handshake_timeout: span(
            "tls.handshake_timeout",
            file.tls.handshake_timeout,
            default.handshake_timeout,
        )?,
        tls: tls(file.tls, base)?,
        htpasswd,
        realm: match file.auth.realm {
            Some(realm) => word("auth.realm", realm)?,
            None => default.realm,
        },
        tokens,
        rights,
        settings: Settings {
            limits: limits(&file.limits)?,
            allowed: allowed(&file.allow),
            rules: rules(file.repository)?,
            access_log: access_log(file.log, base),
        },
        collect: collect(&file.collect)?,
        caches: caches(file.cache.0, base)?,
    })
}

fn bad<T>(key: impl Into<String>, reason: impl Into<String>) -> Result<T, Error> {
    Err(Error::InvalidSetting {
        key: key.into(),
        reason: reason.into(),
    })
}

/// What may stand between quotes in a header.
fn word(key: &str, text: String) -> Result<String, Error> {
    let fits = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\' || c == ' ';
    match !text.is_empty() && text.chars().all(fits) {
        true => Ok(text),
        false => bad(
            key,
            "it has to be of printable ASCII characters, without `\"` and `\\`",
        ),
    }
}

fn url(key: &str, text: String) -> Result<String, Error> {
    let schemes = ["https://", "http://"];
    let rest = schemes.iter().find_map(|scheme| text.strip_prefix(scheme));
    match rest {
        Some(rest) if !rest.is_empty() && !text.contains(' ') => word(key, text),
        _ => bad(key, "it is no URL: it begins with https:// (or http://)"),
    }
}

fn span(key: &str, span: Option<file::Span>, default: Duration) -> Result<Duration, Error> {
    match span.map_or(default, |span| span.0) {
        Duration::ZERO => bad(key, "it has to be longer than nothing"),
        span => Ok(span),
    }
}

fn prefix(key: &str, text: String) -> Result<String, Error> {
    match text.is_empty() {
        true => Ok(text),
        false => match check_path(&text) {
            Ok(()) => Ok(text),
            Err(reason) => bad(
                key,
                format!("`{text}` begins no repository's name: {reason}"),
            ),
        },
    }
}

fn tls(file: file::Tls, base: &Path) -> Result<Option<tls::Files>, Error> {
    let at = |path: PathBuf| base.join(path);
    match (file.certificates, file.key) {
        (Some(certificates), Some(key)) => Ok(Some(tls::Files {
            certificates: at(certificates),
            key: at(key),
            client_ca: file.client_ca.map(at),
        })),
        (None, None) if file.client_ca.is_none() => Ok(None),
        (Some(_), None) => bad("tls.key", "it is missing, as `tls.certificates` is there"),
        (None, _) => bad(
            "tls.certificates",
            "it is missing, as other files of TLS are there",
        ),
    }
}

fn tokens(auth: &file::Auth, base: &Path) -> Result<(Tokens, Option<PathBuf>), Error> {
    let htpasswd = auth.htpasswd.as_ref().map(|path| base.join(path));
    let Some(token) = &auth.token else {
        return Ok((Tokens::None, htpasswd));
    };
    let realm = token
        .realm
        .clone()
        .map(|text| url("auth.token.realm", text));
    let realm = realm.transpose()?;
    let service = token.service.clone().unwrap_or_else(|| SERVICE.into());
    let service = word("auth.token.service", service)?;
    let (issuer, key) = match (&token.issuer, &token.key) {
        (None, None) => {
            if htpasswd.is_none() {
                return bad("auth.htpasswd", "it is missing: who shall get a token?");
            }
            let lifetime = span("auth.token.lifetime", token.lifetime, LIFETIME)?;
            if lifetime > MAX_LIFETIME {
                return bad(
                    "auth.token.lifetime",
                    "it is longer than a day, and a token cannot be taken back",
                );
            }
            let own = Tokens::Own {
                realm,
                service,
                lifetime,
            };
            return Ok((own, htpasswd));
        }
        (Some(issuer), Some(key)) => (issuer.clone(), base.join(key)),
        _ => return bad("auth.token", "`issuer` and `key` go together"),
    };
    if htpasswd.is_some() {
        return bad(
            "auth.htpasswd",
            "an outside issuer of tokens knows the users: it is one or the other",
        );
    }
    if token.lifetime.is_some() {
        return bad("auth.token.lifetime", "the outside issuer decides that");
    }
    let Some(realm) = realm else {
        return bad(
            "auth.token.realm",
            "it is missing: where does the issuer give tokens?",
        );
    };
    let outside = Tokens::Outside {
        realm,
        service,
        issuer,
        key,
    };
    Ok((outside, None))
}

fn rights(
    entries: Vec<file::Access>,
    outside: bool,
    has_users: bool,
) -> Result<Option<Table>, Error> {
    let convert = |entry: file::Access| {
        for user in &entry.users {
            if user.is_empty() || user.contains([':', '"']) || user.contains(char::is_control) {
                return bad(
                    "access.users",
                    format!("`{}` is no name of a user", user.escape_debug()),
                );
            }
        }
        if entry.users.is_empty() != entry.allow.is_empty() {
            return bad("access", "`users` and `allow` go together");
        }
        if !entry.users.is_empty() && outside {
            return bad(
                "access.users",
                "the outside issuer's tokens say what users may: only `anonymous` is for us to say",
            );
        }
        if !entry.users.is_empty() && !has_users {
            return bad("access.users", "nobody can log in: set auth.htpasswd");
        }
        Ok(Entry {
            prefix: prefix("access.prefix", entry.prefix)?,
            users: entry.users,
            allow: sum(&entry.allow),
            anonymous: sum(&entry.anonymous),
        })
    };
    let entries: Result<Vec<Entry>, Error> = entries.into_iter().map(convert).collect();
    let entries = entries?;
    Ok((!entries.is_empty()).then(|| Table::new(entries)))
}

fn sum(rights: &[Right]) -> Rights {
    let one = |right: &Right| match right {
        Right::Pull => Rights::PULL,
        Right::Push => Rights::PUSH,
        Right::Delete => Rights::DELETE,
        Right::All => Rights::ALL,
    };
    rights.iter().map(one).fold(Rights::NONE, plus)
}

fn limits(file: &file::Limits) -> Result<Limits, Error> {
    let default = Limits::default();
    let size = |size: Option<file::Size>, default| size.map_or(default, |size| size.0);
    let limits = Limits {
        connections: file.connections.unwrap_or(default.connections),
        connections_per_address: file
            .connections_per_address
            .unwrap_or(default.connections_per_address),
        head_timeout: span(
            "limits.head_timeout",
            file.head_timeout,
            default.head_timeout,
        )?,
        body_timeout: span(
            "limits.body_timeout",
            file.body_timeout,
            default.body_timeout,
        )?,
        body_step_bytes: size(file.body_step, default.body_step_bytes),
        manifest_bytes: size(file.manifest_size, default.manifest_bytes),
        blob_bytes: size(file.blob_size, default.blob_bytes),
        page_entries: file.page_entries.unwrap_or(default.page_entries),
        stop_timeout: file
            .stop_timeout
            .map_or(default.stop_timeout, |span| span.0),
    };
    if limits.connections == 0 || limits.connections_per_address == 0 {
        return bad("limits.connections", "nobody could connect");
    }
    if !(1..=MAX_MANIFEST_BYTES).contains(&limits.manifest_bytes) {
        return bad(
            "limits.manifest_size",
            "it is from 1 byte to 4MiB: clients take no larger ones",
        );
    }
    if !(1..=MAX_PAGE_ENTRIES).contains(&limits.page_entries) {
        return bad("limits.page_entries", "it is from 1 to 1000");
    }
    Ok(limits)
}

fn allowed(file: &file::Allow) -> Allowed {
    let default = Allowed::default();
    Allowed {
        push: file.push.unwrap_or(default.push),
        delete: file.delete.unwrap_or(default.delete),
        metrics: file.metrics.unwrap_or(default.metrics),
    }
}

fn rules(repositories: Vec<file::Repository>) -> Result<RuleSet, Error> {
    let mut seen = HashSet::new();
    let mut rules = Vec::new();
    for file in repositories {
        let prefix = prefix("repository.prefix", file.prefix)?;
        if !seen.insert(prefix.clone()) {
            return bad("repository.prefix", format!("`{prefix}` has rules already"));
        }
        let pattern = |key: &str, text: &str| match text.is_empty() || text.len() > 128 {
            true => bad(key, "a pattern has 1 to 128 characters"),
            false => Ok(()),
        };
        for text in &file.immutable {
            pattern("repository.immutable", text)?;
        }
        for keep in &file.keep {
            pattern("repository.keep", &keep.tags)?;
        }
        let default = Retain::default();
        let keep = |keep: file::Keep| KeepTags {
            pattern: keep.tags,
            newest: keep.newest,
        };
        rules.push(Rules {
            prefix,
            immutable: file.immutable,
            quota_bytes: file.quota.map(|size| size.0),
            retain: Retain {
                untagged: file.untagged.map(|span| span.0),
                tags: file.keep.into_iter().map(keep).collect(),
                rollback: file.rollback.unwrap_or(default.rollback),
                history: file.history.unwrap_or(default.history),
                removed: default.removed,
            },
        });
    }
    Ok(RuleSet(rules))
}

fn collect(file: &file::Collect) -> Result<Collect, Error> {
    let default = Collect::default();
    let grace = span("collect.grace", file.grace, default.grace)?;
    // What somebody asks for is marked as needed no more often than that.
    if grace <= crate::storage::FRESH {
        return bad(
            "collect.grace",
            "it is longer than 10m, or a push under way could lose its blobs",
        );
    }
    let every = file.every.map_or(default.every, |span| Some(span.0));
    Ok(Collect {
        every: every.filter(|every| !every.is_zero()),
        grace,
        uploads: span("collect.uploads", file.uploads, default.uploads)?,
    })
}

fn caches(caches: Vec<file::Cache>, base: &Path) -> Result<Vec<Upstream>, Error> {
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for file in caches {
        let prefix = prefix("cache.prefix", file.prefix)?;
        if !seen.insert(prefix.clone()) {
            let which = if prefix.is_empty() { "all" } else { &prefix };
            return bad("cache.prefix", format!("`{which}` has an upstream already"));
        }
        let login = match (file.username, file.password_file) {
            (Some(username), Some(file)) => Some((username, base.join(file))),
            (None, None) => None,
            _ => return bad("cache", "`username` and `password_file` go together"),
        };
        let upstream = Upstream::parse(&file.upstream).map_err(|reason| Error::InvalidSetting {
            key: "cache.upstream".into(),
            reason: format!(
                "`{}` is no registry: {reason}",
                file.upstream.escape_debug()
            ),
        })?;
        if file.insecure && file.ca.is_some() {
            return bad("cache.insecure", "with `ca` its certificate is checked");
        }
        all.push(Upstream {
            prefix,
            // 0s: upstream is asked each time.
            ttl: file.ttl.map_or(upstream.ttl, |span| span.0),
            login,
            ca: file.ca.map(|path| base.join(path)),
            insecure: file.insecure || upstream.insecure,
            ..upstream
        });
    }
    Ok(all)
}

fn access_log(log: file::Log, base: &Path) -> AccessLog {
    match log.access.as_deref() {
        None | Some("stderr") => AccessLog::Stderr,
        Some("off") => AccessLog::Off,
        Some(path) => AccessLog::File(base.join(path)),
    }
}
