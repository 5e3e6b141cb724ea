//! The controller: the built binary, as a process.

use std::fs::File;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::process::{Child, Command};

use super::{REGION, World, cluster};

/// A running controller.
pub struct Controller {
    child: Child,
    log: PathBuf,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Controller {
    /// Starts it for one world.
    pub async fn start(world: &World, environment: &[(&str, &str)]) -> Self {
        Self::start_with(world, environment, &[]).await
    }

    /// The same with more arguments.
    pub async fn start_with(world: &World, environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(&world.name);
        std::fs::create_dir_all(&folder).unwrap();
        let kubeconfig = folder.join("kubeconfig");
        cluster::controller_kubeconfig(&world.client, &kubeconfig).await;
        let log = folder.join(format!("controller-{}.log", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let moto = cluster::moto();
        let child = Command::new(env!("CARGO_BIN_EXE_plumbline"))
            .args([
                "run",
                "--namespace",
                cluster::SYSTEM,
                "--identity",
                &world.name,
                "--listen",
                "127.0.0.1:0",
            ])
            .args(["--account-selector", &format!("story={}", world.name)])
            .args(["--approval-policy", "plumbline-approval"])
            .args(arguments)
            .env_clear()
            .envs(std::env::var("PATH").map(|path| ("PATH", path)))
            .env("KUBECONFIG", &kubeconfig)
            .env("RUST_LOG", "info,plumbline=debug")
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", &moto)
            .env("AWS_ENDPOINT_URL_API_GATEWAY", &world.sim_url)
            .env("AWS_ENDPOINT_URL_CLOUDTRAIL", &world.sim_url)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Controller { child, log }
    }

    /// `kill -9`.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Whether it runs.
    pub fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to end, and waits.
    pub async fn stop(mut self) -> ExitStatus {
        let id = self.child.id().expect("it runs");
        let killed = Command::new("kill")
            .arg("-TERM")
            .arg(id.to_string())
            .status()
            .await
            .unwrap();
        assert!(killed.success());
        tokio::time::timeout(std::time::Duration::from_mins(1), self.child.wait())
            .await
            .expect("it ends")
            .unwrap()
    }

    /// What `/metrics` says. The address stands in the log.
    pub async fn metrics(&self) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let text = self.whole_log();
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let mut addresses = lines.filter_map(|line| line["fields"]["address"].as_str().map(str::to_owned));
        let address = addresses.next().expect("it runs");
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Whether it said something, ever.
    pub fn logged(&self, words: &str) -> bool {
        self.whole_log().contains(words)
    }

    /// The end of its log, for whoever looks for what went wrong.
    pub fn log(&self) -> String {
        let text = self.whole_log();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    fn whole_log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}
