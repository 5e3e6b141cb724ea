//! `plumbline crds`: the custom resource definitions, as YAML.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
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
        for (file, yaml) in definitions()? {
            match &self.out {
                None => print!("---\n{yaml}"),
                Some(folder) => {
                    let path = folder.join(file);
                    let write = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, yaml));
                    write.map_err(|error| format!("{}: {error}", path.display()))?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Each definition as YAML, with the name of its file.
fn definitions() -> Result<Vec<(String, String)>, String> {
    let written = |crd: &CustomResourceDefinition| {
        let name = crd.name_any();
        let plural = name.split('.').next().unwrap_or_default();
        let yaml = serde_saphyr::to_string(crd).map_err(|error| format!("{name}: {error}"))?;
        Ok((format!("plumbline.dev_{plural}.yaml"), yaml))
    };
    api::crds().iter().map(written).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn the_committed_definitions_are_those_of_the_crate() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
        let mut files = 0;
        for (file, yaml) in super::definitions().unwrap() {
            let committed = std::fs::read_to_string(folder.join(&file)).unwrap();
            assert!(committed == yaml, "crds/{file} is another: run `make crds`");
            files += 1;
        }
        assert_eq!(
            std::fs::read_dir(folder).unwrap().count(),
            files,
            "crds/ holds a file too many"
        );
    }
}
