//! Taking a repair back: the stored inverse, made only while what it takes back still stands.
//!
//! Patches go back into the editor, and each stage back to the deployment that it had before. No deployment is made, so
//! nobody's edits are published. Whatever somebody changed since is left alone.

use serde_json::Value;

use super::transaction::End;
use crate::api::drift::{Call, Change, Intent, PatchOperation};
use crate::api::policy::Target;
use crate::aws::Error;
use crate::aws::apigateway::client::Client;
use crate::aws::apigateway::write;
use crate::judge::Snapshot;
use crate::judge::path::{self, Path};

/// The calls that take a repair back: its inverse patches, then each stage back to where it pointed.
pub fn calls(patches: &[Call], rest_api: &str, intent: Option<&Intent>) -> Vec<Call> {
    // Asked again, it gives the same.
    let mut calls: Vec<Call> = patches
        .iter()
        .filter(|call| points_back(call).is_none())
        .cloned()
        .collect();
    let Some(intent) = intent.filter(|intent| intent.deployment_id.is_some()) else {
        return calls;
    };
    calls.extend(intent.stages.iter().map(|(stage, deployment)| {
        let parameters = [("restApiId", rest_api), ("stageName", stage)];
        Call {
            operation: "UpdateStage".into(),
            parameters: parameters.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            patch_operations: vec![PatchOperation {
                op: "replace".into(),
                path: DEPLOYMENT.into(),
                value: Some(deployment.clone()),
            }],
        }
    }));
    calls
}

const DEPLOYMENT: &str = "/deploymentId";

/// What a revert takes back.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a> {
    /// What was repaired.
    pub target: Target,
    /// Which of them.
    pub resource: &'a str,
    /// What the repair changed, path by path.
    pub difference: &'a [Change],
    /// The deployment that it made, and what its stages had before.
    pub intent: Option<&'a Intent>,
}

/// How a resource stands, seen from a repair of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stands {
    /// As the repair left it.
    Repaired,
    /// As it was before the repair.
    TakenBack,
    /// Otherwise: somebody changed it since.
    Changed(String),
}

impl Made<'_> {
    /// How what was repaired stands now.
    pub fn stands(&self, snapshot: &Snapshot) -> Stands {
        let resource = snapshot
            .resources
            .iter()
            .find(|r| r.target == self.target && r.key == self.resource);
        let Some(draft) = resource.and_then(|r| r.draft.as_ref()) else {
            return Stands::Changed(format!("{} {} is gone", self.target.as_str(), self.resource));
        };
        let unlike = |side: fn(&Change) -> Option<&Value>| {
            self.difference.iter().find(|change| {
                let now = Path::parse(&change.path)
                    .ok()
                    .and_then(|p| p.get(draft.json()).cloned());
                !path::same(now.as_ref(), side(change))
            })
        };
        let (not_repaired, not_as_before) = (unlike(|c| c.to.as_ref()), unlike(|c| c.from.as_ref()));
        match (not_repaired, not_as_before, self.pointed(snapshot)) {
            (_, _, Pointed::Elsewhere(stage, deployment)) => {
                Stands::Changed(format!("somebody deployed {deployment} to stage {stage} since"))
            }
            (_, None, Pointed::Before | Pointed::Nowhere) => Stands::TakenBack,
            // The second is what a run leaves that was interrupted after its patches: the stages are left to do.
            (None, _, Pointed::Ours | Pointed::Nowhere) | (_, None, Pointed::Ours) => Stands::Repaired,
            (Some(change), ..) => Stands::Changed(format!("somebody changed {} since", change.path)),
            (None, _, Pointed::Before) => Stands::Changed("somebody pointed its stages back since".into()),
        }
    }

    fn pointed(&self, snapshot: &Snapshot) -> Pointed {
        let Some((intent, ours)) = self.intent.and_then(|i| Some((i, i.deployment_id.as_ref()?))) else {
            return Pointed::Nowhere;
        };
        let mut pointed = Pointed::Before;
        for (stage, before) in &intent.stages {
            let now = snapshot.stages.get(stage).map(|p| &p.deployment_id);
            if now == Some(ours) {
                pointed = Pointed::Ours; // one that is left is enough
            } else if now != Some(before) {
                return Pointed::Elsewhere(stage.clone(), now.cloned().unwrap_or_default());
            }
        }
        pointed
    }
}

/// Where the stages of a repair point.
enum Pointed {
    /// The repair deployed nothing.
    Nowhere,
    /// One of them at least still at the repair's deployment.
    Ours,
    /// All of them at the deployments that they had before.
    Before,
    /// This stage at that deployment, which is somebody's.
    Elsewhere(String, String),
}

