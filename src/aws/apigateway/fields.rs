//! Which fields AWS's answers have, what they stand at by default, and whether an export shows them.
//!
//! [`walk`] finds what the editor holds and an export doesn't. It is careful in one direction: it finds no difference only
//! where every field is known, and equal or at its default on both sides.

use serde_json::{Map, Value};

use super::document::same_policy;
use crate::judge::path::{self, Path};
use crate::judge::table::as_set;

/// Whether an export shows a field when it is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// It does: known from a record of AWS, or plain `OpenAPI`. What is set here and absent there differs.
    Surely,
    /// AWS documents an extension for it, but no record shows it: what is set here and absent there cannot be told.
    Maybe,
    /// The same, and where an export says nothing the default was filled in, so that the default there may be silence.
    Filled,
}

/// How a field's values compare.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// Whole.
    Whole,
    /// A list whose order means nothing.
    Set,
    /// Entry by entry.
    Map,
    /// Which keys there are; the values mean nothing to callers.
    Keys,
    /// By meaning.
    Policy,
    /// Field by field.
    Object(&'static [Field]),
    /// Entry by entry, and those field by field.
    Each(&'static [Field]),
    /// Not: it is no part of what a deployment publishes, or is compared elsewhere.
    Apart,
}

/// What a field stands at when nobody set it. Nothing, an empty list and empty text always count as unset.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unset {
    /// Absent.
    Absent,
    /// This text.
    Text(&'static str),
    /// `false`.
    False,
    /// This number.
    Number(i64),
}

/// One field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    name: &'static str,
    shown: Shown,
    unset: Unset,
    shape: Shape,
}

const fn field(name: &'static str, shown: Shown, unset: Unset, shape: Shape) -> Field {
    Field {
        name,
        shown,
        unset,
        shape,
    }
}

/// A field that is no part of what a deployment publishes, or is compared elsewhere.
const fn apart(name: &'static str) -> Field {
    field(name, Shown::Surely, Unset::Absent, Shape::Apart)
}

use Shape::{Each, Keys, Object, Policy, Set, Whole};
use Shown::{Filled, Maybe, Surely};
use Unset::{Absent, False, Number, Text};

/// A REST API. Name, description, tags and the like take effect at once, or callers never meet them.
pub(super) const REST_API: &[Field] = &[
    apart("ResponseMetadata"),
    apart("_links"),
    apart("apiStatus"),
    apart("apiStatusMessage"),
    apart("createdDate"),
    apart("description"),
    apart("id"),
    apart("name"),
    apart("rootResourceId"),
    apart("tags"),
    apart("version"),
    apart("warnings"),
    field("apiKeySource", Maybe, Text("HEADER"), Whole),
    field("binaryMediaTypes", Maybe, Absent, Set),
    field("disableExecuteApiEndpoint", Maybe, False, Whole),
    field("endpointAccessMode", Maybe, Text("BASIC"), Whole),
    field(
        "endpointConfiguration",
        Maybe,
        Absent,
        Object(&[
            // Which hosts serve the API is no part of what a deployment carries: it names them, wherever it runs.
            apart("types"),
            field("vpcEndpointIds", Maybe, Absent, Set),
            apart("ipAddressType"),
        ]),
    ),
    field("minimumCompressionSize", Maybe, Absent, Whole),
    field("policy", Maybe, Absent, Policy),
    field("securityPolicy", Maybe, Text("TLS_1_0"), Whole),
];

/// A resource.
pub(super) const RESOURCE: &[Field] = &[
    apart("_links"),
    apart("id"),
    apart("parentId"),
    apart("path"),
    apart("pathPart"),
    apart("resourceMethods"),
];

/// A method. What it names by id is compared by name, elsewhere.
pub(super) const METHOD: &[Field] = &[
    apart("_links"),
    apart("httpMethod"),
    apart("resourcePath"),
    apart("authorizerId"),
    apart("requestValidatorId"),
    field("authorizationType", Surely, Text("NONE"), Whole),
    field("authorizationScopes", Maybe, Absent, Set),
    field("apiKeyRequired", Surely, False, Whole),
    field("operationName", Surely, Absent, Whole),
    field("requestParameters", Surely, Absent, Shape::Map),
    field("requestModels", Surely, Absent, Shape::Map),
    field(
        "methodResponses",
        Surely,
        Absent,
        Each(&[
            apart("statusCode"),
            field("responseParameters", Surely, Absent, Keys),
            field("responseModels", Surely, Absent, Shape::Map),
        ]),
    ),
    field("methodIntegration", Surely, Absent, Object(INTEGRATION)),
];

