use std::collections::BTreeMap;

use serde_json::json;

use super::*;

/// What the simulated service can be asked to write.
const WRITES: &str = "CreateRestApi ImportRestApi UpdateRestApi DeleteRestApi PutRestApi CreateResource UpdateResource \
    DeleteResource PutMethod UpdateMethod DeleteMethod PutMethodResponse UpdateMethodResponse \
    DeleteMethodResponse PutIntegration UpdateIntegration DeleteIntegration PutIntegrationResponse \
    UpdateIntegrationResponse DeleteIntegrationResponse CreateDeployment UpdateDeployment DeleteDeployment \
    CreateStage UpdateStage DeleteStage FlushStageCache FlushStageAuthorizersCache CreateAuthorizer \
    UpdateAuthorizer DeleteAuthorizer CreateRequestValidator UpdateRequestValidator DeleteRequestValidator \
    CreateModel UpdateModel DeleteModel PutGatewayResponse UpdateGatewayResponse DeleteGatewayResponse \
    CreateDomainName UpdateDomainName DeleteDomainName CreateBasePathMapping UpdateBasePathMapping \
    DeleteBasePathMapping UpdateAccount GenerateClientCertificate UpdateClientCertificate \
    DeleteClientCertificate CreateVpcLink UpdateVpcLink DeleteVpcLink TagResource UntagResource";

