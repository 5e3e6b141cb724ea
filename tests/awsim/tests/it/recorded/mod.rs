//! Calls that were once made to AWS, and what AWS answered: shapes, defaults, words and statuses.

mod apis;
mod integrations;
mod methods;
mod stages;

use serde_json::{Value, json};

use crate::world::World;

/// One call of a scenario.
pub(super) struct Row {
    why: &'static str,
    line: &'static str,
    body: Value,
    status: u16,
    /// An object that the answer equals, or the words of an error; null for an empty answer.
    answer: Value,
    code: &'static str,
    /// The name under which an id of the answer is remembered.
    keep: Option<(&'static str, &'static str)>,
}

pub(super) fn ok(why: &'static str, line: &'static str, body: Value, status: u16, answer: Value) -> Row {
    Row {
        why,
        line,
        body,
        status,
        answer,
        code: "",
        keep: None,
    }
}

pub(super) fn refused(why: &'static str, line: &'static str, body: Value, code: &'static str, message: &str) -> Row {
    let status = if code == "NotFoundException" { 404 } else { 400 };
    Row {
        why,
        line,
        body,
        status,
        answer: json!(message),
        code,
        keep: None,
    }
}

impl Row {
    pub(super) fn keep(self, field: &'static str, name: &'static str) -> Self {
        Self {
            keep: Some((field, name)),
            ..self
        }
    }
}

/// Ids and times are whatever they are.
pub(super) fn plain(value: &Value) -> Value {
    const IDS: [&str; 7] = [
        "id",
        "rootResourceId",
        "parentId",
        "deploymentId",
        "authorizerId",
        "cacheNamespace",
        "restApiId",
    ];
    match value {
        Value::Object(object) => {
            let plain = object.iter().map(|(name, value)| {
                let value = match name.as_str() {
                    "createdDate" | "lastUpdatedDate" if value.is_i64() => json!("datetime"),
                    id if IDS.contains(&id) && value.is_string() => json!("<id>"),
                    _ => plain(value),
                };
                (name.clone(), value)
            });
            Value::Object(plain.collect())
        }
        Value::Array(list) => list.iter().map(plain).collect(),
        other => other.clone(),
    }
}

#[track_caller]
pub(super) fn replay(mut world: World, rows: Vec<Row>) {
    for row in rows {
        let answer = world.call(row.line, &row.body);
        assert_eq!(
            answer.status, row.status,
            "{}: {} answered {:?}",
            row.why, row.line, answer.body
        );
        assert_eq!(answer.code, row.code, "{}", row.why);
        if row.answer.is_string() {
            assert_eq!(answer.message(), row.answer.as_str().unwrap(), "{}", row.why);
        } else {
            assert_eq!(plain(&answer.body), plain(&row.answer), "{}", row.why);
        }
        if let Some((field, name)) = row.keep {
            world.name(name, &answer.body[field]);
        }
    }
}

pub(super) fn world_with_root() -> World {
    let mut world = World::new();
    let made = world.post("/restapis", &json!({"name": "n"}));
    world.name("api", &made["id"]);
    world.name("root", &made["rootResourceId"]);
    world
}

pub(super) fn world_with_method() -> World {
    let world = world_with_root();
    world.put(
        "/restapis/{api}/resources/{root}/methods/GET",
        &json!({"authorizationType": "NONE"}),
    );
    world
}
