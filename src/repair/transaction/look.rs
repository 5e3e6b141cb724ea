//! Step 1: would the repair publish, or overwrite, anything that is not its own? Nothing is written here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{EXECUTE_API, Held, Looked, Part, Transaction};
use crate::api::Reason;
use crate::api::endpoint::Baseline;
use crate::api::policy::{EndpointType, Redeploy, Target};
use crate::aws::Error;
use crate::aws::apigateway::compare::{self, Cleanliness, Own};
use crate::aws::apigateway::editor::settled;
use crate::aws::apigateway::read::{self, Editor, StageExport};
use crate::judge::Snapshot;
use crate::judge::path::{self, Path};
use crate::repair::gate::{self, Gate};

impl Transaction<'_> {
    /// Looks at everything that the parts could publish or overwrite. `judged`: what their plans were made from.
    pub async fn look(&self, judged: &Snapshot, parts: Vec<Part>) -> Result<Looked, Error> {
        let document = |part: &Part| {
            let of = |r: &&crate::judge::snapshot::Resource| r.target == part.target && r.key == part.resource;
            let draft = judged.resources.iter().find(of)?.draft.as_ref()?;
            Some(((part.target, part.resource.clone()), draft.json().clone()))
        };
        let mut looked = Looked {
            judged: parts.iter().filter_map(document).collect(),
            ready: vec![],
            held: vec![],
            content: None,
            expected: None,
            stages: BTreeMap::new(),
            clean: BTreeMap::new(),
            by_baseline: BTreeSet::new(),
            execute_api: [Value::Null, Value::Null],
        };
        let deploying = parts.iter().any(Part::deploys);
        let staging = parts.iter().any(Part::stages);
        if self.endpoint.type_ != EndpointType::RestApi || !(deploying || staging) {
            looked.ready = parts;
            return Ok(looked);
        }
        let id = &self.endpoint.id;
        let editor = if deploying {
            read::read_editor(self.reader, id).await?
        } else {
            let rest_api = self.reader.get_rest_api(id).await?;
            Editor {
                rest_api,
                ..Editor::default()
            }
        };
        // A change of a stage concerns every stage: see `Sight::drafted_for_stages`.
        let stages: Vec<String> = if staging {
            judged.stages.keys().cloned().collect()
        } else {
            parts.iter().flat_map(|p| p.plan.deploy.clone()).collect()
        };
        let exports = read::read_stage_exports(self.reader, id, &stages, self.exports).await?;
        looked.content = deploying.then(|| editor.digest(&self.api()));
        Sight {
            transaction: self,
            judged,
            editor,
            exports,
        }
        .sort(parts, &mut looked);
        Ok(looked)
    }
}

/// What was seen.
struct Sight<'a> {
    transaction: &'a Transaction<'a>,
    judged: &'a Snapshot,
    /// The whole editor if something deploys, else the API's settings alone.
    editor: Editor,
    exports: BTreeMap<String, StageExport>,
}