#[test]
fn every_write_of_the_service_is_known_and_none_twice() {
    let mut all: Vec<&str> = EDITS.iter().chain(OTHERS).copied().collect();
    all.sort_unstable();
    let count = all.len();
    all.dedup();
    assert_eq!(count, all.len());
    for known in WRITES.split_whitespace() {
        assert!(all.binary_search(&known).is_ok(), "{known} is not known");
    }
    assert!(is_edit("PutIntegration") && !is_edit("CreateDeployment"));
    assert!(is_edit("UpdateSomethingNew"), "what is not known may be an edit");
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row for each way in which a call writes")]
fn what_a_call_did_to_a_property_is_read_from_its_parameters() {
    use Wrote::{Absent, Nothing, Perhaps, Something, Text};
    let patch = |op: &str, path: &str, value: &str| json!([{"op": op, "path": path, "value": value}]);
    let uri = ["methodIntegration", "uri"];
    let level = ["methodSettings", "~1pets/GET", "loggingLevel"];
    for (operation, input, operations, target, at, wrote_what, why) in [
        (
            "UpdateIntegration",
            "updateIntegrationInput",
            patch("replace", "/uri", "http://x"),
            Target::Method,
            &uri[..],
            Text("http://x"),
            "the property itself",
        ),
        (
            "UpdateIntegration",
            "updateIntegrationInput",
            patch("replace", "/uri", "***"),
            Target::Method,
            &uri[..],
            Something,
            "masked",
        ),
        (
            "UpdateIntegration",
            "updateIntegrationInput",
            patch("replace", "/timeoutInMillis", "9"),
            Target::Method,
            &uri[..],
            Nothing,
            "another property",
        ),
        (
            "UpdateStage",
            "updateStageInput",
            patch("replace", "/~1pets/GET/logging/loglevel", "INFO"),
            Target::Stage,
            &level[..],
            Text("INFO"),
            "an entry of one method",
        ),
        (
            "UpdateStage",
            "updateStageInput",
            patch("replace", "/*/*/logging/loglevel", "INFO"),
            Target::Stage,
            &level[..],
            Nothing,
            "the default entry is another one",
        ),
        (
            "UpdateStage",
            "updateStageInput",
            json!([{"op": "remove", "path": "/~1pets/GET"}]),
            Target::Stage,
            &level[..],
            Absent,
            "the whole entry",
        ),
        (
            "UpdateStage",
            "updateStageInput",
            patch("replace", "/~1pets/GET/caching/enabled", "true"),
            Target::Stage,
            &level[..],
            Perhaps,
            "the first patch makes the entry",
        ),
        (
            "UpdateStage",
            "updateStageInput",
            json!([{"op": "copy", "from": "/canarySettings/stageVariableOverrides", "path": "/variables"}]),
            Target::Stage,
            &["variables", "host"][..],
            Something,
            "a canary's promotion",
        ),
        (
            "DeleteIntegration",
            "",
            json!([]),
            Target::Method,
            &uri[..],
            Absent,
            "all of it is gone",
        ),
        (
            "PutRestApi",
            "",
            json!([]),
            Target::Method,
            &uri[..],
            Something,
            "an import replaces everything",
        ),
    ] {
        let parameters = if input.is_empty() {
            json!({"restApiId": "a"})
        } else {
            json!({"restApiId": "a", input: {"patchOperations": operations}})
        };
        let at = Path::of(at.iter().copied());
        assert_eq!(wrote(operation, &parameters, target, &at), wrote_what, "{why}");
    }
    let put = json!({"restApiId": "a", "putIntegrationInput": {"type": "HTTP", "uri": "http://x"}});
    assert_eq!(
        wrote("PutIntegration", &put, Target::Method, &Path::of(uri)),
        Wrote::Value(&json!("http://x"))
    );
    let deployed = json!({"restApiId": "a", "createDeploymentInput": {"stageName": "prod"}});
    let tracing = Path::of(["tracingEnabled"]);
    assert_eq!(
        wrote("CreateDeployment", &deployed, Target::Stage, &tracing),
        Nothing,
        "it leaves what it does not name"
    );
}

#[test]
fn a_call_is_of_the_resource_that_it_names() {
    let address: BTreeMap<String, String> = [("restApiId", "a"), ("resourceId", "r"), ("httpMethod", "GET")]
        .map(|(k, v)| (k.into(), v.into()))
        .into();
    for (operation, parameters, of, why) in [
        (
            "UpdateIntegration",
            json!({"restApiId": "a", "resourceId": "r", "httpMethod": "get"}),
            true,
            "verbs have no case",
        ),
        (
            "UpdateIntegration",
            json!({"restApiId": "a", "resourceId": "q", "httpMethod": "GET"}),
            false,
            "another resource",
        ),
        (
            "PutIntegration",
            json!({"restApiId": "a", "resourceId": "r", "httpMethod": "GET", "putIntegrationInput": {"httpMethod": "POST"}}),
            true,
            "the backend's verb is another thing",
        ),
        ("PutRestApi", json!({"restApiId": "a"}), true, "it writes every method"),
    ] {
        assert_eq!(is_of(operation, &parameters, &address), of, "{why}");
    }
}

#[test]
fn a_stage_is_pointed_at_a_deployment_in_three_ways() {
    let moved = json!({"stageName": "prod", "updateStageInput": {"patchOperations": [{"op": "replace", "path": "/deploymentId", "value": "d1"}]}});
    let promoted = json!({"stageName": "prod", "updateStageInput": {"patchOperations": [{"op": "copy", "from": "/canarySettings/deploymentId", "path": "/deploymentId"}]}});
    let traced = json!({"stageName": "prod", "updateStageInput": {"patchOperations": [{"op": "replace", "path": "/tracingEnabled", "value": "true"}]}});
    let made = json!({"createDeploymentInput": {"stageName": "prod"}});
    let nowhere = json!({"createDeploymentInput": {}});
    for (operation, parameters, deployment, to, why) in [
        ("UpdateStage", &moved, None, Some(Some("d1")), "pointed"),
        (
            "UpdateStage",
            &promoted,
            None,
            Some(None),
            "a canary's promotion does not say which",
        ),
        ("UpdateStage", &traced, None, None, "another property"),
        (
            "CreateDeployment",
            &made,
            Some("d2"),
            Some(Some("d2")),
            "deployed to the stage",
        ),
        ("CreateDeployment", &nowhere, Some("d2"), None, "no caller meets it"),
    ] {
        assert_eq!(pointed(operation, parameters, "prod", deployment), to, "{why}");
    }
}
