//! Access rules of a file: groups that must all hold, each of rules of which one is enough.

/// Most groups.
pub const GROUPS_MAX: usize = 32;
/// Most rules in one group.
pub const RULES_MAX: usize = 64;
/// Longest rule, in bytes of UTF-8.
pub const RULE_BYTES_MAX: usize = 256;

/// Who may see a file: all groups must hold, any rule in a group is enough (`[["user:1","group:staff"],["scope:x"]]`).
pub type Access = Vec<Vec<String>>;

/// Rules that nobody can mean.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAccess {
    /// No group, too many, or a group with no rule or too many. By the letter an empty list would mean everybody, and
    /// an empty group nobody; neither is believed.
    #[error(
        "1 to {GROUPS_MAX} groups of 1 to {RULES_MAX} rules are right; leave the field out for the bucket's default, or \
         write [[\"anonymous\"]] for everybody"
    )]
    Count,
    /// A rule of no known kind, without a name, too long, or with control characters.
    #[error("the rule {0:?} is none of anonymous, user:ID, group:ID, scope:NAME (1 to {RULE_BYTES_MAX} bytes)")]
    Rule(String),
}

/// The rules as they are, if every one of them can be meant.
pub fn checked(groups: Vec<Vec<String>>) -> Result<Access, InvalidAccess> {
    let fits = |length: usize, max: usize| (1..=max).contains(&length);
    if !fits(groups.len(), GROUPS_MAX) || !groups.iter().all(|group| fits(group.len(), RULES_MAX)) {
        return Err(InvalidAccess::Count);
    }
    match groups.iter().flatten().find(|rule| !is_rule(rule)) {
        None => Ok(groups),
        Some(rule) => Err(InvalidAccess::Rule(rule.chars().take(80).collect())),
    }
}

fn is_rule(rule: &str) -> bool {
    let named = |(kind, name): (&str, &str)| matches!(kind, "user" | "group" | "scope") && !name.is_empty();
    let plain = rule.len() <= RULE_BYTES_MAX && !rule.chars().any(char::is_control);
    plain && (rule == "anonymous" || rule.split_once(':').is_some_and(named))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(groups: &[&[&str]]) -> Result<Access, InvalidAccess> {
        checked(groups.iter().map(|group| group.iter().map(|rule| (*rule).to_owned()).collect()).collect())
    }

    #[test]
    fn every_kind_of_rule_is_known_and_nothing_else() {
        assert!(rules(&[&["anonymous", "user:1", "group:staff"], &["scope:a b:c"]]).is_ok());
        for bad in ["", "user", "user:", "anonymous:1", "Anonymous", "role:1", "user:a\nb", &"user:x".repeat(80)] {
            assert!(matches!(rules(&[&[bad]]), Err(InvalidAccess::Rule(_))), "{bad:?}");
        }
    }

    #[test]
    fn empty_lists_are_not_believed() {
        for bad in [&[][..], &[&[][..]][..], &[&["anonymous"][..], &[]][..]] {
            assert_eq!(rules(bad), Err(InvalidAccess::Count));
        }
        assert_eq!(rules(&vec![&["anonymous"][..]; GROUPS_MAX + 1]), Err(InvalidAccess::Count));
        assert_eq!(rules(&[&["anonymous"; RULES_MAX + 1]]), Err(InvalidAccess::Count));
    }
}
