//! Stages: settings that apply at once.

use serde_json::{Value, json};

use crate::world::{ACCOUNT, REGION, World};

const PROD: &str = "/restapis/{api}/stages/prod";

#[test]
fn logging_needs_the_accounts_role() {
    let world = World::new().with_stage();
    let log = |level: &str| world.patch(PROD, &[("replace /*/*/logging/loglevel", json!(level))]);
    let access = || {
        world.patch(
            PROD,
            &[(
                "replace /accessLogSettings/destinationArn",
                json!("arn:aws:logs:eu-west-1:111122223333:log-group:g"),
            )],
        )
    };
    let words = "CloudWatch Logs role ARN must be set in account settings to enable logging";
    assert_eq!((log("INFO").message(), access().message()), (words, words));
    assert_eq!(log("OFF").status, 200, "switching off needs none");
    world
        .patch(
            "/account",
            &[(
                "replace /cloudwatchRoleArn",
                json!("arn:aws:iam::111122223333:role/logs"),
            )],
        )
        .ok();
    assert_eq!(log("INFO").ok()["methodSettings"]["*/*"]["loggingLevel"], "INFO");
    assert_eq!(
        access().ok()["accessLogSettings"]["destinationArn"],
        "arn:aws:logs:eu-west-1:111122223333:log-group:g"
    );
    assert_eq!(
        world
            .patch(PROD, &[("remove /accessLogSettings", Value::Null)])
            .ok()
            .get("accessLogSettings"),
        None
    );
}

#[test]
fn a_request_is_carried_out_whole_or_not_at_all() {
    let world = World::new().with_stage();
    let before = world.get(PROD);
    let refused = world.patch(
        PROD,
        &[
            ("replace /tracingEnabled", json!("true")),
            ("replace /deploymentId", json!("nope")),
        ],
    );
    assert_eq!(
        (refused.status, refused.message()),
        (400, "Deployment id does not exist")
    );
    assert_eq!(world.get(PROD), before);
}

#[test]
fn variables_take_letters_digits_and_few_signs() {
    let rows = [
        ("replace /variables/url", "https://x.example.com/a?b=c&d", 200, "an URL"),
        ("replace /variables/bad-name", "x", 400, "a dash in a name"),
        ("replace /variables/x", "{braces}", 400, "braces in a value"),
    ];
    for (words, value, status, why) in rows {
        let world = World::new().with_stage();
        assert_eq!(world.patch(PROD, &[(words, json!(value))]).status, status, "{why}");
    }
    let world = World::new().with_stage();
    world.patch(PROD, &[("replace /variables/x", json!("y"))]).ok();
    assert_eq!(
        world
            .patch(PROD, &[("remove /variables/x", Value::Null)])
            .ok()
            .get("variables"),
        None,
        "removed"
    );
}

#[test]
fn a_canary_is_promoted_by_copying_and_removing() {
    let world = World::new().with_stage();
    let canary = json!({"stageName": "prod", "canarySettings": {"percentTraffic": 10.0, "stageVariableOverrides": {"v": "new"}}});
    let second = world.post("/restapis/{api}/deployments", &canary);
    let promoted = world
        .patch(
            PROD,
            &[
                ("copy /deploymentId /canarySettings/deploymentId", Value::Null),
                ("copy /variables /canarySettings/stageVariableOverrides", Value::Null),
                ("remove /canarySettings", Value::Null),
            ],
        )
        .ok();
    assert_eq!(
        (&promoted["deploymentId"], &promoted["variables"]),
        (&second["id"], &json!({"v": "new"}))
    );
    assert_eq!(promoted.get("canarySettings"), None);
}

#[test]
fn a_plain_deployment_to_a_canary_stage_goes_where_the_switch_says() {
    for (position, to_stage) in [("stage", true), ("canary", false)] {
        let world = World::new().with_stage();
        world
            .sim
            .set_switch("canary-deploy-without-settings", position)
            .unwrap();
        world.post(
            "/restapis/{api}/deployments",
            &json!({"stageName": "prod", "canarySettings": {"percentTraffic": 10.0}}),
        );
        let third = world.post("/restapis/{api}/deployments", &json!({"stageName": "prod"}));
        let stage = world.get(PROD);
        assert_eq!(stage["deploymentId"] == third["id"], to_stage, "{position}");
        assert_eq!(
            stage["canarySettings"]["deploymentId"] == third["id"],
            !to_stage,
            "{position}"
        );
    }
}

#[test]
fn an_api_has_ten_stages_and_three_hundred_resources() {
    let world = World::new().with_stage();
    let stage = |n: usize| {
        world.call(
            "POST /restapis/{api}/stages",
            &json!({"stageName": format!("s{n}"), "deploymentId": "{deployment}"}),
        )
    };
    let refused = (1..20).map(stage).find(|answer| answer.status != 201).unwrap();
    assert_eq!((refused.status, refused.code.as_str()), (429, "LimitExceededException"));
    assert_eq!(
        world.get("/restapis/{api}/stages")["item"].as_array().unwrap().len(),
        10
    );
    let resource = |n: usize| {
        world.call(
            "POST /restapis/{api}/resources/{root}",
            &json!({"pathPart": format!("r{n}")}),
        )
    };
    let refused = (1..400).map(resource).find(|answer| answer.status != 201).unwrap();
    assert_eq!(refused.code, "LimitExceededException");
    assert_eq!(
        world.get("/restapis/{api}/resources?limit=500")["item"]
            .as_array()
            .unwrap()
            .len(),
        300
    );
}

