//! The `plumbline` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Fails only if a provider is installed already, which then is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    plumbline::cli::run(std::env::args_os())
}
