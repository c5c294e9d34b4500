//! `thumbline user`: people who sign in with an e-mail address and a password.

use std::io::{BufRead as _, IsTerminal as _, Read as _};

use anyhow::{Context as _, anyhow};
use api::auth::password::{PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN, hash};
use clap::{Args, Subcommand};
use serde_json::json;
use shared::domain::access::Access;
use shared::domain::credential::Login;

use super::{LIST_MAX, ListArguments, WhoArguments, store};
use crate::cli::{CommonArguments, print_line};
use crate::exit::{Exit, Failed};
use crate::platform::away;

/// What to do with users.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add a user, or replace the one with this address; the password is read from standard input
    Put(PutArguments),
    /// List users by address
    List(ListArguments),
    /// Remove a user; running processes refuse them within 5 seconds
    Remove(RemoveArguments),
}

/// Arguments of `thumbline user put`.
#[derive(Debug, Args)]
pub struct PutArguments {
    #[command(flatten)]
    common: CommonArguments,
    #[command(flatten)]
    who: WhoArguments,
    /// The e-mail address that they sign in with
    email: String,
    /// The user's id, as access rules name them
    #[arg(long, value_name = "ID")]
    user: String,
}

/// Arguments of `thumbline user remove`.
#[derive(Debug, Args)]
pub struct RemoveArguments {
    #[command(flatten)]
    common: CommonArguments,
    /// The e-mail address
    email: String,
}

/// Runs the command to its end.
pub async fn run(command: UserCommand) -> Result<Exit, Failed> {
    match command {
        UserCommand::Put(arguments) => put(arguments).await,
        UserCommand::List(arguments) => list(arguments).await,
        UserCommand::Remove(arguments) => remove(arguments).await,
    }
}

async fn put(arguments: PutArguments) -> Result<Exit, Failed> {
    Access::only_user(&arguments.user).map_err(Failed::usage)?;
    if !arguments.email.contains('@') || arguments.email.contains(':') {
        return Err(Failed::usage(anyhow!("{:?} is no e-mail address that could be signed in with", arguments.email)));
    }
    let password = read_password()?;
    let login = Login {
        email: arguments.email,
        password_hash: hash(&password, rand::random()).map_err(anyhow::Error::new)?,
        user: arguments.user,
        groups: arguments.who.groups.into_iter().collect(),
        tenant: arguments.who.tenant,
    };
    store(&arguments.common).await?.put_login(&login).await.map_err(away)?;
    print_line(&format!("{} may sign in", login.email));
    Ok(Exit::Success)
}

/// The first line of standard input: an argument would show in the list of processes.
fn read_password() -> Result<String, Failed> {
    let mut text = String::new();
    let limit = PASSWORD_BYTES_MAX as u64 + 2;
    let stdin = std::io::stdin().lock();
    if stdin.is_terminal() {
        eprint!("Password (it shows as you type; `< FILE` hides it): ");
    }
    stdin.take(limit).read_line(&mut text).context("the password is read from standard input")?;
    let password = text.lines().next().unwrap_or_default();
    if password.chars().count() < PASSWORD_CHARS_MIN || password.len() > PASSWORD_BYTES_MAX {
        let problem = anyhow!("a password has {PASSWORD_CHARS_MIN} characters to {PASSWORD_BYTES_MAX} bytes");
        return Err(Failed::usage(problem));
    }
    Ok(password.to_owned())
}

async fn list(arguments: ListArguments) -> Result<Exit, Failed> {
    for login in store(&arguments.common).await?.logins(LIST_MAX).await.map_err(away)? {
        let Login { email, user, groups, tenant, .. } = &login;
        if arguments.json {
            print_line(&json!({ "email": email, "user": user, "groups": groups, "tenant": tenant }).to_string());
        } else {
            let groups: Vec<_> = groups.iter().map(String::as_str).collect();
            print_line(&format!("{email}  user {user}  groups {}", groups.join(" ")));
        }
    }
    Ok(Exit::Success)
}

async fn remove(arguments: RemoveArguments) -> Result<Exit, Failed> {
    if store(&arguments.common).await?.remove_login(&arguments.email).await.map_err(away)? {
        print_line(&format!("{} may not sign in any more", arguments.email));
        return Ok(Exit::Success);
    }
    Err(Failed::from(anyhow!("there is no user {}; `thumbline user list` shows them", arguments.email)))
}
