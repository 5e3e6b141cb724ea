//! Credentials and regions that do not work: told on the account in AWS's own words, tried again, over when mended.

use std::path::PathBuf;

use awsim::Fault;
use kube::api::DeleteParams;
use serde_json::json;

use crate::support::{Front, REGION, World, cluster, phase, reason, until};

#[tokio::test]
async fn a_role_that_may_not_be_assumed_is_told_with_the_missing_permission_until_it_may() {
    let sts = Front::of(&cluster::moto()).await;
    let mut world = World::seeded("role", 1).await;
    let role = format!("arn:aws:iam::{}:role/plumbline-observe", world.account_id);
    let words = format!(
        "User: arn:aws:iam::111122223333:user/plumbline is not authorized to perform: sts:AssumeRole on resource: {role}"
    );
    sts.answer(
        "403 Forbidden",
        format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
             <Code>AccessDenied</Code><Message>{words}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
        ),
    );
    world.create_account(|_| {}).await;
    world.https_only().await;
    world.start_with(&[("AWS_ENDPOINT_URL_STS", &sts.url)]).await;

    let said = world.account_says(&world.name, "Ready", "Ready=False").await;
    let expected = format!(
        "Ready=False AccessDenied: AssumeRole: AccessDenied: {words}; missing permission: sts:AssumeRole on {role}"
    );
    assert_eq!(said, expected);
    world
        .policy_says("https-only", "Compliant", "Compliant=Unknown Pending")
        .await;
    let tried = sts.met();
    until("another attempt", || async { (sts.met() > tried).then_some(()) }).await;
    assert!(world.lives(), "{}", world.log());
    assert_eq!(world.sim.calls().len(), 0, "nobody asks API Gateway without a role");

    sts.mend();
    world.account_says(&world.name, "Ready", "Ready=True").await;
    world.compliant("https-only").await;

    // A role of another account is no better than none.
    let foreign = format!("{}-foreign", world.name);
    let foreign_id = world.account_id.replacen('2', "4", 1);
    world
        .create_account(|account| {
            account["metadata"]["name"] = json!(foreign);
            account["spec"]["accountId"] = json!(foreign_id);
        })
        .await;
    let said = world.account_says(&foreign, "Ready", "Ready=False NoCredentials").await;
    let expected = format!(
        "the credentials to observe with belong to account {} (arn:aws:sts::{}:assumed-role/plumbline-observe/",
        world.account_id, world.account_id
    );
    assert!(said.contains(&expected), "{said}");
    assert!(said.ends_with(&format!("not to {foreign_id}")), "{said}");
}

#[tokio::test]
async fn an_account_that_is_made_again_is_asked_again_who_it_is() {
    let sts = Front::of(&cluster::moto()).await;
    let mut world = World::seeded("anew", 1).await;
    world.create_account(|_| {}).await;
    world.start_with(&[("AWS_ENDPOINT_URL_STS", &sts.url)]).await;
    world.account_says(&world.name, "Ready", "Ready=True").await;
    sts.answer(
        "403 Forbidden",
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
         <Code>AccessDenied</Code><Message>not any more</Message></Error><RequestId>1</RequestId></ErrorResponse>",
    );
    let deleted = world.accounts().delete(&world.name, &DeleteParams::default()).await;
    deleted.unwrap();
    until("the account is gone", || async {
        let left = world.accounts().get_opt(&world.name).await.unwrap();
        left.is_none().then_some(())
    })
    .await;
    world.create_account(|_| {}).await;
    let said = world
        .account_says(&world.name, "Ready", "Ready=False AccessDenied")
        .await;
    assert!(said.contains("not any more"), "{said}");
}

