//! What a policy says to a request.

use serde_json::Value;

use super::document::{Part, Principals, Statement, root_of, statements};
use super::pattern::{EVERYTHING, Match, relate, short};
use super::{IamError, Request, condition};

/// Is every request of this description refused?
///
/// It is if one Deny statement applies to all of them, or if there is a policy and none of its Allow statements may
/// apply to any of them. No policy refuses nothing. Several Deny statements that cover the requests only together
/// (one for GET, one for POST) are not put together.
pub fn denies(policy: &Value, request: &Request) -> Result<bool, IamError> {
    let Some(statements) = statements(policy)?.filter(|statements| !statements.is_empty()) else {
        return Ok(false);
    };
    let refused = statements
        .iter()
        .any(|statement| !statement.allow && applies(statement, request) == Match::Yes);
    let unheard = statements
        .iter()
        .all(|statement| !statement.allow || applies(statement, request) == Match::No);
    Ok(refused || unheard)
}

/// Is every request of this description allowed?
///
/// It is if one Allow statement applies to all of them, and no Deny statement may apply to any. No policy allows all.
pub fn allows(policy: &Value, request: &Request) -> Result<bool, IamError> {
    let Some(statements) = statements(policy)?.filter(|statements| !statements.is_empty()) else {
        return Ok(true);
    };
    let heard = statements
        .iter()
        .any(|statement| statement.allow && applies(statement, request) == Match::Yes);
    let refused = statements
        .iter()
        .any(|statement| !statement.allow && applies(statement, request) != Match::No);
    Ok(heard && !refused)
}

fn applies(statement: &Statement, request: &Request) -> Match {
    let conditions = statement
        .conditions
        .iter()
        .map(|condition| condition::holds(condition, request.context.get(&condition.key)))
        .min()
        .unwrap_or(Match::Yes);
    principal(statement.principals.as_ref(), request)
        .min(part(&statement.actions, |pattern| action(pattern, request)))
        .min(part(&statement.resources, |pattern| resource(pattern, request)))
        .min(conditions)
}

fn part(part: &Part<Vec<String>>, relate: impl Fn(&str) -> Match) -> Match {
    let best = |patterns: &Vec<String>| {
        patterns
            .iter()
            .map(|pattern| relate(pattern))
            .max()
            .unwrap_or(Match::No)
    };
    match part {
        Part::Is(patterns) => best(patterns),
        Part::Not(patterns) => best(patterns).not(),
    }
}

fn action(pattern: &str, request: &Request) -> Match {
    relate(&pattern.to_ascii_lowercase(), &request.action.to_ascii_lowercase())
}

fn resource(pattern: &str, request: &Request) -> Match {
    if pattern.contains("${") {
        return Match::Maybe;
    }
    let api = request.api.as_ref();
    let subject = request.resource.as_deref().unwrap_or(EVERYTHING);
    let shortened = relate(&short(pattern, api, true), &short(subject, api, true));
    shortened.max(relate(pattern, subject))
}

fn principal(part: Option<&Part<Principals>>, request: &Request) -> Match {
    let best = |names: &Principals| {
        names
            .iter()
            .map(|(kind, name)| named(kind, name, request.principal.as_deref()))
            .max()
            .unwrap_or(Match::No)
    };
    match part {
        None => Match::Yes,
        Some(Part::Is(names)) => best(names),
        // Whoever is named in part only (the account of a role) is excepted or not by rules of its own.
        Some(Part::Not(names)) => match best(names).not() {
            Match::Yes if same_account(names, request.principal.as_deref()) => Match::Maybe,
            other => other,
        },
    }
}

fn named(kind: &str, name: &str, who: Option<&str>) -> Match {
    if name == "*" && kind == "AWS" {
        return Match::Yes;
    }
    let Some(who) = who else { return Match::Maybe };
    let who = root_of(who.to_owned());
    if who == name {
        return Match::Yes;
    }
    match (account(name), account(&who)) {
        (Some(ours), Some(theirs)) if ours == theirs => {
            let root = |arn: &str| arn.ends_with(":root");
            let session = name
                .split_once(":role/")
                .zip(who.split_once(":assumed-role/"))
                .is_some_and(|((_, role), (_, session))| session.split('/').next() == role.rsplit('/').next());
            match (root(name) || session, root(&who)) {
                (true, _) => Match::Yes,
                (false, true) => Match::Maybe,
                (false, false) => Match::No,
            }
        }
        _ => Match::No,
    }
}

fn account(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?
        .split(':')
        .nth(3)
        .filter(|account| !account.is_empty())
}

fn same_account(names: &Principals, who: Option<&str>) -> bool {
    let who = who.map(|who| root_of(who.to_owned()));
    let theirs = who.as_deref().and_then(account);
    theirs.is_some() && names.iter().any(|(_, name)| account(name) == theirs)
}