#[test]
fn tags_are_put_and_taken_by_arn() {
    let world = World::new().with_stage();
    let rows = [
        ("restapis/{api}", "/restapis/{api}"),
        ("restapis/{api}/stages/prod", PROD),
    ];
    for (arn, path) in rows {
        let tags = format!(
            "/tags/arn%3Aaws%3Aapigateway%3A{REGION}%3A%3A%2F{}",
            arn.replace('/', "%2F")
        );
        assert_eq!(
            world
                .call(&format!("PUT {tags}"), &json!({"tags": {"a": "1", "b": "2"}}))
                .status,
            204
        );
        assert_eq!(
            world.call(&format!("DELETE {tags}?tagKeys=a"), &Value::Null).status,
            204
        );
        assert_eq!(world.get(&tags), json!({"tags": {"b": "2"}}));
        assert_eq!(world.get(path)["tags"], json!({"b": "2"}), "{path}");
        world.call(&format!("DELETE {tags}?tagKeys=b&tagKeys=c"), &Value::Null);
        let asked = &world.sim.trail().pop().unwrap()["requestParameters"]["tagKeys"];
        assert_eq!(*asked, json!(["b", "c"]), "a record has all that was asked for");
    }
}

#[test]
fn a_web_acl_comes_from_elsewhere() {
    let world = World::new().with_stage();
    world
        .sim
        .set_web_acl(ACCOUNT, REGION, world.id("api"), "prod", Some("arn:aws:wafv2:x"))
        .unwrap();
    assert_eq!(world.get(PROD)["webAclArn"], "arn:aws:wafv2:x");
    assert_eq!(
        world.patch(PROD, &[("replace /webAclArn", json!("y"))]).status,
        400,
        "UpdateStage cannot"
    );
}

#[test]
fn a_client_certificate_must_exist() {
    let mut world = World::new().with_stage();
    let set = |world: &World| {
        world
            .patch(PROD, &[("replace /clientCertificateId", json!("{certificate}"))])
            .status
    };
    assert_eq!(set(&world), 400);
    let certificate = world.post("/clientcertificates", &json!({}));
    world.name("certificate", &certificate["clientCertificateId"]);
    assert_eq!(set(&world), 200);
}

#[test]
fn a_domain_name_changes_its_security_policy() {
    let world = World::new();
    let domain = json!({"domainName": "api.example.com", "regionalCertificateArn": "arn:aws:acm:eu-west-1:111122223333:certificate/c",
        "endpointConfiguration": {"types": ["REGIONAL"]}, "securityPolicy": "TLS_1_0"});
    world.post("/domainnames", &domain);
    let changed = world
        .patch(
            "/domainnames/api.example.com",
            &[("replace /securityPolicy", json!("TLS_1_2"))],
        )
        .ok();
    assert_eq!(
        (&changed["securityPolicy"], &changed["domainNameStatus"]),
        (&json!("TLS_1_2"), &json!("AVAILABLE"))
    );
    let mutual = world
        .patch(
            "/domainnames/api.example.com",
            &[("add /mutualTlsAuthentication/truststoreUri", json!("s3://b/k"))],
        )
        .ok();
    assert_eq!(mutual["mutualTlsAuthentication"], json!({"truststoreUri": "s3://b/k"}));
    assert_eq!(world.get("/domainnames")["item"].as_array().unwrap().len(), 1);
}

#[test]
fn a_private_domain_name_is_found_by_its_id() {
    let mut world = World::new();
    let domain = json!({"domainName": "in.example.com", "certificateArn": "arn:aws:acm:eu-west-1:111122223333:certificate/c",
        "endpointConfiguration": {"types": ["PRIVATE"]}, "securityPolicy": "TLS_1_2"});
    let made = world.post("/domainnames", &domain);
    world.name("domain", &made["domainNameId"]);
    let id = world.id("domain").to_owned();
    assert_eq!(
        made["domainNameArn"],
        format!("arn:aws:apigateway:{REGION}:{ACCOUNT}:/domainnames/in.example.com+{id}")
    );
    assert_eq!(world.get("/domainnames")["item"][0], made, "the list tells the id");
    let change = [("replace /policy", json!("{}"))];
    for (asked, status, why) in [
        (format!("?domainNameId={id}"), 200, "it is this one"),
        (String::new(), 404, "a name alone may be of several"),
        ("?domainNameId=other".to_owned(), 404, "it is another one"),
    ] {
        let path = format!("/domainnames/in.example.com{asked}");
        let read = world.call(&format!("GET {path}"), &Value::Null).status;
        assert_eq!((read, world.patch(&path, &change).status), (status, status), "{why}");
    }
}

#[test]
fn an_enhanced_security_policy_takes_a_quarter_of_an_hour() {
    let mut world = World::new().with_api();
    let change = [
        ("replace /securityPolicy", json!("SecurityPolicy_TLS13_1_3_2025_09")),
        ("replace /endpointAccessMode", json!("STRICT")),
    ];
    let alone = world.patch("/restapis/{api}", &change[..1]);
    assert_eq!(alone.status, 400, "it needs an endpoint access mode");
    assert_eq!(world.patch("/restapis/{api}", &change).ok()["apiStatus"], "UPDATING");
    world.pass(std::time::Duration::from_mins(15));
    assert_eq!(world.get("/restapis/{api}")["apiStatus"], "AVAILABLE");
}
