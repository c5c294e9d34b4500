//! `thumbline explain`: the life of one file in order, with reasons, straight from the rows.

use clap::Args;
use shared::domain::explain::{Told, explain};
use shared::domain::ids::FileId;
use shared::domain::moment::rfc3339;

use crate::cli::print_line;
use crate::config::Config;
use crate::exit::{Exit, Failed};
use crate::platform::{Rows, away};

/// Arguments of `thumbline explain`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The file's id
    #[arg(value_name = "FILE_ID")]
    file: FileId,
    /// Print one JSON object per sentence
    #[arg(long)]
    json: bool,
}

/// Prints the story; exit 1 when there is no such file.
pub async fn run(arguments: &Arguments, config: &Config) -> Result<Exit, Failed> {
    let store = Rows::open(config).await?.store;
    let life = store.life(arguments.file).await.map_err(away)?;
    let Some(life) = life else {
        return Err(Failed::from(anyhow::anyhow!("there is no file {}", arguments.file)));
    };
    explain(&life).iter().for_each(|told| print_line(&line(told, arguments.json)));
    Ok(Exit::Success)
}

fn line(told: &Told, json: bool) -> String {
    let at = rfc3339(told.at);
    if json {
        return serde_json::json!({ "at": at, "kind": told.kind, "detail": told.detail }).to_string();
    }
    // Names and reasons may hold anything; the terminal gets none of it.
    let detail: String = told.detail.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{at}  {:<13} {detail}", told.kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_cannot_drive_the_terminal() {
        let told = Told { at: 0, kind: "error", detail: "a\u{1b}[2Jb".into() };
        assert_eq!(line(&told, false), "1970-01-01T00:00:00.000Z  error         a [2Jb");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line(&told, true)).unwrap()["detail"], told.detail);
    }
}
