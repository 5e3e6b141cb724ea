//! What the person who asks knows of the deployment.

use std::collections::BTreeMap;

/// What is known besides what stands in the files.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    /// Parameters, pseudo parameters and attributes, by name.
    values: BTreeMap<String, String>,
    /// The stages that serve an API of which the files name none.
    pub stages: Vec<String>,
    /// What the deployment puts on everything.
    pub tags: BTreeMap<String, String>,
}

impl Given {
    /// From the command line.
    ///
    /// # Errors
    /// A sentence that says what to write instead.
    pub fn new(
        region: Option<&str>,
        parameters: &[String],
        stages: &[String],
        tags: &[String],
    ) -> Result<Self, String> {
        let mut values = BTreeMap::new();
        if let Some(region) = region {
            let china = region.starts_with("cn-");
            let partition = match region {
                _ if china => "aws-cn",
                _ if region.starts_with("us-gov-") => "aws-us-gov",
                _ => "aws",
            };
            let suffix = if china { "amazonaws.com.cn" } else { "amazonaws.com" };
            for (name, value) in [("Region", region), ("Partition", partition), ("URLSuffix", suffix)] {
                values.insert(format!("AWS::{name}"), value.to_owned());
            }
        }
        values.extend(pairs("--parameter", parameters)?);
        Ok(Given {
            values,
            stages: stages.to_vec(),
            tags: pairs("--tag", tags)?,
        })
    }

    /// What a name stands for.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Names that can only be those of parameters.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        let names = self.values.keys().map(String::as_str);
        names.filter(|name| !name.contains(['.', ':']))
    }
}

fn pairs(option: &str, texts: &[String]) -> Result<BTreeMap<String, String>, String> {
    let pair = |text: &String| {
        let (name, value) = text
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| format!("{option} {text}: write {option} NAME=VALUE"))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    texts.iter().map(pair).collect()
}

/// Why a pseudo parameter is not known; none: there is no such one.
pub(super) fn pseudo(name: &str) -> Option<String> {
    Some(match name {
        "AWS::Region" | "AWS::Partition" | "AWS::URLSuffix" => {
            "which region it goes to is not known: give --region".to_owned()
        }
        "AWS::AccountId" | "AWS::StackName" | "AWS::StackId" | "AWS::NotificationARNs" => {
            format!("{name} is not known: give --parameter {name}=VALUE")
        }
        _ => return None,
    })
}
