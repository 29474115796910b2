//! `--change` of `import`: a few instructions of a Dockerfile, applied to a configuration.
//!
//! Source: Docker's reference of `docker import`; Dockerfile reference for each instruction.

use berth_oci::image::{Empty, RunConfig};

use super::Error;

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
        _ => return Err(bad("the instruction is not one of those allowed here")),
    }
    Ok(())
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
        ] {
            apply(&mut config, text).unwrap();
        }
        assert_eq!(config.cmd.unwrap(), ["sh", "-c", "x"]);
        assert_eq!(config.entrypoint.unwrap(), ["/bin/sh", "-c", "echo hi"]);
        assert_eq!(config.env, ["B=two words", "C=x y", "A=2 and more"]);
        assert_eq!(config.labels["other"], "\"q");
        let ports: Vec<_> = config.exposed_ports.keys().collect();
        assert_eq!(ports, ["53/udp", "80/tcp"]);
        let volumes: Vec<_> = config.volumes.keys().collect();
        assert_eq!(volumes, ["/a", "/b", "/c d"]);
        assert_eq!(
            (config.user, config.working_dir, config.stop_signal),
            ("1000:1000".into(), "/w".into(), "SIGINT".into())
        );
        for bad in [
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
