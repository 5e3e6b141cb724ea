//! Repairs that need no deployment: stages, tags and domain names.

use plumbline::api::Reason;
use plumbline::api::policy::EndpointType;
use plumbline::repair::transaction::End;
use serde_json::json;

use crate::world::{STAGES, World, https};

#[tokio::test]
async fn a_stage_is_repaired_without_a_deployment() {
    let mut world = World::new().await;
    world.anna.patch("/stages/prod", "replace /tracingEnabled", "false");
    let round = world.round().await;
    let story = [
        "GetRestApi",
        "GetStages",
        "GetExport",
        "GetRestApi",
        "GetStage",
        "UpdateStage",
    ];
    assert_eq!(round.story(), story);
    assert!(matches!(round.end, Some(End::Applied { deployment: None })));
    world.settle().await;
    assert!(world.is_right() && world.desk.drifts.is_empty());
}

#[tokio::test]
async fn a_stages_repair_does_not_close_the_execute_api_endpoint_for_somebody() {
    for position in ["on-stage-change", "on-deployment"] {
        let mut world = World::of(&[("disable-execute-api", position)], https(), |_| {}).await;
        let anna = world.anna.clone();
        // First the other one's draft, then the drift: else the drift itself would have published it.
        anna.patch("/stages/prod", "replace /tracingEnabled", "false");
        anna.patch("", "replace /disableExecuteApiEndpoint", "true");
        let live = || anna.state()["live"]["disableExecuteApiEndpoint"].clone();
        let round = world.round().await;
        assert!(round.writes().is_empty(), "{position}: {:?}", round.story());
        let held = round.held_for(Reason::RedeployUncertain);
        assert!(
            held.message.contains("disableExecuteApiEndpoint"),
            "{position}: {held:?}"
        );
        assert_eq!(live(), false, "{position}");
        world.anna.deploy(&STAGES);
        world.settle().await;
        assert!(world.is_right(), "{position}: {:?}", world.desk.drifts);
    }
}

#[tokio::test]
async fn every_entry_of_method_settings_is_repaired() {
    let policy = json!({"enforcement": "Enforce", "rules": [{"name": "metrics", "target": "AWS::ApiGateway::Stage",
        "desired": {"methodSettings": {"*/*": {"metricsEnabled": true}}}}]});
    for position in ["from-wildcard", "defaults"] {
        let mut world = World::unseen(&[("new-method-settings", position)], policy.clone(), |_| {});
        world.settle().await;
        let at = "/stages/prod";
        world.anna.patch(at, "replace /~1items/GET/throttling/rateLimit", "5");
        world.anna.patch(at, "replace /~1items/GET/metrics/enabled", "false");
        world.anna.patch(at, "replace /*/*/metrics/enabled", "false");
        world.settle().await;
        assert!(world.desk.drifts.is_empty(), "{position}: {:?}", world.desk.drifts);
        let settings = &world.anna.state()["stages"]["prod"]["stage"]["methodSettings"];
        for key in ["*/*", "~1items/GET"] {
            assert_eq!(settings[key]["metricsEnabled"], true, "{position}: {settings}");
        }
        assert_eq!(
            settings["~1items/GET"]["throttlingRateLimit"], 5.0,
            "{position}: the rest stays"
        );
    }
}

#[tokio::test]
async fn what_somebody_changed_since_it_was_judged_is_not_overwritten() {
    let policy = json!({"enforcement": "Enforce", "rules": [{"name": "logs", "target": "AWS::ApiGateway::Stage",
        "desired": {"accessLogSettings": {"destinationArn": "arn:aws:logs:eu-west-1:111122223333:log-group:ours", "format": "$context.requestId"}}}]});
    let mut world = World::unseen(&[], policy, |_| {});
    let anna = world.anna.clone();
    let theirs = "arn:aws:logs:eu-west-1:111122223333:log-group:theirs";
    let mut once = Some(());
    world.wire.between(move |call| {
        // Right before the last read.
        if call.operation == "GetStage" && once.take().is_some() {
            anna.patch("/stages/dev", "replace /accessLogSettings/destinationArn", theirs);
        }
    });
    let round = world.round().await;
    world.wire.nobody_between();
    assert!(round.writes().is_empty(), "{:?}", round.story());
    let end = format!("{:?}", round.end);
    assert!(
        end.contains("somebody changed dev accessLogSettings.destinationArn meanwhile"),
        "{end}"
    );
    // Judged anew, with theirs in the inverse: now it is seen.
    world.settle().await;
    assert!(world.desk.drifts.is_empty());
}

