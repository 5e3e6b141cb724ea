//! `plumbline crds`: the custom resource definitions, as YAML.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use kube::ResourceExt;

use crate::api;

/// Prints the custom resource definitions, or writes them into a folder.
#[derive(Debug, Args)]
pub struct Crds {
    /// Write one file for each kind into this folder instead of printing them
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

impl Crds {
    /// Runs.
    pub fn run(self) -> Result<ExitCode, String> {
        for crd in api::crds() {
            let name = crd.name_any();
            let yaml = serde_saphyr::to_string(&crd).map_err(|error| format!("{name}: {error}"))?;
            match &self.out {
                None => print!("---\n{yaml}"),
                Some(folder) => {
                    let plural = name.split('.').next().unwrap_or_default();
                    let path = folder.join(format!("plumbline.dev_{plural}.yaml"));
                    let write = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, yaml));
                    write.map_err(|error| format!("{}: {error}", path.display()))?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
