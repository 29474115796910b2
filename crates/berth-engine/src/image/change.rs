//! `--change` of `import`: a few instructions of a Dockerfile, applied to a configuration.
//!
//! Source: Docker's reference of `docker import`; Dockerfile reference for each instruction.

use berth_oci::image::{Empty, Healthcheck, RunConfig};

use super::Error;
use crate::create::LEAST_HEALTH_NANOS;

/// Applies one instruction.
///
/// # Errors
/// [`Error::BadChange`].
pub(crate) fn apply(config: &mut RunConfig, text: &str) -> Result<(), Error> {
    let bad = |reason| Error::BadChange {
        text: text.to_owned(),
        reason,
    };
    let (word, rest) = text
        .trim()
        .split_once(char::is_whitespace)
        .unwrap_or((text.trim(), ""));
    let rest = rest.trim();
    if rest.is_empty() {
        return Err(bad("it has no value"));
    }
    match word.to_ascii_uppercase().as_str() {
        "CMD" => config.cmd = Some(command(rest)),
        "ENTRYPOINT" => {
            config.entrypoint = Some(command(rest));
        }
        "ENV" => {
            for (name, value) in pairs(rest).map_err(bad)? {
                let begins = format!("{name}=");
                config.env.retain(|old| !old.starts_with(&begins));
                config.env.push(format!("{name}={value}"));
            }
        }
        "LABEL" => config.labels.extend(pairs(rest).map_err(bad)?),
        "EXPOSE" => {
            for port in rest.split_whitespace() {
                config
                    .exposed_ports
                    .insert(port_of(port).map_err(bad)?, Empty {});
            }
        }
        "VOLUME" => {
            let paths = json_list(rest)
                .unwrap_or_else(|| rest.split_whitespace().map(str::to_owned).collect());
            config
                .volumes
                .extend(paths.into_iter().map(|path| (path, Empty {})));
        }
        "USER" => config.user = rest.to_owned(),
        "WORKDIR" if rest.starts_with('/') => config.working_dir = rest.to_owned(),
        "WORKDIR" => return Err(bad("the directory must be absolute")),
        "STOPSIGNAL" => config.stop_signal = rest.to_owned(),
        "HEALTHCHECK" => config.healthcheck = Some(healthcheck(rest).map_err(bad)?),
        _ => return Err(bad("the instruction is not one of those allowed here")),
    }
    Ok(())
}

/// `NONE`, or options and `CMD` with a JSON list or a line for the shell.
fn healthcheck(text: &str) -> Result<Healthcheck, &'static str> {
    const KINDS: &str = "a health check is NONE or CMD and a command";
    let mut check = Healthcheck::default();
    let mut rest = text;
    while let Some(option) = rest.strip_prefix("--") {
        let (option, after) = option.split_once(char::is_whitespace).ok_or(KINDS)?;
        let (name, value) = option.split_once('=').ok_or("an option is --name=value")?;
        if name == "retries" {
            let retries = value.parse::<u32>();
            check.retries = retries.map_err(|_| "retries are a number")?.into();
        } else {
            let time = match name {
                "interval" => &mut check.interval,
                "timeout" => &mut check.timeout,
                "start-period" => &mut check.start_period,
                "start-interval" => &mut check.start_interval,
                _ => return Err("a health check has no such option"),
            };
            let nanos = berth_model::duration::nanoseconds(value);
            let nanos = nanos.map_err(|_| "a time is written as 1m30s")?;
            if nanos != 0 && nanos < LEAST_HEALTH_NANOS {
                return Err("the least time of a health check is 1ms");
            }
            *time = i64::try_from(nanos).unwrap_or(i64::MAX);
        }
        rest = after.trim_start();
    }
    let (kind, command) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let command = command.trim();
    check.test = match kind.to_ascii_uppercase().as_str() {
        "NONE" if command.is_empty() && rest == text => vec!["NONE".to_owned()],
        "CMD" if !command.is_empty() => match json_list(command) {
            Some(words) => [vec!["CMD".to_owned()], words].concat(),
            None => vec!["CMD-SHELL".to_owned(), command.to_owned()],
        },
        _ => return Err(KINDS),
    };
    Ok(check)
}

/// A JSON list, or a line for the shell.
fn command(text: &str) -> Vec<String> {
    json_list(text).unwrap_or_else(|| vec!["/bin/sh".into(), "-c".into(), text.to_owned()])
}

