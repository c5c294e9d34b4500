//! Who asks, what they want, and the one decision whether they may.

use std::collections::BTreeSet;
use std::fmt;

use super::access::{Access, Rule};
use super::ids::Tenant;

/// Who a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Nobody presented anything.
    Anonymous,
    /// Runs the service: may everything, whatever a file's access says.
    Operator,
    /// Somebody whose credential was verified.
    Known(Identity),
}

/// What a verified credential says of its holder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The user's id, as access rules name it; `None` for a machine that is no user.
    pub user: Option<String>,
    /// Groups, as access rules name them.
    pub groups: BTreeSet<String>,
    /// What the credential may be used for.
    pub scopes: Scopes,
    /// The only tenant whose files it reaches; `None`: the tenant does not matter.
    pub tenant: Option<Tenant>,
}

/// What a credential may be used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scopes {
    /// Whatever its holder may do short of operating the service: a login by password.
    All,
    /// These, by name.
    Named(BTreeSet<String>),
}

/// What a principal wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// See a file, where its representations stand, and their bytes.
    Read,
    /// Read the bytes that were uploaded.
    Download,
    /// Add files and versions; change, trash or restore them.
    Write,
    /// Delete a file.
    Delete,
    /// Look after the service: presets, lanes, failures, other people's access.
    Operate,
}

/// What of a file decides who may see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guarded<'a> {
    /// Whose file it is.
    pub tenant: &'a Tenant,
    /// Who may see it; `None`: operators only.
    pub access: Option<&'a Access>,
}

/// Why not. None of them tells whether the file exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// Somebody who is known might; nobody is.
    Unauthenticated,
    /// The credential's scopes do not include the action, on any file.
    InsufficientScope,
    /// There is no such file, or the principal may not see it.
    Hidden,
}

/// The scope that makes an operator, when the credential is bound to no tenant.
pub const SCOPE_OPERATE: &str = "thumbline:operate";

impl Action {
    /// The scopes of which one is enough: our own, Jira's classic and granular ones, Box's.
    pub fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Read => &[
                "thumbline:read",
                "read:jira-work",
                "read:attachment:jira",
                "root_readonly",
                "root_readwrite",
                "base_explorer",
                "base_preview",
                "item_preview",
                "item_download",
            ],
            Self::Download => &[
                "thumbline:read",
                "read:jira-work",
                "read:attachment:jira",
                "root_readonly",
                "root_readwrite",
                "item_download",
            ],
            Self::Write => &[
                "thumbline:write",
                "write:jira-work",
                "write:attachment:jira",
                "root_readwrite",
                "base_upload",
                "item_upload",
            ],
            Self::Delete => {
                &["thumbline:delete", "write:jira-work", "delete:attachment:jira", "root_readwrite", "item_delete"]
            }
            Self::Operate => &[SCOPE_OPERATE],
        }
    }
}

impl Default for Scopes {
    fn default() -> Self {
        Self::Named(BTreeSet::new())
    }
}

impl Scopes {
    /// These scopes.
    pub fn named<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self::Named(names.into_iter().map(Into::into).collect())
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Self::All => false,
            Self::Named(names) => names.contains(name),
        }
    }

    fn permit(&self, action: Action) -> bool {
        match self {
            Self::All => action != Action::Operate,
            Self::Named(_) => action.scopes().iter().any(|scope| self.has(scope)),
        }
    }
}

impl Principal {
    /// Whether it may do anything at all.
    pub fn is_operator(&self) -> bool {
        match self {
            Self::Operator => true,
            Self::Known(identity) => identity.tenant.is_none() && identity.scopes.has(SCOPE_OPERATE),
            Self::Anonymous => false,
        }
    }

