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
use crate::judge::path::Path;
use crate::judge::snapshot::EndpointId;
use crate::judge::table::Property;

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
    events.iter().find(|event| {
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
    // What callers meet was edited before it was deployed.
    let until = deployed.map_or(question.before, |event| event.time);
    newest.retain(|event| event.time <= until && writers::is_of(&event.name, &event.parameters, question.address));
    let explained = question
        .changes
        .iter()
        .filter_map(|change| editor(question.target, change, &newest, own));
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
    let pointed = |event: &Event, sure: bool| {
        question.deployments.iter().any(|(stage, deployment)| {
            match writers::pointed(&event.name, &event.parameters, stage, event.deployment.as_deref()) {
                Some(Some(shown)) => shown == deployment,
                Some(None) => !sure,
                None => false,
            }
        })
    };
    // One that does not show where it pointed is believed only if no other shows it.
    [true, false]
        .into_iter()
        .find_map(|sure| newest.iter().find(|event| pointed(event, sure)).copied())
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
fn editor<'e>(target: Target, change: &Change, newest: &[&'e Event], own: &Own) -> Option<&'e Event> {
    let at = Path::parse(&change.path).ok()?;
    let property = properties::table(target).property(&at)?;
    let mut shown = None;
    let mut perhaps = None;
    // What happened within one second has no order.
    for second in newest.chunk_by(|a, b| a.time == b.time) {
        let said: Vec<(&Event, Says)> = second
            .iter()
            .filter_map(|event| Some((*event, says(target, property, &at, change.from.as_ref(), event)?)))
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
fn says(target: Target, property: &Property, at: &Path, observed: Option<&Value>, event: &Event) -> Option<Says> {
    let whole = property.path.len() == at.keys().len();
    let same = |written: Option<&Value>| {
        if !whole {
            return Says::Something; // of a part of it no event tells
        }
        if (property.same)(written, observed) {
            Says::This
        } else {
            Says::Other
        }
    };
    Some(match writers::wrote(&event.name, &event.parameters, target, at) {
        Wrote::Nothing => return None,
        Wrote::Something => Says::Something,
        Wrote::Perhaps => Says::Perhaps,
        Wrote::Absent => same(None),
        Wrote::Value(value) => match value.as_str() {
            Some(text) => written(text, same),
            None => same(Some(value)),
        },
        Wrote::Text(text) => written(text, same),
    })
}

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
        Err(_) => plain,
    }
}

#[cfg(test)]
mod tests;
