//! `thumbline redrive`: another chance for what ended as `error`: counted first, asked, at a bounded rate, resumable.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use shared::domain::failure::FailureCode;
use shared::domain::file::UnixMillis;
use shared::domain::format::SourceFormat;
use shared::domain::lane::Lane;
use shared::domain::ledger::{FailureCount, FailureFilter, Redriven};
use shared::domain::moment::{parse_rfc3339, rfc3339};
use shared::domain::preset::PresetName;
use shared::ports::state_store::StateStore;

use crate::cli::print_line;
use crate::config::Config;
use crate::exit::{Exit, Failed};
use crate::platform::{Rows, away};
use crate::shutdown::Shutdown;

/// Most versions of one step.
const STEP_MAX: u32 = 100;
/// Steps of one second at most, so that the rate is even.
const STEPS_PER_SECOND: u32 = 4;

/// Arguments of `thumbline redrive`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only what ended with this failure code
    #[arg(long, value_parser = code)]
    code: Option<FailureCode>,
    /// Only sources of this format
    #[arg(long, value_parser = format)]
    format: Option<SourceFormat>,
    /// Only this preset
    #[arg(long)]
    preset: Option<PresetName>,
    /// Only what ended since then: 90s, 30m, 2h, 7d ago, or a moment like 2026-11-22T10:00:00Z
    #[arg(long, value_name = "WHEN", value_parser = when)]
    since: Option<When>,
    /// Only what ended before this moment; default: now, so that what fails again is not tried again
    #[arg(long, value_name = "WHEN", value_parser = when)]
    until: Option<When>,
    /// The lane to try it on
    #[arg(long, default_value = "backfill", value_parser = lane)]
    lane: Lane,
    /// File versions per second at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Only say how much matches
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// A moment as people say it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum When {
    Ago(Duration),
    At(UnixMillis),
}

impl When {
    fn before(self, now: UnixMillis) -> UnixMillis {
        match self {
            Self::Ago(ago) => now.saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX)),
            Self::At(moment) => moment,
        }
    }
}

/// What is in the trash did not fail: it is restored, not redriven.
fn code(name: &str) -> Result<FailureCode, String> {
    let can_be_redriven = |code: &FailureCode| *code != FailureCode::Trashed;
    FailureCode::from_name(name).filter(can_be_redriven).ok_or_else(|| {
        let known: Vec<&str> =
            FailureCode::ALL.iter().filter(|code| can_be_redriven(code)).map(|code| code.name()).collect();
        format!("one of {}", known.join(", "))
    })
}

fn format(name: &str) -> Result<SourceFormat, String> {
    SourceFormat::from_name(name).ok_or_else(|| {
        let known: Vec<&str> = SourceFormat::ALL.iter().map(|format| format.name()).collect();
        format!("one of {}", known.join(", "))
    })
}

fn lane(name: &str) -> Result<Lane, String> {
    Lane::from_name(name).ok_or_else(|| "one of interactive, normal, heavy, backfill".to_owned())
}

fn when(text: &str) -> Result<When, String> {
    if let Some(moment) = parse_rfc3339(text) {
        return Ok(When::At(moment));
    }
    let seconds = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)].into_iter().find_map(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(seconds)
    });
    seconds
        .map(|ago| When::Ago(Duration::from_secs(ago)))
        .ok_or_else(|| "90s, 30m, 2h or 7d ago, or a moment like 2026-11-22T10:00:00Z".to_owned())
}

/// Counts, asks, redrives. Interrupted, it says how to go on; nothing is left half done.
pub async fn run(arguments: &Arguments, config: &Config) -> Result<Exit, Failed> {
    let store = Rows::open(config).await?.store;
    let now = store.count_failures(&FailureFilter::default()).await.map_err(away)?.counted_at;
    let filter = FailureFilter {
        code: arguments.code,
        format: arguments.format,
        preset: arguments.preset.clone(),
        since: arguments.since.map(|since| since.before(now)),
        // The moment itself is not before itself.
        until: Some(arguments.until.map_or(now + 1, |until| until.before(now))),
    };
    let count = store.count_failures(&filter).await.map_err(away)?;
    if arguments.dry_run || count.versions == 0 {
        tell(arguments, &filter, count, Redriven::default(), false);
        return Ok(Exit::Success);
    }
    if !arguments.yes && !confirmed(count)? {
        return Ok(Exit::Interrupted);
    }
    let shutdown = Shutdown::on_signals()?;
    let (redriven, interrupted) = redrive(arguments, &filter, count, &*store, &shutdown).await?;
    tell(arguments, &filter, count, redriven, interrupted);
    Ok(if interrupted { Exit::Interrupted } else { Exit::Success })
}