/// Makes the calls. Each stage is read right before it is pointed back; one that somebody pointed elsewhere stops it.
pub async fn run(reader: &Client, writer: &Client, calls: &[Call], ours: Option<&str>) -> End {
    match steps(reader, writer, calls, ours).await {
        Ok(end) => end,
        Err(error) => End::Failed(error),
    }
}

async fn steps(reader: &Client, writer: &Client, calls: &[Call], ours: Option<&str>) -> Result<End, Error> {
    for call in calls {
        let Some((api, stage, before)) = points_back(call) else {
            write::apply(writer, call).await?;
            continue;
        };
        let now = reader.get_stage(api, stage).await?;
        let current = now.get("deploymentId").and_then(Value::as_str).unwrap_or_default();
        if current == before {
            continue;
        }
        if Some(current) != ours || now.get("canarySettings").is_some_and(|c| !c.is_null()) {
            return Ok(End::Overtaken(format!(
                "somebody deployed {current} to stage {stage} since"
            )));
        }
        write::point_stage(writer, api, stage, before).await?;
    }
    Ok(End::Applied { deployment: None })
}

/// API, stage and deployment of a call that points a stage back.
pub(super) fn points_back(call: &Call) -> Option<(&str, &str, &str)> {
    let [only] = call.patch_operations.as_slice() else {
        return None;
    };
    let of = |name: &str| call.parameters.get(name).map(String::as_str);
    (call.operation == "UpdateStage" && only.path == DEPLOYMENT)
        .then(|| Some((of("restApiId")?, of("stageName")?, only.value.as_deref()?)))
        .flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::api::policy::EndpointType;
    use crate::judge::cel::Document;
    use crate::judge::snapshot::{EndpointId, Resource, StagePointer};

    fn snapshot(uri: &str, deployment: &str) -> Snapshot {
        Snapshot {
            endpoint: EndpointId {
                account_id: "111122223333".into(),
                region: "eu-west-1".into(),
                type_: EndpointType::RestApi,
                id: "abc".into(),
            },
            name: "payments".into(),
            arn: String::new(),
            tags: BTreeMap::new(),
            resources: vec![Resource {
                target: Target::Method,
                key: "GET /".into(),
                address: BTreeMap::new(),
                draft: Some(Document::new(json!({"methodIntegration": {"uri": uri}}))),
                live: vec![],
            }],
            stages: [(
                "prod".to_owned(),
                StagePointer {
                    deployment_id: deployment.into(),
                    canary: None,
                },
            )]
            .into(),
            digest: String::new(),
        }
    }

    fn intent() -> Intent {
        Intent {
            description: String::new(),
            plan_digest: String::new(),
            stages: [("prod".to_owned(), "before".to_owned())].into(),
            deployment_id: Some("ours".into()),
        }
    }

    #[test]
    fn only_what_still_stands_as_the_repair_left_it_is_taken_back() {
        let difference = [Change {
            path: "methodIntegration.uri".into(),
            from: Some(json!("http://x")),
            to: Some(json!("https://x")),
        }];
        let intent = intent();
        for (uri, deployment, stands, why) in [
            ("https://x", "ours", "Repaired", "nothing happened since"),
            (
                "http://x",
                "ours",
                "Repaired",
                "interrupted after the patch: the stage is left",
            ),
            ("http://x", "before", "TakenBack", "all of it is done"),
            ("https://y", "ours", "Changed", "somebody wants a third value"),
            ("https://x", "theirs", "Changed", "somebody deployed"),
            ("https://x", "before", "Changed", "somebody rolled back"),
        ] {
            let made = Made {
                target: Target::Method,
                resource: "GET /",
                difference: &difference,
                intent: Some(&intent),
            };
            let found = format!("{:?}", made.stands(&snapshot(uri, deployment)));
            assert!(found.starts_with(stands), "{why}: {found}");
        }
        for (uri, stands) in [("https://x", Stands::Repaired), ("http://x", Stands::TakenBack)] {
            let made = Made {
                target: Target::Method,
                resource: "GET /",
                difference: &difference,
                intent: None,
            };
            assert_eq!(
                made.stands(&snapshot(uri, "any")),
                stands,
                "a repair without a deployment: {uri}"
            );
        }
    }

    #[test]
    fn stages_go_back_to_the_deployments_that_they_had() {
        let calls = calls(&[], "abc", Some(&intent()));
        assert_eq!(calls.len(), 1);
        assert_eq!(points_back(&calls[0]), Some(("abc", "prod", "before")));
        let unfinished = Intent {
            deployment_id: None,
            ..intent()
        };
        assert!(
            super::calls(&[], "abc", Some(&unfinished)).is_empty(),
            "nothing was deployed that is known"
        );
    }
}
