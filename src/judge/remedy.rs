//! From a violation to its repair, proven on paper: the rule is asked of the object as the repair would leave it.

use serde_json::{Value, json};

use super::cel::{Document, Program, Scope as Names};
use super::compile::{Holds, Mend};
use super::evaluate::{Case, Held};
use super::path::{self, Path};
use super::plan;
use super::rule;
use super::snapshot::{Known, LiveState};
use super::table::Deploy;
use super::verdict::{Plan, Remedy, slot};
use crate::api::Reason;
use crate::api::drift::Scope;
use crate::api::policy::Target;

/// How the draft comes to fit the rule.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mended {
    /// It does already.
    Already,
    /// By the plan's patches.
    ByPatches,
}

/// Why there is no repair.
type Refusal = (Reason, String);

impl Case<'_> {
    /// What is wanted, and how it is reached. The repair starts from the draft, as patches change the draft.
    /// `met`: the live states that violate; none when the draft alone does.
    pub(super) fn remedy(&self, scope: Scope, met: &[&LiveState]) -> (Option<Value>, Remedy) {
        let mut wanted = None;
        match self.find(scope, met, &mut wanted) {
            Ok(plan) => (wanted, Remedy::Plan(plan)),
            Err((reason, message)) => (wanted, Remedy::None { reason, message }),
        }
    }

    fn find(&self, scope: Scope, met: &[&LiveState], wanted: &mut Option<Value>) -> Result<Plan, Refusal> {
        let Some(draft) = &self.resource.draft else {
            let message = format!(
                "{} stands only in what is deployed, no longer in the editor: deploy the API to take it away from callers",
                self.resource.key
            );
            return Err((Reason::NotRepairable, message));
        };
        if matches!(self.rule.mend, Mend::Nothing) {
            return Err(no_repair());
        }
        let stages = stages(met);
        let overlay = self.overlay(draft);
        // Somebody may have mended the draft already; then the deployment is all that is missing. The overlay still says what
        // the repair would have written: another value is somebody's work, which is theirs to deploy.
        let deployed = scope == Scope::Live && !self.immediate();
        if deployed && self.fits(draft, &stages).is_ok() {
            *wanted = Some(draft.json().clone());
            let overlay = overlay.unwrap_or_else(|_| json!({}));
            return self.plan(draft.json(), draft.json(), (overlay, Mended::Already), met, stages);
        }
        let overlay = overlay?;
        let mended = path::merge(draft.json(), &overlay);
        *wanted = Some(mended.clone());
        let mended = Document::new(mended);
        self.fits(&mended, &stages)
            .map_err(|why| (Reason::FixIneffective, why))?;
        self.plan(
            draft.json(),
            mended.json(),
            (overlay, Mended::ByPatches),
            met,
            if deployed { stages } else { vec![] },
        )
    }

    /// Whether the rule would be content with a document, served by these stages; as a draft, if by none.
    pub(super) fn fits(&self, document: &Document, stages: &[String]) -> Result<(), String> {
        let ask = |stage: Option<&str>| match self.held(document, &[], stage) {
            Held::Yes | Held::NotApplicable => Ok(()),
            Held::No => {
                Err("the repair would not make the rule hold, so it is never made: correct the rule".to_owned())
            }
            Held::Unknown(why) => Err(format!(
                "whether the repair makes the rule hold cannot be told, so it is never made: {why}"
            )),
        };
        if stages.is_empty() {
            return ask(None);
        }
        stages.iter().try_for_each(|stage| ask(named(stage)))
    }

    /// The calls from the draft to what is wanted, and the deployment to `stages` if it changes what they serve.
    fn plan(
        &self,
        draft: &Value,
        wanted: &Value,
        (overlay, mended): (Value, Mended),
        met: &[&LiveState],
        stages: Vec<String>,
    ) -> Result<Plan, Refusal> {
        let (table, address) = (self.table(), &self.resource.address);
        let restored = self.restores(wanted);
        let there = plan::calls(table, address, draft, wanted, restored)
            .map_err(|refused| (Reason::NotRepairable, refused.message))?;
        let (inverse, stays) = plan::inverse(table, address, draft, wanted);
        let mended = mended == Mended::Already;
        let mut plan = Plan {
            patches: there.calls,
            deploy: vec![],
            inverse,
            irreversible: stays.into_iter().map(|refused| refused.path).collect(),
            disruptions: there.disruptions,
            paths: there.paths,
            overlay,
        };
        if plan.patches.is_empty() && !mended {
            let message =
                "the repair means the same to AWS as what stands there, so it changes nothing: correct the rule";
            return Err((Reason::FixIneffective, message.to_owned()));
        }
        if !stages.is_empty() && (self.publish(&mut plan, wanted, met, restored) || there.deployment || mended) {
            plan.deploy = stages;
        }
        if plan.paths.is_empty() {
            plan.paths = self.own(&plan.overlay).iter().map(|at| self.property(at)).collect();
            plan.paths.sort();
            plan.paths.dedup();
        }
        Ok(plan)
    }

    /// Adds what a deployment changes for callers at the rule's own paths, besides the patches: an edit that somebody made
    /// on the way to what is wanted goes live with them. Whether there is such an edit.
    fn publish(&self, plan: &mut Plan, wanted: &Value, met: &[&LiveState], restored: bool) -> bool {
        let own = self.own(&plan.overlay);
        let mine = |at: &Path| own.iter().any(|path| path.covers(at) || at.covers(path));
        let mut found = false;
        for state in met {
            let Known::Shown { document, hidden } = &state.known else {
                continue;
            };
            for (at, property) in plan::changes(self.table(), document.json(), wanted) {
                if !mine(&at) || plan.paths.contains(&at) || hidden.iter().any(|h| h.covers(&at)) {
                    continue;
                }
                found |= property.deploy == Deploy::Deployment;
                plan.disruptions.extend(plan::disruption(property, &at, restored));
                plan.paths.push(at);
            }
        }
        found
    }

    /// The paths that are the rule's business.
    fn own(&self, overlay: &Value) -> Vec<Path> {
        let laid = rule::overlay_paths(overlay);
        match &self.rule.mend {
            Mend::Restore(paths) => paths.clone(),
            _ if !laid.is_empty() => laid,
            _ => rule::reads(self.rule),
        }
    }

    /// The property that a path belongs to: the same one whether patches or a deployment alone put it right.
    fn property(&self, at: &Path) -> Path {
        self.table()
            .property(at)
            .map_or_else(|| at.clone(), |property| property.of(at))
    }

    /// Whether what is wanted is what stood there when the rule held last.
    fn restores(&self, wanted: &Value) -> bool {
        let Mend::Restore(paths) = &self.rule.mend else {
            return false;
        };
        paths.iter().all(|path| {
            let last = self.question.last_compliant.get(&self.slot(path));
            last.is_some_and(|last| path::same(Some(last), path.get(wanted)))
        })
    }

    /// What is laid over the draft, with every entry standing for itself. What is put back is put back where it stood, and
    /// nowhere else: that the default entry had a value says nothing of the others.
    fn overlay(&self, draft: &Document) -> Result<Value, Refusal> {
        match (&self.rule.mend, &self.rule.holds) {
            (Mend::Fix(program), _) => Ok(self.expanded(draft, &self.computed(program, draft)?)),
            (Mend::Restore(paths), _) => {
                let mut overlay = json!({});
                for path in paths {
                    let last = self.question.last_compliant.get(&self.slot(path)).ok_or_else(|| {
                        let message = format!("{path}: no value with which the rule held was ever seen");
                        (Reason::NoCompliantValue, message)
                    })?;
                    path.set(&mut overlay, Some(path::replacing(path.get(draft.json()), last)));
                }
                Ok(overlay)
            }
            (_, Holds::Desired(overlay)) => Ok(self.expanded(draft, overlay)),
            (_, Holds::Require(_)) => Err(no_repair()),
        }
    }

    fn expanded(&self, draft: &Document, overlay: &Value) -> Value {
        rule::expanded(self.table(), draft.json(), overlay).into_owned()
    }

    fn computed(&self, program: &Program, draft: &Document) -> Result<Value, Refusal> {
        let mut previous = json!({});
        let mine = slot(self.rule.target, &self.resource.key, &Path::root());
        for (slot, value) in self.question.last_compliant {
            if let Some(path) = slot.strip_prefix(&mine).and_then(|text| Path::parse(text).ok()) {
                path.set(&mut previous, Some(value.clone()));
            }
        }
        let previous = Document::new(previous);
        let names = Names {
            previous: Some(&previous),
            now: None,
            ..self.names(draft, None)
        };
        match program.eval_json(&names) {
            Ok(overlay @ Value::Object(_)) => Ok(overlay),
            Ok(_) => Err((
                Reason::FixIneffective,
                "fix must give a map, as in {'tracingEnabled': true}".to_owned(),
            )),
            Err(error) => Err((Reason::FixIneffective, format!("fix: {error}"))),
        }
    }

    /// Whether what is patched is what callers meet.
    pub(super) fn immediate(&self) -> bool {
        matches!(self.rule.target, Target::Stage | Target::DomainName)
    }

    pub(super) fn slot(&self, path: &Path) -> String {
        slot(self.rule.target, &self.resource.key, path)
    }
}

fn no_repair() -> Refusal {
    let message = "the rule names no repair: write desired, fix or restore";
    (Reason::NotRepairable, message.to_owned())
}

/// The stages of these states, each once: a canary is a second state of its stage.
pub(super) fn stages(met: &[&LiveState]) -> Vec<String> {
    let mut stages: Vec<String> = met.iter().map(|state| state.stage.clone()).collect();
    stages.sort();
    stages.dedup();
    stages
}

/// A stage's name as rules see it: a domain name has none.
pub(super) fn named(stage: &str) -> Option<&str> {
    Some(stage).filter(|stage| !stage.is_empty())
}
