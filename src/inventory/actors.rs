//! Who did it: of all that was told of an endpoint, the event that explains one drift. Pure.
//!
//! Not the newest event: the one that wrote the observed value to this very property of this very resource, unless something
//! overwrote it since. Plumbline's own calls are nobody's, and do overwrite.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::events::{Event, Principal};
use crate::api::drift::Change;
use crate::api::policy::Target;
use crate::aws::apigateway::properties;
use crate::aws::apigateway::writers::{self, DEPLOYERS, Wrote};
use crate::judge::path::{self, Path};
use crate::judge::snapshot::EndpointId;
use crate::judge::table::{Property, Repair};

/// What is to be explained.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The endpoint.
    pub endpoint: &'a EndpointId,
    /// What drifted of it.
    pub target: Target,
    /// What calls name it by: `restApiId`, `resourceId`, `httpMethod`, `stageName`, `domainName`.
    pub address: &'a BTreeMap<String, String>,
    /// Where it differs; `from` is what was observed.
    pub changes: &'a [Change],
    /// Whether it is known what shall stand there. If not, `to` says nothing, and whoever wrote any of it last explains it.
    pub wanted: bool,
    /// The deployment that callers meet, by the drift's stages; empty where nothing is deployed.
    pub deployments: &'a BTreeMap<String, String>,
    /// Nothing that happened later explains it.
    pub before: Timestamp,
}

/// The events that explain a drift.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Explanation<'e> {
    /// Who edited.
    pub editor: Option<&'e Event>,
    /// Who brought it to callers.
    pub deployer: Option<&'e Event>,
}

/// By whom a trail shows Plumbline's own calls.
#[derive(Clone, Debug, Default)]
pub struct Own {
    arns: Vec<String>,
}

impl Own {
    /// By ARNs of roles, users and sessions.
    pub fn new(arns: Vec<String>) -> Self {
        Own { arns }
    }

    /// Whether it is one of them.
    pub fn is_own(&self, principal: &Principal) -> bool {
        let shown = principal.issuer.as_deref().unwrap_or(&principal.arn);
        self.arns
            .iter()
            .any(|own| own == shown || role(own).is_some_and(|own| role(shown) == Some(own)))
    }
}

/// Account and name of a role, by its own ARN or by one of a session: `…:iam::ACCOUNT:role/path/NAME`,
/// `…:sts::ACCOUNT:assumed-role/NAME/SESSION`.
fn role(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.splitn(6, ':').skip(4);
    let (account, resource) = (parts.next()?, parts.next()?);
    let name = match resource.split_once('/')? {
        ("role", path) => path.rsplit('/').next()?,
        ("assumed-role", session) => session.split('/').next()?,
        _ => return None,
    };
    Some((account, name))
}

/// What to ask `CloudTrail` for, by the names of calls.
pub fn names(question: &Question<'_>) -> BTreeSet<&'static str> {
    let paths = question
        .changes
        .iter()
        .filter_map(|change| Path::parse(&change.path).ok());
    let mut names: BTreeSet<&str> = paths.flat_map(|at| writers::writers(question.target, &at)).collect();
    if !names.is_empty() && !question.deployments.is_empty() {
        names.extend(DEPLOYERS);
    }
    names
}

/// The first edit of a REST API in a closed span of time; the deployment itself is none.
pub fn wrote_between<'e>(
    events: &'e [Event],
    rest_api: &EndpointId,
    after: Timestamp,
    until: Timestamp,
    except: &str,
) -> Option<&'e Event> {
    let mut edits: Vec<&Event> = events.iter().collect();
    edits.sort_by_key(|event| (event.time, &event.id));
    edits.into_iter().find(|event| {
        event.endpoints.contains(rest_api)
            && event.time >= after
            && event.time <= until
            && event.deployment.as_deref() != Some(except)
            && writers::is_edit(&event.name)
    })
}

