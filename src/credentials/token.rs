//! `thumbline token`: tokens for programs and people; shown once, kept as a digest.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use shared::domain::access::Rule;
use shared::domain::credential::{StoredToken, Token, token_prefix, token_text};
use shared::domain::file::UnixMillis;
use shared::domain::ids::Sha256Digest;
use shared::domain::principal::{Identity, SCOPE_OPERATE, Scopes};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{LIST_MAX, ListArguments, WhoArguments, store};
use crate::cli::{CommonArguments, print_line};
use crate::exit::{Exit, Failed};
use crate::platform::away;

/// Longest label, in characters.
const LABEL_CHARS_MAX: usize = 200;

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Issue a token and print it: this once, for only its digest is kept
    Create(CreateArguments),
    /// List tokens, newest first, without their secrets
    List(ListArguments),
    /// Take a token back; running processes refuse it within 5 seconds
    Revoke(RevokeArguments),
}

/// Arguments of `thumbline token create`.
#[derive(Debug, Args)]
pub struct CreateArguments {
    #[command(flatten)]
    common: CommonArguments,
    #[command(flatten)]
    who: WhoArguments,
    /// The user it stands for, as access rules name them
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Accept it as the password of this address too, as Jira's clients send it
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// What it may be used for, for example thumbline:read, read:jira-work or item_preview; may be repeated
    #[arg(long = "scope", value_name = "NAME", default_value = "thumbline:read")]
    scopes: Vec<String>,
    /// An operator's token: it may everything
    #[arg(long, conflicts_with_all = ["scopes", "tenant"])]
    operator: bool,
    /// Days until it ends; left out: when it is revoked
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: Option<u32>,
    /// What people call it
    #[arg(long, value_name = "TEXT", default_value = "")]
    label: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `thumbline token revoke`.
#[derive(Debug, Args)]
pub struct RevokeArguments {
    #[command(flatten)]
    common: CommonArguments,
    /// What `token list` shows: the part after tl_
    prefix: String,
}

/// Runs the command to its end.
pub async fn run(command: TokenCommand) -> Result<Exit, Failed> {
    match command {
        TokenCommand::Create(arguments) => create(arguments).await,
        TokenCommand::List(arguments) => list(arguments).await,
        TokenCommand::Revoke(arguments) => revoke(arguments).await,
    }
}

async fn create(arguments: CreateArguments) -> Result<Exit, Failed> {
    let identity = identity(&arguments)?;
    let text = token_text(rand::random(), rand::random());
    let token = Token {
        prefix: token_prefix(&text).unwrap_or_default().to_owned(),
        digest: Sha256Digest::of(text.as_bytes()),
        label: arguments.label.chars().take(LABEL_CHARS_MAX).collect(),
        email: arguments.email.map(|email| email.to_lowercase()),
        identity,
        expires_at: arguments.days.map(days_from_now).transpose()?,
    };
    store(&arguments.common).await?.issue_token(&token).await.map_err(away)?;
    if arguments.json {
        let expires_at = token.expires_at.map(moment);
        print_line(&json!({ "token": text, "prefix": token.prefix, "expires_at": expires_at }).to_string());
    } else {
        print_line(&text);
    }
    Ok(Exit::Success)
}

/// Names that no access rule could hold are refused here, rather than never matched later.
fn identity(arguments: &CreateArguments) -> Result<Identity, Failed> {
    let rule = |kind: &str, name: &String| format!("{kind}:{name}").parse::<Rule>().map(|_| name.clone());
    let user = arguments.user.as_ref().map(|user| rule("user", user)).transpose().map_err(Failed::usage)?;
    let groups = arguments.who.groups.iter().map(|group| rule("group", group)).collect::<Result<_, _>>();
    let scopes = match arguments.operator {
        true => vec![SCOPE_OPERATE.to_owned()],
        false => {
            let names = arguments.scopes.iter().map(|scope| rule("scope", scope));
            names.collect::<Result<_, _>>().map_err(Failed::usage)?
        }
    };
    Ok(Identity {
        user,
        groups: groups.map_err(Failed::usage)?,
        scopes: Scopes::named(scopes),
        tenant: arguments.who.tenant.clone(),
    })
}

fn days_from_now(days: u32) -> Result<UnixMillis, Failed> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(anyhow::Error::new)?;
    let end = now + Duration::from_secs(u64::from(days) * 24 * 3600);
    Ok(i64::try_from(end.as_millis()).map_err(anyhow::Error::new)?)
}

async fn list(arguments: ListArguments) -> Result<Exit, Failed> {
    let tokens = store(&arguments.common).await?.tokens(LIST_MAX).await.map_err(away)?;
    if arguments.json {
        tokens.iter().for_each(|token| print_line(&wire(token).to_string()));
        return Ok(Exit::Success);
    }
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["PREFIX", "STANDING", "USER", "SCOPES", "CREATED", "ENDS", "LABEL"]);
    for StoredToken { token, created_at, standing } in &tokens {
        table.add_row([
            token.prefix.clone(),
            standing.name().to_owned(),
            token.identity.user.clone().unwrap_or_default(),
            scopes(token).join(" "),
            moment(*created_at),
            token.expires_at.map_or_else(|| "when revoked".to_owned(), moment),
            token.label.clone(),
        ]);
    }
    print_line(&table.to_string());
    Ok(Exit::Success)
}

fn wire(StoredToken { token, created_at, standing }: &StoredToken) -> Value {
    json!({
        "prefix": token.prefix,
        "standing": standing.name(),
        "user": token.identity.user,
        "email": token.email,
        "groups": token.identity.groups,
        "scopes": scopes(token),
        "tenant": token.identity.tenant,
        "created_at": moment(*created_at),
        "expires_at": token.expires_at.map(moment),
        "label": token.label,
    })
}

fn scopes(token: &Token) -> Vec<String> {
    match &token.identity.scopes {
        Scopes::All => vec!["all".to_owned()],
        Scopes::Named(names) => names.iter().cloned().collect(),
    }
}

async fn revoke(arguments: RevokeArguments) -> Result<Exit, Failed> {
    let prefix = arguments.prefix.strip_prefix("tl_").unwrap_or(&arguments.prefix);
    // Somebody may paste the whole token.
    let prefix = prefix.split('_').next().unwrap_or_default();
    if store(&arguments.common).await?.revoke_token(prefix).await.map_err(away)? {
        print_line(&format!("{prefix} is revoked"));
        return Ok(Exit::Success);
    }
    Err(Failed::from(anyhow::anyhow!(
        "there is no token {prefix} that could be revoked; `thumbline token list` shows them"
    )))
}

fn moment(millis: UnixMillis) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(millis.div_euclid(1000)).ok();
    moment.and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_else(|| millis.to_string())
}
