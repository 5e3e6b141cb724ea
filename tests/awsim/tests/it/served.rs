//! The server: HTTP, and the control endpoints.

use std::net::SocketAddr;

use awsim::{Options, Running};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::queue::Queue;

async fn started() -> (SocketAddr, Running) {
    let (_, address, running) = awsim::start(Options::default()).await.unwrap();
    (address, running)
}

async fn raw(address: SocketAddr, line: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap_or_default();
    answer
}

async fn send(address: SocketAddr, line: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let answer = raw(address, line, &body).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).unwrap_or("0").parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn the_control_endpoints_seed_disturb_and_show() {
    let (address, _running) = started().await;
    let (_, seeded) = send(address, "POST /_awsim/seed", &json!({"fleet": {"apis": 2}})).await;
    let api = seeded["restApiIds"][0].as_str().unwrap().to_owned();

    let (_, state) = send(
        address,
        &format!("GET /_awsim/state/111122223333/eu-west-1/restapis/{api}"),
        &Value::Null,
    )
    .await;
    assert_eq!(
        state["editor"], state["stages"]["prod"]["snapshot"],
        "what is edited is what is deployed"
    );
    assert_eq!(state["stages"]["prod"]["pending"], false);

    let stages = format!("GET /restapis/{api}/stages");
    send(
        address,
        "PUT /_awsim/faults",
        &json!([{"operation": "GetStages", "status": 500, "code": "X", "times": 1}]),
    )
    .await;
    assert_eq!(send(address, &stages, &Value::Null).await.0, 500);
    assert_eq!(send(address, &stages, &Value::Null).await.0, 200);
    send(
        address,
        "PUT /_awsim/faults",
        &json!({"operation": "GetStages", "drop": true}),
    )
    .await;
    assert_eq!(raw(address, &stages, "").await, "", "closed without an answer");
    send(address, "DELETE /_awsim/faults", &Value::Null).await;

    let (_, calls) = send(address, "GET /_awsim/calls", &Value::Null).await;
    assert_eq!(calls["byOperation"], json!({"GetStages": 3}));
    assert_eq!(send(address, "DELETE /_awsim/calls", &Value::Null).await.0, 200);
    let (_, trail) = send(address, "GET /_awsim/trail?after=2", &Value::Null).await;
    assert_eq!(trail["Records"].as_array().unwrap().len(), 1);

    assert_eq!(
        send(address, "PUT /_awsim/switches", &json!({"export.policy": "absent"}))
            .await
            .0,
        200
    );
    assert_eq!(
        send(address, "PUT /_awsim/switches", &json!({"export.policy": "x"}))
            .await
            .0,
        400
    );
    for principal in [
        json!({"accessKeyId": "A", "account": "999988887777", "arn": "arn:aws:iam::999988887777:user/a"}),
        json!({"accessKeyId": "B", "account": "999988887777", "type": "AWSService", "invokedBy": "config.amazonaws.com"}),
    ] {
        assert_eq!(send(address, "PUT /_awsim/principals", &principal).await.0, 200);
    }
    let unknown = json!({"accessKeyId": "A", "account": "999988887777", "arn": "", "type": "Robot"});
    assert_eq!(send(address, "PUT /_awsim/principals", &unknown).await.0, 400);
    let (status, trail) = send(
        address,
        "PUT /_awsim/trail/999988887777",
        &json!({"logging": false, "regions": ["eu-west-1"]}),
    )
    .await;
    assert_eq!(
        (status, &trail["logging"], &trail["exists"]),
        (200, &json!(false), &json!(true))
    );
    let trail = send(address, "PUT /_awsim/trail/999988887777", &json!({"regions": null}))
        .await
        .1;
    assert_eq!(
        (&trail["logging"], &trail["regions"]),
        (&json!(false), &Value::Null),
        "only what is named changes"
    );
    assert_eq!(
        send(address, "PUT /_awsim/trail/999988887777", &json!({"loging": true}))
            .await
            .0,
        400
    );
    let (_, shown) = send(address, "GET /_awsim/trail/999988887777", &Value::Null).await;
    assert_eq!(shown, trail);
    assert_eq!(
        send(address, "PUT /_awsim/lookup-delay", &json!({"delayMs": 5}))
            .await
            .0,
        200
    );
    assert_eq!(send(address, "PUT /_awsim/quotas/on", &Value::Null).await.0, 200);
    assert_eq!(send(address, "GET /_awsim/nothing", &Value::Null).await.0, 404);
}

#[tokio::test]
async fn deliveries_are_made_changed_and_ended_through_the_control_endpoints() {
    let (address, _running) = started().await;
    let mut queue = Queue::of("111122223333").await;
    let (status, nothing) = send(address, "PUT /_awsim/deliver", &json!({"dropNext": 3})).await;
    assert_eq!(status, 400, "to whom? {nothing}");
    let far = json!({"queueUrl": "http://10.0.0.1:1/111122223333/q"});
    assert_eq!(send(address, "PUT /_awsim/deliver", &far).await.0, 400);
    let begin = json!({"queueUrl": queue.url, "wrap": "sns", "account": "111122223333"});
    let (status, begun) = send(address, "PUT /_awsim/deliver", &begin).await;
    assert_eq!((status, &begun["deliveries"][0]["rules"]["wrap"]), (200, &json!("sns")));
    let (_, changed) = send(address, "PUT /_awsim/deliver", &json!({"dropNext": 1, "wrap": "none"})).await;
    assert_eq!(changed["deliveries"].as_array().unwrap().len(), 1);
    send(address, "POST /restapis", &json!({"name": "lost"})).await;
    send(address, "POST /restapis", &json!({"name": "told"})).await;
    let event = queue.take(1).await.remove(0);
    assert_eq!(event["detail"]["responseElements"]["name"], "told");
    let (_, shown) = send(address, "GET /_awsim/deliver", &Value::Null).await;
    assert_eq!(shown["deliveries"][0]["dropped"], 1);
    let other = json!({"queueUrl": "http://127.0.0.1:1/111122223333/other"});
    assert_eq!(send(address, "DELETE /_awsim/deliver", &other).await.0, 200);
    let (_, shown) = send(address, "GET /_awsim/deliver", &Value::Null).await;
    assert_eq!(shown["deliveries"].as_array().unwrap().len(), 1, "another queue's end");
    send(address, "DELETE /_awsim/deliver", &Value::Null).await;
    let (_, shown) = send(address, "GET /_awsim/deliver", &Value::Null).await;
    assert_eq!(shown, json!({"deliveries": []}));
}

#[tokio::test]
async fn the_program_serves_loopback_addresses_alone() {
    let run = |arguments: &'static [&'static str]| async move {
        tokio::process::Command::new(env!("CARGO_BIN_EXE_awsim"))
            .args(arguments)
            .output()
            .await
            .unwrap()
    };
    let rows: [(&'static [&'static str], &str); 5] = [
        (&["--listen", "0.0.0.0:0"], "0.0.0.0:0 is not a loopback address"),
        (&["--switch", "export.policy"], "NAME=VALUE"),
        (&["--deliver", "http://10.0.0.1/1/q"], "loopback addresses alone"),
        (&["--sts", "http://10.0.0.1"], "loopback addresses alone"),
        (&["--what"], "unknown argument --what"),
    ];
    for (arguments, words) in rows {
        let output = run(arguments).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && said.contains(words),
            "{arguments:?}: {said}"
        );
    }
}
