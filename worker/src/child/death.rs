//! What the end of a child that nobody asked to end means: the cause for the metrics, the failure for its source.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::Signal;
use shared::domain::failure::{Failure, FailureCode};
use shared::domain::limits::Limits;

use super::process::End;
use crate::metrics::ExitCause;

/// What Rust's allocator says before it aborts the process.
const OUT_OF_MEMORY: &str = "memory allocation of";

/// The metric label.
pub(super) fn cause(end: &End) -> ExitCause {
    match end.status {
        // It hung up and lived on, so it had to be killed.
        _ if end.killed => ExitCause::Protocol,
        Some(status) if is_out_of_memory(status, &end.stderr) => ExitCause::Memory,
        Some(status) if status.signal() == Some(Signal::SYS.as_raw()) => ExitCause::Sandbox,
        Some(status) if status.signal() == Some(Signal::XCPU.as_raw()) => ExitCause::Timeout,
        Some(status) if status.signal().is_some() => ExitCause::Signal,
        Some(_) | None => ExitCause::Exited,
    }
}

/// The failure of the source that the child was working on, under these limits.
pub(super) fn failure(end: &End, limits: &Limits) -> Failure {
    let code = match cause(end) {
        ExitCause::Protocol => FailureCode::ChildProtocol,
        ExitCause::Memory => FailureCode::ChildOutOfMemory,
        ExitCause::Timeout => FailureCode::ChildTimeout,
        ExitCause::Exited | ExitCause::Signal | ExitCause::Sandbox | ExitCause::Recycled | ExitCause::Cancelled => {
            FailureCode::ChildCrashed
        }
    };
    let how = describe(end, limits);
    if end.stderr.is_empty() {
        Failure::new(code, format!("the render child {how}"))
    } else {
        // The end of what it said tells most, and reasons are cut at their end.
        let start = end.stderr.char_indices().rev().nth(399).map_or(0, |(start, _)| start);
        Failure::new(code, format!("the render child {how}: {}", &end.stderr[start..]))
    }
}

/// What it said last, else how it ended; before it had any source.
pub(super) fn told(end: &End) -> String {
    match end.status {
        _ if !end.stderr.is_empty() => end.stderr.clone(),
        Some(status) => format!("it ended before that ({status})"),
        None => "it ended before that, nobody knows how".to_owned(),
    }
}

fn is_out_of_memory(status: ExitStatus, stderr: &str) -> bool {
    status.signal() == Some(Signal::ABORT.as_raw()) && stderr.contains(OUT_OF_MEMORY)
}

fn describe(end: &End, limits: &Limits) -> String {
    match end.status {
        _ if end.killed => "hung up and lived on".to_owned(),
        Some(status) if is_out_of_memory(status, &end.stderr) => {
            format!("needed more than {} bytes of memory", limits.child_memory_bytes_max)
        }
        Some(status) => match (status.signal(), status.code()) {
            (Some(signal), _) if signal == Signal::XFSZ.as_raw() => {
                format!("wrote more than {} bytes of output", limits.output_bytes_max)
            }
            (Some(signal), _) if signal == Signal::XCPU.as_raw() => {
                format!("used more than {} s of processor time", limits.child_cpu_seconds_max)
            }
            (Some(signal), _) if signal == Signal::SYS.as_raw() => "tried what the sandbox forbids (SIGSYS)".to_owned(),
            (Some(signal), _) => format!("was ended by signal {signal}"),
            (None, Some(code)) => format!("exited with code {code} in the middle"),
            (None, None) => "ended".to_owned(),
        },
        None => "ended, nobody knows how".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(raw_status: i32, stderr: &str) -> End {
        End { status: Some(ExitStatus::from_raw(raw_status)), killed: false, stderr: stderr.to_owned() }
    }

    fn limits() -> Limits {
        Limits {
            source_bytes_max: 1,
            width_pixels_max: 1,
            height_pixels_max: 1,
            area_pixels_max: 1,
            total_pixels_max: 1,
            pages_max: 1,
            nesting_max: 1,
            child_memory_bytes_max: 77,
            child_cpu_seconds_max: 9,
            child_seconds_max: 1,
            output_bytes_max: 1,
        }
    }

    fn told(end: &End) -> (&'static str, FailureCode) {
        (cause(end).name(), failure(end, &limits()).code)
    }

    #[test]
    fn ends_are_told_apart() {
        let memory = "memory allocation of 99 bytes failed";
        assert_eq!(told(&ended(6, memory)), ("memory", FailureCode::ChildOutOfMemory));
        assert_eq!(told(&ended(6, "assertion")), ("signal", FailureCode::ChildCrashed));
        assert_eq!(told(&ended(11, "")), ("signal", FailureCode::ChildCrashed));
        assert_eq!(told(&ended(31, "")), ("sandbox", FailureCode::ChildCrashed));
        assert_eq!(told(&ended(24, "")), ("timeout", FailureCode::ChildTimeout));
        assert_eq!(told(&ended(101 << 8, memory)), ("exited", FailureCode::ChildCrashed));
        assert_eq!(told(&End::unknown()), ("exited", FailureCode::ChildCrashed));
        let killed = End { killed: true, ..ended(9, "") };
        assert_eq!(told(&killed), ("protocol", FailureCode::ChildProtocol));
    }

    #[test]
    fn the_reason_names_the_limit() {
        let reason = |end: &End| failure(end, &limits()).reason;
        assert_eq!(reason(&ended(24, "")), "the render child used more than 9 s of processor time");
        assert!(reason(&ended(6, "memory allocation of 99 bytes failed")).contains("needed more than 77 bytes"));
        assert!(reason(&ended(25, "")).contains("wrote more than 1 bytes of output"));
    }

    #[test]
    fn the_reason_keeps_the_end_of_what_was_said() {
        let failure = failure(&ended(101 << 8, &format!("{}it broke", "ü".repeat(3000))), &limits());
        assert!(failure.reason.starts_with("the render child exited with code 101 in the middle: ü"));
        assert!(failure.reason.ends_with("it broke"));
    }
}
