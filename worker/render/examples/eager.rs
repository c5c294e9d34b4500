//! Milliseconds for the eager set of every file given, and for the steps; `--out DIR` also writes the pictures.
//!
//! `cargo run --release -p render --example eager -- [--out DIR] [--rounds N] FILE…`

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a tool for developers")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use render::{Request, Step, StepObserver};
use shared::domain::limits::{Limits, LimitsTable};
use shared::domain::preset::{Preset, PresetTable, Trigger};

/// Adds up the time of every step.
#[derive(Default)]
struct Stopwatch {
    running: Option<(Step, Instant)>,
    times: BTreeMap<&'static str, Duration>,
}

impl StepObserver for Stopwatch {
    fn step(&mut self, step: Step) {
        let now = Instant::now();
        if let Some((before, began)) = self.running.replace((step, now)) {
            *self.times.entry(before.name()).or_default() += now - began;
        }
    }
}

fn limits() -> LimitsTable {
    LimitsTable::same(Limits {
        source_bytes_max: 1 << 30,
        width_pixels_max: 70_000,
        height_pixels_max: 70_000,
        area_pixels_max: 250_000_000,
        total_pixels_max: 1_000_000_000,
        pages_max: 20,
        nesting_max: 16,
        child_memory_bytes_max: 2 << 30,
        child_cpu_seconds_max: 60,
        child_seconds_max: 60,
        output_bytes_max: 256 << 20,
    })
}

fn main() {
    let mut args = std::env::args().skip(1).peekable();
    let (mut out, mut rounds, mut files, mut names) = (None, 1_u32, Vec::new(), Vec::new());
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--out" => out = args.next(),
            "--rounds" => rounds = args.next().unwrap().parse().unwrap(),
            "--preset" => names.extend(args.next()),
            _ => files.push(arg),
        }
    }
    let table = PresetTable::built_in();
    let wanted =
        |p: &&Preset| if names.is_empty() { p.trigger == Trigger::Eager } else { names.contains(&p.name.to_string()) };
    let presets: Vec<Preset> = table.iter().filter(wanted).cloned().collect();
    let mut total = 0.0;
    let mut shares: BTreeMap<&str, f64> = BTreeMap::new();
    for file in &files {
        let source = std::fs::read(file).unwrap();
        let mut best = f64::INFINITY;
        let mut steps = BTreeMap::new();
        for round in 0..rounds {
            let mut watch = Stopwatch::default();
            let began = Instant::now();
            let result = render::render(&source, &Request::new(&presets, &limits()), &mut watch);
            let elapsed = began.elapsed().as_secs_f64() * 1e3;
            if elapsed < best {
                best = elapsed;
                steps = watch.times;
            }
            if round > 0 {
                continue;
            }
            match (&out, result) {
                (_, Err(failure)) => println!("{file}: {failure}"),
                (None, Ok(_)) => {}
                (Some(dir), Ok(report)) => {
                    let stem = std::path::Path::new(file).file_name().unwrap().to_string_lossy().into_owned();
                    for (preset, rendered) in presets.iter().zip(report.renderings) {
                        for (page, number) in rendered.result.unwrap_or_default().iter().zip(1..) {
                            let name = format!("{dir}/{stem}.{}.{number}.{}", preset.name, preset.format.name());
                            std::fs::write(name, &page.bytes).unwrap();
                        }
                    }
                }
            }
        }
        total += best;
        let mut line = format!("{best:8.2} ms ");
        for (step, time) in &steps {
            *shares.entry(step).or_default() += time.as_secs_f64() * 1e3;
            line += &format!(" {step} {:.2}", time.as_secs_f64() * 1e3);
        }
        println!("{line}  {file}");
    }
    println!("total {total:.2} ms, mean {:.2} ms; steps {shares:.1?}", total / files.len().max(1) as f64);
}