impl Sight<'_> {
    /// Parts into those that may go on and those that may not. What one of them would publish depends on which others go
    /// on, so this is asked again until none falls away.
    fn sort(self, parts: Vec<Part>, looked: &mut Looked) {
        let mut ready = parts;
        loop {
            let expected = self.expected(&ready);
            let stages: BTreeSet<&String> = ready.iter().flat_map(|p| &p.plan.deploy).collect();
            let clean: BTreeMap<String, Cleanliness> = stages
                .into_iter()
                .filter_map(|stage| Some((stage.clone(), self.cleanliness(stage, &expected, &ready)?)))
                .collect();
            let refused: Vec<Held> = ready
                .iter()
                .filter_map(|part| self.refusal(part, &expected, &clean, looked))
                .collect();
            if refused.is_empty() {
                let execute_api = |editor: &Editor| editor.rest_api.get(EXECUTE_API).cloned().unwrap_or_default();
                looked.execute_api = [execute_api(&self.editor), execute_api(&expected)];
                let clean = clean.into_iter().filter(|(_, clean)| *clean == Cleanliness::Clean);
                let served = |stage: String| Some((stage.clone(), self.exports.get(&stage)?.export.clone().ok()?));
                looked.clean = clean.filter_map(|(stage, _)| served(stage)).collect();
                looked.by_baseline = self.untold(&expected, &ready);
                looked.expected = ready.iter().any(Part::deploys).then_some(expected);
                break;
            }
            ready.retain(|part| !refused.iter().any(|held| held.uid == part.uid));
            looked.held.extend(refused);
        }
        looked.stages = self
            .exports
            .into_iter()
            .map(|(stage, found)| (stage, found.deployment_id))
            .collect();
        looked.ready = ready;
    }

    /// Stages whose exports alone do not tell that a deployment would publish nothing but these parts.
    fn untold(&self, expected: &Editor, parts: &[Part]) -> BTreeSet<String> {
        let untold = |(stage, found): (&String, &StageExport)| {
            let here = parts.iter().filter(|p| p.plan.deploy.contains(stage));
            let own: Vec<Own> = here.flat_map(Part::own).collect();
            (Self::shown(found, expected, &own) != Cleanliness::Clean).then(|| stage.clone())
        };
        self.exports.iter().filter_map(untold).collect()
    }

    /// The editor as it will be when these parts were patched: what a deployment then publishes.
    fn expected(&self, parts: &[Part]) -> Editor {
        let mut expected = self.editor.clone();
        for part in parts.iter().filter(|p| !p.plan.patches.is_empty()) {
            let Some(document) = expected.document(part.target, &part.resource) else {
                continue;
            };
            let wanted = part.wanted(&document);
            for own in part.own() {
                let value = own.path.get(&wanted).cloned();
                expected.lay(part.target, &part.resource, &own.path, value);
            }
        }
        expected
    }

    /// Whether a deployment to a stage would publish nothing but what the parts repair there. None: the stage is gone.
    fn cleanliness(&self, stage: &String, expected: &Editor, parts: &[Part]) -> Option<Cleanliness> {
        let found = self.exports.get(stage)?;
        let here = parts.iter().filter(|p| p.plan.deploy.contains(stage));
        let own: Vec<Own> = here.flat_map(Part::own).collect();
        let said = Self::shown(found, expected, &own);
        Some(self.by_baseline(&found.deployment_id, expected, said))
    }

    /// What the stage's export says of it.
    fn shown(found: &StageExport, expected: &Editor, own: &[Own]) -> Cleanliness {
        match &found.export {
            Err(why) => Cleanliness::CannotTell(vec![format!("the stage cannot be exported: {why}")]),
            Ok(_) if found.moved => Cleanliness::CannotTell(vec![
                "two exports of the same deployment differ, so exports of this account show edits that were never deployed".into(),
            ]),
            Ok(export) => compare::compare(expected, export, own),
        }
    }

    /// What an export cannot tell, the editor can that was read when the deployment was made.
    fn by_baseline(&self, deployment: &str, expected: &Editor, said: Cleanliness) -> Cleanliness {
        let Cleanliness::CannotTell(why) = said else {
            return said;
        };
        let known = self.transaction.baseline.filter(|b| b.deployment_id == deployment);
        let Some(Baseline {
            digest,
            repairing,
            proof: Some(_),
            ..
        }) = known
        else {
            return Cleanliness::CannotTell(why);
        };
        let api = self.transaction.api();
        // Of an interrupted repair some patches are made: laid over them all, they come to the same.
        if self.editor.digest(&api) == *digest || repairing.as_ref() == Some(&expected.digest(&api)) {
            return Cleanliness::Clean;
        }
        let changed = format!("the editor is another one than deployment {deployment} was made of");
        Cleanliness::Dirty([changed].into_iter().chain(why).collect())
    }

    fn refusal(
        &self,
        part: &Part,
        expected: &Editor,
        clean: &BTreeMap<String, Cleanliness>,
        looked: &Looked,
    ) -> Option<Held> {
        let held = |reason, message: String, pending_edits| Held {
            uid: part.uid.clone(),
            reason,
            message,
            pending_edits,
            calls: part.plan.calls(&self.transaction.endpoint.id),
            stages: part.plan.deploy.clone(),
        };
        if part.stages()
            && part.redeploy != Redeploy::Always
            && let Some((reason, edits)) = words(self.drafted_for_stages())
            && part.approved_edits.as_ref() != Some(&gate::shown(&edits))
        {
            let message = format!(
                "any change of a stage makes a drafted {EXECUTE_API} effective: {}",
                edits.join("; ")
            );
            return Some(held(reason, message, gate::shown(&edits)));
        }
        if !part.deploys() {
            return None;
        }
        for stage in &part.plan.deploy {
            let Some(found) = self.exports.get(stage) else {
                return Some(held(Reason::Gone, format!("stage {stage} is gone"), vec![]));
            };
            if found.canary {
                let message = format!("stage {stage} has a canary: promote or remove it, then the repair goes on");
                return Some(held(Reason::Canary, message, vec![]));
            }
            let judged = self
                .judged
                .stages
                .get(stage)
                .map(|pointer| pointer.deployment_id.as_str());
            if judged != Some(found.deployment_id.as_str()) {
                let message = format!("somebody deployed {} to stage {stage} meanwhile", found.deployment_id);
                return Some(held(Reason::Overtaken, message, vec![]));
            }
        }
        if let Some(what) = self.moved(part, looked) {
            let message = format!("somebody changed {what} meanwhile");
            return Some(held(Reason::Overtaken, message, vec![]));
        }
        // One deployment for all of its stages: what any of them would be brought is decided together.
        let stages = part.plan.deploy.iter().filter_map(|stage| clean.get(stage).cloned());
        let clean = stages.fold(self.drafted_at_own(part, expected), both);
        let approved = part.approved_edits.as_deref();
        match gate::decide_deployment(part.redeploy, &part.plan.deploy.join(", "), &clean, approved) {
            Gate::Wait(wait) => {
                let edits = words(clean).map_or_else(Vec::new, |(_, edits)| gate::shown(&edits));
                Some(held(wait.reason, wait.message, edits))
            }
            Gate::Open | Gate::Audit(..) => None,
        }
    }

    /// What is about to be patched and is no longer what was judged.
    fn moved(&self, part: &Part, looked: &Looked) -> Option<String> {
        let judged = looked.judged.get(&(part.target, part.resource.clone()));
        let now = self.editor.document(part.target, &part.resource);
        match (judged, now) {
            (Some(judged), Some(now)) => self.transaction.moved(part, judged, &now),
            _ => Some(part.resource.clone()),
        }
    }

    /// Somebody's draft of the very properties that a part repairs: neither what is deployed to any of its stages, nor what
    /// the repair itself writes.
    fn drafted_at_own(&self, part: &Part, expected: &Editor) -> Cleanliness {
        let api = self.transaction.api();
        let document = self.editor.document(part.target, &part.resource).unwrap_or_default();
        let plain = |document| settled(part.target, document, &api);
        let (now, wanted) = (plain(&document), plain(&part.wanted(&document)));
        let stages = || part.plan.deploy.iter().filter_map(|stage| self.exports.get(stage));
        let mut found = Cleanliness::Clean;
        for own in part.own() {
            if path::same(own.path.get(&now), own.path.get(&wanted)) {
                continue;
            }
            let shown = stages().filter_map(|stage| stage.export.as_ref().ok());
            let mut said = shown.map(|export| compare::compare_only(&self.editor, export, std::slice::from_ref(&own)));
            let Some(first) = said.next() else { continue };
            if first != Cleanliness::Clean && !said.any(|other| other == Cleanliness::Clean) {
                let deployments = part.plan.deploy.iter().filter_map(|stage| self.exports.get(stage));
                let settled = deployments
                    .map(|stage| self.by_baseline(&stage.deployment_id, expected, first.clone()))
                    .fold(Cleanliness::Clean, both);
                found = both(found, settled);
            }
        }
        found
    }

    /// `disableExecuteApiEndpoint` reaches callers by any change of any stage: a draft of it would be published by a repair
    /// that has nothing to do with it.
    fn drafted_for_stages(&self) -> Cleanliness {
        let own = Own {
            target: Target::RestApi,
            key: String::new(),
            path: Path::of([EXECUTE_API]),
        };
        let said = self.exports.values().map(|stage| match &stage.export {
            Ok(export) => compare::compare_only(&self.editor, export, std::slice::from_ref(&own)),
            Err(why) => Cleanliness::CannotTell(vec![format!("a stage cannot be exported: {why}")]),
        });
        said.fold(Cleanliness::Clean, both)
    }
}

/// What two looks say together.
fn both(one: Cleanliness, other: Cleanliness) -> Cleanliness {
    use Cleanliness::{CannotTell, Clean, Dirty};
    let joined = |mut a: Vec<String>, b: Vec<String>| {
        a.extend(b);
        let mut seen = BTreeSet::new();
        a.retain(|sentence| seen.insert(sentence.clone()));
        a
    };
    match (one, other) {
        (Clean, said) | (said, Clean) => said,
        (Dirty(a), Dirty(b) | CannotTell(b)) | (CannotTell(b), Dirty(a)) => Dirty(joined(a, b)),
        (CannotTell(a), CannotTell(b)) => CannotTell(joined(a, b)),
    }
}

/// Why it is not clean.
fn words(clean: Cleanliness) -> Option<(Reason, Vec<String>)> {
    match clean {
        Cleanliness::Clean => None,
        Cleanliness::Dirty(edits) => Some((Reason::RedeployPending, edits)),
        Cleanliness::CannotTell(why) => Some((Reason::RedeployUncertain, why)),
    }
}
