//! Rules that want different things of one resource.
//!
//! Only rules in Approve or Enforce count. The higher priority wins and the lower says `Overruled`; a tie is `Conflicted`
//! and neither is repaired. A rule that holds now counts too, if the repair of another would break it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::cel::Document;
use super::compile::PolicyRef;
use super::evaluate::{Case, Held, Question};
use super::path;
use super::remedy::named;
use super::rule;
use super::verdict::{Outcome, Remedy, Verdict};
use crate::api::Reason;
use crate::api::policy::{Enforcement, Target};

/// Takes the remedies away from verdicts that lose or tie.
pub(super) fn settle(question: &Question<'_>, endpoint: &Document, verdicts: &mut [Verdict]) {
    let mut by_resource: BTreeMap<(Target, &str), Vec<usize>> = BTreeMap::new();
    for (at, verdict) in verdicts.iter().enumerate() {
        by_resource
            .entry((verdict.target, &verdict.resource))
            .or_default()
            .push(at);
    }
    let mut refusals = Vec::new();
    for group in by_resource.values().filter(|group| group.len() > 1) {
        if group.iter().any(|at| repairs(&verdicts[*at])) {
            refusals.extend(among(question, endpoint, verdicts, group));
        }
    }
    for (at, (reason, message)) in refusals {
        if let Outcome::Violated(violation) = &mut verdicts[at].outcome {
            violation.remedy = Remedy::None { reason, message };
        }
    }
}

fn repairs(verdict: &Verdict) -> bool {
    matches!(&verdict.outcome, Outcome::Violated(violation) if matches!(violation.remedy, Remedy::Plan(_)))
}

/// The refusals among the verdicts of one resource.
fn among(
    question: &Question<'_>,
    endpoint: &Document,
    verdicts: &[Verdict],
    group: &[usize],
) -> Vec<(usize, (Reason, String))> {
    let party = |at: &usize| Some((*at, Party::of(question, endpoint, &verdicts[*at])?));
    let parties: Vec<(usize, Party<'_>)> = group.iter().filter_map(party).collect();
    let refusal = |(at, me): &(usize, Party<'_>)| {
        let others = parties.iter().filter(|(other, _)| other != at).map(|(_, other)| other);
        Some((*at, me.refused(others)?))
    };
    parties.iter().filter_map(refusal).collect()
}

/// A rule that may repair, with what it has to say of the resource.
struct Party<'a> {
    case: Case<'a>,
    id: PolicyRef,
    rule: String,
    draft: &'a Document,
    stand: Stand,
}

enum Stand {
    /// It holds, and is to stay so.
    Content,
    /// It is violated, and this is its repair.
    Repairs {
        /// What it lays over the draft, with every entry standing for itself.
        overlay: Value,
        /// The draft as it would leave it.
        wanted: Value,
        /// The stages whose callers meet the violation.
        stages: Vec<String>,
    },
}

/// How two rules cannot both have their way.
enum Quarrel {
    /// They want different values at one path.
    Values,
    /// What one of them wants breaks the other.
    Breaks,
}

impl<'a> Party<'a> {
    fn of(question: &'a Question<'a>, endpoint: &'a Document, verdict: &Verdict) -> Option<Self> {
        let (policy, granted) = question.policies.iter().find(|(p, _)| p.id == verdict.policy)?;
        let rule = policy.rules.iter().find(|rule| rule.name == verdict.rule)?;
        let mut resources = question.snapshot.resources.iter();
        let resource = resources.find(|r| r.target == verdict.target && r.key == verdict.resource)?;
        let draft = resource.draft.as_ref()?;
        if rule.enforcement.min(*granted) == Enforcement::Audit {
            return None;
        }
        let case = Case {
            question,
            policy,
            rule,
            granted: *granted,
            resource,
            endpoint,
        };
        let nothing = Value::Object(serde_json::Map::new());
        let stand = match &verdict.outcome {
            Outcome::Compliant => Stand::Content,
            Outcome::Violated(violation) => match &violation.remedy {
                Remedy::Plan(plan) => {
                    // A plan that patches nothing wants nothing that another could mind.
                    let overlay = if plan.patches.is_empty() {
                        nothing
                    } else {
                        plan.overlay.clone()
                    };
                    Stand::Repairs {
                        wanted: path::merge(draft.json(), &overlay),
                        overlay,
                        stages: violation.stages.clone(),
                    }
                }
                Remedy::None { .. } => return None,
            },
            Outcome::Exempted | Outcome::Unknown(_) => return None,
        };
        Some(Party {
            case,
            id: policy.id.clone(),
            rule: rule.name.clone(),
            draft,
            stand,
        })
    }