const INTEGRATION: &[Field] = &[
    apart("_links"),
    apart("cacheNamespace"),
    field("type", Surely, Absent, Whole),
    field("uri", Surely, Absent, Whole),
    field("httpMethod", Surely, Absent, Whole),
    field("passthroughBehavior", Surely, Text("WHEN_NO_MATCH"), Whole),
    field("requestParameters", Surely, Absent, Shape::Map),
    field("requestTemplates", Surely, Absent, Shape::Map),
    field("connectionType", Filled, Text("INTERNET"), Whole),
    field("connectionId", Maybe, Absent, Whole),
    field("contentHandling", Maybe, Absent, Whole),
    field("credentials", Maybe, Absent, Whole),
    field("timeoutInMillis", Filled, Number(29_000), Whole),
    field("cacheKeyParameters", Maybe, Absent, Set),
    field("integrationTarget", Maybe, Absent, Whole),
    field("responseTransferMode", Maybe, Text("BUFFERED"), Whole),
    field(
        "tlsConfig",
        Maybe,
        Absent,
        Object(&[field("insecureSkipVerification", Maybe, False, Whole)]),
    ),
    field(
        "integrationResponses",
        Surely,
        Absent,
        Each(&[
            apart("statusCode"),
            field("selectionPattern", Surely, Absent, Whole),
            field("responseParameters", Surely, Absent, Shape::Map),
            field("responseTemplates", Surely, Absent, Shape::Map),
            field("contentHandling", Maybe, Absent, Whole),
        ]),
    ),
];

/// An authorizer.
pub(super) const AUTHORIZER: &[Field] = &[
    apart("_links"),
    apart("id"),
    apart("name"),
    field("type", Surely, Absent, Whole),
    field("authType", Maybe, Absent, Whole),
    field("authorizerUri", Maybe, Absent, Whole),
    field("authorizerCredentials", Maybe, Absent, Whole),
    field("authorizerResultTtlInSeconds", Maybe, Number(300), Whole),
    field("identitySource", Maybe, Absent, Whole),
    field("identityValidationExpression", Maybe, Absent, Whole),
    field("providerARNs", Maybe, Absent, Set),
];

/// A request validator.
pub(super) const VALIDATOR: &[Field] = &[
    apart("_links"),
    apart("id"),
    apart("name"),
    field("validateRequestBody", Maybe, False, Whole),
    field("validateRequestParameters", Maybe, False, Whole),
];

/// A gateway response.
pub(super) const GATEWAY_RESPONSE: &[Field] = &[
    apart("_links"),
    apart("defaultResponse"),
    apart("responseType"),
    field("statusCode", Maybe, Absent, Whole),
    field("responseParameters", Maybe, Absent, Shape::Map),
    field("responseTemplates", Maybe, Absent, Shape::Map),
];

/// A model. Its schema is compared elsewhere; callers never meet its description.
pub(super) const MODEL: &[Field] = &[
    apart("_links"),
    apart("description"),
    apart("id"),
    apart("name"),
    apart("schema"),
    field("contentType", Maybe, Text("application/json"), Whole),
];

/// A place where two documents are not known to be the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// Where.
    pub(super) path: Path,
    /// In which way.
    pub(super) kind: Kind,
}

/// In which way two documents are not known to be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// They differ. The values can be told.
    Differs,
    /// They differ. The values can hold what is nobody's business: mappings, templates, credentials.
    DiffersInSilence,
    /// The editor holds something that the export does not show.
    Unshown,
    /// A field that is not known at all.
    Unknown,
}

/// Where the editor's document and the deployed one are not known to be the same.
pub(super) fn walk(fields: &'static [Field], editor: &Value, deployed: &Value) -> Vec<Difference> {
    let mut walk = Walk {
        at: Vec::new(),
        found: Vec::new(),
    };
    walk.objects(fields, editor.as_object(), deployed.as_object());
    walk.found
}

struct Walk<'a> {
    at: Vec<&'a str>,
    found: Vec<Difference>,
}

impl<'a> Walk<'a> {
    fn note(&mut self, key: &str, kind: Kind) {
        let path = Path::of(self.at.iter().copied().chain([key]));
        self.found.push(Difference { path, kind });
    }

