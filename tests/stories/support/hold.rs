//! Something on loopback that stands before S3 or SNS and holds one request: before it arrives, or after it took effect.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::until;

/// Where a request is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// It never arrives.
    Before,
    /// It takes effect, and its answer never comes.
    After,
}

/// A request that is to be held: it holds every one of these texts.
#[derive(Clone)]
struct Snare {
    texts: Vec<String>,
    at: At,
    struck: Arc<AtomicBool>,
}

/// The holder. Its URL is what the caller is given.
pub struct Hold {
    pub url: String,
    snare: Arc<Mutex<Option<Snare>>>,
}

impl Hold {
    /// Before a service, as in `http://127.0.0.1:5000`; it lets everything pass.
    pub async fn before(service: &str) -> Hold {
        let behind = service.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let snare: Arc<Mutex<Option<Snare>>> = Arc::default();
        let set = snare.clone();
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                tokio::spawn(carry(caller, behind.clone(), set.clone()));
            }
        });
        Hold { url, snare }
    }

    /// Holds the first request that has all of these texts, and waits until it came.
    pub fn snare(&self, at: At, texts: &[&str]) -> impl Future<Output = ()> + use<> {
        let struck = Arc::new(AtomicBool::new(false));
        *self.snare.lock().unwrap() = Some(Snare {
            texts: texts.iter().map(|t| (*t).to_owned()).collect(),
            at,
            struck: struck.clone(),
        });
        async move {
            until("a request that is held", || async {
                struck.load(Ordering::Relaxed).then_some(())
            })
            .await;
        }
    }
}

async fn carry(caller: TcpStream, behind: String, snare: Arc<Mutex<Option<Snare>>>) {
    let Ok(service) = TcpStream::connect(behind).await else {
        return;
    };
    let (mut from_caller, to_caller) = caller.into_split();
    let (from_service, mut to_service) = service.into_split();
    let silent = Arc::new(AtomicBool::new(false));
    let answers = tokio::spawn(answer(from_service, to_caller, silent.clone()));
    while let Some(request) = request(&mut from_caller).await {
        match meets(&request, &snare) {
            Some(At::Before) => std::future::pending().await,
            Some(At::After) => silent.store(true, Ordering::Relaxed),
            None => {}
        }
        if to_service.write_all(&request).await.is_err() {
            break;
        }
    }
    drop(to_service);
    let _ = answers.await;
}

async fn answer(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, silent: Arc<AtomicBool>) {
    let mut piece = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut piece).await {
        if !silent.load(Ordering::Relaxed) && to.write_all(&piece[..count]).await.is_err() {
            return;
        }
    }
    if silent.load(Ordering::Relaxed) {
        std::future::pending::<()>().await; // nor is the connection closed
    }
}

/// Takes the snare up if the request is the one.
fn meets(request: &[u8], snare: &Mutex<Option<Snare>>) -> Option<At> {
    let mut snare = snare.lock().unwrap();
    let text = String::from_utf8_lossy(request);
    let set = snare
        .as_ref()
        .filter(|s| s.texts.iter().all(|t| text.contains(t.as_str())))?;
    set.struck.store(true, Ordering::Relaxed);
    let at = set.at;
    *snare = None;
    Some(at)
}

/// One request, from its first byte to its last.
async fn request(caller: &mut OwnedReadHalf) -> Option<Vec<u8>> {
    let mut read = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        let count = caller.read(&mut piece).await.ok().filter(|count| *count > 0)?;
        read.extend_from_slice(&piece[..count]);
        let Some(end) = read.windows(4).position(|w| w == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
        let header = |name: &str| {
            head.lines()
                .find_map(|line| line.strip_prefix(name).map(str::trim).map(str::to_owned))
        };
        assert!(
            header("expect:").is_none(),
            "a request that waits for leave is not known here: {head}"
        );
        let body = &read[end + 4..];
        let whole = match header("content-length:") {
            Some(length) => body.len() >= length.parse::<usize>().unwrap(),
            None => header("transfer-encoding:").is_none() || body.ends_with(b"0\r\n\r\n"),
        };
        if whole {
            return Some(read);
        }
    }
}