    /// Why its repair is not made, if another stands against it. Who comes first among the others does not matter: being
    /// overruled says more than a tie, and after that the name decides.
    fn refused<'b>(&self, others: impl Iterator<Item = &'b Party<'b>>) -> Option<(Reason, String)> {
        let mine = self.case.policy.priority;
        let against = others
            .filter(|other| other.case.policy.priority >= mine)
            .filter_map(|other| self.quarrel(other).map(|quarrel| (other, quarrel)))
            .min_by_key(|(other, _)| (other.case.policy.priority == mine, &other.id, &other.rule));
        let (other, quarrel) = against?;
        let theirs = format!("{}/{}, rule {}", other.id.namespace, other.id.name, other.rule);
        let what = match quarrel {
            Quarrel::Values => format!("{theirs} wants another value"),
            Quarrel::Breaks => format!("{theirs} and this repair cannot both stand"),
        };
        Some(if other.case.policy.priority > mine {
            (Reason::Overruled, format!("{what}, and it has the higher priority"))
        } else if other.id == self.id {
            (Reason::Conflicted, format!("{what}: correct one of the two rules"))
        } else {
            let message = format!("{what}, and it has the same priority: give one of the policies the higher priority");
            (Reason::Conflicted, message)
        })
    }

    /// How its repair and the other rule cannot both have their way; never for a rule that repairs nothing.
    fn quarrel(&self, other: &Party<'_>) -> Option<Quarrel> {
        let Stand::Repairs {
            overlay,
            wanted,
            stages,
        } = &self.stand
        else {
            return None;
        };
        match &other.stand {
            Stand::Content => other.broken_by(wanted).then_some(Quarrel::Breaks),
            Stand::Repairs {
                overlay: theirs,
                wanted: they_want,
                stages: their_stages,
            } => {
                if self.differs((overlay, wanted), (theirs, they_want)) {
                    return Some(Quarrel::Values);
                }
                let both = Document::new(path::merge(wanted, theirs));
                let stand = self.case.fits(&both, stages).and(other.case.fits(&both, their_stages));
                stand.is_err().then_some(Quarrel::Breaks)
            }
        }
    }

    /// Whether two overlays, each with the document that it leads to, have different values at one path.
    fn differs(&self, one: (&Value, &Value), other: (&Value, &Value)) -> bool {
        let table = self.case.table();
        let theirs = rule::overlay_paths(other.0);
        rule::overlay_paths(one.0).iter().any(|my| {
            theirs.iter().any(|their| {
                let at = if my.covers(their) { my } else { their };
                (my.covers(their) || their.covers(my))
                    && !path::same(at.get(one.0), at.get(other.0))
                    && !rule::same_at(table, at, one.1, other.1)
            })
        })
    }

    /// Whether this rule, which holds, would hold no longer, as a draft or where some stage serves it.
    fn broken_by(&self, wanted: &Value) -> bool {
        let wanted = Document::new(wanted.clone());
        let stages = self.case.live().map(|(_, live)| named(&live.stage));
        stages.chain([None]).any(|stage| {
            self.case.held(self.draft, &[], stage) == Held::Yes
                && matches!(self.case.held(&wanted, &[], stage), Held::No | Held::Unknown(_))
        })
    }
}