    /// The user's id, when it is a user.
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Known(identity) => identity.user.as_deref(),
            Self::Anonymous | Self::Operator => None,
        }
    }

    /// The only tenant that it reaches, when it is bound to one.
    pub fn tenant(&self) -> Option<&Tenant> {
        match self {
            Self::Known(identity) => identity.tenant.as_ref(),
            Self::Anonymous | Self::Operator => None,
        }
    }

    /// Whether the action is open to it on some file; what it may do to one file is [`decide`]'s. Uploads of new files,
    /// lists and searches ask this, for there is no file yet to decide on.
    pub fn may(&self, action: Action) -> Result<(), Denial> {
        match self {
            _ if self.is_operator() => Ok(()),
            Self::Known(identity) if identity.scopes.permit(action) => Ok(()),
            Self::Known(_) => Err(Denial::InsufficientScope),
            Self::Anonymous if matches!(action, Action::Read | Action::Download) => Ok(()),
            Self::Anonymous | Self::Operator => Err(Denial::Unauthenticated),
        }
    }

    /// Whether one rule holds for it.
    fn matches(&self, rule: &Rule) -> bool {
        let Self::Known(identity) = self else { return *rule == Rule::Anonymous };
        match rule {
            Rule::Anonymous => true,
            Rule::User(id) => identity.user.as_ref() == Some(id),
            Rule::Group(id) => identity.groups.contains(id),
            Rule::Scope(name) => identity.scopes.has(name),
        }
    }

    /// Whether a file with this access is shown to it. A credential of another tenant sees what everybody sees.
    fn sees(&self, file: Guarded<'_>) -> bool {
        let is_at_home = self.tenant().is_none_or(|tenant| tenant == file.tenant);
        let seer = if is_at_home { self } else { &Self::Anonymous };
        let holds = |group: &Vec<Rule>| group.iter().any(|rule| seer.matches(rule));
        file.access.is_some_and(|access| access.groups().iter().all(holds))
    }
}

/// For logs and rate limits: tells principals apart without showing a secret.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::Operator => f.write_str("operator"),
            Self::Known(identity) => {
                if let Some(tenant) = &identity.tenant {
                    write!(f, "{tenant}/")?;
                }
                write!(f, "user:{}", identity.user.as_deref().unwrap_or("(none)"))
            }
        }
    }
}