fn json_list(text: &str) -> Option<Vec<String>> {
    text.starts_with('[')
        .then(|| serde_json::from_str(text).ok())
        .flatten()
}

fn port_of(text: &str) -> Result<String, &'static str> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let number: u16 = number
        .parse()
        .map_err(|_| "a port is a number up to 65535")?;
    match protocol.to_ascii_lowercase().as_str() {
        protocol @ ("tcp" | "udp" | "sctp") => Ok(format!("{number}/{protocol}")),
        _ => Err("a port's protocol is tcp, udp or sctp"),
    }
}

/// `name=value …` with quotes, or the old form `name value with spaces`.
fn pairs(text: &str) -> Result<Vec<(String, String)>, &'static str> {
    let first = text.split_whitespace().next().unwrap_or_default();
    if !first.contains('=') {
        let (name, value) = text
            .split_once(char::is_whitespace)
            .ok_or("it has no value")?;
        return Ok(vec![(name.to_owned(), value.trim().to_owned())]);
    }
    words(text)?
        .into_iter()
        .map(|word| match word.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
            _ => Err("expected name=value"),
        })
        .collect()
}

/// Words as a shell would split them: quotes and backslashes only.
fn words(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => {
                let next = chars.next().ok_or("a backslash ends it")?;
                word.get_or_insert_default().push(next);
            }
            (c, Some(q)) if c == q => quote = None,
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed");
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_a_dockerfiles() {
        let mut config = RunConfig::default();
        for text in [
            "CMD [\"sh\", \"-c\", \"x\"]",
            "entrypoint echo hi",
            "ENV A=1 B=\"two words\" C='x y'",
            "ENV A 2 and more",
            "LABEL k=v other=\\\"q",
            "EXPOSE 80 53/UDP",
            "VOLUME /a /b",
            "VOLUME [\"/c d\"]",
            "USER 1000:1000",
            "WORKDIR /w",
            "STOPSIGNAL SIGINT",
            "HEALTHCHECK --interval=2s --retries=4 CMD [\"true\"]",
        ] {
            apply(&mut config, text).unwrap();
        }
        assert_eq!(config.cmd.clone().unwrap(), ["sh", "-c", "x"]);
        assert_eq!(
            config.entrypoint.clone().unwrap(),
            ["/bin/sh", "-c", "echo hi"]
        );
        assert_eq!(config.env, ["B=two words", "C=x y", "A=2 and more"]);
        assert_eq!(config.labels["other"], "\"q");
        let ports: Vec<_> = config.exposed_ports.keys().collect();
        assert_eq!(ports, ["53/udp", "80/tcp"]);
        let volumes: Vec<_> = config.volumes.keys().collect();
        assert_eq!(volumes, ["/a", "/b", "/c d"]);
        assert_eq!(
            [&*config.user, &config.working_dir, &config.stop_signal],
            ["1000:1000", "/w", "SIGINT"]
        );
        let check = config.healthcheck.clone().unwrap();
        assert_eq!(check.test, ["CMD", "true"]);
        assert_eq!((check.interval, check.retries), (2_000_000_000, 4));
        apply(&mut config, "HEALTHCHECK CMD test -e /x").unwrap();
        assert_eq!(
            config.healthcheck.as_ref().unwrap().test,
            ["CMD-SHELL", "test -e /x"]
        );
        apply(&mut config, "healthcheck none").unwrap();
        assert_eq!(config.healthcheck.as_ref().unwrap().test, ["NONE"]);
        for bad in [
            "HEALTHCHECK CMD",
            "HEALTHCHECK x",
            "HEALTHCHECK --interval=1 CMD x",
            "HEALTHCHECK --timeout=1us CMD x",
            "HEALTHCHECK --x=1s CMD x",
            "HEALTHCHECK --interval=1s NONE",
            "HEALTHCHECK --interval=1s",
            "RUN x",
            "CMD",
            "",
            "ENV A",
            "ENV =x",
            "ENV A=\"x",
            "EXPOSE x",
            "EXPOSE 80/xx",
            "EXPOSE 99999",
            "WORKDIR w",
            "LABEL a=b c",
        ] {
            assert!(apply(&mut RunConfig::default(), bad).is_err(), "{bad}");
        }
    }
}
