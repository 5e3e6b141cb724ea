use super::*;

fn api() -> ApiRef {
    ApiRef {
        region: "eu-west-1".into(),
        account: "111122223333".into(),
        id: "a1".into(),
    }
}

fn editor() -> Editor {
    let policy = r#"{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"execute-api:Invoke\",\"Resource\":\"execute-api:\/*\"}]}"#;
    let method = json!({"httpMethod": "GET", "authorizationType": "NONE", "apiKeyRequired": false,
        "methodIntegration": {"type": "HTTP", "uri": "https://a", "requestTemplates": {"text/plain": "x"}}});
    Editor {
        rest_api: json!({"id": "a1", "createdDate": 1, "policy": policy, "binaryMediaTypes": ["a/b", "c/d"]}),
        resources: vec![
            json!({"id": "r", "path": "/pets", "resourceMethods": {"GET": method}}),
            json!({"id": "q", "path": "/"}),
        ],
        authorizers: vec![json!({"id": "x", "name": "one"}), json!({"id": "y", "name": "two"})],
        ..Editor::default()
    }
}

fn pets(editor: &mut Editor) -> &mut Value {
    &mut editor.resources[0]["resourceMethods"]["GET"]
}

/// A name, and a change of the editor.
type Edit = (&'static str, fn(&mut Editor));

#[test]
fn two_readings_of_one_editor_are_the_same_however_they_are_written() {
    let rows: &[Edit] = &[
        ("when it was made means nothing", |e| {
            e.rest_api["createdDate"] = json!(2);
        }),
        ("lists have no order", |e| {
            e.rest_api["binaryMediaTypes"] = json!(["c/d", "a/b"]);
        }),
        ("nor have authorizers", |e| e.authorizers.reverse()),
        ("nor resources", |e| e.resources.reverse()),
        ("nothing and an empty map are the same", |e| {
            pets(e)["requestParameters"] = json!({});
        }),
        ("an authorizer of a method that asks none", |e| {
            pets(e)["authorizerId"] = json!("x");
        }),
        ("ARNs may be written long", |e| {
            let text = e.rest_api["policy"].as_str().unwrap();
            e.rest_api["policy"] = text
                .replace(r"execute-api:\/*", r"arn:aws:execute-api:eu-west-1:111122223333:a1\/*")
                .into();
        }),
        ("a policy may be an object, as a repair lays it", |e| {
            let laid = e.document(Target::RestApi, "").unwrap()["policy"].clone();
            e.lay(Target::RestApi, "", &Path::of(["policy"]), Some(laid));
        }),
    ];
    for (why, change) in rows {
        let mut other = editor();
        change(&mut other);
        assert_eq!(editor().difference(&other, &api()), None, "{why}");
        assert_eq!(editor().digest(&api()), other.digest(&api()), "{why}");
    }
}

#[test]
fn every_edit_is_a_difference_and_told() {
    let rows: &[Edit] = &[
        ("GET /pets methodIntegration.uri", |e| {
            pets(e)["methodIntegration"]["uri"] = json!("https://b");
        }),
        ("GET /pets methodIntegration", |e| {
            pets(e).as_object_mut().unwrap().remove("methodIntegration");
        }),
        ("GET /pets requestParameters", |e| {
            pets(e)["requestParameters"] = json!({"method.request.header.X": true});
        }),
        // Unlike other nothings: bodies pass through.
        ("methodIntegration.requestTemplates[\"a/b\"]", |e| {
            pets(e)["methodIntegration"]["requestTemplates"]["a/b"] = Value::Null;
        }),
        ("PUT /pets was added", |e| {
            e.resources[0]["resourceMethods"]["PUT"] = json!({});
        }),
        ("GET /pets was removed", |e| {
            e.resources[0]["resourceMethods"] = json!({});
        }),
        ("policy of the API", |e| {
            e.rest_api["policy"] = json!("{\"Statement\":[]}");
        }),
        ("binaryMediaTypes of the API", |e| {
            e.rest_api["binaryMediaTypes"] = json!(["a/b"]);
        }),
        ("the authorizer z was added", |e| e.authorizers.push(json!({"id": "z"}))),
        ("the authorizer x was changed", |e| {
            e.authorizers[0]["name"] = json!("other");
        }),
        ("the model M was added", |e| e.models.push(json!({"name": "M"}))),
        ("the request validator v was added", |e| {
            e.request_validators.push(json!({"id": "v"}));
        }),
        ("the gateway response T was added", |e| {
            e.gateway_responses.push(json!({"responseType": "T"}));
        }),
    ];
    for (told, change) in rows {
        let mut other = editor();
        change(&mut other);
        let found = editor().difference(&other, &api());
        assert!(
            found.as_deref().is_some_and(|found| found.contains(told)),
            "{told}: {found:?}"
        );
        assert_ne!(editor().digest(&api()), other.digest(&api()), "{told}");
    }
}

#[test]
fn a_summary_refutes_and_never_proves() {
    let shown = |summary: Value| editor().refuted_by(&json!({"id": "d", "apiSummary": summary}));
    let get = json!({"authorizationType": "NONE", "apiKeyRequired": false});
    for (summary, told, why) in [
        (json!({"/pets": {"GET": get}}), None, "the same"),
        (
            json!({"/pets": {"GET": get, "PUT": get}}),
            Some("it holds PUT /pets"),
            "a method more",
        ),
        (
            json!({"/": {"GET": get}, "/pets": {"GET": get}}),
            Some("it holds GET /"),
            "a resource more",
        ),
        (json!({}), Some("it does not hold GET /pets"), "a method less"),
        (
            json!({"/pets": {"GET": {"authorizationType": "AWS_IAM", "apiKeyRequired": false}}}),
            Some("GET /pets authorizationType is \"AWS_IAM\" there"),
            "another authorization",
        ),
        (
            json!({"/pets": {"GET": {"authorizationType": "NONE", "apiKeyRequired": true}}}),
            Some("GET /pets apiKeyRequired is true there"),
            "an API key",
        ),
        (
            json!({"/pets": {"GET": get, "ANY": get}}),
            None,
            "how a summary names any verb is not recorded",
        ),
        (json!({"/pets": {"GET": {}}}), None, "what is not said refutes nothing"),
    ] {
        assert_eq!(shown(summary).as_deref(), told, "{why}");
    }
    assert_eq!(editor().refuted_by(&json!({"id": "d"})), None, "no summary at all");
}

#[test]
fn a_repair_is_laid_where_it_will_stand() {
    let mut laid = editor();
    let uri = Path::of(["methodIntegration", "uri"]);
    laid.lay(Target::Method, "GET /pets", &uri, Some(json!("https://b")));
    laid.lay(Target::RestApi, "", &Path::of(["policy"]), None);
    assert_eq!(pets(&mut laid)["methodIntegration"]["uri"], "https://b");
    assert_eq!(laid.document(Target::RestApi, "").unwrap().get("policy"), None);
    assert_eq!(
        laid.document(Target::Method, "GET /pets").unwrap()["resourcePath"],
        "/pets"
    );
    assert_eq!(laid.document(Target::Method, "GET /cats"), None);
}
