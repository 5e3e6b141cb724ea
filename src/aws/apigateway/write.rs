//! Repairing: makes exactly the calls of a plan. Decides nothing, repeats nothing.

use aws_sdk_apigateway::types::{Op, PatchOperation};
use serde_json::Value;

use super::Client;
use crate::api::drift;
use crate::aws::{Class, Error};

/// Makes one call of a plan.
pub async fn apply(client: &Client, call: &drift::Call) -> Result<(), Error> {
    match call.operation.as_str() {
        "UpdateRestApi" => {
            let api = parameter("UpdateRestApi", call, "restApiId")?;
            client.update_rest_api(api, patch("UpdateRestApi", call)?).await
        }
        "UpdateStage" => {
            let api = parameter("UpdateStage", call, "restApiId")?;
            let stage = parameter("UpdateStage", call, "stageName")?;
            client.update_stage(api, stage, patch("UpdateStage", call)?).await
        }
        "UpdateMethod" => {
            let (api, resource, method) = method("UpdateMethod", call)?;
            let patch = patch("UpdateMethod", call)?;
            client.update_method(api, resource, method, patch).await
        }
        "UpdateIntegration" => {
            let (api, resource, method) = method("UpdateIntegration", call)?;
            let patch = patch("UpdateIntegration", call)?;
            client.update_integration(api, resource, method, patch).await
        }
        "UpdateDomainName" => {
            let domain = parameter("UpdateDomainName", call, "domainName")?;
            let id = call.parameters.get("domainNameId").cloned();
            let patch = patch("UpdateDomainName", call)?;
            client.update_domain_name(domain, id, patch).await
        }
        "TagResource" => {
            let arn = parameter("TagResource", call, "resourceArn")?;
            client.tag_resource(arn, tags_to_set(call)?).await
        }
        "UntagResource" => {
            let arn = parameter("UntagResource", call, "resourceArn")?;
            client.untag_resource(arn, tags_to_remove(call)?).await
        }
        other => Err(refused("apply", format!("{other} is no call that Plumbline makes"))),
    }
    .map(|_| ())
}

/// Makes a deployment of what the editor holds. Without a stage: no caller meets it yet.
pub async fn create_deployment(client: &Client, api: &str, description: &str) -> Result<String, Error> {
    let answer = client.create_deployment(api, description).await?;
    answer
        .get("id")
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| Error::new(Class::Malformed, "CreateDeployment", "the answer names no deployment"))
}

/// The deployment that carries a description: what an interrupted run made.
pub async fn find_deployment(client: &Client, api: &str, description: &str) -> Result<Option<String>, Error> {
    let all = client.get_deployments(api).await?;
    let of = |deployment: &Value, key: &str| deployment.get(key).and_then(Value::as_str).map(str::to_owned);
    Ok(all
        .iter()
        .find(|deployment| of(deployment, "description").as_deref() == Some(description))
        .and_then(|deployment| of(deployment, "id")))
}

/// Points a stage at a deployment: its callers meet that from now on.
pub async fn point_stage(client: &Client, api: &str, stage: &str, deployment: &str) -> Result<(), Error> {
    let operation = PatchOperation::builder()
        .op(Op::Replace)
        .path("/deploymentId")
        .value(deployment)
        .build();
    client.update_stage(api, stage, vec![operation]).await.map(|_| ())
}

fn refused(operation: &'static str, message: impl Into<String>) -> Error {
    Error::new(Class::Refused, operation, message)
}

fn parameter<'a>(operation: &'static str, call: &'a drift::Call, name: &str) -> Result<&'a str, Error> {
    call.parameters
        .get(name)
        .filter(|value| !value.is_empty())
        .map(String::as_str)
        .ok_or_else(|| refused(operation, format!("the plan names no {name}")))
}

fn method<'a>(operation: &'static str, call: &'a drift::Call) -> Result<(&'a str, &'a str, &'a str), Error> {
    Ok((
        parameter(operation, call, "restApiId")?,
        parameter(operation, call, "resourceId")?,
        parameter(operation, call, "httpMethod")?,
    ))
}

fn patch(operation: &'static str, call: &drift::Call) -> Result<Vec<PatchOperation>, Error> {
    if call.patch_operations.is_empty() {
        return Err(refused(operation, "the plan holds no patch operation"));
    }
    call.patch_operations
        .iter()
        .map(|one| {
            let op = match one.op.as_str() {
                "add" => Op::Add,
                "replace" => Op::Replace,
                "remove" => Op::Remove,
                other => {
                    return Err(refused(
                        operation,
                        format!("no plan of Plumbline's holds the operation {other}"),
                    ));
                }
            };
            Ok(PatchOperation::builder()
                .op(op)
                .path(&one.path)
                .set_value(one.value.clone())
                .build())
        })
        .collect()
}

fn tag<'a>(operation: &'static str, one: &'a drift::PatchOperation, ops: &[&str]) -> Result<(String, &'a str), Error> {
    let key = one
        .path
        .strip_prefix("/tags/")
        .filter(|key| !key.is_empty() && ops.contains(&one.op.as_str()))
        .ok_or_else(|| refused(operation, format!("{} {} is no change of a tag", one.op, one.path)))?;
    Ok((
        key.replace("~1", "/").replace("~0", "~"),
        one.value.as_deref().unwrap_or_default(),
    ))
}

fn tags_to_set(call: &drift::Call) -> Result<Vec<(String, String)>, Error> {
    call.patch_operations
        .iter()
        .map(|one| tag("TagResource", one, &["add", "replace"]).map(|(key, value)| (key, value.to_owned())))
        .collect()
}

fn tags_to_remove(call: &drift::Call) -> Result<Vec<String>, Error> {
    call.patch_operations
        .iter()
        .map(|one| tag("UntagResource", one, &["remove"]).map(|(key, _)| key))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(ops: &[(&str, &str, Option<&str>)]) -> drift::Call {
        drift::Call {
            operation: "TagResource".into(),
            parameters: std::collections::BTreeMap::new(),
            patch_operations: ops
                .iter()
                .map(|(op, path, value)| drift::PatchOperation {
                    op: (*op).into(),
                    path: (*path).into(),
                    value: value.map(str::to_owned),
                })
                .collect(),
        }
    }

    #[test]
    fn tags_are_read_from_patch_operations() {
        let set = call(&[("add", "/tags/a~1b~01", Some("1")), ("replace", "/tags/c", Some("2"))]);
        assert_eq!(
            tags_to_set(&set).unwrap(),
            [("a/b~1".to_owned(), "1".to_owned()), ("c".to_owned(), "2".to_owned())]
        );
        assert_eq!(tags_to_remove(&call(&[("remove", "/tags/a", None)])).unwrap(), ["a"]);
        for (op, path) in [("remove", "/tags/a"), ("add", "/tag/a"), ("add", "/tags/")] {
            let error = tags_to_set(&call(&[(op, path, None)])).unwrap_err();
            assert_eq!(error.class, Class::Refused, "{op} {path}");
        }
    }

    #[test]
    fn a_patch_is_never_empty_and_never_copies() {
        assert_eq!(patch("UpdateStage", &call(&[])).unwrap_err().class, Class::Refused);
        let copy = call(&[("copy", "/deploymentId", None)]);
        assert_eq!(patch("UpdateStage", &copy).unwrap_err().class, Class::Refused);
    }
}
