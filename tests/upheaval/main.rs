//! Stories that change the cluster under everybody: they run by themselves, one after the other.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, clippy::doc_markdown)]
#![allow(dead_code)] // the world offers more than these stories use

#[path = "../stories/support/mod.rs"]
mod support;

mod api_server;
mod newer;

static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Whoever holds it has the cluster to itself.
async fn alone() -> tokio::sync::MutexGuard<'static, ()> {
    ALONE.lock().await
}