/// Finds the events that explain a drift. In which order they are given, and how often, makes no difference.
pub fn explain<'e>(question: &Question<'_>, events: &'e [Event], own: &Own) -> Explanation<'e> {
    let mut newest: Vec<&Event> = events
        .iter()
        .filter(|event| event.time <= question.before && event.endpoints.contains(question.endpoint))
        .collect();
    newest.sort_by(|a, b| (b.time, &b.id).cmp(&(a.time, &a.id)));
    newest.dedup_by(|a, b| a.id == b.id);
    let deployed = deployment(question, &newest);
    let deployer = deployed.filter(|event| !own.is_own(&event.principal));
    // What callers meet was edited before the deployment was made, which may be long before a stage was pointed at it.
    let met = |event: &&&Event| {
        question
            .deployments
            .values()
            .any(|id| event.deployment.as_ref() == Some(id))
    };
    let made = newest.iter().filter(met).map(|event| event.time).max();
    let until = deployed.map(|event| event.time).into_iter().chain(made).min();
    let until = until.unwrap_or(question.before);
    newest.retain(|event| event.time <= until && writers::is_of(&event.name, &event.parameters, question.address));
    let parts = question.changes.iter().flat_map(|change| parts(question, change));
    let explained = parts.filter_map(|part| editor(&part, &newest, own));
    if !question.wanted {
        let editor = explained.max_by(|a, b| (a.time, &a.id).cmp(&(b.time, &b.id)));
        return Explanation { editor, deployer };
    }
    let mut counts: Vec<(usize, &Event)> = Vec::new();
    for event in explained {
        match counts.iter_mut().find(|(_, known)| known.id == event.id) {
            Some((count, _)) => *count += 1,
            None => counts.push((1, event)),
        }
    }
    let editor = counts
        .into_iter()
        .max_by(|(a, one), (b, other)| (a, one.time, &one.id).cmp(&(b, other.time, &other.id)))
        .map(|(_, event)| event);
    Explanation { editor, deployer }
}

/// The event that brought what callers of the drift's stages meet.
fn deployment<'e>(question: &Question<'_>, newest: &[&'e Event]) -> Option<&'e Event> {
    let pointed = |event: &Event, stage: &str, deployment: &str| {
        let shown = writers::pointed(&event.name, &event.parameters, stage, event.deployment.as_deref())?;
        Some(shown.map(|shown| shown == deployment))
    };
    let is_canary = |event: &Event| writers::is_canary(&event.name, &event.parameters);
    let shown = |canary| {
        let mut all = newest.iter().copied().filter(|event| is_canary(event) == canary);
        all.find(|event| {
            let mut stages = question.deployments.iter();
            stages.any(|(stage, deployment)| pointed(event, stage, deployment) == Some(Some(true)))
        })
    };
    // One that does not show where it pointed is believed only if no other shows it, and none pointed the stage since.
    let unshown = || {
        let of_stage = |(stage, deployment): (&String, &String)| {
            let mut all = newest.iter().copied().filter(|event| !is_canary(event));
            let (event, shown) = all.find_map(|event| Some((event, pointed(event, stage, deployment)?)))?;
            shown.is_none().then_some(event)
        };
        let found = question.deployments.iter().filter_map(of_stage);
        found.max_by(|a, b| (a.time, &a.id).cmp(&(b.time, &b.id)))
    };
    // Who made a canary of a deployment did not bring it to all callers: whoever promoted it did.
    shown(false).or_else(unshown).or_else(|| shown(true))
}

/// One thing of a change that calls write by itself: a property, a tag or a list's member.
struct Part {
    target: Target,
    at: Path,
    property: &'static Property,
    observed: Option<Value>,
}

/// What a change is made of. Tags and lists are written one by one: those that differ are looked for.
fn parts(question: &Question<'_>, change: &Change) -> Vec<Part> {
    let target = question.target;
    let Ok(at) = Path::parse(&change.path) else {
        return vec![];
    };
    let Some(property) = properties::table(target).property(&at) else {
        return vec![];
    };
    let part = |at: Path, observed: Option<&Value>| Part {
        target,
        at,
        property,
        observed: observed.cloned(),
    };
    let (from, to) = (change.from.as_ref(), change.to.as_ref());
    let each: Vec<Part> = match property.repair {
        _ if !question.wanted || property.path.len() != at.keys().len() => vec![],
        Repair::Tags => {
            let of = |tags: Option<&Value>| tags.and_then(Value::as_object).cloned().unwrap_or_default();
            let (is, shall) = (of(from), of(to));
            let keys: BTreeSet<&String> = is.keys().chain(shall.keys()).collect();
            let differ = keys
                .into_iter()
                .filter(|key| !path::same(is.get(*key), shall.get(*key)));
            differ.map(|key| part(at.then(key), is.get(key))).collect()
        }
        Repair::Members { .. } => {
            let of = |list: Option<&Value>| list.and_then(Value::as_array).cloned().unwrap_or_default();
            let (is, shall) = (of(from), of(to));
            let more = is.iter().filter(|one| !shall.contains(one)).map(|one| (one, Some(one)));
            let less = shall.iter().filter(|one| !is.contains(one)).map(|one| (one, None));
            let named = more
                .chain(less)
                .filter_map(|(one, observed)| Some((one.as_str()?, observed)));
            named.map(|(name, observed)| part(at.then(name), observed)).collect()
        }
        _ => vec![],
    };
    if each.is_empty() { vec![part(at, from)] } else { each }
}

/// What one event says of one property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    /// It wrote what was observed.
    This,
    /// It wrote something that is not shown.
    Something,
    /// It may have set a default.
    Perhaps,
    /// It wrote something else: what is observed came later.
    Other,
}

