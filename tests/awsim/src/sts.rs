//! Who is behind an access key that an STS gave out: asked there, once for each key, by the server alone.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Request};

use crate::client::{Client, Failure};
use crate::principal::{Principal, access_key};
use crate::sim::Awsim;

/// How long an STS that did not say who it is is not asked again.
const REMEMBERED: Duration = Duration::from_secs(1);
/// How long a call waits for its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Held by whoever asks for a key; in it when that failed.
type Turn = Arc<tokio::sync::Mutex<Option<Instant>>>;

/// An STS on this machine.
pub(crate) struct Sts {
    url: String,
    turns: Mutex<HashMap<String, Turn>>,
}

fn failed_just_now(failed: Option<Instant>) -> bool {
    failed.is_some_and(|at| at.elapsed() < REMEMBERED)
}

impl Sts {
    pub(crate) fn new(url: &str) -> io::Result<Self> {
        if Client::new(url).is_none() {
            let message = format!("{url} is no http://127.0.0.1:PORT: awsim asks an STS on loopback addresses alone");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        Ok(Self {
            url: url.to_owned(),
            turns: Mutex::default(),
        })
    }

    /// Makes the caller known, if it is not and the STS says who it is. A failure makes no difference to the call.
    pub(crate) async fn meet(&self, sim: &Awsim, headers: &HeaderMap) {
        let key = access_key(headers);
        if !sim.is_stranger(key) {
            return;
        }
        let turn = self.turn(key);
        let mut failed = turn.lock().await;
        if !sim.is_stranger(key) || failed_just_now(*failed) {
            return;
        }
        let asked = tokio::time::timeout(PATIENCE, self.ask(key)).await;
        match asked.unwrap_or_else(|late| Err(late.into())) {
            Ok(principal) => sim.register(key, principal),
            Err(error) => {
                eprintln!("awsim: {} does not say who {key} is: {error}", self.url);
                *failed = Some(Instant::now());
            }
        }
    }

    /// The turn of a key. Those that nobody waits for and that remember nothing are forgotten.
    fn turn(&self, key: &str) -> Turn {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| {
            Arc::strong_count(turn) > 1 || turn.try_lock().is_ok_and(|failed| failed_just_now(*failed))
        });
        Arc::clone(turns.entry(key.to_owned()).or_default())
    }

    async fn ask(&self, key: &str) -> Result<Principal, Failure> {
        let (mut client, _) = Client::new(&self.url).ok_or("no such address")?;
        let credential = format!("{key}/20150830/us-east-1/sts/aws4_request");
        let authorization = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0");
        let request = Request::post("/")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(AUTHORIZATION, authorization);
        let body = Bytes::from_static(b"Action=GetCallerIdentity&Version=2011-06-15");
        let answer = client.send(request, body).await?;
        let text = String::from_utf8_lossy(answer.body());
        match (element(&text, "Account"), element(&text, "Arn")) {
            (Some(account), Some(arn)) if answer.status().is_success() && is_somebody(arn) => {
                Ok(Principal::new(account, arn))
            }
            _ => Err(format!("{} {text}", answer.status()).into()),
        }
    }
}

fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

/// Whether AWS gives such ARNs. To a key that it does not know moto answers with a user of STS, which has none.
fn is_somebody(arn: &str) -> bool {
    let mut parts = arn.splitn(6, ':').skip(2);
    match (parts.next(), parts.nth(2)) {
        (Some("iam"), Some(_)) => true,
        (Some("sts"), Some(resource)) => ["assumed-role/", "federated-user/"]
            .iter()
            .any(|kind| resource.starts_with(kind)),
        _ => false,
    }
}
