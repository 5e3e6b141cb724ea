//! Prints how fast awsim answers and what 10,000 APIs take. Asserts nothing.
//!
//! `cargo run --release -p awsim --example speed`

use std::time::Instant;

use awsim::seed::{Fleet, Seed};
use awsim::{Awsim, Options};
use bytes::Bytes;
use http::Request;
use jiff::Timestamp;

/// Resident memory in MiB, where the system says it.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace()
        .nth(1)?
        .parse::<u64>()
        .ok()
        .map(|kibibytes| kibibytes / 1024)
}

fn main() {
    let now = Timestamp::UNIX_EPOCH;
    let sim = Awsim::new(Options::default());
    let begin = Instant::now();
    let fleet = Fleet {
        apis: 10_000,
        stages: vec!["prod".to_owned(), "dev".to_owned()],
        methods: 20,
        deployment_per_stage: true,
        ..Fleet::default()
    };
    let ids = sim.seed(&Seed::fleet(fleet), now).unwrap_or_default();
    println!(
        "{} APIs of 20 methods and 2 stages: {:.1?}, {:?} MiB",
        ids.len(),
        begin.elapsed(),
        resident()
    );

    let requests = [
        ("GetStages", "GET", "/restapis/{}/stages", ""),
        (
            "GetResources?embed=methods",
            "GET",
            "/restapis/{}/resources?embed=methods&limit=500",
            "",
        ),
        (
            "GetExport",
            "GET",
            "/restapis/{}/stages/prod/exports/oas30?extensions=apigateway",
            "",
        ),
        ("GetRestApis?limit=500", "GET", "/restapis?limit=500", ""),
        (
            "UpdateStage",
            "PATCH",
            "/restapis/{}/stages/prod",
            r#"{"patchOperations":[{"op":"replace","path":"/*/*/throttling/burstLimit","value":"7"}]}"#,
        ),
    ];
    for (name, verb, path, body) in requests {
        let begin = Instant::now();
        let (mut answered, mut bytes) = (0_u32, 0);
        while begin.elapsed().as_secs_f64() < 1.0 {
            for id in ids.iter().take(50) {
                let built = Request::builder()
                    .method(verb)
                    .uri(path.replace("{}", id))
                    .header(
                        "authorization",
                        "AWS4-HMAC-SHA256 Credential=AKIA111122223333A/20270115/eu-west-1/apigateway/aws4_request",
                    )
                    .body(Bytes::from_static(body.as_bytes()));
                let Ok(request) = built else { continue };
                bytes += sim.answer(&request, now).response.body().len();
                answered += 1;
            }
        }
        let rate = f64::from(answered) / begin.elapsed().as_secs_f64();
        println!(
            "{name:28} {rate:9.0} requests/s, {:6} bytes each",
            bytes / answered.max(1) as usize
        );
    }
    println!("at the end: {:?} MiB", resident());
}
