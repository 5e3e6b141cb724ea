//! Plain HTTP to this machine alone, on one connection that is made anew when it ended.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http::header::HOST;
use http::{Response, Uri, request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Why there is no answer.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

pub(crate) struct Client {
    host: String,
    address: SocketAddr,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// A client of `http://HOST:PORT/...`, where the host is a loopback address; and the URL, parsed.
    pub(crate) fn new(url: &str) -> Option<(Self, Uri)> {
        let uri: Uri = url.parse().ok()?;
        let host = uri.host().filter(|_| uri.scheme_str() == Some("http"))?;
        let ip = match host.trim_start_matches('[').trim_end_matches(']') {
            "localhost" => IpAddr::from(Ipv4Addr::LOCALHOST),
            host => host.parse().ok()?,
        };
        let client = Self {
            host: uri.authority()?.to_string(),
            address: SocketAddr::new(ip, uri.port_u16().unwrap_or(80)),
            connection: None,
        };
        ip.is_loopback().then_some((client, uri))
    }

    pub(crate) async fn send(&mut self, request: request::Builder, body: Bytes) -> Result<Response<Bytes>, Failure> {
        let request = request.header(HOST, &self.host).body(Full::new(body))?;
        let kept = match self.connection.take() {
            Some(mut kept) => kept.ready().await.ok().map(|()| kept),
            None => None,
        };
        let mut connection = match kept {
            Some(kept) => kept,
            None => self.connect().await?,
        };
        let (head, body) = connection.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        self.connection = Some(connection);
        Ok(Response::from_parts(head, body))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends with its sender, or with the server; the next request meets that.
        tokio::spawn(connection);
        Ok(sender)
    }
}
