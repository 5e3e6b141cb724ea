//! A policy document, read.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{IamError, condition, values};

/// `Action` or `NotAction`, and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part<T> {
    Is(T),
    Not(T),
}

/// Principals as (kind, name).
pub(super) type Principals = BTreeSet<(String, String)>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    /// In lower case, `ArnEquals` as `arnlike`.
    pub(super) operator: String,
    /// In lower case.
    pub(super) key: String,
    pub(super) values: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) allow: bool,
    /// None in policies that are attached to principals.
    pub(super) principals: Option<Part<Principals>>,
    pub(super) actions: Part<Vec<String>>,
    pub(super) resources: Part<Vec<String>>,
    pub(super) conditions: Vec<Condition>,
}

type Result<T> = std::result::Result<T, IamError>;

fn error<T>(text: impl Into<String>) -> Result<T> {
    Err(IamError::Policy(text.into()))
}

/// The document as an object: parsed if it is text, also if its quotes are escaped, as API Gateway returns it.
/// `None` if there is no policy.
pub(super) fn object(policy: &Value) -> Result<Option<Cow<'_, Map<String, Value>>>> {
    match policy {
        Value::Null => Ok(None),
        Value::Object(fields) => Ok(Some(Cow::Borrowed(fields))),
        Value::String(text) if text.trim().is_empty() => Ok(None),
        Value::String(text) => match unescaped(text) {
            Some(Value::Object(fields)) => Ok(Some(Cow::Owned(fields))),
            Some(_) => error("the text is JSON, but no object"),
            None => error("the text is no JSON"),
        },
        _ => error("it is neither an object nor text"),
    }
}

fn unescaped(text: &str) -> Option<Value> {
    let mut value = Value::String(text.to_owned());
    for _ in 0..3 {
        let Value::String(text) = &value else { break };
        value = serde_json::from_str(text)
            .or_else(|_| serde_json::from_str(&format!("\"{text}\"")))
            .ok()?;
    }
    Some(value).filter(|value| !value.is_string())
}

/// The statements; `None` if there is no policy.
pub(super) fn statements(policy: &Value) -> Result<Option<Vec<Statement>>> {
    let Some(fields) = object(policy)? else { return Ok(None) };
    if let Some(unknown) = fields
        .keys()
        .find(|key| !["Version", "Id", "Statement"].contains(&key.as_str()))
    {
        return error(format!("it has an unknown element `{unknown}`"));
    }
    match fields.get("Statement") {
        None | Some(Value::Null) if fields.is_empty() => Ok(None),
        None | Some(Value::Null) => error("it has no `Statement`"),
        Some(Value::Array(items)) => items
            .iter()
            .enumerate()
            .map(|(at, item)| statement(item, at))
            .collect::<Result<_>>()
            .map(Some),
        Some(single) => Ok(Some(vec![statement(single, 0)?])),
    }
}

fn statement(json: &Value, at: usize) -> Result<Statement> {
    let named = |text: String| IamError::Policy(format!("statement {}: {text}", at + 1));
    let Some(fields) = json.as_object() else {
        return Err(named("it is no object".into()));
    };
    let known = [
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    ];
    if let Some(unknown) = fields.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(named(format!("it has an unknown element `{unknown}`")));
    }
    let allow = match fields.get("Effect").and_then(Value::as_str) {
        Some("Allow") => true,
        Some("Deny") => false,
        _ => return Err(named("`Effect` is neither Allow nor Deny".into())),
    };
    let list = |json: &Value| values(json).filter(|items| !items.is_empty());
    let actions = part(fields, "Action", "NotAction", list)
        .map_err(&named)?
        .ok_or_else(|| named("it has neither `Action` nor `NotAction`".into()))?;
    let resources = part(fields, "Resource", "NotResource", list)
        .map_err(&named)?
        .ok_or_else(|| named("it has neither `Resource` nor `NotResource`".into()))?;
    let principals = part(fields, "Principal", "NotPrincipal", principals).map_err(&named)?;
    let conditions = conditions(fields.get("Condition")).map_err(&named)?;
    Ok(Statement {
        allow,
        principals,
        actions,
        resources,
        conditions,
    })
}

fn part<T>(
    fields: &Map<String, Value>,
    is: &str,
    not: &str,
    read: impl Fn(&Value) -> Option<T>,
) -> std::result::Result<Option<Part<T>>, String> {
    let unreadable = |name: &str| format!("`{name}` cannot be read");
    match (fields.get(is), fields.get(not)) {
        (Some(_), Some(_)) => Err(format!("it has both `{is}` and `{not}`")),
        (Some(json), None) => read(json)
            .map(|items| Some(Part::Is(items)))
            .ok_or_else(|| unreadable(is)),
        (None, Some(json)) => read(json)
            .map(|items| Some(Part::Not(items)))
            .ok_or_else(|| unreadable(not)),
        (None, None) => Ok(None),
    }
}

fn principals(json: &Value) -> Option<Principals> {
    match json {
        Value::String(name) if name == "*" => Some([("AWS".to_owned(), "*".to_owned())].into()),
        Value::Object(kinds) if !kinds.is_empty() => {
            let mut all = Principals::new();
            for (kind, names) in kinds {
                for name in values(names).filter(|names| !names.is_empty())? {
                    all.insert((kind.clone(), if kind == "AWS" { root_of(name) } else { name }));
                }
            }
            if all.contains(&("AWS".to_owned(), "*".to_owned())) {
                all.retain(|(kind, name)| kind != "AWS" || name == "*");
            }
            Some(all)
        }
        _ => None,
    }
}

/// An account id as the ARN of its root.
pub(super) fn root_of(name: String) -> String {
    if name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("arn:aws:iam::{name}:root")
    } else {
        name
    }
}

fn conditions(json: Option<&Value>) -> std::result::Result<Vec<Condition>, String> {
    let mut all: Vec<Condition> = Vec::new();
    let operators = match json {
        None | Some(Value::Null) => return Ok(all),
        Some(Value::Object(operators)) => operators,
        Some(_) => return Err("`Condition` is no object".into()),
    };
    for (name, keys) in operators {
        let operator = condition::normal(name).ok_or_else(|| format!("unknown condition operator `{name}`"))?;
        let keys = keys
            .as_object()
            .ok_or_else(|| format!("`{name}` holds no object of condition keys"))?;
        for (key, json) in keys {
            let values = values(json).ok_or_else(|| format!("`{name}` of `{key}` holds neither text nor a list"))?;
            let values = values
                .into_iter()
                .map(|value| condition::normal_value(&operator, value))
                .collect();
            let condition = Condition {
                operator: operator.clone(),
                key: key.to_ascii_lowercase(),
                values,
            };
            match all
                .iter()
                .find(|known| known.operator == condition.operator && known.key == condition.key)
            {
                Some(known) if *known == condition => {}
                Some(_) => return Err(format!("`{name}` of `{key}` is given twice")),
                None => all.push(condition),
            }
        }
    }
    all.sort_by(|one, other| (&one.operator, &one.key).cmp(&(&other.operator, &other.key)));
    Ok(all)
}
