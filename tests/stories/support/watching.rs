//! Somebody who has `plumbline drift --watch` open.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::World;

/// What they are shown, and what they are told beside it.
pub struct Watching {
    process: Child,
    shown: Lines<BufReader<ChildStdout>>,
    told: Lines<BufReader<ChildStderr>>,
}

impl World {
    /// Somebody who begins to watch the story's namespace.
    pub fn watching(&self) -> Watching {
        let mut process = Command::new(env!("CARGO_BIN_EXE_plumbline"))
            .args(["drift", "--watch", "-n", &self.name])
            .env("KUBECONFIG", std::env::var("KUBECONFIG").unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Watching {
            shown: BufReader::new(process.stdout.take().unwrap()).lines(),
            told: BufReader::new(process.stderr.take().unwrap()).lines(),
            process,
        }
    }
}

impl Watching {
    /// The next line that they are shown.
    pub async fn shown(&mut self) -> String {
        next(&mut self.shown).await
    }

    /// The next line that they are told.
    pub async fn told(&mut self) -> String {
        next(&mut self.told).await
    }

    /// Whether it goes on.
    pub fn goes_on(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }
}

async fn next(lines: &mut Lines<impl AsyncBufReadExt + Unpin>) -> String {
    let line = tokio::time::timeout(Duration::from_mins(2), lines.next_line()).await;
    line.expect("a line within two minutes").unwrap().expect("it goes on")
}