/// Whether `principal` may do `action` to this file; `None` is a file that does not exist, and is answered exactly as
/// one that the principal may not see. The one place where this is decided.
///
/// Scopes come first: they say what the credential is for, on any file. Nobody but operators changes a file without
/// being known, even where everybody may see it.
pub fn decide(principal: &Principal, file: Option<Guarded<'_>>, action: Action) -> Result<(), Denial> {
    principal.may(action)?;
    let is_shown = file.is_some_and(|file| principal.is_operator() || principal.sees(file));
    match principal {
        _ if is_shown => Ok(()),
        Principal::Anonymous => Err(Denial::Unauthenticated),
        Principal::Known(_) | Principal::Operator => Err(Denial::Hidden),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(json: &str) -> Access {
        serde_json::from_str(json).unwrap()
    }

    fn user(id: &str, groups: &[&str], scopes: &[&str]) -> Principal {
        Principal::Known(Identity {
            user: Some(id.to_owned()),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            scopes: Scopes::named(scopes.iter().copied()),
            tenant: None,
        })
    }

    fn asks(principal: &Principal, access: Option<&Access>, action: Action) -> Result<(), Denial> {
        let tenant = "acme".parse().unwrap();
        decide(principal, Some(Guarded { tenant: &tenant, access }), action)
    }

    #[test]
    fn every_group_must_hold_and_any_rule_in_it_is_enough() {
        // Browse the project, and issue security, and comment restriction.
        let jira = access(r#"[["group:project"],["group:security","user:7"],["group:developers"]]"#);
        let read = |id, groups: &[&str]| asks(&user(id, groups, &["read:jira-work"]), Some(&jira), Action::Read);
        assert_eq!(read("1", &["project", "security", "developers"]), Ok(()));
        assert_eq!(read("7", &["project", "developers"]), Ok(()));
        for groups in [&["project", "developers"][..], &["security", "developers"], &["project", "security"], &[]] {
            assert_eq!(read("1", groups), Err(Denial::Hidden), "{groups:?}");
        }
    }

    #[test]
    fn a_missing_file_is_answered_as_a_hidden_one() {
        let hidden = access(r#"[["user:somebody else"]]"#);
        for principal in [Principal::Anonymous, user("1", &[], &["thumbline:read"]), user("1", &[], &[])] {
            for action in [Action::Read, Action::Download, Action::Write, Action::Delete, Action::Operate] {
                assert_eq!(asks(&principal, Some(&hidden), action), decide(&principal, None, action), "{principal}");
                assert_eq!(asks(&principal, None, action), decide(&principal, None, action), "{principal}");
            }
        }
    }

    #[test]
    fn operators_see_everything_that_exists() {
        let contradiction = access(r#"[["user:1"],["user:2"]]"#);
        for operator in [Principal::Operator, user("1", &[], &[SCOPE_OPERATE])] {
            assert_eq!(asks(&operator, Some(&contradiction), Action::Delete), Ok(()));
            assert_eq!(asks(&operator, None, Action::Operate), Ok(()));
            assert_eq!(decide(&operator, None, Action::Read), Err(Denial::Hidden));
        }
        assert_eq!(asks(&user("1", &[], &["thumbline:read"]), Some(&contradiction), Action::Read), Err(Denial::Hidden));
    }

    #[test]
    fn everybody_sees_what_is_public_and_nobody_unknown_changes_it() {
        let public = Access::anonymous();
        assert_eq!(asks(&Principal::Anonymous, Some(&public), Action::Download), Ok(()));
        assert_eq!(asks(&Principal::Anonymous, Some(&public), Action::Write), Err(Denial::Unauthenticated));
        assert_eq!(asks(&user("1", &[], &["thumbline:write"]), Some(&public), Action::Write), Ok(()));
    }

    #[test]
    fn scopes_say_what_a_credential_is_for() {
        let own = Access::only_user("1").unwrap();
        let with = |scope, action| asks(&user("1", &[], &[scope]), Some(&own), action);
        assert_eq!(with("item_preview", Action::Read), Ok(()));
        assert_eq!(with("item_preview", Action::Download), Err(Denial::InsufficientScope));
        assert_eq!(with("read:jira-work", Action::Delete), Err(Denial::InsufficientScope));
        assert_eq!(with("delete:attachment:jira", Action::Delete), Ok(()));
        assert_eq!(with("root_readwrite", Action::Operate), Err(Denial::InsufficientScope));
        let login = Identity { user: Some("1".to_owned()), scopes: Scopes::All, ..Identity::default() };
        assert_eq!(asks(&Principal::Known(login.clone()), Some(&own), Action::Delete), Ok(()));
        assert_eq!(Principal::Known(login).may(Action::Operate), Err(Denial::InsufficientScope));
    }

    #[test]
    fn rules_on_scopes_look_at_the_credential() {
        let scoped = access(r#"[["scope:photos"]]"#);
        assert_eq!(asks(&user("1", &[], &["thumbline:read", "photos"]), Some(&scoped), Action::Read), Ok(()));
        assert_eq!(asks(&user("1", &[], &["thumbline:read"]), Some(&scoped), Action::Read), Err(Denial::Hidden));
    }

    #[test]
    fn a_credential_of_another_tenant_is_nobody_here() {
        let of = |tenant: &str| {
            Principal::Known(Identity {
                user: Some("1".to_owned()),
                scopes: Scopes::named(["thumbline:read", SCOPE_OPERATE]),
                tenant: Some(tenant.parse().unwrap()),
                ..Identity::default()
            })
        };
        let own = Access::only_user("1").unwrap();
        assert_eq!(asks(&of("acme"), Some(&own), Action::Read), Ok(()));
        assert_eq!(asks(&of("other"), Some(&own), Action::Read), Err(Denial::Hidden));
        assert_eq!(asks(&of("other"), Some(&Access::anonymous()), Action::Read), Ok(()));
        // Whoever is bound to a tenant operates nothing.
        assert!(!of("acme").is_operator());
    }
}