#[tokio::test]
async fn an_account_without_credentials_says_so_and_goes_on_once_there_are_some() {
    let mut world = World::seeded("credentials", 1).await;
    world
        .create_account(|account| account["spec"]["roles"] = json!(null))
        .await;
    world.https_only().await;
    let none = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
    world.start_with(&none).await;
    let said = world.account_says(&world.name, "Ready", "Ready=False").await;
    assert!(
        said.starts_with("Ready=False NoCredentials: GetCallerIdentity: "),
        "{said}"
    );
    assert!(
        said.contains("no credentials found in chain"),
        "the SDK's own words, with each place that was looked at: {said}"
    );
    assert!(world.lives(), "{}", world.log());
    world.stop().await;

    // As a pod's ServiceAccount token, which is mounted late.
    let token = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(&world.name)
        .join("token");
    let role = format!("arn:aws:iam::{}:role/plumbline", world.account_id);
    let mut environment = none.to_vec();
    environment.push(("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()));
    environment.push(("AWS_ROLE_ARN", &role));
    world.start_with(&environment).await;
    let missing = "No such file or directory";
    until("the account says that the token is missing", || async {
        let said = world
            .account_says(&world.name, "Ready", "Ready=False NoCredentials")
            .await;
        said.contains(missing).then_some(())
    })
    .await;
    std::fs::write(&token, "a token").unwrap();
    world.account_says(&world.name, "Ready", "Ready=True").await;
    world.compliant("https-only").await;
}

#[tokio::test]
async fn an_account_whose_roles_cannot_be_asked_for_says_so_and_goes_on_once_they_can() {
    let mut world = World::seeded("no-sts", 1).await;
    world.create_account(|_| {}).await;
    world.https_only().await;
    for (environment, said) in [
        (
            vec![("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")],
            "Ready=Unknown Unavailable: AssumeRole: ",
        ),
        (
            vec![("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")],
            "Ready=False NoCredentials: AssumeRole: ",
        ),
    ] {
        world.start_with(&environment).await;
        world.account_says(&world.name, "Ready", said).await;
        assert!(world.lives(), "{}", world.log());
        world.stop().await;
    }
    world.start().await;
    world.compliant("https-only").await;
}

#[tokio::test]
async fn a_wrong_region_is_told_and_the_other_regions_go_on() {
    let mut world = World::seeded("region", 1).await;
    let wrong = "me-south-1"; // not enabled for the account: that is how AWS answers then
    world.sim.fault(Fault {
        region: Some(wrong.into()),
        status: Some(403),
        code: "UnrecognizedClientException".into(),
        message: "The security token included in the request is invalid.".into(),
        ..Fault::default()
    });
    world
        .create_account(|account| account["spec"]["regions"] = json!([REGION, wrong]))
        .await;
    world.https_only().await;
    world.start().await;
    let said = world.account_says(&world.name, "Ready", "Ready=False").await;
    let expected = "region me-south-1: GetAccount: UnrecognizedClientException: The security token included in the request is invalid.";
    assert!(said.contains(expected), "{said}");
    assert!(said.contains("spec.regions"), "what to write: {said}");

    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    world.endpoint_says(&api, "Compliant", "Compliant=True").await;
    anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    world.drift("tracing", "is resolved", |d| phase(d) == "Resolved").await;
    world
        .policy_says("https-only", "Compliant", "Compliant=Unknown Pending")
        .await;
    assert!(world.lives(), "{}", world.log());

    world.sim.clear_faults();
    world.account_says(&world.name, "Ready", "Ready=True").await;
    world.account_says(&world.name, "Observed", "Observed=True").await;
    world.compliant("https-only").await;
}

#[tokio::test]
async fn a_region_that_is_taken_out_is_not_known_any_more_and_its_drifts_stay_until_it_is_back() {
    let world = World::with_fleet("left", 2).await;
    let tracing = json!([{"name": "tracing", "target": "AWS::ApiGateway::Stage", "desired": {"tracingEnabled": true}}]);
    world
        .policy("tracing", json!({"enforcement": "Audit", "rules": tracing}))
        .await;
    world.compliant("tracing").await;
    let anna = world.developer("anna");
    let apis = anna.apis().await;
    anna.update_stage(&apis[0], "prod", "/tracingEnabled", "false").await;
    world
        .policy_says(
            "tracing",
            "Compliant",
            "Compliant=False Drifted: 1 open drifts on 1 of 2 endpoints",
        )
        .await;

    world.change_account(json!({"regions": ["eu-central-1"]})).await;
    for api in &apis {
        let words = format!(
            "Unreadable: region {REGION} is no longer in spec.regions of AwsAccount {}",
            world.name
        );
        let observed = format!("Observed=Unknown {words}");
        world.endpoint_says(api, "Observed", &observed).await;
        let compliant = format!("Compliant=Unknown {words}");
        world.endpoint_says(api, "Compliant", &compliant).await;
    }
    world
        .policy_says(
            "tracing",
            "Compliant",
            "Compliant=False Drifted: 1 open drifts on 0 of 0 endpoints",
        )
        .await;
    anna.update_stage(&apis[0], "prod", "/tracingEnabled", "true").await;
    world.sweeps(2).await;
    world
        .drift("tracing", "stays as it is", |d| phase(d) == "Detected")
        .await;

    world.change_account(json!({"regions": [REGION]})).await;
    world
        .drift("tracing", "is over", |d| reason(d) == "FixedElsewhere")
        .await;
    for api in &apis {
        world.endpoint_says(api, "Observed", "Observed=True").await;
    }
    world.compliant("tracing").await;
}
