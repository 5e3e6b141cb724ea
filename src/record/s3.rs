//! Audit records: one object for each transition of a Drift, written once and never over another.

use std::io::{Read, Write};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumAlgorithm;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::SdkConfig;
use aws_types::region::Region;
use flate2::{Compression, GzBuilder, read::GzDecoder};
use serde_json::Value;

use super::entry::Entry;
use super::{Class, RecordError, classify, patiently};
use crate::api::account::Audit;

/// How often S3 is asked again that answered 409, 'retry', to a conditional write.
const ATTEMPTS: u32 = 5;

/// Nothing longer is ours; so much of a foreign object is read and not more.
const LONGEST: u64 = 64 * 1024 * 1024;

/// A bucket, and what its audit records' keys start with.
#[derive(Clone, Debug)]
pub struct AuditBucket {
    client: Client,
    bucket: String,
    prefix: String,
}

/// What an attempt came to.
enum Outcome {
    Recorded,
    Again(RecordError),
}

impl AuditBucket {
    /// A bucket by its name; the client is one of the bucket's region.
    pub fn new(client: Client, bucket: impl Into<String>, prefix: &str) -> Self {
        AuditBucket {
            client,
            bucket: bucket.into(),
            prefix: prefix.trim_matches('/').to_owned(),
        }
    }

    /// The bucket that an account names. `first_region`: the bucket's, if the account does not say.
    pub fn of(config: &SdkConfig, audit: &Audit, first_region: &str) -> Self {
        let region = audit.region.clone().unwrap_or_else(|| first_region.to_owned());
        let config = aws_sdk_s3::config::Builder::from(config)
            .region(Region::new(region))
            .build();
        Self::new(Client::from_conf(config), &audit.bucket, &audit.prefix)
    }

    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Where the record of an entry is, whether or not it was written yet.
    pub fn key(&self, entry: &Entry) -> String {
        key(&self.prefix, entry)
    }

    /// Writes an entry and returns its key. What is recorded already is not written again.
    ///
    /// # Errors
    /// When S3 does not take it, or something else stands under its key.
    pub async fn write(&self, entry: &Entry) -> Result<String, RecordError> {
        let key = self.key(entry);
        let attempt = format!("PutObject s3://{}/{key}", self.bucket);
        let body = gzip(&record(entry)).map_err(|error| {
            RecordError::new(Class::Unavailable, format!("packing the record {}: {error}", entry.id))
        })?;
        Box::pin(patiently(&attempt, async {
            let mut pause = Duration::from_millis(100);
            for _ in 1..ATTEMPTS {
                match self.put(&attempt, &key, &body, entry).await? {
                    Outcome::Recorded => return Ok(()),
                    Outcome::Again(_) => tokio::time::sleep(pause).await,
                }
                pause *= 2;
            }
            match self.put(&attempt, &key, &body, entry).await? {
                Outcome::Recorded => Ok(()),
                Outcome::Again(error) => Err(error),
            }
        }))
        .await?;
        Ok(key)
    }

    async fn put(&self, attempt: &str, key: &str, body: &[u8], entry: &Entry) -> Result<Outcome, RecordError> {
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .if_none_match("*")
            // Without content-encoding: Athena and its kin unpack by the name's `.gz`, and HTTP clients would unpack first.
            .content_type("application/gzip")
            // Asked for by name, as a bucket with Object Lock wants one and the environment can turn the default off.
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .body(ByteStream::from(body.to_vec()))
            .send()
            .await;
        let Err(error) = put else { return Ok(Outcome::Recorded) };
        let failure = classify(attempt, "create the bucket or correct spec.audit.bucket", &error);
        match error.raw_response().map(|response| response.status().as_u16()) {
            Some(412) => self.compare(key, entry, failure).await,
            Some(409) => Ok(Outcome::Again(failure)),
            _ => Err(failure),
        }
    }

    /// S3 says that the key is taken, not by what.
    async fn compare(&self, key: &str, entry: &Entry, failure: RecordError) -> Result<Outcome, RecordError> {
        let attempt = format!("GetObject s3://{}/{key}, which was there already", self.bucket);
        let standing = match self.client.get_object().bucket(&self.bucket).key(key).send().await {
            Ok(standing) => standing,
            // Deleted in between.
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(Outcome::Again(failure)),
            Err(error) => {
                return Err(classify(
                    &attempt,
                    "create the bucket or correct spec.audit.bucket",
                    &error,
                ));
            }
        };
        let foreign = |what: String| {
            let message = format!(
                "s3://{}/{key} is the place of the record {} and holds {what}: move it away, and find out who wrote it",
                self.bucket, entry.id
            );
            RecordError::new(Class::Occupied, message)
        };
        let length = standing.content_length().unwrap_or_default();
        if u64::try_from(length).unwrap_or_default() > LONGEST {
            return Err(foreign(format!("an object of {length} bytes")));
        }
        let bytes =
            standing.body.collect().await.map_err(|error| {
                RecordError::new(Class::Unavailable, format!("{attempt}: {}", super::chain(&error)))
            })?;
        match identify(&bytes.into_bytes()) {
            Some(id) if id == entry.id => Ok(Outcome::Recorded),
            Some(id) => Err(foreign(format!("the record {id}"))),
            None => Err(foreign(format!("{length} bytes that are no audit record"))),
        }
    }
}

