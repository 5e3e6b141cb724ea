//! What a judgement says of its endpoint: the lines of the status. Pure.

use crate::api::condition::Said;
use crate::api::endpoint::{AwsEndpointStatus, PolicyVerdict};
use crate::api::{Reason, Status};
use crate::judge::verdict::Outcome;
use crate::judge::{Judgement, Snapshot, Verdict, select};

use super::case::Case;

/// Largest value that is kept as the last compliant one, and the most of an endpoint together, in bytes of JSON.
const LARGEST_VALUE: usize = 16 * 1024;
const LARGEST_TOGETHER: usize = 128 * 1024;

/// Values with which rules held; what is too large is not kept, and a restore then waits for a person.
pub fn remember(status: &mut AwsEndpointStatus, judgement: &Judgement) {
    let mut room = LARGEST_TOGETHER;
    for value in status.last_compliant.values() {
        room = room.saturating_sub(value.to_string().len());
    }
    for (slot, value) in &judgement.compliant {
        let size = value.to_string().len();
        let before = status.last_compliant.get(slot).map_or(0, |v| v.to_string().len());
        if size <= LARGEST_VALUE && size <= room + before {
            room = room + before - size;
            status.last_compliant.insert(slot.clone(), value.clone());
        }
    }
}

/// One line for each policy that selects the endpoint.
pub fn summaries(case: &Case<'_>, snapshot: &Snapshot, judgement: &Judgement) -> Vec<PolicyVerdict> {
    let candidate = select::Candidate {
        id: &snapshot.endpoint,
        name: &snapshot.name,
        tags: &snapshot.tags,
    };
    case.policies
        .iter()
        .filter(|(policy, _)| select::selects(&policy.selector, candidate))
        .map(|(policy, _)| {
            let mine = judgement.verdicts.iter().filter(|v| v.policy.uid == policy.id.uid);
            let (mut violated, mut unknown, mut message) = (0, 0, None);
            for verdict in mine {
                match &verdict.outcome {
                    Outcome::Violated(_) => violated += 1,
                    Outcome::Unknown(why) => {
                        unknown += 1;
                        message.get_or_insert_with(|| {
                            format!("rule {} {}: {why}", verdict.rule, verdict.resource)
                                .chars()
                                .take(512)
                                .collect()
                        });
                    }
                    Outcome::Compliant | Outcome::Exempted => {}
                }
            }
            PolicyVerdict {
                namespace: policy.id.namespace.clone(),
                name: policy.id.name.clone(),
                uid: policy.id.uid.clone(),
                generation: policy.id.generation,
                violated,
                unknown,
                message,
            }
        })
        .collect()
}

/// The endpoint's `Compliant` condition.
pub fn compliant(verdicts: &[Verdict]) -> Said {
    let mut violated = verdicts.iter().filter(|v| matches!(v.outcome, Outcome::Violated(_)));
    let unknown = verdicts.iter().find_map(|v| match &v.outcome {
        Outcome::Unknown(why) => Some(format!("rule {} {}: {why}", v.rule, v.resource)),
        _ => None,
    });
    if let Some(first) = violated.next() {
        let more = violated.count();
        let others = if more == 0 {
            String::new()
        } else {
            format!(" and {more} more")
        };
        let message = format!("{} {}{others}", first.rule, first.resource);
        return Said::new("Compliant", false, Reason::Drifted, message);
    }
    match unknown {
        Some(why) => Said::new("Compliant", Status::Unknown, Reason::Unreadable, why),
        None if verdicts.is_empty() => Said::new("Compliant", Status::Unknown, Reason::NoEndpoints, "no rule applies"),
        None => Said::new("Compliant", true, Reason::Compliant, ""),
    }
}
