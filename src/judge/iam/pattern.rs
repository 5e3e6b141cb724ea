//! Patterns with `*` and `?`, and the two ways to write a part of an API.

use super::ApiRef;

/// Whether something holds for all requests of a description, for none, or cannot be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Match {
    No,
    Maybe,
    Yes,
}

impl Match {
    pub(super) fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Maybe => Self::Maybe,
            Self::Yes => Self::No,
        }
    }
}

/// Largest product of two patterns' lengths that is looked at.
const MAX_WORK: usize = 4_000_000;

/// How the requests that `subject` describes relate to `pattern`.
pub(super) fn relate(pattern: &str, subject: &str) -> Match {
    if pattern.len().saturating_mul(subject.len()) > MAX_WORK {
        Match::Maybe
    } else if covers(pattern, subject) {
        Match::Yes
    } else if overlap(pattern.as_bytes(), subject.as_bytes()) {
        Match::Maybe
    } else {
        Match::No
    }
}

/// Does `pattern` match all that `subject` matches? A wildcard of the subject needs one of the pattern.
pub(super) fn covers(pattern: &str, subject: &str) -> bool {
    let (pattern, subject) = (pattern.as_bytes(), subject.as_bytes());
    let (mut p, mut s, mut retry) = (0, 0, None);
    while s < subject.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p, s));
                p += 1;
            }
            Some(b'?') if subject[s] != b'*' => (p, s) = (p + 1, s + 1),
            Some(byte) if *byte == subject[s] => (p, s) = (p + 1, s + 1),
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    (p, s) = (star + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Is there a text that both match?
fn overlap(left: &[u8], right: &[u8]) -> bool {
    // reachable[j]: the patterns' rests from (i, j) on have a text in common; rows from the end.
    let mut below = vec![false; right.len() + 1];
    for i in (0..=left.len()).rev() {
        let mut row = vec![false; right.len() + 1];
        for j in (0..=right.len()).rev() {
            row[j] = match (left.get(i), right.get(j)) {
                (None, None) => true,
                (Some(b'*'), other) => below[j] || (other.is_some() && row[j + 1]),
                (other, Some(b'*')) => row[j + 1] || (other.is_some() && below[j]),
                (Some(one), Some(other)) => (one == other || *one == b'?' || *other == b'?') && below[j + 1],
                _ => false,
            };
        }
        below = row;
    }
    below[0]
}

/// All of the API.
pub(super) const EVERYTHING: &str = "execute-api:/*";

/// The API that a full ARN without wildcards before its path names.
pub(super) fn api_of(resource: &str) -> Option<ApiRef> {
    let (region, account, rest) = execute_api(resource)?;
    let id = rest.split('/').next().unwrap_or(rest);
    if [region, account, id]
        .iter()
        .any(|part| part.is_empty() || part.contains(['*', '?']))
    {
        return None;
    }
    Some(ApiRef {
        region: region.into(),
        account: account.into(),
        id: id.into(),
    })
}

/// Region, account and the rest of an `execute-api` ARN.
fn execute_api(resource: &str) -> Option<(&str, &str, &str)> {
    let mut parts = resource.splitn(6, ':');
    let (arn, _partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, rest) = (parts.next()?, parts.next()?, parts.next()?);
    (arn == "arn" && service == "execute-api").then_some((region, account, rest))
}

/// The short form, if the resource is a part of the API: `arn:aws:execute-api:eu-west-1:1:abc/prod/*` is
/// `execute-api:/prod/*`. Without an API, one that is named in full counts as `specific` says.
pub(super) fn short(resource: &str, api: Option<&ApiRef>, specific: bool) -> String {
    if covers(resource, "arn:aws:execute-api:?:?:?/*") || covers(resource, EVERYTHING) {
        return EVERYTHING.into();
    }
    if let Some(path) = resource.strip_prefix("execute-api:/") {
        return format!("execute-api:/{}", path_of(path));
    }
    let Some((region, account, rest)) = execute_api(resource) else {
        return resource.into();
    };
    let (id, path) = rest
        .split_once('/')
        .unwrap_or((rest, if rest.ends_with('*') { "*" } else { "" }));
    let ours = match api {
        Some(api) => covers(region, &api.region) && covers(account, &api.account) && covers(id, &api.id),
        None => specific || [region, account, id].iter().all(|part| *part == "*"),
    };
    if ours {
        format!("execute-api:/{}", path_of(path))
    } else {
        resource.into()
    }
}

/// Requests always have a stage, a method and a path, so `prod/*/*` says no more than `prod/*`.
fn path_of(path: &str) -> String {
    let mut segments: Vec<&str> = path.split('/').collect();
    while segments.len() > 1 && segments.len() <= 3 && segments.ends_with(&["*", "*"]) {
        segments.pop();
    }
    segments.join("/")
}
