//! Writing to the Kubernetes API: only what differs, only over what was read, and never for longer than a deadline. What was
//! written is known from then on: see [`super::known`].

use std::time::Duration;

use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::reflector::ObjectRef;
use serde_json::Value;

use super::known::Kind;
use crate::controller::context::Context;

/// How long a request to the API server may take. The client's own retries would go on for minutes.
const DEADLINE: Duration = Duration::from_secs(15);
/// A change that meets a newer object is made again after this,
const AGAIN: Duration = Duration::from_millis(100);
/// and so often.
const TRIES: usize = 10;

/// Why Kubernetes did not take a write.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object changed since it was read: look again.
    #[error("the object changed meanwhile")]
    Conflict,
    /// It is not there any more.
    #[error("the object is gone")]
    Gone,
    /// The API server refuses: a quota, a namespace that ends, a missing permission, an invalid object.
    #[error("Kubernetes refuses: {0}")]
    Refused(String),
    /// For now.
    #[error("Kubernetes is out of reach: {0}")]
    Unavailable(String),
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) => match status.code {
                409 => Error::Conflict,
                404 => Error::Gone,
                400 | 403 | 422 => Error::Refused(status.message.clone()),
                _ => Error::Unavailable(status.message.clone()),
            },
            _ => Error::Unavailable(error.to_string()),
        }
    }
}

/// Bounds a request.
pub async fn bounded<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, Error> {
    match tokio::time::timeout(DEADLINE, request).await {
        Ok(result) => result.map_err(Error::from),
        Err(_) => Err(Error::Unavailable("no answer in time".into())),
    }
}

/// Writes the status of an object as it was read and changed. Nothing is sent if it is the same.
pub async fn write<K: Kind>(ctx: &Context, before: &K, after: &K) -> Result<Option<K>, Error> {
    if before == after {
        return Ok(None);
    }
    let api = K::api(&ctx.client, &after.namespace().unwrap_or_default());
    let written = bounded(api.replace_status(&after.name_any(), &PostParams::default(), after)).await?;
    K::store(&ctx.stores).wrote(&written);
    Ok(Some(written))
}

/// Changes the status of an object as it is known, and again if that was behind: until nothing is to be changed any more, or it
/// is written. [`Error::Gone`]: none of the name is known.
pub async fn change<K: Kind>(
    ctx: &Context,
    which: &ObjectRef<K>,
    mut change: impl FnMut(&K) -> Option<K>,
) -> Result<Option<K>, Error> {
    for _ in 0..TRIES {
        let before = K::store(&ctx.stores).get(which).ok_or(Error::Gone)?;
        let Some(after) = change(&before) else {
            return Ok(None);
        };
        match write(ctx, before.as_ref(), &after).await {
            // The watch brings what is newer.
            Err(Error::Conflict) => tokio::time::sleep(AGAIN).await,
            written => return written,
        }
    }
    Err(Error::Conflict)
}

/// Creates an object. [`Error::Conflict`]: one of its name stands.
pub async fn create<K: Kind>(ctx: &Context, object: &K) -> Result<K, Error> {
    let api = K::api(&ctx.client, &object.namespace().unwrap_or_default());
    let created = bounded(api.create(&PostParams::default(), object)).await?;
    K::store(&ctx.stores).wrote(&created);
    Ok(created)
}

/// Merges something into an object, which is named by its namespace, or an empty one, and its name.
pub async fn merge<K: Kind>(ctx: &Context, namespace: &str, name: &str, patch: Value) -> Result<K, Error> {
    let api = K::api(&ctx.client, namespace);
    let merged = bounded(api.patch(name, &PatchParams::default(), &Patch::Merge(patch))).await?;
    K::store(&ctx.stores).wrote(&merged);
    Ok(merged)
}

/// Sets the finalizers of an object as it was read.
pub async fn finalize<K: Kind>(ctx: &Context, object: &K, finalizers: &[String]) -> Result<K, Error> {
    let patch = serde_json::json!({
        "metadata": {"resourceVersion": object.resource_version(), "finalizers": finalizers}
    });
    merge(ctx, &object.namespace().unwrap_or_default(), &object.name_any(), patch).await
}

/// Deletes an object, if it still is the same.
pub async fn delete<K: Kind>(ctx: &Context, object: &K) -> Result<(), Error> {
    let preconditions = Preconditions {
        uid: object.uid(),
        resource_version: None,
    };
    let params = DeleteParams {
        preconditions: Some(preconditions),
        ..DeleteParams::default()
    };
    let api = K::api(&ctx.client, &object.namespace().unwrap_or_default());
    match bounded(api.delete(&object.name_any(), &params)).await {
        Ok(_) | Err(Error::Gone) => Ok(()),
        Err(error) => Err(error),
    }
}
