//! What each route asks of whoever comes, and who it is that came.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::Method;
use http::request::Parts;
use shared::domain::access::Access as FileRules;
use shared::domain::file::{FileState, NewAccess};
use shared::domain::ids::Tenant;
use shared::domain::principal::{Action, Denial, Guarded, Principal, decide};

use crate::error::ApiError;

/// What a route asks for. Every one of them but `Public` ends in [`decide`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing: it shows nothing of any file, or its URL is signed, and credentials are not looked at.
    Public,
    /// Operators only.
    Operator,
    /// A credential for the action; there is no file in the path, and what a list shows is decided file by file.
    Caller(By),
    /// The file in the path (`{file}` or `{id}`) has to be open to the action: the guard looks it up.
    File(By),
    /// The same, but the route decides on the rows that it reads anyway, by [`Caller::opens`].
    Route(By),
}

/// Which action a route is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// By its method: GET and HEAD read, DELETE deletes, the others write.
    Method,
    /// By its method, where reading hands out what was uploaded.
    SourceMethod,
    /// This one.
    Action(Action),
}

pub(crate) use self::Access::{Operator, Public};

/// Uploads and lists.
pub(crate) const CALLER: Access = Access::Caller(By::Method);
/// One file, its versions, its comments.
pub(crate) const FILE: Access = Access::File(By::Method);
/// What was uploaded, and new versions of it.
pub(crate) const SOURCE: Access = Access::File(By::SourceMethod);
/// Hot reads of one file.
pub(crate) const ROUTE: Access = Access::Route(By::Action(Action::Read));
/// The bytes that were uploaded.
pub(crate) const DOWNLOAD: Access = Access::Route(By::Action(Action::Download));
/// One file by several methods, which the route finds by a name of its own.
pub(crate) const OWN_DECISION: Access = Access::Route(By::Method);

fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

impl Access {
    /// What somebody wants who uses the route by this method; `None` when nobody is asked for anything.
    pub(crate) fn action(self, method: &Method) -> Option<Action> {
        match self {
            Self::Public => None,
            Self::Operator => Some(Action::Operate),
            Self::Caller(by) | Self::File(by) | Self::Route(by) => Some(match by {
                By::Action(action) => action,
                By::Method if is_read(method) => Action::Read,
                By::SourceMethod if is_read(method) => Action::Download,
                _ if method == Method::DELETE => Action::Delete,
                By::Method | By::SourceMethod => Action::Write,
            }),
        }
    }
}

/// Who a request comes from; the guard has put it there.
#[derive(Debug, Clone)]
pub(crate) struct Caller(pub(crate) Arc<Principal>);

impl Caller {
    /// The file, if it is open to the caller's action. A missing one is answered as one that is hidden.
    pub(crate) fn opens<S: AsRef<FileState>>(&self, state: Option<S>, action: Action) -> Result<S, ApiError> {
        decide(&self.0, state.as_ref().map(|state| guarded(state.as_ref())), action)?;
        state.ok_or(ApiError::NotFound)
    }

    /// Whether a list shows it this file.
    pub(crate) fn sees(&self, state: &FileState) -> bool {
        decide(&self.0, Some(guarded(state)), Action::Read).is_ok()
    }

    /// Whose the files are that it adds.
    pub(crate) fn tenant<'a>(&'a self, default: &'a Tenant) -> &'a Tenant {
        self.0.tenant().unwrap_or(default)
    }

    /// Who may see a file that it adds: as declared; else itself, if it is a user; else as configured.
    pub(crate) fn new_access(&self, declared: Option<FileRules>, configured: Option<&FileRules>) -> NewAccess {
        let own = || self.0.user().and_then(|user| FileRules::only_user(user).ok());
        match declared {
            Some(access) => NewAccess::Declared(access),
            None => NewAccess::Default(own().or_else(|| configured.cloned())),
        }
    }
}

fn guarded(state: &FileState) -> Guarded<'_> {
    Guarded { tenant: &state.file.tenant, access: state.file.access.as_ref() }
}

impl From<Denial> for ApiError {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Unauthenticated => Self::Unauthorized,
            Denial::InsufficientScope => Self::InsufficientScope,
            Denial::Hidden => Self::NotFound,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| ApiError::Internal("the route has no guard".into()))
    }
}
