//! The uploads: what a seed sends, and how it is sent.

mod api;
pub(crate) mod contents;
mod events;
mod pace;
pub(crate) mod plan;
mod post;
mod send;

pub(crate) use plan::{Item, Plan, Upload};
pub(crate) use send::{Accepted, send_all};
