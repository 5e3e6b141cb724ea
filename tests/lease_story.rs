//! Two replicas and one Lease, over HTTP, with an API server that keeps resourceVersions and can fall silent.

#![expect(clippy::unwrap_used, reason = "a story that cannot be set up fails")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use kube::{Client, Config};
use plumbline::ops::{Durations, Leases};
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";

/// Small and sound, with room for a machine that is busy.
const SHORT: Durations = Durations {
    lease: Duration::from_secs(8),
    renew: Duration::from_millis(200),
    margin: Duration::from_millis(2500),
    write: Duration::from_secs(2),
    request: Duration::from_millis(1500),
};

/// Whoever waits for one of these is seen waiting, on the busiest machine.
const LONG: Durations = Durations {
    lease: Duration::from_mins(4),
    margin: Duration::from_mins(3),
    write: Duration::from_mins(2),
    ..SHORT
};

#[derive(Clone, Default)]
struct Server(Arc<Mutex<Option<Value>>>);

impl Server {
    fn lease(&self) -> Value {
        self.0.lock().unwrap().clone().unwrap_or_default()
    }

    fn holder(&self) -> String {
        self.lease()["spec"]["holderIdentity"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// A client, and the switch that cuts it off: nothing of it is answered any more, and nothing fails.
    async fn client(&self) -> (Client, Arc<AtomicBool>) {
        let cut = Arc::new(AtomicBool::new(false));
        let seen = cut.clone();
        let silence = move |request: axum::extract::Request, next: Next| {
            let cut = seen.load(Ordering::Relaxed);
            async move {
                if cut {
                    std::future::pending().await
                } else {
                    next.run(request).await
                }
            }
        };
        let path = "/apis/coordination.k8s.io/v1/namespaces/plumbline/leases";
        let app = axum::Router::new()
            .route(path, post(write))
            .route(&format!("{path}/plumbline-{ACCOUNT}"), get(read).put(write))
            .layer(axum::middleware::from_fn(silence))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (Client::try_from(Config::new(url.parse().unwrap())).unwrap(), cut)
    }
}

fn answer(code: StatusCode, body: &Value) -> Response {
    (code, [("content-type", "application/json")], body.to_string()).into_response()
}

fn refuse(code: StatusCode) -> Response {
    let (number, reason) = (
        code.as_u16(),
        if code == StatusCode::NOT_FOUND {
            "NotFound"
        } else {
            "Conflict"
        },
    );
    answer(
        code,
        &json!({"kind": "Status", "status": "Failure", "code": number, "reason": reason, "message": ""}),
    )
}

async fn read(State(server): State<Server>) -> Response {
    let lease = server.0.lock().unwrap().clone();
    lease.map_or_else(|| refuse(StatusCode::NOT_FOUND), |lease| answer(StatusCode::OK, &lease))
}

async fn write(State(server): State<Server>, body: String) -> Response {
    let mut lease: Value = serde_json::from_str(&body).unwrap();
    let mut stands = server.0.lock().unwrap();
    let version = stands
        .as_ref()
        .map(|l| l["metadata"]["resourceVersion"].clone())
        .unwrap_or_default();
    if version != lease["metadata"]["resourceVersion"] {
        return refuse(StatusCode::CONFLICT);
    }
    let next = version.as_str().and_then(|v| v.parse::<u64>().ok()).unwrap_or_default() + 1;
    lease["metadata"]["resourceVersion"] = next.to_string().into();
    *stands = Some(lease.clone());
    answer(StatusCode::OK, &lease)
}

/// How long anything may take.
const DEADLINE: Duration = Duration::from_mins(1);

/// Waits for a condition.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_cut_off_stops_before_the_other_begins() {
    let server = Server::default();
    let ((one, cut), (two, _)) = (server.client().await, server.client().await);
    let (a, b) = (
        Leases::new(one, "plumbline", "a", SHORT),
        Leases::new(two, "plumbline", "b", SHORT),
    );
    assert!(!a.leads(ACCOUNT), "nobody leads what it never asked for");
    a.ensure(ACCOUNT);
    until("a leads", || a.leads(ACCOUNT)).await;
    b.ensure(ACCOUNT);
    let start = Instant::now();
    let renewed = server.lease()["metadata"]["resourceVersion"].clone();
    until("a renews", || server.lease()["metadata"]["resourceVersion"] != renewed).await;
    assert!(a.leads(ACCOUNT) && !b.leads(ACCOUNT));

    let mut changed = a.changed();
    changed.mark_unchanged();
    cut.store(true, Ordering::Relaxed);
    let never_both = || {
        let (b_leads, a_leads) = (b.leads(ACCOUNT), a.leads(ACCOUNT));
        assert!(!(a_leads && b_leads), "who began before the other stopped?");
        (a_leads, b_leads)
    };
    until("a stops", || !never_both().0).await;
    tokio::time::timeout(DEADLINE, changed.changed())
        .await
        .expect("whoever waits is woken")
        .unwrap();
    until("b leads", || never_both().1).await;
    // The promise is one about time, and a busy machine only makes it later.
    assert!(
        start.elapsed() >= SHORT.lease + SHORT.write,
        "a's last write may be under way"
    );
    assert_eq!(server.lease()["spec"]["leaseTransitions"], 1);

    cut.store(false, Ordering::Relaxed);
    let renewed = server.lease()["metadata"]["resourceVersion"].clone();
    until("b renews", || server.lease()["metadata"]["resourceVersion"] != renewed).await;
    assert!(
        b.leads(ACCOUNT) && !a.leads(ACCOUNT),
        "who comes back finds another holder"
    );
    a.shutdown().await;
    b.shutdown().await;
    assert_eq!(server.holder(), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_lease_and_a_released_one_are_taken_at_once() {
    let server = Server::default();
    let ((one, _), (two, _)) = (server.client().await, server.client().await);
    let (a, b) = (
        Leases::new(one, "plumbline", "a", LONG),
        Leases::new(two, "plumbline", "b", LONG),
    );
    a.ensure(ACCOUNT);
    until("a leads", || a.is_leader(ACCOUNT)).await;
    b.ensure(ACCOUNT);
    tokio::time::timeout(DEADLINE, a.drop(ACCOUNT))
        .await
        .expect("nothing was let through: nothing to wait for");
    until("b leads", || b.is_leader(ACCOUNT)).await;
    assert!(server.holder().starts_with("b_"), "{}", server.holder());
    let spec = server.lease()["spec"].clone();
    assert_eq!(
        (&spec["leaseTransitions"], &spec["leaseDurationSeconds"]),
        (&json!(1), &json!(240))
    );
    assert!(spec["acquireTime"].is_string() && spec["renewTime"].is_string());
    b.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_not_released_before_the_last_write_is_over() {
    let server = Server::default();
    let ((one, _), (two, _)) = (server.client().await, server.client().await);
    let (a, b) = (
        Leases::new(one, "plumbline", "a", SHORT),
        Leases::new(two, "plumbline", "b", SHORT),
    );
    b.ensure(ACCOUNT);
    until("b leads", || b.is_leader(ACCOUNT)).await;
    a.ensure(ACCOUNT);
    let start = Instant::now();
    assert!(b.leads(ACCOUNT), "a write begins");
    tokio::join!(b.shutdown(), until("a leads", || a.leads(ACCOUNT)));
    assert!(start.elapsed() >= SHORT.write, "b's last write may be under way");
    a.shutdown().await;
}
