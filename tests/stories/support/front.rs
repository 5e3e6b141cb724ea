//! Something on loopback that stands in front of a service, and can fail in its place.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What callers meet.
#[derive(Clone, Debug, PartialEq)]
enum Mode {
    /// The service behind.
    Pass,
    /// Nobody: connections are closed.
    Down,
    /// This answer: its status, and a body.
    Answer(&'static str, String),
}

/// A front of one service. Its URL is what callers are given.
pub struct Front {
    pub url: String,
    mode: watch::Sender<Mode>,
    met: Arc<AtomicUsize>,
}

impl Front {
    /// In front of `service`, as in `http://127.0.0.1:5000`; it lets everything pass.
    pub async fn of(service: &str) -> Front {
        let behind = service.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (mode, seen) = watch::channel(Mode::Pass);
        let met = Arc::new(AtomicUsize::new(0));
        let counter = met.clone();
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                let (behind, mut seen, counter) = (behind.clone(), seen.clone(), counter.clone());
                tokio::spawn(async move {
                    let mode = seen.borrow_and_update().clone();
                    if mode != Mode::Pass {
                        counter.fetch_add(1, Ordering::Relaxed);
                    }
                    tokio::select! {
                        () = serve(caller, &behind, mode) => {}
                        _ = seen.changed() => {} // whatever is open ends when the mode changes
                    }
                });
            }
        });
        Front { url, mode, met }
    }

    /// Lets everything pass again.
    pub fn mend(&self) {
        self.set(Mode::Pass);
    }

    /// Closes every connection.
    pub fn down(&self) {
        self.set(Mode::Down);
    }

    /// Answers everything, as in `403 Forbidden`, with a body.
    pub fn answer(&self, status: &'static str, body: impl Into<String>) {
        self.set(Mode::Answer(status, body.into()));
    }

    /// How many connections met anything but the service since the front stands.
    pub fn met(&self) -> usize {
        self.met.load(Ordering::Relaxed)
    }

    fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

async fn serve(mut caller: TcpStream, behind: &str, mode: Mode) {
    match mode {
        Mode::Down => {}
        Mode::Pass => {
            if let Ok(mut service) = TcpStream::connect(behind).await {
                let _ = tokio::io::copy_bidirectional(&mut caller, &mut service).await;
            }
        }
        Mode::Answer(status, body) => {
            request(&mut caller).await;
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: text/xml\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = caller.write_all(answer.as_bytes()).await;
            let _ = caller.shutdown().await;
        }
    }
}

/// Reads a request to its end.
async fn request(caller: &mut TcpStream) {
    let mut read = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match caller.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(count) => read.extend_from_slice(&piece[..count]),
        }
        let text = String::from_utf8_lossy(&read).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .map_or(0, |length| length.trim().parse().unwrap());
        if body.len() >= length {
            return;
        }
    }
}
