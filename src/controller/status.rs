//! Writing to the Kubernetes API: only what differs, only over what was read, and never for longer than a deadline.

use std::fmt::Debug;
use std::time::Duration;

use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How long a request to the API server may take. The client's own retries would go on for minutes.
const DEADLINE: Duration = Duration::from_secs(15);

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
pub async fn write<K>(api: &Api<K>, before: &K, after: &K) -> Result<Option<K>, Error>
where
    K: Resource + Clone + DeserializeOwned + Serialize + Debug + PartialEq,
{
    if before == after {
        return Ok(None);
    }
    bounded(api.replace_status(&after.name_any(), &PostParams::default(), after))
        .await
        .map(Some)
}

/// Deletes an object, if it still is the same.
pub async fn delete<K>(api: &Api<K>, object: &K) -> Result<(), Error>
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    let preconditions = Preconditions {
        uid: object.uid(),
        resource_version: None,
    };
    let params = DeleteParams {
        preconditions: Some(preconditions),
        ..DeleteParams::default()
    };
    match bounded(api.delete(&object.name_any(), &params)).await {
        Ok(_) | Err(Error::Gone) => Ok(()),
        Err(error) => Err(error),
    }
}
