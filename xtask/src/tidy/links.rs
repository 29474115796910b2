//! Relative links in Markdown lead to files that exist.

use super::Problem;

/// Checks each `[text](target)`; `exists` is asked for paths from the repository's top.
pub fn check(path: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<Problem> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut problems = Vec::new();
    let mut fenced = false;
    for (n, line) in text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        for target in targets(line).filter(|_| !fenced) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") || file.starts_with("mailto:") {
                continue;
            }
            let full = if folder.is_empty() {
                file.to_owned()
            } else {
                format!("{folder}/{file}")
            };
            if !exists(&full) {
                problems.push(Problem::error(
                    path,
                    n + 1,
                    format!("link to `{file}`: no such file"),
                ));
            }
        }
    }
    problems
}

fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("](").filter_map(|(at, open)| {
        let rest = &line[at + open.len()..];
        rest.find(')').map(|end| &rest[..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dead_relative_links_are_told() {
        let text =
            "[a](A.md) [b](https://docs.rs) [c](#c) [d](A.md#x)\n```\n[e](E.md)\n```\n[f](F.md)\n";
        let problems = check("docs/README.md", text, |path| path == "docs/A.md");
        assert_eq!(problems.len(), 1);
        assert_eq!(
            (problems[0].line, problems[0].text.contains("F.md")),
            (5, true)
        );
    }
}
