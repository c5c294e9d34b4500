//! The engine from outside: what sources must come to, on sources made for the purpose and on the corpus.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod colour;
mod common;
mod corpus;
mod damage;
mod formats;
mod limits;
mod orientation;
mod pages;
mod privacy;
mod raw;
mod size;
mod svg;
mod transparency;
