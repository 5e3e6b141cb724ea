//! The connection between the SDK and awsim: no socket, no wall clock. It keeps what Plumbline sent and what that changed, lets
//! somebody else act before any call, and can be cut, as if the process had been killed.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use awsim::{Awsim, Call};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use crate::world::{ACCOUNT, PLUMBLINE, REGION};

/// Where the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Calls that are answered before.
    pub after: usize,
    /// Whether the next one still takes effect, with nobody there to hear the answer.
    pub applied: bool,
}

/// One call of Plumbline's that arrived.
#[derive(Clone)]
pub struct Sent {
    pub operation: &'static str,
    /// Method and path.
    pub line: String,
    pub body: Value,
    pub status: u16,
    /// The API when the call was carried out, and right after.
    pub before: Arc<Value>,
    pub after: Arc<Value>,
}

impl std::fmt::Debug for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {} {}", self.operation, self.line, self.body, self.status)
    }
}

impl Sent {
    pub fn writes(&self) -> bool {
        !self.line.starts_with("GET")
    }

    pub fn done(&self) -> bool {
        self.status < 300
    }

    /// The stage and the deployment that it was pointed at.
    pub fn pointed(&self) -> Option<(&str, &str)> {
        let operations = self.body["patchOperations"].as_array()?;
        let at = operations
            .iter()
            .find(|operation| operation["path"] == "/deploymentId")?;
        let (_, stage) = self.line.split_once("/stages/")?;
        (self.operation == "UpdateStage" && self.done()).then_some((stage, at["value"].as_str().unwrap()))
    }
}

/// The time of the tests' world.
#[derive(Clone, Debug)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    pub fn new() -> Self {
        Clock(Arc::new(AtomicI64::new(1_800_000_000)))
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
    }

    pub fn pass(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

/// Acts before one of Plumbline's calls is carried out.
pub type Interloper = Box<dyn FnMut(&Call) + Send>;

#[derive(Clone)]
pub struct Wire(Arc<Inner>);

struct Inner {
    sim: Awsim,
    clock: Clock,
    api: String,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    sent: Vec<Sent>,
    cut: Option<Cut>,
    /// The call that is being carried out.
    arrived: Option<(&'static str, Arc<Value>)>,
    interloper: Option<Interloper>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl Wire {
    pub fn new(sim: &Awsim, clock: Clock, api: &str) -> Self {
        let wire = Wire(Arc::new(Inner {
            sim: sim.clone(),
            clock,
            api: api.to_owned(),
            held: Mutex::default(),
        }));
        let own = wire.clone();
        sim.before_each(move |call, _| own.arrives(call));
        wire
    }

    pub fn http(&self) -> SharedHttpClient {
        let wire = self.clone();
        http_client_fn(move |_, _| SharedHttpConnector::new(wire.clone()))
    }

    /// What was sent since this was asked last.
    pub fn take(&self) -> Vec<Sent> {
        std::mem::take(&mut self.0.held.lock().unwrap().sent)
    }

    pub fn cut(&self, cut: Option<Cut>) {
        self.0.held.lock().unwrap().cut = cut;
    }

    /// Somebody else acts between any two of Plumbline's calls.
    pub fn between(&self, interloper: impl FnMut(&Call) + Send + 'static) {
        self.0.held.lock().unwrap().interloper = Some(Box::new(interloper));
    }

    pub fn nobody_between(&self) {
        self.0.held.lock().unwrap().interloper = None;
    }

    pub fn state(&self) -> Arc<Value> {
        let Inner { sim, api, .. } = &*self.0;
        Arc::new(sim.api_state(ACCOUNT, REGION, api).unwrap_or_default())
    }

    /// Somebody else's call does not come here while one of Plumbline's is on its way.
    fn arrives(&self, call: &Call) {
        if call.access_key_id != PLUMBLINE {
            return;
        }
        let interloper = self.0.held.lock().unwrap().interloper.take();
        if let Some(mut interloper) = interloper {
            interloper(call);
            self.0.held.lock().unwrap().interloper = Some(interloper);
        }
        let before = self.state();
        self.0.held.lock().unwrap().arrived = Some((call.operation, before));
    }

    /// Whether the call is carried out, and whether its answer is heard.
    fn passes(&self) -> (bool, bool) {
        match &mut self.0.held.lock().unwrap().cut {
            None => (true, true),
            Some(Cut { after: 0, applied }) => (std::mem::take(applied), false),
            Some(Cut { after, .. }) => {
                *after -= 1;
                (true, true)
            }
        }
    }

    fn send(&self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let gone = |why: &str| ConnectorError::other(why.to_owned().into(), None);
        let (carried, heard) = self.passes();
        if !carried {
            return Err(gone("the process was killed"));
        }
        let body = Bytes::copy_from_slice(request.body().bytes().unwrap_or_default());
        let uri: http::Uri = request.uri().parse().unwrap();
        let line = format!("{} {}", request.method(), uri.path());
        let mut sent = http::Request::builder().method(request.method()).uri(uri);
        for (name, value) in request.headers() {
            sent = sent.header(name, value);
        }
        let sent = sent.body(body.clone()).unwrap();
        let answer = self.0.sim.answer(&sent, self.0.clock.now());
        let (parts, bytes) = answer.response.into_parts();
        let mut held = self.0.held.lock().unwrap();
        let (operation, before) = held.arrived.take().expect("awsim's hook is taken");
        drop(held);
        let writes = !line.starts_with("GET");
        let sent = Sent {
            operation,
            body: serde_json::from_slice(&body).unwrap_or_default(),
            status: parts.status.as_u16(),
            after: if writes { self.state() } else { before.clone() },
            before,
            line,
        };
        self.0.held.lock().unwrap().sent.push(sent);
        if !heard {
            return Err(gone("the process was killed before it heard the answer"));
        }
        if answer.drop {
            return Err(ConnectorError::io("the connection was closed".into()));
        }
        let mut response = HttpResponse::new(parts.status.as_u16().try_into().unwrap(), SdkBody::from(bytes));
        for (name, value) in &parts.headers {
            let value = value.to_str().unwrap().to_owned();
            response.headers_mut().insert(name.to_string(), value);
        }
        Ok(response)
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(self.send(&request))
    }
}
