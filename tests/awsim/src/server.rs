//! The simulator behind HTTP/1.1.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::control::{self, PREFIX};
use crate::sim::{Awsim, Options};
use crate::sts::Sts;

/// Serves the simulator until the future is dropped. The wall clock is read here and nowhere else.
/// It fails if the STS of the options is not on this machine.
pub fn serve(sim: Awsim, listener: TcpListener) -> io::Result<impl Future<Output = Infallible>> {
    let sts = sim.sts().map(Sts::new).transpose()?.map(Arc::new);
    Ok(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(connection(sim.clone(), sts.clone(), stream));
                }
                // Out of file descriptors, most likely: let others finish.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            }
        }
    })
}

async fn connection(sim: Awsim, sts: Option<Arc<Sts>>, stream: TcpStream) {
    stream.set_nodelay(true).ok();
    let service = service_fn(move |request| one(sim.clone(), sts.clone(), request));
    // A caller that goes away is no concern of the simulator.
    http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await
        .ok();
}

/// An error here closes the connection.
async fn one(
    sim: Awsim,
    sts: Option<Arc<Sts>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, io::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let request = Request::from_parts(parts, body);
    if request.uri().path().starts_with(PREFIX) {
        return Ok(control::control(&sim, &request, Timestamp::now()).map(Full::new));
    }
    if let Some(sts) = sts {
        sts.meet(&sim, request.headers()).await;
    }
    let answer = sim.answer(&request, Timestamp::now());
    if !answer.delay.is_zero() {
        tokio::time::sleep(answer.delay).await;
    }
    if answer.drop {
        return Err(io::Error::other("dropped on demand"));
    }
    Ok(answer.response.map(Full::new))
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Running(JoinHandle<Infallible>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Starts a simulator on a free port of 127.0.0.1.
pub async fn start(options: Options) -> io::Result<(Awsim, SocketAddr, Running)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let sim = Awsim::new(options);
    let task = tokio::spawn(serve(sim.clone(), listener)?);
    Ok((sim, address, Running(task)))
}