fn confirmed(count: FailureCount) -> Result<bool, Failed> {
    if !std::io::stdin().is_terminal() {
        return Err(Failed::usage(anyhow!("nobody can be asked: add --yes, or --dry-run to only count")));
    }
    let FailureCount { representations, versions, .. } = count;
    let _ =
        write!(std::io::stderr(), "Try {representations} representations of {versions} file versions again? [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|error| Failed::usage(anyhow!(error)))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// What was redriven, and whether it was interrupted before the end.
async fn redrive(
    arguments: &Arguments,
    filter: &FailureFilter,
    count: FailureCount,
    store: &dyn StateStore,
    shutdown: &Shutdown,
) -> Result<(Redriven, bool), Failed> {
    let step = (arguments.rate / STEPS_PER_SECOND).clamp(1, STEP_MAX);
    let bar = progress_bar(count.versions);
    let mut total = Redriven::default();
    let interrupted = loop {
        if shutdown.drain.is_cancelled() {
            break true;
        }
        let begun = tokio::time::Instant::now();
        let done = store.redrive(filter, arguments.lane, step).await.map_err(away)?;
        if done.versions == 0 {
            break false;
        }
        total.representations += done.representations;
        total.versions += done.versions;
        bar.set_position(total.versions);
        let pace = Duration::from_secs_f64(done.versions as f64 / f64::from(arguments.rate));
        // An interruption is looked at next, between two steps.
        let _ = tokio::time::timeout_at(begun + pace, shutdown.drain.cancelled()).await;
    };
    bar.finish_and_clear();
    Ok((total, interrupted))
}

fn progress_bar(versions: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} file versions  {elapsed}, {eta} left");
    ProgressBar::new(versions).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn tell(arguments: &Arguments, filter: &FailureFilter, count: FailureCount, redriven: Redriven, interrupted: bool) {
    let until = rfc3339(filter.until.unwrap_or(count.counted_at));
    if arguments.json {
        let told = json!({
            "matched": { "representations": count.representations, "versions": count.versions },
            "redriven": { "representations": redriven.representations, "versions": redriven.versions },
            "dry_run": arguments.dry_run, "interrupted": interrupted, "until": until,
        });
        return print_line(&told.to_string());
    }
    let FailureCount { representations, versions, .. } = count;
    print_line(&format!("{representations} representations of {versions} file versions match"));
    if !arguments.dry_run && versions > 0 {
        let Redriven { representations, versions } = redriven;
        print_line(&format!("{representations} representations of {versions} file versions are tried again"));
    }
    if interrupted {
        print_line(&format!("interrupted; the same command with --until {until} goes on"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_understood_as_people_say_them() {
        assert_eq!(when("2h"), Ok(When::Ago(Duration::from_secs(7200))));
        assert_eq!(when("2016-07-11T10:10:32Z"), Ok(When::At(1_468_231_832_000)));
        for bad in ["", "h", "2", "-2h", "two days", "99999999999999999999d", "18446744073709551615d"] {
            assert!(when(bad).is_err(), "{bad:?} was accepted");
        }
        assert_eq!(When::Ago(Duration::from_secs(1)).before(5000), 4000);
        assert_eq!(When::At(7).before(5000), 7);
    }

    #[test]
    fn unknown_codes_are_answered_with_the_known_ones() {
        assert_eq!(code("truncated"), Ok(FailureCode::Truncated));
        assert!(code("oops").unwrap_err().contains("corrupt_source"));
        assert!(!code("trashed").unwrap_err().contains("trashed"));
        assert!(format("docx").unwrap_err().contains("jpeg"));
        assert!(lane("fast").is_err());
    }
}
