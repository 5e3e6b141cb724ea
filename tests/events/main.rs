//! Stories of the event stream: what a message brings about, and who did it. Sweeps are an hour apart in all of them.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, clippy::doc_markdown)]
#![allow(dead_code)] // the world offers more than these stories use

#[path = "../stories/support/mod.rs"]
mod support;

mod asides;
mod asked;
mod clean;
mod listening;
mod lookup;
mod many;
mod queue;
mod repair_queue;
mod shapes;
mod shared;
mod stack;
mod told;
mod who;
