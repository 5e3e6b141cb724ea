//! What is counted, as Prometheus reads it.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Something of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Kind {
    /// Which.
    pub kind: &'static str,
}

/// Something of one account.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Account {
    /// The name of the `AwsAccount`.
    pub account: String,
}

/// Seconds from an event's message to a Drift: from 10 ms to a minute and a half.
const SECONDS: [f64; 14] = [
    0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 90.0,
];

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Messages that were taken from queues.
    pub messages: Counter,
    /// What messages held, by what it was or why it was of no use.
    pub intake: Family<Kind, Counter>,
    /// Whether an account's stream of events works.
    pub listening: Family<Account, Gauge>,
    /// Changes that a sweep found and no event told of.
    pub gaps: Family<Account, Counter>,
    /// From the taking of a message to the judgement of the endpoint that it named, all Drifts persisted.
    pub judged: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("plumbline");
        let (messages, intake) = (Counter::default(), Family::default());
        let (listening, gaps) = (Family::default(), Family::default());
        let judged = Histogram::new(SECONDS);
        registry.register("intake_messages", "Messages taken from queues", messages.clone());
        registry.register(
            "intake",
            "What messages held, by what it was or why it was of no use",
            intake.clone(),
        );
        registry.register(
            "listening",
            "Whether an account's stream of events works: 1 or 0",
            listening.clone(),
        );
        registry.register(
            "event_gaps",
            "Drifts that a sweep found and no event told of",
            gaps.clone(),
        );
        registry.register(
            "message_to_drift_seconds",
            "From the taking of a message to the judgement of its endpoint, all Drifts persisted",
            judged.clone(),
        );
        Metrics {
            registry,
            messages,
            intake,
            listening,
            gaps,
            judged,
        }
    }
}

impl Metrics {
    /// Counts one thing that messages held.
    pub fn count(&self, kind: &'static str) {
        self.intake.get_or_create(&Kind { kind }).inc();
    }

    /// In Prometheus' text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_can_be_read() {
        let metrics = Metrics::default();
        metrics.messages.inc();
        metrics.count("malformed_gzip");
        metrics.count("malformed_gzip");
        let text = metrics.text();
        for line in [
            "plumbline_intake_messages_total 1",
            "plumbline_intake_total{kind=\"malformed_gzip\"} 2",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
    }
}
