//! Checks of addresses, of which the generated code makes none.

use std::fmt;

use reqwest::Url;

use crate::operation::Operation;

/// Returns the address of a path, which begins with a slash; reserved characters in its parameters are escaped.
///
/// The base URL is parsed only once, and its host stays.
pub(crate) fn address(base: &Url, path: fmt::Arguments<'_>) -> Url {
    let mut url = base.clone();
    match (path.as_str(), base.path()) {
        (Some(path), "/") => url.set_path(path),
        (_, prefix) => url.set_path(&format!("{}{path}", prefix.trim_end_matches('/'))),
    }
    url
}

/// Rejects a path parameter that would address another resource: `""`, `"."` and `".."`.
///
/// The generated code escapes everything else. URL parsing resolves these three, so that deleting one item would address
/// the list of all items.
pub(super) fn check_path(base: &Url, url: &Url, operation: &Operation) -> Result<(), String> {
    let path = url.path().strip_prefix(base.path().trim_end_matches('/')).unwrap_or(url.path());
    let mut given = path.split('/');
    let mut wanted = operation.path.split('/');
    loop {
        match (given.next(), wanted.next()) {
            (None, None) => return Ok(()),
            (Some(given), Some(wanted)) if wanted.starts_with('{') && !given.is_empty() => {}
            (Some(given), Some(wanted)) if given == wanted => {}
            _ => {
                let segments = operation.path.split('/');
                let names: Vec<_> =
                    segments.filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')).collect();
                return Err(format!(
                    "{}: an empty value, `.` or `..` would address another resource",
                    names.join(" or ")
                ));
            }
        }
    }
}

/// Rejects a query parameter outside the document's bounds, which the generated types do not check.
pub(super) fn check_bounds(url: &Url, operation: &Operation) -> Result<(), String> {
    for (name, minimum, maximum) in operation.bounds {
        for (_, value) in url.query_pairs().filter(|(key, _)| key == name) {
            match value.parse::<i64>() {
                Ok(number) if number < *minimum => {
                    return Err(format!("{name}: {number} is below the minimum of {minimum}"));
                }
                Ok(number) if number > *maximum => {
                    return Err(format!("{name}: {number} is above the maximum of {maximum}"));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Whether a host, without brackets or with, is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let address = || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address().is_ok_and(|address| address.is_loopback())
}
