//! Who is behind a key that another STS gave out.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use awsim::{Awsim, Options, Running};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};

const ROLE: &str = "arn:aws:sts::444455556666:assumed-role/plumbline-repair/plumbline-cluster";
/// What moto says of a key that it does not know.
const NOBODY: &str = "arn:aws:sts::123456789012:user/moto";

struct Held {
    /// The authorization of each question.
    asked: Mutex<Vec<String>>,
    /// A status and an ARN.
    answer: Mutex<(u16, &'static str)>,
    /// Each answer takes one.
    answers: Semaphore,
}

/// An STS that answers what it is told to.
struct Sts {
    url: String,
    held: Arc<Held>,
    task: AbortHandle,
}

impl Drop for Sts {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sts {
    async fn that_says(status: u16, arn: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let held = Arc::new(Held {
            asked: Mutex::default(),
            answer: Mutex::new((status, arn)),
            answers: Semaphore::new(0),
        });
        let shared = Arc::clone(&held);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let held = Arc::clone(&shared);
                let service = service_fn(move |request| one(request, Arc::clone(&held)));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        let task = task.abort_handle();
        Self { url, held, task }
    }

    fn says(&self, status: u16, arn: &'static str) {
        *self.held.answer.lock().unwrap() = (status, arn);
    }

    /// It answers from here on; before, whoever asks waits.
    fn answers(&self) {
        self.held.answers.add_permits(1000);
    }

    fn asked(&self) -> Vec<String> {
        self.held.asked.lock().unwrap().clone()
    }

    async fn is_asked(&self) {
        until(|| !self.asked().is_empty()).await;
    }
}

async fn one(request: Request<Incoming>, held: Arc<Held>) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    assert_eq!(body, "Action=GetCallerIdentity&Version=2011-06-15");
    assert_eq!(head.headers["content-type"], "application/x-www-form-urlencoded");
    let signed = head.headers["authorization"].to_str().unwrap().to_owned();
    held.asked.lock().unwrap().push(signed);
    held.answers.acquire().await.unwrap().forget();
    let (status, arn) = *held.answer.lock().unwrap();
    let account = arn.split(':').nth(4).unwrap();
    let result = format!(
        "<GetCallerIdentityResult><UserId>AROA:x</UserId><Account>{account}</Account><Arn>{arn}</Arn></GetCallerIdentityResult>"
    );
    let answer = Response::builder().status(status);
    Ok(answer
        .body(Full::from(format!(
            "<GetCallerIdentityResponse>{result}</GetCallerIdentityResponse>"
        )))
        .unwrap())
}

async fn until(done: impl Fn() -> bool) {
    let waited = async {
        while !done() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), waited)
        .await
        .expect("within a minute");
}

async fn started(sts: &str) -> (Awsim, SocketAddr, Running) {
    let options = Options {
        sts: Some(sts.to_owned()),
        ..Options::default()
    };
    awsim::start(options).await.unwrap()
}

