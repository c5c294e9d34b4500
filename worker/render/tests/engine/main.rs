//! The engine from outside: what sources must come to, on sources made for the purpose and on the corpus.

mod colour;
mod common;
mod corpus;
mod damage;
mod limits;
mod orientation;
mod pages;
mod privacy;
mod size;
mod transparency;
