//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

/// How long anything may take. Generous: a busy machine is no failure.
const DEADLINE: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(50);

/// Asks until there is an answer; fails with what was waited for.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(started.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(POLL).await;
    }
}

/// Asks until the answer is as wanted; fails with what was waited for and what was seen instead.
pub async fn until_seen<T, F: Future<Output = Result<T, String>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let started = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(seen) => assert!(
                started.elapsed() < DEADLINE,
                "not within {DEADLINE:?}: {what}; seen instead:\n{seen}"
            ),
        }
        tokio::time::sleep(POLL).await;
    }
}
