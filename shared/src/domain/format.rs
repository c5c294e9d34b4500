//! The closed tables of source formats that we render and of output formats that we write.

use serde::{Deserialize, Serialize};

/// A format that sources may have. Found by content; a name or declared type is only ever a hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceFormat {
    /// JPEG, ITU-T T.81.
    Jpeg,
    /// PNG and the first frame of APNG, W3C PNG third edition.
    Png,
    /// GIF87a and GIF89a.
    Gif,
    /// WebP, RFC 9649.
    Webp,
    /// TIFF 6.0.
    Tiff,
    /// Windows bitmap.
    Bmp,
    /// Windows icon or cursor; its largest picture.
    Ico,
    /// Truevision TGA.
    Tga,
    /// Netpbm: PBM, PGM, PPM, plain and binary, and PAM.
    Pnm,
    /// The Quite OK Image Format.
    Qoi,
    /// A camera's raw file of any maker (CR2, CR3, NEF, ARW, DNG, RAF, RW2, ORF, PEF, SRW): one format, because what is rendered is always
    /// the largest JPEG preview in it.
    Raw,
    /// Photoshop's PSD and PSB; the flattened picture.
    Psd,
    /// JPEG XL, ISO/IEC 18181.
    Jxl,
    /// AVIF: AV1 pictures in HEIF; of a sequence, the primary picture.
    Avif,
    /// HEIC: HEVC pictures in HEIF, ISO/IEC 23008-12.
    Heic,
    /// SVG 1.1 and SVGZ.
    Svg,
}

impl SourceFormat {
    /// Every source format, in the order in which they are listed to people.
    pub const ALL: [Self; 16] = [
        Self::Jpeg,
        Self::Png,
        Self::Gif,
        Self::Webp,
        Self::Tiff,
        Self::Bmp,
        Self::Ico,
        Self::Tga,
        Self::Pnm,
        Self::Qoi,
        Self::Raw,
        Self::Psd,
        Self::Jxl,
        Self::Avif,
        Self::Heic,
        Self::Svg,
    ];

