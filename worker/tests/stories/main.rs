//! The worker with real parts: render children that misbehave in every way we could think of, and the whole role on
//! SQLite, local files and the in-process queue. This executable is its own render child.
//!
//! Called with `render-child` it is a child whose engine fails as the source tells it to (`engine.rs`); with `old-kernel`
//! the kernel lacks a system call (`sandbox.rs`); with `liar` it speaks to its parent by hand and lies (`liar.rs`); with `dying-parent` it starts a child and dies. Otherwise it runs
//! the stories, one after the other, because they count the descriptors and children of this process.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "all of this is a test, though not of the usual harness")]

mod children;
mod engine;
mod liar;
mod memory;
mod parent;
mod role;
mod sandbox;
mod world;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["render-child"] => worker::child::main_with(engine::render),
        ["old-kernel", missing] => sandbox::on_a_kernel_without(missing),
        ["liar", lie] => liar::main(lie),
        ["dying-parent"] => parent::die_while_rendering(),
        _ => run_stories(),
    }
}

fn run_stories() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let trials = children::ALL.iter().chain(sandbox::ALL).chain(memory::ALL).chain(role::ALL).map(|(name, story)| {
        Trial::test(*name, move || {
            story();
            Ok(())
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
