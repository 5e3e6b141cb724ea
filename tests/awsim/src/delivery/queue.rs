//! SendMessageBatch.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, Uri};
use serde_json::{Value, json};

use super::target::{DeliveryError, Target};
use crate::client::Client;

/// Why a batch is not in the queue.
pub(super) enum Unsent {
    /// The queue does not want it, now or later.
    Refused(String),
    /// It did not answer, or not now.
    Failed(String),
}

pub(super) struct Queue {
    url: String,
    account: String,
    authorization: String,
    client: Client,
}

/// Who sends to a queue, and the queue's URL.
fn parse(url: &str) -> Result<(Client, Uri), DeliveryError> {
    Client::new(url)
        .filter(|(_, uri)| uri.path().trim_matches('/').split('/').count() == 2)
        .ok_or_else(|| DeliveryError::Queue(url.to_owned()))
}

/// The account in the URL of a queue.
pub(super) fn account(url: &str) -> Result<String, DeliveryError> {
    let (_, uri) = parse(url)?;
    let account = uri.path().split('/').nth(1).unwrap_or_default();
    Ok(account.to_owned())
}

impl Queue {
    pub(super) fn new(target: &Target) -> Result<Self, DeliveryError> {
        let (client, _) = parse(&target.queue_url)?;
        let Target { account, region, .. } = target;
        let credential = format!("AKIA{account}AWSIM/20150830/{region}/sqs/aws4_request");
        Ok(Self {
            url: target.queue_url.clone(),
            account: account.clone(),
            authorization: format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0"),
            client,
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn body(&self, batch: &[String]) -> Bytes {
        let entry = |(id, text): (usize, &String)| json!({"Id": id.to_string(), "MessageBody": text});
        let entries: Vec<Value> = batch.iter().enumerate().map(entry).collect();
        Bytes::from(json!({"QueueUrl": self.url, "Entries": entries}).to_string())
    }

    /// Sends a batch; what comes back are the entries that the queue refused.
    pub(super) async fn send(&mut self, body: Bytes) -> Result<Vec<String>, Unsent> {
        let failed = |error: &dyn std::fmt::Display| Unsent::Failed(error.to_string());
        let request = Request::post("/")
            .header(CONTENT_TYPE, "application/x-amz-json-1.0")
            .header(AUTHORIZATION, &self.authorization)
            .header("x-amz-target", "AmazonSQS.SendMessageBatch")
            // moto knows an account by keys that it gave out itself, or by this.
            .header("x-moto-account-id", &self.account);
        let response = self.client.send(request, body).await.map_err(|error| failed(&error))?;
        let (status, body) = (response.status(), response.body());
        if !status.is_success() {
            let message = format!("{status} {}", String::from_utf8_lossy(body));
            return Err(if status.is_client_error() {
                Unsent::Refused(message)
            } else {
                Unsent::Failed(message)
            });
        }
        let answer: Value = serde_json::from_slice(body).map_err(|error| failed(&error))?;
        let refused = answer["Failed"].as_array();
        Ok(refused.into_iter().flatten().map(ToString::to_string).collect())
    }
}
