//! The calls of a plan as commands of the AWS CLI, so that a person can read, and could make, the same ones. Pure.

use crate::api::drift::Call;
use crate::judge::plan::NEW_DEPLOYMENT;

/// A command longer than this is shown cut; then it is no command any more, and says so.
const LONGEST: usize = 4096;

/// One command for each call, in their order.
pub fn commands(calls: &[Call], region: &str) -> Vec<String> {
    calls.iter().map(|call| shortened(command(call, region))).collect()
}

fn command(call: &Call, region: &str) -> String {
    let mut words = format!("aws apigateway {} --region {}", kebab(&call.operation), quoted(region));
    for (name, value) in &call.parameters {
        words += &[" --", &kebab(name), " ", &quoted(value)].concat();
    }
    match call.operation.as_str() {
        "CreateDeployment" => format!("DEPLOYMENT=$({words} --query id --output text)"),
        "TagResource" => {
            let tags: serde_json::Map<String, serde_json::Value> = call
                .patch_operations
                .iter()
                .map(|one| (tag(&one.path), one.value.clone().unwrap_or_default().into()))
                .collect();
            format!(
                "{words} --tags {}",
                quoted(&serde_json::Value::Object(tags).to_string())
            )
        }
        "UntagResource" => {
            let keys: Vec<String> = call
                .patch_operations
                .iter()
                .map(|one| quoted(&tag(&one.path)))
                .collect();
            format!("{words} --tag-keys {}", keys.join(" "))
        }
        _ => format!("{words} --patch-operations {}", patches(call)),
    }
}

/// As JSON, which takes whatever a value holds; but what names the new deployment is read by the shell.
fn patches(call: &Call) -> String {
    if let [only] = call.patch_operations.as_slice()
        && only.value.as_deref() == Some(NEW_DEPLOYMENT)
    {
        return format!("\"op={},path={},value=$DEPLOYMENT\"", only.op, only.path);
    }
    quoted(&serde_json::to_string(&call.patch_operations).unwrap_or_default())
}

/// `UpdateRestApi` and `restApiId` as the AWS CLI writes them.
fn kebab(name: &str) -> String {
    name.chars().enumerate().fold(String::new(), |mut kebab, (at, c)| {
        if c.is_ascii_uppercase() && at > 0 {
            kebab.push('-');
        }
        kebab.push(c.to_ascii_lowercase());
        kebab
    })
}

fn tag(path: &str) -> String {
    path.trim_start_matches("/tags/").replace("~1", "/").replace("~0", "~")
}

/// A word as a POSIX shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn shortened(command: String) -> String {
    if command.len() <= LONGEST {
        return command;
    }
    let end = command.floor_char_boundary(LONGEST);
    format!(
        "# cut after {LONGEST} bytes, the audit record has all of it: {}",
        &command[..end]
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::drift::PatchOperation;

    fn call(operation: &str, parameters: &[(&str, &str)], patches: &[(&str, &str, Option<&str>)]) -> Call {
        Call {
            operation: operation.into(),
            parameters: parameters.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            patch_operations: patches
                .iter()
                .map(|(op, path, value)| PatchOperation {
                    op: (*op).into(),
                    path: (*path).into(),
                    value: value.map(str::to_owned),
                })
                .collect(),
        }
    }

    #[test]
    fn each_call_is_the_command_that_a_person_would_type() {
        let api = ("restApiId", "a1b2c3");
        for (call, command, why) in [
            (
                call(
                    "UpdateStage",
                    &[api, ("stageName", "prod")],
                    &[("replace", "/tracingEnabled", Some("true"))],
                ),
                r#"aws apigateway update-stage --region eu-west-1 --rest-api-id a1b2c3 --stage-name prod --patch-operations '[{"op":"replace","path":"/tracingEnabled","value":"true"}]'"#,
                "a patch, as JSON",
            ),
            (
                call(
                    "UpdateRestApi",
                    &[api],
                    &[("replace", "/policy", Some(r#"{"a":"it's"}"#))],
                ),
                r#"aws apigateway update-rest-api --region eu-west-1 --rest-api-id a1b2c3 --patch-operations '[{"op":"replace","path":"/policy","value":"{\"a\":\"it'\''s\"}"}]'"#,
                "quotes in a value survive the shell",
            ),
            (
                call("CreateDeployment", &[api], &[]),
                "DEPLOYMENT=$(aws apigateway create-deployment --region eu-west-1 --rest-api-id a1b2c3 --query id --output text)",
                "the deployment's id is kept for the next command",
            ),
            (
                call(
                    "UpdateStage",
                    &[api, ("stageName", "prod")],
                    &[("replace", "/deploymentId", Some(NEW_DEPLOYMENT))],
                ),
                r#"aws apigateway update-stage --region eu-west-1 --rest-api-id a1b2c3 --stage-name prod --patch-operations "op=replace,path=/deploymentId,value=$DEPLOYMENT""#,
                "and used there",
            ),
            (
                call(
                    "TagResource",
                    &[("resourceArn", "arn:aws:x")],
                    &[("add", "/tags/a~1b", Some("c d"))],
                ),
                r#"aws apigateway tag-resource --region eu-west-1 --resource-arn arn:aws:x --tags '{"a/b":"c d"}'"#,
                "tags are no patches",
            ),
            (
                call(
                    "UntagResource",
                    &[("resourceArn", "arn:aws:x")],
                    &[("remove", "/tags/a b", None)],
                ),
                "aws apigateway untag-resource --region eu-west-1 --resource-arn arn:aws:x --tag-keys 'a b'",
                "a key with a space",
            ),
        ] {
            assert_eq!(commands(&[call], "eu-west-1"), [command], "{why}");
        }
    }

    #[test]
    fn what_is_too_long_is_no_command_and_says_so() {
        let long = call(
            "UpdateRestApi",
            &[],
            &[("replace", "/policy", Some(&"x".repeat(10_000)))],
        );
        let told = &commands(&[long], "eu-west-1")[0];
        assert!(told.starts_with("# cut") && told.len() < 5000, "{told}");
    }
}
