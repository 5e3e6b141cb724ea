//! Patch operations: read, checked against the documented table, handed on as steps.

mod table;

use serde::Deserialize;

use crate::error::{AwsError, enum_violation};
use crate::request::Request;
use crate::router::Operation;
use table::{Kind, Row, TABLE};

/// A set of patch operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ops(u8);

impl Ops {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ADD: Self = Self(1);
    pub(crate) const REPLACE: Self = Self(2);
    pub(crate) const REMOVE: Self = Self(4);
    pub(crate) const COPY: Self = Self(8);

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn has(self, op: Op) -> bool {
        let bit = match op {
            Op::Add => Self::ADD,
            Op::Replace => Self::REPLACE,
            Op::Remove => Self::REMOVE,
            Op::Copy => Self::COPY,
            Op::Move | Op::Test => Self::NONE,
        };
        self.0 & bit.0 != 0
    }

    fn words(self) -> String {
        [Op::Add, Op::Replace, Op::Remove, Op::Copy]
            .into_iter()
            .filter(|op| self.has(*op))
            .map(Op::word)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Add,
    Replace,
    Remove,
    Copy,
    Move,
    Test,
}

impl Op {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "add" => Self::Add,
            "replace" => Self::Replace,
            "remove" => Self::Remove,
            "copy" => Self::Copy,
            "move" => Self::Move,
            "test" => Self::Test,
            _ => return None,
        })
    }

    fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Replace => "replace",
            Self::Remove => "remove",
            Self::Copy => "copy",
            Self::Move => "move",
            Self::Test => "test",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    #[serde(default)]
    patch_operations: Option<Vec<Sent>>,
}

#[derive(Deserialize)]
struct Sent {
    op: Option<String>,
    path: Option<String>,
    value: Option<String>,
    from: Option<String>,
}

/// One patch operation that the table knows.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) op: Op,
    /// The path of the table's row.
    pub(crate) path: &'static str,
    /// What stood for `*`, `{...}` or behind a list or map, unescaped.
    pub(crate) keys: Vec<String>,
    pub(crate) value: Option<String>,
    pub(crate) from: Option<String>,
    /// As it was sent.
    pub(crate) sent: String,
}

impl Step {
    /// The value, where one is needed.
    pub(crate) fn value(&self) -> Result<&str, AwsError> {
        self.value
            .as_deref()
            .ok_or_else(|| AwsError::bad_request(format!("Invalid patch value specified for {}", self.sent)))
    }

    /// The value as an optional text: absent or empty clears.
    pub(crate) fn optional(&self) -> Option<String> {
        match self.op {
            Op::Remove => None,
            _ => self.value.clone().filter(|value| !value.is_empty()),
        }
    }

    pub(crate) fn boolean(&self) -> Result<bool, AwsError> {
        match self.value()?.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(AwsError::bad_request(format!(
                "Invalid boolean value '{other}' specified for {}",
                self.sent
            ))),
        }
    }

    pub(crate) fn number<T: std::str::FromStr>(&self) -> Result<T, AwsError> {
        let value = self.value()?;
        value
            .parse()
            .map_err(|_| AwsError::bad_request(format!("Invalid number '{value}' specified for {}", self.sent)))
    }

    /// The member of a list: the key of the path, or else the value.
    pub(crate) fn member(&self) -> Result<String, AwsError> {
        match self.keys.last() {
            Some(key) => Ok(key.clone()),
            None => self.value().map(str::to_owned),
        }
    }

    pub(crate) fn key(&self) -> &str {
        self.keys.last().map_or("", String::as_str)
    }

    /// Adds, replaces or removes a member of a list.
    pub(crate) fn edit_list(&self, list: &mut Vec<String>) -> Result<(), AwsError> {
        let member = self.member()?;
        match self.op {
            Op::Add if list.contains(&member) => {}
            Op::Add => list.push(member),
            Op::Replace => {
                list.retain(|known| *known != member);
                list.push(self.value()?.to_owned());
            }
            _ => list.retain(|known| *known != member),
        }
        Ok(())
    }
}

/// Reads the patch operations of a request.
pub(crate) fn steps(request: &Request<'_>) -> Result<Vec<Step>, AwsError> {
    checked(request, Vec::new())?
        .into_iter()
        .map(|sent| step(request.operation, sent))
        .collect()
}

/// Refuses unknown operations, together with `also`, the violations that stand besides them: AWS
/// looks at these before it looks for the thing to patch.
pub(crate) fn check(request: &Request<'_>, also: Vec<String>) -> Result<(), AwsError> {
    checked(request, also).map(drop)
}