    fn objects(
        &mut self,
        fields: &'static [Field],
        editor: Option<&'a Map<String, Value>>,
        deployed: Option<&'a Map<String, Value>>,
    ) {
        // By position in the table: looking each field up by name would hash forty names for each method.
        let mut pairs = vec![(None, None); fields.len()];
        for (key, value) in editor.into_iter().flatten() {
            match fields.iter().position(|field| field.name == key) {
                _ if value.is_null() => {}
                Some(at) => pairs[at].0 = Some(value),
                None => self.note(key, Kind::Unknown),
            }
        }
        for (key, value) in deployed.into_iter().flatten() {
            match fields.iter().position(|field| field.name == key) {
                _ if value.is_null() => {}
                Some(at) => pairs[at].1 = Some(value),
                None if editor.is_some_and(|editor| editor.contains_key(key)) => {}
                None => self.note(key, Kind::Unknown),
            }
        }
        for (field, (editor, deployed)) in fields.iter().zip(pairs) {
            if editor.is_some() || deployed.is_some() {
                self.field(field, editor, deployed);
            }
        }
    }

    fn field(&mut self, field: &'static Field, editor: Option<&'a Value>, deployed: Option<&'a Value>) {
        let whole = |same: bool| match (field.set(editor), field.set(deployed)) {
            _ if same => None,
            (false, false) => None,
            (true, false) if field.shown == Filled || (field.shown == Maybe && deployed.is_none()) => {
                Some(Kind::Unshown)
            }
            _ if field.name.ends_with("redentials") => Some(Kind::DiffersInSilence),
            _ => Some(Kind::Differs),
        };
        let kind = match field.shape {
            Shape::Apart => None,
            Shape::Whole => whole(path::same(editor, deployed)),
            Shape::Set => whole(as_set(editor, deployed)),
            Shape::Policy => whole(same_policy(editor, deployed)),
            Shape::Object(fields) => {
                self.at.push(field.name);
                self.objects(
                    fields,
                    editor.and_then(Value::as_object),
                    deployed.and_then(Value::as_object),
                );
                self.at.pop();
                None
            }
            Shape::Map | Shape::Keys | Shape::Each(_) => {
                self.at.push(field.name);
                self.entries(
                    field,
                    editor.and_then(Value::as_object),
                    deployed.and_then(Value::as_object),
                );
                self.at.pop();
                None
            }
        };
        if let Some(kind) = kind {
            self.note(field.name, kind);
        }
    }

    fn entries(
        &mut self,
        field: &'static Field,
        editor: Option<&'a Map<String, Value>>,
        deployed: Option<&'a Map<String, Value>>,
    ) {
        for (key, here) in editor.into_iter().flatten() {
            match (field.shape, deployed.and_then(|deployed| deployed.get(key))) {
                (Shape::Each(fields), Some(there)) => {
                    self.at.push(key);
                    self.objects(fields, here.as_object(), there.as_object());
                    self.at.pop();
                }
                (Shape::Map, Some(there)) if !same_entry(here, there) => self.note(key, Kind::DiffersInSilence),
                (_, Some(_)) => {}
                // An entry without a template passes bodies through; no record says how an export shows that.
                (_, None) if field.shown == Maybe || here.is_null() => self.note(key, Kind::Unshown),
                (_, None) => self.note(key, Kind::DiffersInSilence),
            }
        }
        for key in deployed.into_iter().flatten().map(|(key, _)| key) {
            if !editor.is_some_and(|editor| editor.contains_key(key)) {
                self.note(key, Kind::DiffersInSilence);
            }
        }
    }
}

/// A template that passes bodies through is `null` in some of AWS's answers and a word in others.
fn same_entry(a: &Value, b: &Value) -> bool {
    let passes = |value: &Value| value.is_null() || value.as_str() == Some("__passthrough__");
    path::same(Some(a), Some(b)) || (passes(a) && passes(b))
}

impl Field {
    /// Whether somebody set it.
    fn set(&self, value: Option<&Value>) -> bool {
        let Some(value) = value else {
            return false;
        };
        let value = match value {
            Value::Array(members) if members.len() == 1 => &members[0],
            value => value,
        };
        let empty = match value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(members) => members.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            _ => false,
        };
        !empty
            && match self.unset {
                Unset::Absent => true,
                Unset::Text(text) => value.as_str() != Some(text),
                Unset::False => *value != Value::Bool(false),
                Unset::Number(number) => value.as_f64() != Value::from(number).as_f64(),
            }
    }
}