/// The event that explains one change. `newest`: events on the resource, the newest first.
fn editor<'e>(part: &Part, newest: &[&'e Event], own: &Own) -> Option<&'e Event> {
    let mut shown = None;
    let mut perhaps = None;
    // What happened within one second has no order.
    for second in newest.chunk_by(|a, b| a.time == b.time) {
        let said: Vec<(&Event, Says)> = second
            .iter()
            .filter_map(|event| Some((*event, says(part, event)?)))
            .collect();
        let first = |wanted: Says| said.iter().find(|(_, says)| *says == wanted).map(|(event, _)| *event);
        if let Some(event) = first(Says::This) {
            return if own.is_own(&event.principal) {
                shown
            } else {
                Some(event)
            };
        }
        if let Some(event) = first(Says::Something) {
            if own.is_own(&event.principal) {
                break;
            }
            shown = shown.or(Some(event));
        }
        if first(Says::Other).is_some() {
            break;
        }
        let event = first(Says::Perhaps).filter(|event| !own.is_own(&event.principal));
        perhaps = perhaps.or(event);
    }
    shown.or(perhaps)
}

/// What an event did to a property; nothing, if it did not touch it.
fn says(part: &Part, event: &Event) -> Option<Says> {
    let Part { property, at, .. } = part;
    let observed = part.observed.as_ref();
    let below = at.keys().len().saturating_sub(property.path.len());
    let same = |written: Option<&Value>| {
        let is_same = match (below, property.repair) {
            (0, _) => (property.same)(written, observed),
            (1, Repair::Tags | Repair::Members { .. }) => path::same(written, observed),
            _ => return Says::Something, // of a part of it no event tells
        };
        if is_same { Says::This } else { Says::Other }
    };
    Some(match writers::wrote(&event.name, &event.parameters, part.target, at) {
        Wrote::Nothing => return None,
        Wrote::Something => Says::Something,
        Wrote::Perhaps => Says::Perhaps,
        Wrote::Absent => same(None),
        Wrote::Member if observed.is_some() => Says::This,
        Wrote::Member => Says::Other,
        Wrote::Value(value) => match value.as_str() {
            Some(text) => written(text, same),
            None => same(Some(value)),
        },
        Wrote::Text(text) => written(text, same),
    })
}

/// Of longer texts of events only a beginning may be kept.
const WHOLE: usize = 4090;

/// Patches write texts: `true` is a boolean where one is observed, a policy a document.
fn written(text: &str, same: impl Fn(Option<&Value>) -> Says) -> Says {
    let plain = same(Some(&Value::String(text.to_owned())));
    if plain != Says::Other {
        return plain;
    }
    if text.is_empty() {
        return same(None);
    }
    match serde_json::from_str(text) {
        Ok(value) => same(Some(&value)),
        Err(_) if text.len() > WHOLE => Says::Something,
        Err(_) => plain,
    }
}

#[cfg(test)]
mod tests;
