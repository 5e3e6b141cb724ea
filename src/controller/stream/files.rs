//! A trail's files in S3: fetched, and read as a stream.

use std::sync::{Arc, OnceLock};

use aws_sdk_s3::Client;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use tokio::sync::Semaphore;

use super::route::{self, Route};
use crate::api::AwsAccount;
use crate::aws::Error;
use crate::controller::context::Context;
use crate::inventory::events::{Fault, Item, TrailFile};
use crate::inventory::hints::Receipt;
use crate::inventory::intake::files::Records;
use crate::inventory::trail::Way;

/// So many files are read at once: each takes some memory for its stream.
const AT_ONCE: usize = 4;
/// So much is unzipped in one go: it may come to a thousand times as much.
const PIECE: usize = 16 * 1024;

fn places() -> &'static Semaphore {
    static PLACES: OnceLock<Semaphore> = OnceLock::new();
    PLACES.get_or_init(|| Semaphore::new(AT_ONCE))
}

/// Fetches a file that a message named, and takes what it holds where it belongs. The message waits for all of it.
pub fn fetch(route: &Route<'_>, owner: Arc<AwsAccount>, file: TrailFile) {
    let ctx = route.ctx.clone();
    let owners = route.owners.to_vec();
    let (message_id, receipt) = (route.message_id.to_owned(), route.receipt.held());
    tokio::spawn(async move {
        let Ok(_place) = places().acquire().await else { return };
        let message = Message {
            ctx: &ctx,
            owners: &owners,
            id: &message_id,
            receipt: &receipt,
        };
        match message.read(&owner, &file).await {
            Ok(()) => receipt.done(),
            // It was there and is broken: it is so the next time as well.
            Err(Trouble::Fault(fault)) => {
                ctx.metrics.count(route::fault(fault));
                tracing::warn!(bucket = file.bucket, key = file.key, why = ?fault, "a trail's file is not understood");
                receipt.done();
            }
            Err(Trouble::Aws(error)) => {
                ctx.metrics.count("file_unreadable");
                tracing::warn!(%error, bucket = file.bucket, key = file.key, "a trail's file cannot be fetched: its message comes again");
            }
        }
    });
}

/// The message that named the file.
struct Message<'a> {
    ctx: &'a Arc<Context>,
    owners: &'a [Arc<AwsAccount>],
    id: &'a str,
    receipt: &'a Arc<Receipt>,
}

/// The region in which S3 says that the bucket is, when it was asked in another: one bucket holds the trails of many.
fn elsewhere<E>(error: &SdkError<E, HttpResponse>, asked: &str) -> Option<String> {
    let region = error.raw_response()?.headers().get("x-amz-bucket-region")?;
    (region != asked).then(|| region.to_owned())
}

/// Why a file was not read to its end.
enum Trouble {
    Fault(Fault),
    Aws(Error),
}

impl Message<'_> {
    async fn read(&self, owner: &AwsAccount, file: &TrailFile) -> Result<(), Trouble> {
        let region = owner.spec.regions.first().cloned().unwrap_or_default();
        let session = self.ctx.sessions.of(&owner.spec);
        let get = |region: &str| {
            let s3 = Client::new(&session.inbound(region));
            s3.get_object().bucket(&file.bucket).key(&file.key).send()
        };
        let mut object = get(&region).await;
        if let Err(error) = &object
            && let Some(elsewhere) = elsewhere(error, &region)
        {
            object = get(&elsewhere).await;
        }
        let mut body = object
            .map_err(|error| Trouble::Aws(Error::from_sdk("GetObject", &error)))?
            .body;
        let mut records = Records::default();
        loop {
            let chunk = body.next().await.transpose().map_err(|error| {
                let error = Error::new(crate::aws::Class::Unavailable, "GetObject", error.to_string());
                Trouble::Aws(error)
            })?;
            let Some(chunk) = chunk else { break };
            for piece in chunk.chunks(PIECE) {
                let each = &mut |item| self.take(item);
                records.push(piece, each).map_err(Trouble::Fault)?;
                tokio::task::yield_now().await; // a large file is no reason for others to wait
            }
        }
        records.finish(&mut |item| self.take(item)).map_err(Trouble::Fault)
    }

    fn take(&self, item: Result<Item, Fault>) {
        let route = Route {
            ctx: self.ctx,
            owners: self.owners,
            message_id: self.id,
            receipt: self.receipt,
        };
        match item {
            // A file that names files would go on for ever.
            Ok(Item::File(_)) => self.ctx.metrics.count("foreign_file"),
            Ok(item) => route.item(&item, Way::Told),
            Err(fault) => self.ctx.metrics.count(route::fault(fault)),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    #[test]
    fn a_bucket_in_another_region_is_asked_there() {
        for (says, status, wanted, why) in [
            (Some("us-east-1"), 301, Some("us-east-1"), "S3 says where it is"),
            (Some("us-east-1"), 400, Some("us-east-1"), "signed for another region"),
            (Some("eu-west-1"), 403, None, "it is here, and refuses"),
            (None, 404, None, "there is no such bucket"),
        ] {
            let mut answer = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty());
            if let Some(region) = says {
                answer.headers_mut().insert("x-amz-bucket-region", region);
            }
            let error = SdkError::service_error(std::io::Error::other("refused"), answer);
            assert_eq!(elsewhere(&error, "eu-west-1").as_deref(), wanted, "{why}");
        }
        let unanswered = SdkError::<std::io::Error, HttpResponse>::timeout_error("late");
        assert_eq!(elsewhere(&unanswered, "eu-west-1"), None, "nobody said anything");
    }
}
