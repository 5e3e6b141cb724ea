//! The stream of events: queues are listened to, endpoints that messages name are read again, and whoever changed something
//! is found out.
//!
//! * `listener`: one task for each queue; takes messages, and lets go of them when they are dealt with.
//! * `route`: what one item of a message means: which endpoint is read, which Drift is released, or why neither.
//! * `files`: a trail's files in S3, read as a stream.
//! * `reader`: reads endpoints that hints name.
//! * `actors`: who did it, from the stream or asked for (`lookup`).
//! * `health`: whether the stream can be relied on: `Listening`.
//! * `baseline`: what the events say of an editor: whether anybody wrote since it was deployed.

pub mod actors;
pub mod baseline;
mod files;
pub mod health;
pub mod listener;
mod lookup;
pub mod reader;
mod route;

use crate::inventory::hints::Hints;
use crate::inventory::trail::Trail;

/// What is known of the streams.
#[derive(Default)]
pub struct Stream {
    /// Endpoints to read out of turn.
    pub hints: Hints,
    /// Who did what.
    pub trail: Trail,
    /// Whether accounts' streams work.
    pub health: health::Health,
    /// What CloudTrail is asked for.
    pub lookups: lookup::Lookups,
    /// What CloudTrail said of editors.
    pub searches: baseline::Searches,
    /// Who listens to which queue.
    pub listeners: listener::Listeners,
}