fn checked(request: &Request<'_>, also: Vec<String>) -> Result<Vec<Sent>, AwsError> {
    let sent = request.json::<Body>()?.patch_operations.unwrap_or_default();
    let mut violations: Vec<String> = sent
        .iter()
        .enumerate()
        .filter(|(_, sent)| sent.op.as_deref().and_then(Op::parse).is_none())
        .map(|(index, sent)| {
            let at = format!("{}.patchOperations.{}.member.op", request.operation.input(), index + 1);
            enum_violation(
                sent.op.as_deref().unwrap_or("null"),
                &at,
                "add, remove, move, test, replace, copy",
            )
        })
        .collect();
    violations.extend(also);
    if violations.is_empty() {
        Ok(sent)
    } else {
        Err(AwsError::validation(&violations))
    }
}

fn step(operation: Operation, sent: Sent) -> Result<Step, AwsError> {
    let op = sent.op.as_deref().and_then(Op::parse).unwrap_or(Op::Test);
    let path = sent.path.unwrap_or_else(|| "null".to_owned());
    let rows = || TABLE.iter().filter(|row| row.operation == operation);
    let found = rows().find_map(|row| captures(row, &path).map(|keys| (row, keys)));
    match found {
        Some((row, keys)) if row.ops.has(op) => Ok(Step {
            op,
            path: row.path,
            keys,
            value: sent.value,
            from: sent.from,
            sent: path,
        }),
        Some((row, _)) => Err(refused_op(row, op, &path)),
        None => Err(unknown_path(operation, op, &path)),
    }
}

fn captures(row: &Row, path: &str) -> Option<Vec<String>> {
    let mut keys = Vec::new();
    let mut segments = path.split('/');
    for expected in row.path.split('/') {
        let segment = segments.next()?;
        if expected == "*" || expected.starts_with('{') {
            if segment.is_empty() {
                return None;
            }
            // The keys of method settings keep their escapes.
            keys.push(if row.path.starts_with("/{resourcePath}") {
                segment.to_owned()
            } else {
                unescape(segment)
            });
        } else if expected != segment {
            return None;
        }
    }
    match (row.kind, segments.next()) {
        (Kind::Scalar | Kind::MapOrWhole | Kind::Values, None) => {}
        (Kind::Map | Kind::MapOrWhole | Kind::Member | Kind::Values, Some(member)) if !member.is_empty() => {
            keys.push(unescape(member));
        }
        _ => return None,
    }
    segments.next().is_none().then_some(keys)
}

fn unescape(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

fn refused_op(row: &Row, op: Op, path: &str) -> AwsError {
    match row.operation {
        Operation::UpdateRestApi
            if row.path == "/endpointConfiguration/types/{type}" && !matches!(op, Op::Add | Op::Remove) =>
        {
            AwsError::bad_request("Invalid patch operation specified. Must be 'add'|'remove'|'replace'")
        }
        Operation::UpdateRestApi => AwsError::bad_request(format!(
            "Invalid patch operation specified. Must be one of: [{}]",
            row.ops.words()
        )),
        operation => unknown_path(operation, op, path),
    }
}

fn unknown_path(operation: Operation, op: Op, path: &str) -> AwsError {
    AwsError::bad_request(match operation {
        Operation::UpdateStage => format!("Invalid method setting path: {path}. Must be one of: [{STAGE_PATHS}]"),
        Operation::UpdateRestApi | Operation::UpdateGatewayResponse | Operation::UpdateMethodResponse => {
            format!("Invalid patch path {path}")
        }
        _ => {
            let known: Vec<&str> = TABLE
                .iter()
                .filter(|row| row.operation == operation && row.ops.has(op))
                .map(|row| row.path)
                .collect();
            format!(
                "Invalid patch path  '{path}' specified for op '{}'. Must be one of: [{}]",
                op.word(),
                known.join(", ")
            )
        }
    })
}

/// AWS's own words, with AWS's own commas.
const STAGE_PATHS: &str = "/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, \
/clientCertificateId, /accessLogSettings, /accessLogSettings/destinationArn, /accessLogSettings/format, \
/{resourcePath}/{httpMethod}/metrics/enabled, /{resourcePath}/{httpMethod}/logging/dataTrace, \
/{resourcePath}/{httpMethod}/logging/loglevel, /{resourcePath}/{httpMethod}/throttling/burstLimit\
/{resourcePath}/{httpMethod}/throttling/rateLimit/{resourcePath}/{httpMethod}/caching/ttlInSeconds, \
/{resourcePath}/{httpMethod}/caching/enabled, /{resourcePath}/{httpMethod}/caching/dataEncrypted, \
/{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl, \
/{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy, /*/*/metrics/enabled, \
/*/*/logging/dataTrace, /*/*/logging/loglevel, /*/*/throttling/burstLimit /*/*/throttling/rateLimit \
/*/*/caching/ttlInSeconds, /*/*/caching/enabled, /*/*/caching/dataEncrypted, \
/*/*/caching/requireAuthorizationForCacheControl, /*/*/caching/unauthorizedCacheControlHeaderStrategy, \
/variables/{variable_name}, /tracingEnabled";