/// The key of an entry: partitions as Athena, Redshift Spectrum and EMR read them, by the day of the transition in UTC.
fn key(prefix: &str, entry: &Entry) -> String {
    let mut date = entry.time.split(['-', 'T']);
    let mut part = || date.next().unwrap_or_default();
    let (year, month, day) = (part(), part(), part());
    let slash = if prefix.is_empty() { "" } else { "/" };
    format!(
        "{prefix}{slash}account={}/region={}/year={year}/month={month}/day={day}/{}-{}.jsonl.gz",
        entry.account,
        entry.region,
        entry.drift.uid,
        entry.transition.as_str().to_lowercase()
    )
}

/// The line that stands in the object.
fn record(entry: &Entry) -> String {
    let mut line = Entry {
        audit: None,
        ..entry.clone()
    }
    .line();
    line.push('\n');
    line
}

/// The same bytes for the same text: no time, no name, no system.
fn gzip(text: &str) -> std::io::Result<Vec<u8>> {
    let mut zip = GzBuilder::new()
        .mtime(0)
        .operating_system(255)
        .write(Vec::new(), Compression::new(6));
    zip.write_all(text.as_bytes())?;
    zip.finish()
}

/// The id of the record in an object, if it is one. Not its bytes: another release may pack the same text otherwise, and
/// who did it may have become known between two attempts.
fn identify(object: &[u8]) -> Option<String> {
    let mut text = String::new();
    GzDecoder::new(object).take(LONGEST).read_to_string(&mut text).ok()?;
    let document: Value = serde_json::from_str(text.lines().next()?).ok()?;
    Some(document.get("id")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::entry::tests::{drift, place};
    use crate::record::{Place, Transition};

    #[test]
    fn a_key_holds_the_partitions_and_the_drifts_uid() {
        let mut drift = drift();
        let cases = [
            (
                "audit/v1",
                Transition::Detected,
                "audit/v1/account=111122223333/region=eu-west-1/year=2026/month=03/day=01/0a1b-detected.jsonl.gz",
            ),
            (
                "",
                Transition::Detected,
                "account=111122223333/region=eu-west-1/year=2026/month=03/day=01/0a1b-detected.jsonl.gz",
            ),
            (
                "x",
                Transition::Waiting,
                "x/account=111122223333/region=eu-west-1/year=2026/month=03/day=02/0a1b-waiting.jsonl.gz",
            ),
            (
                "x",
                Transition::Resolved,
                "x/account=111122223333/region=eu-west-1/year=2026/month=12/day=31/0a1b-resolved.jsonl.gz",
            ),
        ];
        if let Some(status) = &mut drift.status {
            status.resolved_at = "2026-12-31T23:59:59.9Z"
                .parse()
                .ok()
                .map(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time);
        }
        for (prefix, transition, wanted) in cases {
            let entry = Entry::new(&drift, transition, &place(), None).unwrap();
            assert_eq!(key(prefix, &entry), wanted);
        }
    }

    #[test]
    fn packing_twice_gives_the_same_bytes_without_a_time() {
        let entry = Entry::new(&drift(), Transition::Detected, &place(), None).unwrap();
        let (once, again) = (
            gzip(&record(&entry)).unwrap(),
            gzip(&record(&entry.clone().recorded("b", "k"))).unwrap(),
        );
        assert_eq!(once, again, "the record does not say where it is itself");
        assert_eq!(once[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
        assert_eq!(identify(&once).as_deref(), Some("0a1b/Detected"));
    }

    #[test]
    fn what_is_no_record_has_no_id() {
        for (object, why) in [
            (b"hello".to_vec(), "not packed"),
            (gzip("hello").unwrap(), "not JSON"),
            (gzip("{\"a\":1}\n").unwrap(), "without an id"),
            (gzip("").unwrap(), "empty"),
        ] {
            assert_eq!(identify(&object), None, "{why}");
        }
        let other = Place {
            account_id: "2".into(),
            ..place()
        };
        let entry = Entry::new(&drift(), Transition::Failed, &other, None).unwrap();
        assert_eq!(
            identify(&gzip(&record(&entry)).unwrap()).as_deref(),
            Some("0a1b/Failed")
        );
    }
}