    /// The name in configuration, metrics and our own API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Gif => "gif",
            Self::Webp => "webp",
            Self::Tiff => "tiff",
            Self::Bmp => "bmp",
            Self::Ico => "ico",
            Self::Tga => "tga",
            Self::Pnm => "pnm",
            Self::Qoi => "qoi",
            Self::Raw => "raw",
            Self::Psd => "psd",
            Self::Jxl => "jxl",
            Self::Avif => "avif",
            Self::Heic => "heic",
            Self::Svg => "svg",
        }
    }

    /// The decoder that failures are grouped by: each format has its own, but a raw file is read as the JPEG in it.
    pub fn decoder(self) -> &'static str {
        match self {
            Self::Raw => Self::Jpeg.name(),
            other => other.name(),
        }
    }

    /// The media type: IANA's where there is one, else the one in use.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
            Self::Tiff => "image/tiff",
            Self::Bmp => "image/bmp",
            Self::Ico => "image/vnd.microsoft.icon",
            Self::Tga => "image/x-tga",
            Self::Pnm => "image/x-portable-anymap",
            Self::Qoi => "image/qoi",
            Self::Raw => "image/x-raw",
            Self::Psd => "image/vnd.adobe.photoshop",
            Self::Jxl => "image/jxl",
            Self::Avif => "image/avif",
            Self::Heic => "image/heic",
            Self::Svg => "image/svg+xml",
        }
    }

    /// Other media types that clients declare for it.
    fn other_media_types(self) -> &'static [&'static str] {
        match self {
            Self::Bmp => &["image/x-ms-bmp"],
            Self::Ico => &["image/x-icon", "image/x-win-bitmap"],
            Self::Tga => &["image/x-targa", "image/tga"],
            Self::Pnm => &["image/x-portable-bitmap", "image/x-portable-graymap", "image/x-portable-pixmap"],
            Self::Raw => &[
                "image/x-canon-cr2",
                "image/x-nikon-nef",
                "image/x-sony-arw",
                "image/x-adobe-dng",
                "image/dng",
                "image/x-fuji-raf",
                "image/x-panasonic-rw2",
                "image/x-canon-cr3",
                "image/x-olympus-orf",
                "image/x-pentax-pef",
                "image/x-samsung-srw",
            ],
            Self::Psd => &["image/x-photoshop", "image/psd", "application/x-photoshop"],
            Self::Avif => &["image/avif-sequence"],
            Self::Heic => &["image/heif", "image/heic-sequence", "image/heif-sequence"],
            Self::Svg => &["image/svg", "image/svg+xml-compressed"],
            Self::Jpeg | Self::Png | Self::Gif | Self::Webp | Self::Tiff | Self::Qoi | Self::Jxl => &[],
        }
    }

    /// The file name extensions in use, lower case, the usual one first.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Jpeg => &["jpg", "jpeg", "jpe", "jfif"],
            Self::Png => &["png", "apng"],
            Self::Gif => &["gif"],
            Self::Webp => &["webp"],
            Self::Tiff => &["tif", "tiff"],
            Self::Bmp => &["bmp", "dib"],
            Self::Ico => &["ico", "cur"],
            Self::Tga => &["tga", "icb", "vda", "vst"],
            Self::Pnm => &["pnm", "pbm", "pgm", "ppm", "pam"],
            Self::Qoi => &["qoi"],
            Self::Raw => &["dng", "cr2", "nef", "nrw", "arw", "sr2", "raf", "rw2", "cr3", "orf", "pef", "srw"],
            Self::Psd => &["psd", "psb"],
            Self::Jxl => &["jxl"],
            Self::Avif => &["avif", "avifs"],
            Self::Heic => &["heic", "heif", "hif", "heics"],
            Self::Svg => &["svg", "svgz"],
        }
    }

    /// The format with this [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// What a file name and a declared media type suggest, before the content was looked at. The name comes first:
    /// clients that know nothing send `application/octet-stream`, but people keep extensions.
    pub fn declared(file_name: &str, content_type: Option<&str>) -> Option<Self> {
        let extension = file_name.rsplit_once('.').map(|(_, ext)| ext.to_ascii_lowercase());
        let by_name = extension.and_then(|ext| Self::ALL.into_iter().find(|f| f.extensions().contains(&ext.as_str())));
        by_name.or_else(|| {
            let essence = content_type?.split(';').next()?.trim().to_ascii_lowercase();
            let means = |format: &Self| {
                format.media_type() == essence || format.other_media_types().contains(&essence.as_str())
            };
            Self::ALL.into_iter().find(means)
        })
    }
}

/// A format that representations are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputFormat {
    /// JPEG; has no transparency, so a matte is put behind.
    Jpg,
    /// PNG.
    Png,
    /// WebP, lossy.
    Webp,
    /// AVIF; only some builds write it.
    Avif,
}

impl OutputFormat {
    /// Every output format.
    pub const ALL: [Self; 4] = [Self::Jpg, Self::Png, Self::Webp, Self::Avif];

    /// The kind on the wire (Box's `representation` field), which is also the extension.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpg => "jpg",
            Self::Png => "png",
            Self::Webp => "webp",
            Self::Avif => "avif",
        }
    }

    /// The IANA media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Avif => "image/avif",
        }
    }

    /// The format with this [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_believed_before_the_declared_type() {
        assert_eq!(SourceFormat::declared("a.JPEG", Some("image/png")), Some(SourceFormat::Jpeg));
        assert_eq!(SourceFormat::declared("scan", Some("image/TIFF; x=1")), Some(SourceFormat::Tiff));
        assert_eq!(SourceFormat::declared("favicon", Some("image/x-icon")), Some(SourceFormat::Ico));
        assert_eq!(SourceFormat::declared("letter.docx", Some("application/octet-stream")), None);
    }

    #[test]
    fn names_round_trip() {
        assert!(SourceFormat::ALL.iter().all(|f| SourceFormat::from_name(f.name()) == Some(*f)));
        assert!(OutputFormat::ALL.iter().all(|f| OutputFormat::from_name(f.name()) == Some(*f)));
    }
}
