//! Box's rules for file names: contract section 4.1.

use crate::error::ApiError;

/// Longest name, in characters.
const LENGTH_MAX: usize = 255;
const FORBIDDEN: [char; 9] = ['/', '\\', '<', '>', ':', '|', '?', '*', '\u{7f}'];

/// Refuses names that a Box client could not have given.
pub(crate) fn check(name: &str) -> Result<(), ApiError> {
    if name.is_empty() {
        return Err(ApiError::ItemNameInvalid("is empty"));
    }
    if name.chars().count() > LENGTH_MAX {
        return Err(ApiError::ItemNameTooLong);
    }
    if name.chars().any(|c| c.is_control() || FORBIDDEN.contains(&c)) {
        return Err(ApiError::ItemNameInvalid(
            "has a character that names may not have: / \\ < > : | ? * or a control",
        ));
    }
    if name.starts_with(' ') || name.ends_with(' ') {
        return Err(ApiError::ItemNameInvalid("begins or ends with a space"));
    }
    if matches!(name, "." | "..") {
        return Err(ApiError::ItemNameInvalid("is . or .."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_people_give_pass() {
        for name in ["a.jpg", "Ferien – Tag 1 (final).JPEG", ".hidden", "a..b", "日本.png", "it's \"quoted\".gif", "-"]
        {
            assert!(check(name).is_ok(), "{name:?}");
        }
        assert!(check(&"ü".repeat(255)).is_ok());
    }

    #[test]
    fn forbidden_names_are_told_from_long_ones() {
        for name in
            ["", " a", "a ", ".", "..", "a/b", "..\\x", "a\nb", "a\u{0}b", "a<b", "a:b", "a|b", "a?b", "a*b", "\u{85}"]
        {
            assert!(matches!(check(name), Err(ApiError::ItemNameInvalid(_))), "{name:?}");
        }
        assert!(matches!(check(&"x".repeat(256)), Err(ApiError::ItemNameTooLong)));
    }
}
