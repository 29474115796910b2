//! The page that browses the registry: three files, which ask only what every client may.

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// Its media type.
    pub content_type: &'static str,
    /// Itself.
    pub text: &'static str,
}

/// Nothing is loaded from elsewhere, and what stands in a repository cannot run (security: G12).
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The file of this path, if it is one of the page's.
pub fn asset(path: &str) -> Option<Asset> {
    let (content_type, text) = match path {
        "/" => ("text/html; charset=utf-8", include_str!("page/index.html")),
        "/_page/page.css" => ("text/css; charset=utf-8", include_str!("page/page.css")),
        "/_page/page.js" => (
            "text/javascript; charset=utf-8",
            include_str!("page/page.js"),
        ),
        _ => return None,
    };
    Some(Asset { content_type, text })
}
