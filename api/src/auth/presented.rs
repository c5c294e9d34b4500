//! What a request presents to say who it comes from.

use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;
use shared::event::base64;

/// Longest credential that is looked at, in bytes.
pub(super) const CREDENTIAL_BYTES_MAX: usize = 8 * 1024;

/// What a request presents.
#[derive(PartialEq, Eq)]
pub(crate) enum Presented {
    Nothing,
    Bearer(String),
    /// The name and password of Basic authentication; Jira's clients send an e-mail address and an API token.
    Basic {
        name: String,
        secret: String,
    },
    /// Something that nobody of ours would present.
    Malformed,
}

impl Presented {
    /// From the header; without one, on routes that take it, from the query parameter `access_token` of a read: images
    /// in a page cannot send a header. A wrong header is not mended by the query.
    pub(crate) fn of(method: &Method, uri: &Uri, headers: &HeaderMap, takes_query: bool) -> Self {
        let mut headers = headers.get_all(AUTHORIZATION).iter();
        match (headers.next(), headers.next()) {
            (Some(value), None) => value.to_str().map_or(Self::Malformed, from_header),
            (Some(_), Some(_)) => Self::Malformed,
            (None, _) => {
                let is_read = method == Method::GET || method == Method::HEAD;
                uri.query().filter(|_| is_read && takes_query).map_or(Self::Nothing, from_query)
            }
        }
    }
}

fn from_header(value: &str) -> Presented {
    let Some((scheme, rest)) = value.split_once(' ') else { return Presented::Malformed };
    let rest = rest.trim();
    if rest.is_empty() || rest.len() > CREDENTIAL_BYTES_MAX {
        Presented::Malformed
    } else if scheme.eq_ignore_ascii_case("bearer") {
        Presented::Bearer(rest.to_owned())
    } else if scheme.eq_ignore_ascii_case("basic") {
        let decoded = base64::decode(rest).and_then(|bytes| String::from_utf8(bytes).ok());
        let parts = decoded.as_deref().and_then(|text| text.split_once(':'));
        parts.map_or(Presented::Malformed, |(name, secret)| Presented::Basic {
            name: name.to_owned(),
            secret: secret.to_owned(),
        })
    } else {
        Presented::Malformed
    }
}

fn from_query(query: &str) -> Presented {
    let Some(value) = query.split('&').find_map(|pair| pair.strip_prefix("access_token=")) else {
        return Presented::Nothing;
    };
    match percent_decode_str(value).decode_utf8() {
        Ok(token) if !token.is_empty() && token.len() <= CREDENTIAL_BYTES_MAX => Presented::Bearer(token.into_owned()),
        _ => Presented::Malformed,
    }
}

/// Never shows the secret.
impl std::fmt::Debug for Presented {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Bearer(_) => "Bearer(…)",
            Self::Basic { .. } => "Basic(…)",
            Self::Malformed => "Malformed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &Method, uri: &str, headers: &[&str], takes_query: bool) -> Presented {
        let headers = headers.iter().map(|value| (AUTHORIZATION, value.parse().unwrap())).collect();
        Presented::of(method, &uri.parse().unwrap(), &headers, takes_query)
    }

    fn bearer(token: &str) -> Presented {
        Presented::Bearer(token.to_owned())
    }

    #[test]
    fn headers_come_before_queries_and_are_not_mended_by_them() {
        let get = |uri: &str, headers: &[&str]| of(&Method::GET, uri, headers, true);
        assert_eq!(get("/x", &[]), Presented::Nothing);
        assert_eq!(get("/x", &["Bearer abc"]), bearer("abc"));
        assert_eq!(get("/x", &["bEARER abc"]), bearer("abc"));
        assert_eq!(get("/x?a=b&access_token=a%2Fb%C3%A9", &[]), bearer("a/bé"));
        assert_eq!(get("/x?xaccess_token=a", &[]), Presented::Nothing);
        for odd in ["Bearer", "Bearer ", "Digest abc", "Basic %%%", "Basic YWJj"] {
            assert_eq!(get("/x?access_token=abc", &[odd]), Presented::Malformed, "{odd}");
        }
        assert_eq!(get("/x", &["Bearer a", "Bearer b"]), Presented::Malformed);
        assert_eq!(get(&format!("/x?access_token={}", "a".repeat(9000)), &[]), Presented::Malformed);
    }

    #[test]
    fn a_token_in_the_query_opens_only_reads_of_routes_that_take_it() {
        assert_eq!(of(&Method::POST, "/x?access_token=abc", &[], true), Presented::Nothing);
        assert_eq!(of(&Method::GET, "/x?access_token=abc", &[], false), Presented::Nothing);
    }

    #[test]
    fn basic_is_a_name_and_a_secret_that_may_hold_colons() {
        // ada@example.org:a:b
        let presented = of(&Method::POST, "/x", &["Basic YWRhQGV4YW1wbGUub3JnOmE6Yg=="], false);
        assert_eq!(presented, Presented::Basic { name: "ada@example.org".to_owned(), secret: "a:b".to_owned() });
        assert!(!format!("{presented:?}").contains("a:b"));
    }
}
