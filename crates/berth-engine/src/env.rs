//! Environments: lists of `NAME=value`, each name once.

/// Sets the variable of `NAME=value` in its place, or at the end; a bare `NAME` takes it away.
pub(crate) fn set(env: &mut Vec<String>, entry: &str) {
    let place = position(env, name(entry));
    match (place, entry.contains('=')) {
        (Some(at), true) => env[at] = entry.to_owned(),
        (Some(at), false) => drop(env.remove(at)),
        (None, true) => env.push(entry.to_owned()),
        (None, false) => {}
    }
}

/// The same, but a bare `NAME` stays, for [`settle`] to take it away.
pub(crate) fn note(env: &mut Vec<String>, entry: &str) {
    match position(env, name(entry)) {
        Some(at) => env[at] = entry.to_owned(),
        None => env.push(entry.to_owned()),
    }
}

/// Without the bare names, which are no variables.
pub(crate) fn settle(env: &mut Vec<String>) {
    env.retain(|entry| entry.contains('='));
}

/// Sets a variable that is not set yet.
pub(crate) fn set_default(env: &mut Vec<String>, variable: &str, value: &str) {
    if position(env, variable).is_none() {
        env.push(format!("{variable}={value}"));
    }
}

fn position(env: &[String], variable: &str) -> Option<usize> {
    env.iter().position(|entry| name(entry) == variable)
}

fn name(entry: &str) -> &str {
    entry.split('=').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn set_replace_take_away_and_default() {
        let mut env: Vec<String> = ["A=1", "B=2"].map(str::to_owned).to_vec();
        for entry in ["A=3", "C=4", "B", "D"] {
            super::set(&mut env, entry);
        }
        super::set_default(&mut env, "C", "no");
        super::set_default(&mut env, "AA", "x=y");
        assert_eq!(env, ["A=3", "C=4", "AA=x=y"]);
        for entry in ["C", "D", "A=5"] {
            super::note(&mut env, entry);
        }
        super::set_default(&mut env, "C", "no");
        assert_eq!(env, ["A=5", "C", "AA=x=y", "D"]);
        super::settle(&mut env);
        assert_eq!(env, ["A=5", "AA=x=y"]);
    }
}
