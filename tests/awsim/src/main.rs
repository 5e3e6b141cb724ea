//! `awsim`: API Gateway v1 and its CloudTrail on a loopback port.

use std::net::SocketAddr;
use std::process::ExitCode;

use awsim::{Awsim, Options, seed::Seed};
use jiff::Timestamp;
use tokio::net::TcpListener;

const USAGE: &str = "usage: awsim --listen 127.0.0.1:PORT [--quotas] [--seed FILE] [--account 111122223333]
             [--region eu-west-1] [--sts http://127.0.0.1:PORT] [--switch NAME=VALUE]... [--deliver QUEUE_URL]...";

struct Arguments {
    listen: SocketAddr,
    seed: Option<Seed>,
    options: Options,
    deliver: Vec<String>,
}

fn arguments(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let (mut seed, mut options, mut deliver) = (None, Options::default(), Vec::new());
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"));
        match word.as_str() {
            "--listen" => {
                let text = value()?;
                listen = text.parse().map_err(|error| format!("--listen {text}: {error}"))?;
            }
            "--quotas" => options.quotas = true,
            "--seed" => {
                let file = value()?;
                let text = std::fs::read(&file).map_err(|error| format!("{file}: {error}"))?;
                seed = Some(Seed::from_json(&text).map_err(|error| format!("{file}: {error}"))?);
            }
            "--account" => options.account = value()?,
            "--region" => options.region = value()?,
            "--sts" => options.sts = Some(value()?),
            "--switch" => {
                let text = value()?;
                let (name, position) = text
                    .split_once('=')
                    .ok_or_else(|| format!("--switch {text}: NAME=VALUE"))?;
                options
                    .switches
                    .set(name, position)
                    .map_err(|error| error.to_string())?;
            }
            "--deliver" => deliver.push(value()?),
            "--help" | "-h" => return Err(USAGE.to_owned()),
            _ => return Err(format!("unknown argument {word}\n{USAGE}")),
        }
    }
    if !listen.ip().is_loopback() {
        return Err(format!(
            "{listen} is not a loopback address: awsim checks no signature and serves this machine alone"
        ));
    }
    Ok(Arguments {
        listen,
        seed,
        options,
        deliver,
    })
}

async fn run() -> Result<(), String> {
    let Arguments {
        listen,
        seed,
        options,
        deliver,
    } = arguments(std::env::args().skip(1))?;
    let sim = Awsim::new(options);
    if let Some(seed) = seed {
        sim.seed(&seed, Timestamp::now())
            .map_err(|error| format!("seed: {error}"))?;
    }
    for queue_url in deliver {
        sim.deliver_always(&queue_url)
            .map_err(|error| format!("--deliver: {error}"))?;
    }
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| format!("{listen}: {error}"))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let serving = awsim::serve(sim, listener).map_err(|error| format!("--sts: {error}"))?;
    println!("awsim listening on http://{address}");
    tokio::select! {
        never = serving => match never {},
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(|error| error.to_string()),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("awsim: {message}");
            ExitCode::from(2)
        }
    }
}
