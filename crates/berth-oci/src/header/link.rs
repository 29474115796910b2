//! The `Link` header: where the next page of a list is.
//!
//! `</v2/a/b/tags/list?n=100&last=v9>; rel="next"`
//! Source: RFC 8288, section 3; distribution specification, "Listing Tags" and "Listing Referrers".

use super::{bounded, skip_space, take_value};

/// The target of the first link in these headers whose relation is `next`: a reference to a URL, relative as a rule,
/// never empty and without white space and control characters. Where it leads is for the caller to check.
pub fn next<'a>(mut headers: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    headers.find_map(next_in)
}

fn next_in(header: &str) -> Option<&str> {
    let mut rest = bounded(header);
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (target, after) = rest.strip_prefix('<')?.split_once('>')?;
        let (is_next, after) = parameters(after)?;
        if is_next {
            return is_target(target).then_some(target);
        }
        rest = after;
    }
}

/// Whether the parameters make the link one to the next page, and what follows them; `None`: they are malformed.
fn parameters(mut rest: &str) -> Option<(bool, &str)> {
    let (mut relation, mut elsewhere) = (None, false);
    loop {
        rest = skip_space(rest);
        let Some(after) = rest.strip_prefix(';') else {
            let ended = rest.is_empty() || rest.starts_with(',');
            let is_next = !elsewhere && relation == Some(true);
            return ended.then_some((is_next, rest));
        };
        let after = skip_space(after);
        let end = after
            .find([' ', '\t', ',', ';', '='])
            .unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        let (value, after) = match skip_space(after).strip_prefix('=') {
            Some(value) => take_value(skip_space(value), &[' ', '\t', ',', ';'])?,
            None => (String::new(), after),
        };
        rest = after;
        // The first `rel` counts, and a link with an anchor is one of something else. Source: RFC 8288, section 3.3.
        if name.eq_ignore_ascii_case("rel") && relation.is_none() {
            let is_next = |word: &str| word.eq_ignore_ascii_case("next");
            relation = Some(value.split_ascii_whitespace().any(is_next));
        }
        elsewhere |= name.eq_ignore_ascii_case("anchor");
    }
}

fn is_target(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// G12: what is malformed leads nowhere.
    #[test]
    fn the_next_page_is_found() {
        let page = "/v2/a/tags/list?n=2&last=b,c;d";
        for (header, want) in [
            (format!("<{page}>; rel=\"next\""), Some(page)),
            (format!("<{page}>;rel=next"), Some(page)),
            (
                format!("<{page}> ; REL = \"last NEXT\" ; title=\"a;b,\\\"c\""),
                Some(page),
            ),
            (
                format!("</first>; rel=first, <{page}>; rel=next"),
                Some(page),
            ),
            (
                format!("</first>; title=\"x, <y>; rel=next\", <{page}>; rel=next"),
                Some(page),
            ),
            (format!(", ,<{page}>; flag; rel=next"), Some(page)),
            (format!("<{page}>; rel=prev; rel=next"), None),
            (format!("<{page}>; rel=next; anchor=\"#x\""), None),
            (format!("<{page}>; rel=nextish"), None),
            (format!("<{page}>"), None),
            (format!("<{page}>; rel=\"next"), None),
            (format!("<{page}> rel=next"), None),
            (format!("{page}; rel=next"), None),
            (format!("<{page}"), None),
            ("<>; rel=next".to_owned(), None),
            ("<a b>; rel=next".to_owned(), None),
            ("<a\u{1}b>; rel=next".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(next([&header[..]].into_iter()), want, "{header}");
        }
        assert_eq!(
            next(["<a>; rel=prev", "<b>; rel=next"].into_iter()),
            Some("b")
        );
    }
}