/// A stream to awsim on which somebody asked for the account.
async fn asks(address: SocketAddr, key: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let scope = format!("AWS4-HMAC-SHA256 Credential={key}/20270115/eu-west-1/apigateway/aws4_request, Signature=x");
    let request = format!(
        "GET /account HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: {scope}\r\ncontent-length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn status(mut stream: TcpStream) -> u16 {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

async fn call(address: SocketAddr, key: &str) -> u16 {
    status(asks(address, key).await).await
}

fn identity(sim: &Awsim) -> Value {
    sim.trail().pop().unwrap()["userIdentity"].take()
}

#[tokio::test]
async fn a_session_is_shown_as_the_role_that_the_sts_names() {
    let sts = Sts::that_says(200, ROLE).await;
    sts.answers();
    let (sim, address, _running) = started(&sts.url).await;
    assert_eq!(call(address, "ASIARANDOM").await, 200);
    let shown = identity(&sim);
    assert_eq!(
        (
            &shown["type"],
            &shown["arn"],
            &shown["accountId"],
            &shown["accessKeyId"]
        ),
        (
            &json!("AssumedRole"),
            &json!(ROLE),
            &json!("444455556666"),
            &json!("ASIARANDOM")
        )
    );
    assert_eq!(
        shown["sessionContext"]["sessionIssuer"]["arn"],
        "arn:aws:iam::444455556666:role/plumbline-repair"
    );
    assert_eq!(sim.calls()[0].account, "444455556666", "the call is the account's");
    assert_eq!(call(address, "ASIARANDOM").await, 200);
    let asked = sts.asked();
    let [signed] = asked.as_slice() else {
        panic!("asked once: {asked:?}")
    };
    assert!(
        signed.contains("Credential=ASIARANDOM/") && signed.contains("/sts/aws4_request"),
        "the session's key is what is asked with: {signed}"
    );
}

#[tokio::test]
async fn calls_that_come_at_once_ask_once_and_keep_nobody_else_waiting() {
    let sts = Sts::that_says(200, ROLE).await;
    let (sim, address, _running) = started(&sts.url).await;
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        calls.spawn(status(asks(address, "ASIARANDOM").await));
    }
    sts.is_asked().await;
    let alice = call(address, "AKIA111122223333ALICE").await;
    assert_eq!(alice, 200, "whose key says who she is does not wait");
    assert_eq!(sim.calls().len(), 1, "the others do");
    sts.answers();
    assert_eq!(calls.join_all().await, [200; 8]);
    assert_eq!(sts.asked().len(), 1);
    let roles = sim.calls().iter().filter(|call| call.principal == ROLE).count();
    assert_eq!(roles, 8, "each is shown as the role, the first too");
}

#[tokio::test]
async fn keys_that_say_whose_they_are_are_not_asked_for() {
    let sts = Sts::that_says(200, ROLE).await;
    let (sim, address, _running) = started(&sts.url).await;
    sim.register_principal("ASIAKNOWN", "111122223333", "arn:aws:iam::111122223333:user/known");
    for key in ["AKIA111122223333ALICE", "ASIAKNOWN", ""] {
        assert_eq!(call(address, key).await, 200, "{key}");
    }
    assert_eq!(sts.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn an_sts_that_says_nothing_of_use_fails_no_call_and_is_asked_again_later() {
    for (code, arn, why) in [
        (500, ROLE, "an error"),
        (403, ROLE, "a refusal"),
        (200, NOBODY, "moto's word for nobody"),
        (200, "a:b:c:d:e", "no ARN at all"),
    ] {
        let sts = Sts::that_says(code, arn).await;
        sts.answers();
        let (sim, address, _running) = started(&sts.url).await;
        let began = Instant::now();
        for _ in 0..5 {
            assert_eq!(call(address, "ASIARANDOM").await, 200, "{why}");
        }
        let (asked, seconds) = (sts.asked().len(), began.elapsed().as_secs());
        assert!(
            u64::try_from(asked).unwrap() <= 1 + seconds,
            "{why}: asked {asked} times in {seconds} s, not each time"
        );
        assert_eq!(
            identity(&sim)["arn"],
            "arn:aws:sts::111122223333:assumed-role/unknown/ASIARANDOM",
            "{why}"
        );
        sts.says(200, ROLE);
        let known = async {
            while identity(&sim)["arn"] != ROLE {
                call(address, "ASIARANDOM").await;
            }
        };
        let met = tokio::time::timeout(Duration::from_mins(1), known).await;
        assert!(met.is_ok(), "{why}: once it can say who it is, it is asked again");
    }
}

#[tokio::test]
async fn an_sts_that_is_gone_fails_no_call() {
    let sts = Sts::that_says(200, ROLE).await;
    let url = sts.url.clone();
    drop(sts);
    let (sim, address, _running) = started(&url).await;
    assert_eq!(call(address, "ASIARANDOM").await, 200);
    assert_eq!(
        identity(&sim)["arn"],
        "arn:aws:sts::111122223333:assumed-role/unknown/ASIARANDOM"
    );
}

#[tokio::test]
async fn an_sts_elsewhere_is_not_asked() {
    for url in ["http://10.0.0.1:80", "https://127.0.0.1:1", "127.0.0.1", ""] {
        let options = Options {
            sts: Some(url.to_owned()),
            ..Options::default()
        };
        let refused = awsim::start(options).await.unwrap_err().to_string();
        assert!(refused.contains("loopback addresses alone"), "{url}: {refused}");
    }
}
