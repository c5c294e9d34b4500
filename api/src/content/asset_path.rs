//! The asset path: which page of a representation is meant.

use shared::domain::preset::Preset;

use crate::error::ApiError;

/// The page, counted from 1.
///
/// A paged representation names it as `{page}.{ext}`; the empty path means page 1 there too, because clients that
/// leave out the asset path do so for every kind (contract section 7, legacy Python).
pub(crate) fn page(preset: &Preset, asset_path: &str) -> Result<u32, ApiError> {
    if asset_path.is_empty() {
        return Ok(1);
    }
    let number = asset_path.strip_suffix(preset.format.name()).and_then(|rest| rest.strip_suffix('.'));
    let number = number.filter(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
    match number {
        // More digits than a page number can have is a page that does not exist.
        Some(digits) if preset.paged => match digits.parse() {
            Ok(page) if page > 0 => Ok(page),
            _ => Err(out_of_range(asset_path, None)),
        },
        _ => Err(ApiError::NotFound),
    }
}

/// There is no page of this name among so many, if that is known.
pub(crate) fn out_of_range(page: &str, pages: Option<usize>) -> ApiError {
    let pages = match pages {
        Some(1) => "1 page".to_owned(),
        Some(pages) => format!("{pages} pages"),
        None => "pages from 1".to_owned(),
    };
    ApiError::PageOutOfRange { page: page.to_owned(), pages }
}

#[cfg(test)]
mod tests {
    use shared::domain::preset::PresetTable;

    use super::*;

    fn page_of(preset: &str, asset_path: &str) -> Result<u32, ApiError> {
        page(PresetTable::built_in().get(preset).unwrap(), asset_path)
    }

    #[test]
    fn pages_are_named_by_number_and_extension() {
        assert_eq!(page_of("png_paged_1024x1024", "1.png").unwrap(), 1);
        assert_eq!(page_of("png_paged_1024x1024", "12.png").unwrap(), 12);
        assert_eq!(page_of("png_paged_1024x1024", "").unwrap(), 1);
        assert_eq!(page_of("jpg_320x320", "").unwrap(), 1);
    }

    #[test]
    fn pages_that_cannot_be_are_out_of_range_and_other_names_do_not_exist() {
        for asset_path in ["0.png", "99999999999.png"] {
            assert!(matches!(page_of("png_paged_1024x1024", asset_path), Err(ApiError::PageOutOfRange { .. })));
        }
        for asset_path in ["1.jpg", ".png", "png", "1", "-1.png", "+1.png", "a/1.png", "1.png/", "..", "１.png"] {
            assert!(matches!(page_of("png_paged_1024x1024", asset_path), Err(ApiError::NotFound)), "{asset_path}");
        }
        assert!(matches!(page_of("jpg_320x320", "1.jpg"), Err(ApiError::NotFound)));
    }
}
