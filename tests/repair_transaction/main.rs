//! Repairs of one endpoint, call by call, against API Gateway with AWS's manners in the same process: what is written, in
//! which order, and what happens when somebody else writes in between or the process dies.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests are tests
#![allow(clippy::match_same_arms)] // rows that say the same for different reasons stand apart

mod clean;
mod colleague;
mod desk;
mod elsewhere;
mod killed;
mod pending;
mod race;
mod switches;
mod unshown;
mod windows;
mod wire;
mod world;
