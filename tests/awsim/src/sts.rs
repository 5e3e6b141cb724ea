//! Who is behind an access key that another STS gave out: asked there, once for each key, by the server alone.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::principal::access_key;
use crate::sim::Awsim;

/// Makes the caller known, if it is not and an STS can say who it is. A failure makes no difference to the call.
pub(crate) async fn meet(sim: &Awsim, headers: &HeaderMap) {
    let key = access_key(headers);
    let Some(sts) = sim.sts().filter(|_| sim.is_stranger(key)) else {
        return;
    };
    let _one_at_a_time = sim.asking().await;
    if !sim.is_stranger(key) {
        return;
    }
    match ask(sts, key).await {
        Ok((account, arn)) => sim.register_principal(key, &account, &arn),
        Err(error) => eprintln!("awsim: {sts} does not say who {key} is: {error}"),
    }
}

async fn ask(url: &str, key: &str) -> Result<(String, String), String> {
    let authority = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
    let address: SocketAddr = authority
        .parse()
        .map_err(|_| format!("{url} is no http://127.0.0.1:PORT"))?;
    if !address.ip().is_loopback() {
        return Err(format!("{url} is no loopback address"));
    }
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    let credential = format!(
        "AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0"
    );
    let request = Request::post("/")
        .header(HOST, authority)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(AUTHORIZATION, credential)
        .body(Full::new(Bytes::from_static(
            b"Action=GetCallerIdentity&Version=2011-06-15",
        )))
        .map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let body = answer.into_body().collect().await.map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    match (element(&text, "Account"), element(&text, "Arn")) {
        (Some(account), Some(arn)) => Ok((account.to_owned(), arn.to_owned())),
        _ => Err(format!("its answer names nobody: {text}")),
    }
}

fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}
