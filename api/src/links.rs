//! Absolute URLs, made from the configured public URL and never from the `Host` header.

use std::net::SocketAddr;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use shared::domain::ids::{FileId, FileVersionId, Sha256Digest};
use shared::domain::preset::Preset;
use shared::domain::representation::Content;

use crate::content::signature::Grant;

/// Makes every URL that leaves this process. Clients of the Box API need absolute ones: contract section 0.3.
#[derive(Debug, Clone)]
pub struct Links {
    base: String,
}

impl Links {
    /// From the configured public URL; when that is empty, from the address that the listener got.
    pub fn new(public_url: &str, listener: SocketAddr) -> Self {
        let base = if public_url.is_empty() { format!("http://{listener}") } else { public_url.to_owned() };
        Self { base }
    }

    /// Scheme, host and port, as browsers send them in `Origin`.
    pub(crate) fn origin(&self) -> &str {
        let after_scheme = self.base.find("://").map_or(0, |colon| colon + 3);
        let end = self.base[after_scheme..].find('/').map_or(self.base.len(), |slash| after_scheme + slash);
        &self.base[..end]
    }

    /// Box's file object.
    pub(crate) fn file(&self, file: FileId) -> String {
        format!("{}/2.0/files/{file}", self.base)
    }

    /// Where the bytes of a file are asked for.
    pub(crate) fn download(&self, file: FileId) -> String {
        format!("{}/2.0/files/{file}/content", self.base)
    }

    /// Where a file, or a new version of this one, is uploaded.
    pub(crate) fn upload(&self, file: Option<FileId>) -> String {
        match file {
            None => format!("{}/api/2.0/files/content", self.base),
            Some(file) => format!("{}/api/2.0/files/{file}/content", self.base),
        }
    }

    /// What a grant is used with.
    pub(crate) fn media(&self, grant: &Grant, signature: &str) -> String {
        let Grant { file, version, what, .. } = grant;
        let rest = rest(grant, signature);
        format!("{}/media/{file}/{version}/{}?{}", self.base, what.segment(), &rest[1..])
    }

    /// Box's `info.url`.
    pub(crate) fn representation(&self, file: FileId, version: FileVersionId, preset: &Preset) -> String {
        format!("{}/2.0/internal_files/{file}/versions/{version}/representations/{}", self.base, preset.name)
    }

    /// Box's `content.url_template`; names the content when there is any, so that it may be kept for good.
    pub(crate) fn content_template(
        &self,
        file: FileId,
        version: FileVersionId,
        preset: &Preset,
        content: Option<&Content>,
    ) -> String {
        self.content(file, version, preset, "{+asset_path}", content)
    }

    /// Where page 1 is read.
    pub(crate) fn first_page(
        &self,
        file: FileId,
        version: FileVersionId,
        preset: &Preset,
        content: Option<&Content>,
    ) -> String {
        let asset_path = if preset.paged { format!("1.{}", preset.format.name()) } else { String::new() };
        self.content(file, version, preset, &asset_path, content)
    }

    /// The stand-in of this name.
    pub(crate) fn placeholder(&self, name: &str) -> String {
        format!("{}/assets/placeholders/{name}.png", self.base)
    }

    fn content(
        &self,
        file: FileId,
        version: FileVersionId,
        preset: &Preset,
        asset_path: &str,
        content: Option<&Content>,
    ) -> String {
        let mut url = format!("{}/content/{asset_path}", self.representation(file, version, preset));
        if let Some(content) = content {
            url.push_str("?v=");
            url.push_str(&content_digest(content).to_string());
        }
        url
    }
}

/// Makes the URLs of Jira's API, in the version that the client uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JiraLinks<'a> {
    links: &'a Links,
    version: &'static str,
}

impl Links {
    /// Of Jira's API in this version: `2`, `3` or `latest`.
    pub(crate) fn jira(&self, version: &'static str) -> JiraLinks<'_> {
        JiraLinks { links: self, version }
    }

    /// What a grant is used with by Jira's clients: apps read a UUID from this path, the same for every link to the
    /// version.
    pub(crate) fn binary(&self, grant: &Grant, signature: &str) -> String {
        let Grant { file, version, what, .. } = grant;
        let digest = Sha256Digest::of(format!("{file}/{version}").as_bytes()).to_string();
        let uuid =
            format!("{}-{}-{}-{}-{}", &digest[..8], &digest[8..12], &digest[12..16], &digest[16..20], &digest[20..32]);
        let what = what.segment();
        let mut url = format!("{}/file/{uuid}/binary?file={file}&version={version}&what={what}", self.base);
        url.push_str(&rest(grant, signature));
        url
    }
}

/// What the query of every signed URL ends with.
fn rest(Grant { disposition, expires_at, access, .. }: &Grant, signature: &str) -> String {
    let named = disposition.as_ref().map_or_else(String::new, |(kind, name)| {
        format!("&disposition={}&name={}", kind.name(), utf8_percent_encode(name, NON_ALPHANUMERIC))
    });
    format!("&expires={expires_at}{named}&access={access}&signature={signature}")
}

impl JiraLinks<'_> {
    /// The site.
    pub(crate) fn base(&self) -> &str {
        &self.links.base
    }

    /// An attachment's metadata; clients tell what an object is by this path.
    pub(crate) fn attachment(&self, file: FileId) -> String {
        self.below(&format!("attachment/{file}"))
    }

    /// The bytes that were uploaded.
    pub(crate) fn content(&self, file: FileId) -> String {
        self.below(&format!("attachment/content/{file}"))
    }

    /// A small picture of them.
    pub(crate) fn thumbnail(&self, file: FileId) -> String {
        self.below(&format!("attachment/thumbnail/{file}"))
    }

    /// An issue, by its key.
    pub(crate) fn issue(&self, key: &str) -> String {
        self.below(&format!("issue/{key}"))
    }

    /// A user.
    pub(crate) fn user(&self, account: &str) -> String {
        self.below(&format!("user?accountId={}", utf8_percent_encode(account, NON_ALPHANUMERIC)))
    }

    /// What stands for a user who has no picture.
    pub(crate) fn avatar(&self) -> String {
        self.links.placeholder("user")
    }

    fn below(&self, path: &str) -> String {
        format!("{}/rest/api/{}/{path}", self.links.base, self.version)
    }
}

/// What `?v=` names: the digest of the only page, or of all pages' digests in order.
pub(crate) fn content_digest(content: &Content) -> Sha256Digest {
    match content.pages() {
        [only] => only.sha256(),
        pages => {
            let digests: Vec<u8> = pages.iter().flat_map(|page| *page.sha256().as_bytes()).collect();
            Sha256Digest::of(&digests)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_is_the_public_url_without_its_path() {
        let listener = "[::1]:8080".parse().unwrap();
        assert_eq!(Links::new("https://a.example:8443/box", listener).origin(), "https://a.example:8443");
        assert_eq!(Links::new("", listener).origin(), "http://[::1]:8080");
    }
}
