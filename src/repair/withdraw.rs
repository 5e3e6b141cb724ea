//! The end of a repair that was begun and shall not be made any more: its policy, its account or its grant is gone.
//!
//! What callers of one stage meet already is finished for the others. Otherwise the patches are taken back, as long as
//! nobody else touched what they changed.

use serde_json::Value;

use super::revert::points_back;
use super::transaction::Transaction;
use crate::api::drift::{Call, Change, Drift, DriftStatus, Intent};
use crate::api::policy::Target;
use crate::aws::apigateway::{properties, write};
use crate::aws::{Class, Error};
use crate::judge::path::Path;

/// What became of the repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// Whether nothing of it stands half-done.
    pub whole: bool,
    /// In a sentence.
    pub said: String,
}

impl Withdrawn {
    fn whole(said: impl Into<String>) -> Self {
        Withdrawn {
            whole: true,
            said: said.into(),
        }
    }

    fn left(said: impl Into<String>) -> Self {
        Withdrawn {
            whole: false,
            said: said.into(),
        }
    }
}

impl Transaction<'_> {
    /// Finishes what callers meet already, or takes the patches back. `draft`: what the editor holds of the resource now.
    pub async fn withdraw(&self, drift: &Drift, draft: Option<&Value>) -> Result<Withdrawn, Error> {
        let status = drift.status.clone().unwrap_or_default();
        if drift.spec.reverts.is_some() {
            return Ok(Withdrawn::left(
                "taking the repair back was under way, and may have been done in part",
            ));
        }
        if let Some(intent) = &status.intent
            && let Some(finished) = self.finish(intent).await?
        {
            return Ok(finished);
        }
        let Some(draft) = draft else {
            return Ok(Withdrawn::whole("what was to be repaired is gone"));
        };
        if status.inverse.iter().any(is_cut) {
            return Ok(Withdrawn::left(
                "the values of the repair are too large to be kept here, so it is not taken back: look at its record",
            ));
        }
        let deploys = status.plan.iter().any(|call| call.operation == "CreateDeployment");
        match stand(drift.spec.target, &status, draft) {
            Stand::Nothing => Ok(Withdrawn::whole("nothing of the repair had been written")),
            Stand::All if !deploys => Ok(Withdrawn::whole("the repair had been made")),
            Stand::All | Stand::Part if !status.irreversible.is_empty() => Ok(Withdrawn::left(format!(
                "{} cannot be put back as it was, so the repair is left as it stands",
                status.irreversible.join(", ")
            ))),
            Stand::All | Stand::Part => {
                // Stages are left: none of them serves the repair's deployment.
                for call in status.inverse.iter().filter(|call| points_back(call).is_none()) {
                    write::apply(self.writer, call).await?;
                }
                Ok(Withdrawn::whole("the repair under way was taken back"))
            }
            Stand::Foreign(path) => Ok(Withdrawn::left(format!(
                "somebody else has changed {path} since the repair began, so it is left as it stands"
            ))),
        }
    }

    /// Once a stage points at the deployment, the editor was found unchanged after it was made: the others may follow.
    async fn finish(&self, intent: &Intent) -> Result<Option<Withdrawn>, Error> {
        let api = &self.endpoint.id;
        let deployment = match &intent.deployment_id {
            Some(id) => Some(id.clone()),
            None => write::find_deployment(self.reader, api, &intent.description).await?,
        };
        let Some(deployment) = deployment else { return Ok(None) };
        let mut others = Vec::new();
        let mut live = Vec::new();
        for (stage, before) in &intent.stages {
            let now = match self.reader.get_stage(api, stage).await {
                Err(error) if error.class == Class::NotFound => continue,
                answer => answer?,
            };
            let current = now.get("deploymentId").and_then(Value::as_str).unwrap_or_default();
            if current == deployment {
                live.push(stage.clone());
            } else if current == before && now.get("canarySettings").is_none_or(Value::is_null) {
                others.push(stage);
            }
        }
        if live.is_empty() {
            return Ok(None);
        }
        for stage in others {
            write::point_stage(self.writer, api, stage, &deployment).await?;
            live.push(stage.clone());
        }
        Ok(Some(Withdrawn::whole(format!(
            "the repair was finished: {} serves deployment {deployment}",
            live.join(", ")
        ))))
    }
}

