//! `--ulimit name=soft[:hard]`.

use berth_model::config::ULIMITS;

use super::Parsed;

/// Name, soft limit, hard limit; `-1` and `unlimited` are `u64::MAX`.
pub fn parse(text: &str) -> Parsed<(String, (u64, u64))> {
    let (name, limits) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` is not of the form name=soft[:hard]"))?;
    let name = name.trim().to_ascii_lowercase();
    if !ULIMITS.contains(&name.as_str()) {
        return Err(format!(
            "`{name}` is not a limit; there are {}",
            ULIMITS.join(", ")
        ));
    }
    let (soft, hard) = limits
        .split_once(':')
        .map_or((limits, limits), |(soft, hard)| (soft, hard));
    let (soft, hard) = (limit(soft)?, limit(hard)?);
    if soft > hard {
        return Err(format!("`{text}`: the soft limit is above the hard one"));
    }
    Ok((name, (soft, hard)))
}

fn limit(text: &str) -> Parsed<u64> {
    match text.trim() {
        "-1" | "unlimited" => Ok(u64::MAX),
        number => number
            .parse()
            .map_err(|_| format!("`{text}` is not a limit (a number, or -1 for none)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soft_alone_sets_both() {
        assert_eq!(parse("nofile=1024"), Ok(("nofile".into(), (1024, 1024))));
        assert_eq!(parse("nofile=1:2"), Ok(("nofile".into(), (1, 2))));
        assert_eq!(
            parse("memlock=-1:-1"),
            Ok(("memlock".into(), (u64::MAX, u64::MAX)))
        );
        assert_eq!(
            parse("core=0:unlimited"),
            Ok(("core".into(), (0, u64::MAX)))
        );
        for bad in [
            "nofile",
            "x=1",
            "nofile=",
            "nofile=2:1",
            "nofile=1:2:3",
            "nofile=-1:5",
            "nofile=a",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
