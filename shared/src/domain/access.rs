//! Who may see a file: rules in groups, as events, uploads and the configuration write them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Most groups of one file's access.
pub const ACCESS_GROUPS_MAX: usize = 32;
/// Most rules in one group.
pub const ACCESS_RULES_MAX: usize = 64;
/// Longest rule, in bytes of UTF-8.
pub const RULE_BYTES_MAX: usize = 256;
/// Most characters of a wrong rule that a message shows.
const SHOWN_CHARS_MAX: usize = 80;

/// Who may see a file: **all** groups must hold, **any** rule in a group is enough.
///
/// `[["group:project-TL"], ["group:security-legal", "user:7"], ["group:role-developers"]]` is Jira's three levels: browse
/// the project *and* issue security *and* comment restriction. There is at least one group and every group has at least
/// one rule: by the letter, no group would mean everybody and an empty group nobody. Groups that contradict one another
/// (`[["user:1"], ["user:2"]]`) are accepted and mean what they say: operators only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Vec<String>>", into = "Vec<Vec<String>>")]
pub struct Access(Vec<Vec<Rule>>);

/// One rule of a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Everybody, known or not.
    Anonymous,
    /// The user with this id.
    User(String),
    /// Whoever is in this group.
    Group(String),
    /// Whoever's credential was given this scope.
    Scope(String),
}

/// A list that cannot be anybody's access; the text says what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidAccess(String);

impl Access {
    /// Everybody may see it.
    pub fn anonymous() -> Self {
        Self(vec![vec![Rule::Anonymous]])
    }

    /// Only this user may see it; fails when the id cannot be part of a rule.
    pub fn only_user(id: &str) -> Result<Self, InvalidAccess> {
        Self::try_from(vec![vec![format!("user:{id}")]])
    }

    /// The groups, each with its rules.
    pub fn groups(&self) -> &[Vec<Rule>] {
        &self.0
    }

    /// Whether everybody may see it, known or not: then shared caches may keep its bytes.
    pub fn is_public(&self) -> bool {
        self.0.iter().all(|group| group.contains(&Rule::Anonymous))
    }
}

impl TryFrom<Vec<Vec<String>>> for Access {
    type Error = InvalidAccess;

    fn try_from(groups: Vec<Vec<String>>) -> Result<Self, InvalidAccess> {
        let fits = |length: usize, max: usize| (1..=max).contains(&length);
        if !fits(groups.len(), ACCESS_GROUPS_MAX) || !groups.iter().all(|group| fits(group.len(), ACCESS_RULES_MAX)) {
            return Err(InvalidAccess(format!(
                "1 to {ACCESS_GROUPS_MAX} groups of 1 to {ACCESS_RULES_MAX} rules are right; leave the field out for \
                 the bucket's default, or write [[\"anonymous\"]] for everybody"
            )));
        }
        let parse = |group: Vec<String>| group.iter().map(|rule| rule.parse()).collect();
        groups.into_iter().map(parse).collect::<Result<_, _>>().map(Self)
    }
}

impl From<Access> for Vec<Vec<String>> {
    fn from(access: Access) -> Self {
        access.0.iter().map(|group| group.iter().map(Rule::to_string).collect()).collect()
    }
}

impl FromStr for Rule {
    type Err = InvalidAccess;

    fn from_str(text: &str) -> Result<Self, InvalidAccess> {
        let is_plain = text.len() <= RULE_BYTES_MAX && !text.chars().any(char::is_control);
        match text.split_once(':') {
            _ if !is_plain => Err(invalid_rule(text)),
            None if text == "anonymous" => Ok(Self::Anonymous),
            Some((_, "")) => Err(invalid_rule(text)),
            Some(("user", id)) => Ok(Self::User(id.to_owned())),
            Some(("group", id)) => Ok(Self::Group(id.to_owned())),
            Some(("scope", name)) => Ok(Self::Scope(name.to_owned())),
            _ => Err(invalid_rule(text)),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Group(id) => write!(f, "group:{id}"),
            Self::Scope(name) => write!(f, "scope:{name}"),
        }
    }
}

fn invalid_rule(text: &str) -> InvalidAccess {
    let shown = match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    };
    InvalidAccess(format!(
        "the rule {shown:?} is none of anonymous, user:ID, group:ID, scope:NAME (1 to {RULE_BYTES_MAX} bytes)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(json: &str) -> Result<Access, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn what_is_written_is_what_was_read() {
        let json = r#"[["user:1","group:a:b"],["scope:read:jira-work"],["anonymous"]]"#;
        let read = access(json).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
        assert_eq!(read.groups()[0][1], Rule::Group("a:b".to_owned()));
    }

    #[test]
    fn lists_that_are_empty_too_long_or_no_rules_are_refused() {
        let many_groups = serde_json::to_string(&vec![vec!["anonymous"]; ACCESS_GROUPS_MAX + 1]).unwrap();
        let many_rules = serde_json::to_string(&[vec!["anonymous"; ACCESS_RULES_MAX + 1]]).unwrap();
        let long_rule = format!(r#"[["user:{}"]]"#, "x".repeat(RULE_BYTES_MAX));
        let wrong = [
            "[]",
            "[[]]",
            r#"[["anonymous"],[]]"#,
            r#"[[""]]"#,
            r#"[["user:"]]"#,
            r#"[["everybody"]]"#,
            r#"[["User:1"]]"#,
            r#"[["user:a\u0000"]]"#,
            r#"["anonymous"]"#,
            "[[1]]",
            "{}",
            "null",
        ];
        for json in wrong.into_iter().chain([&*many_groups, &*many_rules, &*long_rule]) {
            assert!(access(json).is_err(), "{json} was accepted");
        }
    }

    #[test]
    fn public_is_what_needs_nobody_to_be_known() {
        assert!(Access::anonymous().is_public());
        assert!(access(r#"[["anonymous","user:1"],["anonymous"]]"#).unwrap().is_public());
        assert!(!access(r#"[["anonymous"],["user:1"]]"#).unwrap().is_public());
    }
}