/// How much of a repair stands in the editor.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stand {
    Nothing,
    Part,
    All,
    /// This path holds neither what was found nor what was wanted.
    Foreign(String),
}

fn stand(target: Target, status: &DriftStatus, draft: &Value) -> Stand {
    if status.inverse.is_empty() {
        return Stand::Nothing;
    }
    let (mut made, mut unmade) = (0, 0);
    for Change { path, from, to } in &status.difference {
        let Ok(at) = Path::parse(path) else {
            return Stand::Foreign(path.clone());
        };
        let same = properties::table(target)
            .property(&at)
            .filter(|property| property.path.len() == at.keys().len())
            .map_or(
                crate::judge::path::same as fn(Option<&Value>, Option<&Value>) -> bool,
                |p| p.same,
            );
        let now = at.get(draft);
        if same(now, to.as_ref()) {
            made += 1;
        } else if same(now, from.as_ref()) {
            unmade += 1;
        } else {
            return Stand::Foreign(path.clone());
        }
    }
    match (made, unmade) {
        (0, _) => Stand::Nothing,
        (_, 0) => Stand::All,
        _ => Stand::Part,
    }
}

/// Whether a value of the call was shortened to fit into the Drift.
fn is_cut(call: &Call) -> bool {
    call.patch_operations
        .iter()
        .filter_map(|operation| operation.value.as_ref())
        .any(|value| value.ends_with(" bytes)") && value.contains("… ("))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::drift::PatchOperation;
    use serde_json::json;

    fn change(path: &str, from: &str, to: &str) -> Change {
        Change {
            path: path.into(),
            from: (!from.is_empty()).then(|| from.into()),
            to: Some(to.into()),
        }
    }

    fn call(value: &str) -> Call {
        Call {
            operation: "UpdateIntegration".into(),
            parameters: std::collections::BTreeMap::new(),
            patch_operations: vec![PatchOperation {
                op: "replace".into(),
                path: "/uri".into(),
                value: Some(value.into()),
            }],
        }
    }

    #[test]
    fn nothing_is_taken_back_but_what_was_written() {
        let uri = || change("methodIntegration.uri", "http://a", "https://a");
        let key = || change("apiKeyRequired", "", "x");
        for (differences, inverse, draft, wanted, why) in [
            (
                vec![uri()],
                true,
                json!({"methodIntegration": {"uri": "https://a"}}),
                Stand::All,
                "the patch stands",
            ),
            (
                vec![uri()],
                true,
                json!({"methodIntegration": {"uri": "http://a"}}),
                Stand::Nothing,
                "it was never made",
            ),
            (
                vec![uri()],
                true,
                json!({"methodIntegration": {"uri": "https://b"}}),
                Stand::Foreign("methodIntegration.uri".into()),
                "somebody else's value is not touched",
            ),
            (
                vec![uri()],
                true,
                json!({}),
                Stand::Foreign("methodIntegration.uri".into()),
                "nor is its absence",
            ),
            (
                vec![uri(), key()],
                true,
                json!({"methodIntegration": {"uri": "https://a"}}),
                Stand::Part,
                "one of two calls was made",
            ),
            (
                vec![uri()],
                false,
                json!({"methodIntegration": {"uri": "https://a"}}),
                Stand::Nothing,
                "somebody else had drafted it",
            ),
        ] {
            let status = DriftStatus {
                difference: differences,
                inverse: if inverse { vec![call("http://a")] } else { vec![] },
                ..DriftStatus::default()
            };
            assert_eq!(stand(Target::Method, &status, &draft), wanted, "{why}");
        }
    }

    #[test]
    fn a_shortened_value_is_never_written() {
        assert!(is_cut(&call("abc… (70000 bytes)")));
        assert!(!is_cut(&call("https://a")));
    }
}
