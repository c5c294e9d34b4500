//! `limit` and `cursor` of our own lists.

use std::fmt::Display;
use std::str::FromStr;

use crate::error::ApiError;

/// Entries of a page that nobody gave a length.
const LIMIT_DEFAULT: u32 = 20;
/// Most entries of a page.
pub(crate) const LIMIT_MAX: u32 = 100;

/// One page of a list in the order of its ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page<Id> {
    limit: u32,
    /// The last entry of the page before; `None` on the first one.
    pub(crate) after: Option<Id>,
}

impl<Id: FromStr + Display> Page<Id> {
    /// As the query says.
    pub(crate) fn parse(limit: Option<&str>, cursor: Option<&str>) -> Result<Self, ApiError> {
        let limit = limit.map_or(Some(LIMIT_DEFAULT), |text| text.parse().ok());
        let limit = limit.filter(|limit| (1..=LIMIT_MAX).contains(limit));
        let limit =
            limit.ok_or_else(|| ApiError::BadRequest(format!("limit is not a number from 1 to {LIMIT_MAX}")))?;
        let after = cursor.map(str::parse).transpose();
        let after = after.map_err(|_| ApiError::BadRequest("cursor is not one that a list gave out".to_owned()))?;
        Ok(Self { limit, after })
    }

    /// How many entries to ask for: one more than are shown tells whether there is a next page.
    pub(crate) fn wanted(&self) -> u32 {
        self.limit + 1
    }

    /// Cuts what was found to what is shown; gives out the cursor of the next page, if there is one.
    pub(crate) fn cut<T>(&self, found: &mut Vec<T>, id: impl Fn(&T) -> Id) -> Option<String> {
        let has_more = found.len() > self.limit as usize;
        found.truncate(self.limit as usize);
        found.last().filter(|_| has_more).map(|last| id(last).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_next_one_when_more_was_found_than_is_shown() {
        let page: Page<u64> = Page::parse(Some("2"), Some("7")).unwrap();
        assert_eq!((page.after, page.wanted()), (Some(7), 3));
        let (mut more, mut last) = (vec![8, 9, 10], vec![8, 9]);
        assert_eq!(page.cut(&mut more, |id| *id), Some("9".to_owned()));
        assert_eq!(page.cut(&mut last, |id| *id), None);
        assert_eq!((more, last), (vec![8, 9], vec![8, 9]));
    }

    #[test]
    fn lengths_and_cursors_that_are_none_are_refused() {
        for (limit, cursor) in [("0", "1"), ("101", "1"), ("-1", "1"), ("x", "1"), ("", "1"), ("1", "x"), ("1", "")] {
            assert!(Page::<u64>::parse(Some(limit), Some(cursor)).is_err(), "{limit:?} {cursor:?}");
        }
        assert_eq!(Page::<u64>::parse(None, None).unwrap().wanted(), 21);
    }
}
