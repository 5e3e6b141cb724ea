//! A queue that takes `SendMessageBatch`, for stories of delivery.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;

/// How it answers a batch; without one it takes everything.
pub enum Manner {
    /// The connection is closed without an answer.
    Gone,
    /// An error.
    Error(u16),
    /// It refuses the first entry and takes the others.
    RefusesFirst,
}

/// A batch that it took.
pub struct Batch {
    pub headers: HeaderMap,
    pub queue_url: String,
    pub bodies: Vec<Value>,
}

pub struct Queue {
    pub url: String,
    batches: UnboundedReceiver<Batch>,
    manners: Arc<Mutex<VecDeque<Manner>>>,
    task: AbortHandle,
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Queue {
    /// A queue of an account.
    pub async fn of(account: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let (taken, batches) = unbounded_channel();
        let manners: Arc<Mutex<VecDeque<Manner>>> = Arc::default();
        let held = Arc::clone(&manners);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (taken, manners) = (taken.clone(), Arc::clone(&held));
                let service = service_fn(move |request| one(request, taken.clone(), Arc::clone(&manners)));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self {
            url: format!("http://{address}/{account}/events"),
            batches,
            manners,
            task: task.abort_handle(),
        }
    }

    /// How it answers the next batches.
    pub fn answers(&self, manners: impl IntoIterator<Item = Manner>) {
        self.manners.lock().unwrap().extend(manners);
    }

    pub async fn batch(&mut self) -> Batch {
        let deadline = Duration::from_mins(1);
        let arrived = tokio::time::timeout(deadline, self.batches.recv()).await;
        arrived.expect("a batch within the minute").unwrap()
    }

    /// The next messages, so many of them.
    pub async fn take(&mut self, count: usize) -> Vec<Value> {
        let mut bodies = Vec::new();
        while bodies.len() < count {
            bodies.extend(self.batch().await.bodies);
        }
        assert_eq!(bodies.len(), count, "no more than that");
        bodies
    }
}

async fn one(
    request: Request<Incoming>,
    taken: UnboundedSender<Batch>,
    manners: Arc<Mutex<VecDeque<Manner>>>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let asked: Value = serde_json::from_slice(&body).unwrap();
    let mut entries = asked["Entries"].as_array().unwrap().clone();
    let manner = manners.lock().unwrap().pop_front();
    let mut answer = json!({});
    match manner {
        Some(Manner::Gone) => return Err(std::io::Error::other("gone")),
        Some(Manner::Error(status)) => {
            return Ok(Response::builder().status(status).body(Full::from("no")).unwrap());
        }
        Some(Manner::RefusesFirst) => {
            let refused = entries.remove(0);
            answer = json!({"Failed": [{"Id": refused["Id"], "Code": "InvalidParameterValue", "SenderFault": true}]});
        }
        None => {}
    }
    let bodies = entries.iter().map(|entry| entry["MessageBody"].as_str().unwrap());
    let batch = Batch {
        headers: parts.headers,
        queue_url: asked["QueueUrl"].as_str().unwrap().to_owned(),
        bodies: bodies.map(|text| serde_json::from_str(text).unwrap()).collect(),
    };
    taken.send(batch).ok();
    Ok(Response::new(Full::from(answer.to_string())))
}