#[tokio::test]
async fn tags_are_repaired_and_others_stay() {
    let policy = json!({"enforcement": "Enforce", "rules": [
        {"name": "team", "target": "AWS::ApiGateway::RestApi", "desired": {"tags": {"team": "shop"}}},
        {"name": "backends-over-https", "target": "AWS::ApiGateway::Method",
         "require": "object.methodIntegration.uri.startsWith('https://')", "restore": ["methodIntegration.uri"]}]});
    let mut world = World::unseen(&[], policy, |_| {});
    world.settle().await;
    let arn = format!("arn:aws:apigateway:eu-west-1::/restapis/{}", world.id.id);
    world.anna.ok(
        &format!("PUT /tags/{arn}"),
        &json!({"tags": {"team": "other", "cost": "1"}}),
    );
    crate::clean::in_clear_text(&world.anna);
    let rounds = world.settle().await;
    assert!(
        matches!(rounds[0].end, Some(End::Applied { deployment: Some(_) })),
        "both at once: {rounds:?}"
    );
    assert_eq!(world.anna.state()["tags"], json!({"team": "shop", "cost": "1"}));
    assert!(world.desk.drifts.is_empty());
}

#[tokio::test]
async fn a_domain_name_is_read_once_more_and_patched_once() {
    let policy = json!({"enforcement": "Enforce", "rules": [{"name": "tls", "target": "AWS::ApiGateway::DomainName",
        "allowDisruption": true, "desired": {"securityPolicy": "TLS_1_2"}}]});
    let domain = json!({"domainName": "shop.example.com", "regionalCertificateArn": "arn:aws:acm:eu-west-1:111122223333:certificate/c",
        "endpointConfiguration": {"types": ["REGIONAL"]}, "securityPolicy": "TLS_1_0"});
    let mut world = World::unseen(&[], policy, |_| {});
    world.anna.ok("POST /domainnames", &domain);
    world.id.type_ = EndpointType::DomainName;
    world.id.id = "shop.example.com".into();
    let round = world.round().await;
    assert_eq!(round.story(), ["GetDomainName", "UpdateDomainName"], "{round:?}");
    world.settle().await;
    assert!(world.desk.drifts.is_empty());

    let anna = world.anna.clone();
    anna.patch("/domainnames/shop.example.com", "replace /securityPolicy", "TLS_1_0");
    let mut reads = 0;
    world.wire.between(move |call| {
        if call.operation == "GetDomainName" {
            reads += 1;
            if reads == 1 {
                anna.patch(
                    "/domainnames/shop.example.com",
                    "replace /securityPolicy",
                    "SecurityPolicy_TLS13_1_3_2025_09",
                );
            }
        }
    });
    let round = world.round().await;
    let end = format!("{:?}", round.end);
    assert!(end.contains("somebody changed securityPolicy meanwhile"), "{end}");
    assert!(round.writes().is_empty());
}

#[tokio::test]
async fn a_private_domain_name_is_found_again_by_its_id() {
    let policy = json!({"enforcement": "Enforce", "rules": [{"name": "certificate", "target": "AWS::ApiGateway::DomainName",
        "allowDisruption": true, "desired": {"certificateArn": "arn:aws:acm:eu-west-1:111122223333:certificate/new"}}]});
    let domain = json!({"domainName": "in.example.com", "certificateArn": "arn:aws:acm:eu-west-1:111122223333:certificate/old",
        "endpointConfiguration": {"types": ["PRIVATE"]}, "securityPolicy": "TLS_1_2"});
    let mut world = World::unseen(&[], policy, |_| {});
    world.anna.ok("POST /domainnames", &domain);
    world.id.type_ = EndpointType::DomainName;
    world.id.id = "in.example.com".into();
    let round = world.round().await;
    assert_eq!(round.story(), ["GetDomainName", "UpdateDomainName"], "{round:?}");
    world.settle().await;
    assert!(world.desk.drifts.is_empty());
    world.id.id = "other.example.com".into();
    let round = world.round().await;
    let unread = format!("{:?}", round.unread);
    assert!(unread.contains("no custom domain name other.example.com"), "{unread}");
}
