//! Who else manages an endpoint, as its tags tell.

use std::collections::BTreeMap;

/// The tool that manages an endpoint with these tags, as a person would name it.
pub fn managed_by(tags: &BTreeMap<String, String>) -> Option<String> {
    if let Some(stack) = tags.get("aws:cloudformation:stack-name") {
        return Some(format!("CloudFormation stack {stack}"));
    }
    // The controllers of Kubernetes that make load balancers and APIs tag what they own.
    for key in ["elbv2.k8s.aws/cluster", "services.k8s.aws/controller-version"] {
        if let Some(value) = tags.get(key) {
            return Some(format!("a Kubernetes controller ({key}: {value})"));
        }
    }
    tags.iter().find_map(|(key, value)| by_convention(key, value))
}

/// Tags that people's tools set by convention, in whatever case.
fn by_convention(key: &str, value: &str) -> Option<String> {
    let key = key.to_ascii_lowercase();
    let value_lower = value.to_ascii_lowercase();
    let managing = ["managed-by", "managed_by", "managedby", "provisioner", "created-by"].contains(&key.as_str());
    let named = |tool: &str| managing && value_lower.contains(tool);
    if named("terraform") || named("opentofu") || (key == "terraform" && value_lower == "true") {
        return Some(format!("Terraform ({key}: {value})"));
    }
    if key == "terraform-workspace" || key == "tf-workspace" || key == "terraform_workspace" {
        return Some(format!("Terraform workspace {value}"));
    }
    if key == "pulumi:project" || named("pulumi") {
        return Some(format!("Pulumi ({key}: {value})"));
    }
    if key == "crossplane-kind" || key == "crossplane-name" || named("crossplane") {
        return Some(format!("Crossplane ({key}: {value})"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_tell_which_tool_would_undo_a_repair() {
        for (tags, told, why) in [
            (&[("team", "payments")][..], None, "no tool's tag"),
            (
                &[
                    ("aws:cloudformation:stack-name", "payments"),
                    ("ManagedBy", "terraform"),
                ],
                Some("CloudFormation stack payments"),
                "AWS sets this one itself",
            ),
            (
                &[("ManagedBy", "Terraform")],
                Some("Terraform"),
                "a convention, in whatever case",
            ),
            (&[("terraform", "true")], Some("Terraform"), "another one"),
            (&[("terraform", "false")], None, "it says that it is not"),
            (&[("managed-by", "anna")], None, "a person is no tool"),
            (&[("pulumi:project", "pay")], Some("Pulumi"), "Pulumi's own"),
            (
                &[("crossplane-kind", "restapi")],
                Some("Crossplane"),
                "Crossplane's own",
            ),
            (
                &[("elbv2.k8s.aws/cluster", "prod")],
                Some("Kubernetes"),
                "the load balancer controller",
            ),
        ] {
            let tags = tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let found = managed_by(&tags);
            match told {
                None => assert_eq!(found, None, "{why}"),
                Some(words) => assert!(found.as_deref().is_some_and(|f| f.contains(words)), "{why}: {found:?}"),
            }
        }
    }
}
