//! The control endpoints of the server, under `/_awsim/`.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Response, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::faults::Fault;
use crate::principal::Principal;
use crate::seed::Seed;
use crate::sim::Awsim;

/// Where they begin.
pub(crate) const PREFIX: &str = "/_awsim/";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registration {
    access_key_id: String,
    #[serde(flatten)]
    principal: Principal,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LookupDelay {
    delay_ms: u64,
}

type Controlled = Result<Value, (StatusCode, String)>;

/// Answers a control request.
pub(crate) fn control(sim: &Awsim, request: &http::Request<Bytes>, now: Timestamp) -> Response<Bytes> {
    let (status, body) = match perform(sim, request, now) {
        Ok(body) => (StatusCode::OK, body),
        Err((status, message)) => (status, json!({"message": message})),
    };
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[allow(clippy::needless_pass_by_value)] // what map_err hands over
fn bad(error: impl ToString) -> (StatusCode, String) {
    (StatusCode::BAD_REQUEST, error.to_string())
}

fn perform(sim: &Awsim, request: &http::Request<Bytes>, now: Timestamp) -> Controlled {
    let path = request.uri().path().strip_prefix(PREFIX).unwrap_or_default();
    let body = request.body();
    let segments: Vec<&str> = path.split('/').collect();
    match (request.method(), segments.as_slice()) {
        (&Method::GET, ["calls"]) => Ok(json!({"calls": sim.calls(), "byOperation": sim.calls_by_operation()})),
        (&Method::DELETE, ["calls"]) => {
            sim.clear_calls();
            Ok(json!({}))
        }
        (&Method::GET, ["trail"]) => {
            let after = request.uri().query().and_then(|query| query.strip_prefix("after="));
            let after = after.map_or(Ok(0), str::parse).map_err(bad)?;
            Ok(json!({"Records": sim.trail_after(after)}))
        }
        (&Method::GET, ["trail", account]) => Ok(json!(sim.trail_of(account))),
        (&Method::PUT, ["trail", account]) => {
            let change = serde_json::from_slice(body).map_err(bad)?;
            Ok(json!(sim.merge_trail(account, &change).map_err(bad)?))
        }
        (&Method::GET, ["deliver"]) => Ok(json!({"deliveries": sim.deliveries()})),
        (&Method::PUT, ["deliver"]) => {
            let change = serde_json::from_slice(body).map_err(bad)?;
            sim.merge_delivery(change).map_err(bad)?;
            Ok(json!({"deliveries": sim.deliveries()}))
        }
        (&Method::DELETE, ["deliver"]) => {
            let named: Value = if body.is_empty() {
                Value::Null
            } else {
                serde_json::from_slice(body).map_err(bad)?
            };
            sim.stop_delivering(named["queueUrl"].as_str());
            Ok(json!({}))
        }
        (&Method::PUT, ["lookup-delay"]) => {
            let LookupDelay { delay_ms } = serde_json::from_slice(body).map_err(bad)?;
            sim.set_lookup_delay(Duration::from_millis(delay_ms));
            Ok(json!({}))
        }
        (&Method::PUT, ["faults"]) => {
            let faults: Vec<Fault> = match serde_json::from_slice(body).map_err(bad)? {
                Value::Array(list) => list.into_iter().map(serde_json::from_value).collect::<Result<_, _>>(),
                one => serde_json::from_value(one).map(|fault| vec![fault]),
            }
            .map_err(bad)?;
            for fault in faults {
                sim.fault(fault);
            }
            Ok(json!({}))
        }
        (&Method::DELETE, ["faults"]) => {
            sim.clear_faults();
            Ok(json!({}))
        }
        (&Method::PUT, ["switches"]) => {
            let switches: serde_json::Map<String, Value> = serde_json::from_slice(body).map_err(bad)?;
            for (name, value) in switches {
                sim.set_switch(&name, value.as_str().unwrap_or_default()).map_err(bad)?;
            }
            Ok(json!({}))
        }
        (&Method::PUT, ["principals"]) => {
            let Registration {
                access_key_id,
                principal,
            } = serde_json::from_slice(body).map_err(bad)?;
            sim.register(&access_key_id, principal);
            Ok(json!({}))
        }
        (&Method::PUT, ["quotas", switch @ ("on" | "off")]) => {
            sim.set_quotas(*switch == "on");
            Ok(json!({}))
        }
        (&Method::GET, ["state", account, region, "restapis", api]) => sim
            .api_state(account, region, api)
            .ok_or_else(|| (StatusCode::NOT_FOUND, format!("no API {api} in {account} {region}"))),
        (&Method::PUT, ["web-acl", account, region, api, stage]) => {
            let body: Value = serde_json::from_slice(body).map_err(bad)?;
            sim.set_web_acl(account, region, api, stage, body["webAclArn"].as_str())
                .map_err(|error| bad(error.message))?;
            Ok(json!({}))
        }
        (&Method::POST, ["seed"]) => {
            let made = sim.seed(&Seed::from_json(body).map_err(bad)?, now).map_err(bad)?;
            Ok(json!({"restApiIds": made}))
        }
        _ => Err((
            StatusCode::NOT_FOUND,
            format!("awsim has no control endpoint {} {path}", request.method()),
        )),
    }
}
