//! Stories over whole processes, in reading order: first in one process, then in production's shape over real servers.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a story that cannot go on has failed, and says how far it came"
)]

mod harness;

mod command_line;
mod compose;
mod consumers;
mod contract_box;
mod cost;
mod demo;
mod hostile;
mod jira_clients;
mod life;
mod notifications;
mod one_process;
mod packs;
mod producers;
mod production;
