//! SendMessageBatch over plain HTTP, on one connection that is made anew when it ends.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::target::{DeliveryError, Target};

/// Why a batch is not in the queue.
pub(super) enum Unsent {
    /// The queue does not want it, now or later.
    Refused(String),
    /// It did not answer, or not now.
    Failed(String),
}

pub(super) struct Queue {
    url: String,
    host: String,
    account: String,
    authorization: String,
    address: SocketAddr,
    connection: Option<SendRequest<Full<Bytes>>>,
}

/// Where a queue listens, and the rest of its URL.
fn parse(url: &str) -> Result<(SocketAddr, Uri), DeliveryError> {
    let refuse = || DeliveryError::Queue(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| refuse())?;
    let host = uri
        .host()
        .filter(|_| uri.scheme_str() == Some("http"))
        .ok_or_else(refuse)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let ip = match host {
        "localhost" => IpAddr::from(Ipv4Addr::LOCALHOST),
        _ => host.parse().map_err(|_| refuse())?,
    };
    let named = uri.path().trim_matches('/').split('/').count() == 2;
    if !ip.is_loopback() || !named {
        return Err(refuse());
    }
    Ok((SocketAddr::new(ip, uri.port_u16().unwrap_or(80)), uri))
}

/// The account in the URL of a queue.
pub(super) fn account(url: &str) -> Result<String, DeliveryError> {
    let (_, uri) = parse(url)?;
    let account = uri.path().split('/').nth(1).unwrap_or_default();
    Ok(account.to_owned())
}

impl Queue {
    pub(super) fn new(target: &Target) -> Result<Self, DeliveryError> {
        let (address, uri) = parse(&target.queue_url)?;
        let Target { account, region, .. } = target;
        let credential = format!("AKIA{account}AWSIM/20150830/{region}/sqs/aws4_request");
        Ok(Self {
            url: target.queue_url.clone(),
            host: uri.authority().map(ToString::to_string).unwrap_or_default(),
            account: account.clone(),
            authorization: format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0"),
            address,
            connection: None,
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
        let kept = match self.connection.take() {
            Some(mut kept) => kept.ready().await.ok().map(|()| kept),
            None => None,
        };
        let mut connection = match kept {
            Some(kept) => kept,
            None => self.connect().await.map_err(|error| failed(&error))?,
        };
        let request = Request::post("/")
            .header(HOST, &self.host)
            .header(CONTENT_TYPE, "application/x-amz-json-1.0")
            .header(AUTHORIZATION, &self.authorization)
            .header("x-amz-target", "AmazonSQS.SendMessageBatch")
            // moto knows an account by keys that it gave out itself, or by this.
            .header("x-moto-account-id", &self.account)
            .body(Full::new(body))
            .map_err(|error| failed(&error))?;
        let response = connection.send_request(request).await.map_err(|error| failed(&error))?;
        let status = response.status();
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(|error| failed(&error))?
            .to_bytes();
        self.connection = Some(connection);
        if !status.is_success() {
            let message = format!("{status} {}", String::from_utf8_lossy(&body));
            return Err(if status.is_client_error() {
                Unsent::Refused(message)
            } else {
                Unsent::Failed(message)
            });
        }
        let answer: Value = serde_json::from_slice(&body).map_err(|error| failed(&error))?;
        let refused = answer["Failed"].as_array();
        Ok(refused.into_iter().flatten().map(ToString::to_string).collect())
    }

    async fn connect(&self) -> std::io::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
        // It ends with its sender, or with the server; the next batch meets that.
        tokio::spawn(connection);
        Ok(sender)
    }
}
