//! Reading a fleet: with as few calls as possible, whole or not at all; and the calls of a repair.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use awsim::seed::{Fleet, Seed};
use awsim::{Awsim, Fault, Options, Running};
use jiff::Timestamp;
use plumbline::api::drift::{Call, PatchOperation};
use plumbline::api::policy::EndpointType;
use plumbline::aws::Class;
use plumbline::aws::apigateway::Client;
use plumbline::aws::apigateway::read::{self, Depth, ExportCache};
use plumbline::aws::apigateway::write;
use plumbline::aws::budget::Budget;
use plumbline::aws::gate::{Counts, Fence, Gate};
use plumbline::aws::session;
use plumbline::inventory::sweep::{self, Listener};
use plumbline::inventory::{Hand, Inventory};
use plumbline::judge::Snapshot;
use plumbline::judge::snapshot::{EndpointId, Known};
use serde_json::Value;

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-west-1";

struct Always;

impl Fence for Always {
    fn may_write(&self, _: &str) -> bool {
        true
    }
}

struct World {
    sim: Awsim,
    client: Client,
    config: aws_config::SdkConfig,
    budget: Arc<Budget>,
    cache: ExportCache,
    apis: Vec<String>,
    _server: Running,
}

async fn world(fleet: Fleet, budget: Budget) -> World {
    let (sim, address, server) = awsim::start(Options::default()).await.unwrap();
    let seed = Seed {
        fleet: Some(fleet),
        ..Seed::default()
    };
    let apis = sim.seed(&seed, jiff::Timestamp::now()).unwrap();
    let connections = session::connections();
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "static"))
        .endpoint_url(format!("http://{address}"))
        .http_client(connections.clone())
        .load()
        .await;
    let budget = Arc::new(budget);
    let gate = Gate::new(
        connections,
        ACCOUNT,
        budget.clone(),
        Arc::new(Always),
        Arc::new(Counts::default()),
    );
    World {
        client: Client::new(&config, gate, ACCOUNT, REGION),
        config,
        sim,
        budget,
        cache: ExportCache::new(),
        apis,
        _server: server,
    }
}

fn fleet(apis: usize, methods: usize) -> Fleet {
    Fleet {
        apis,
        methods,
        stages: vec!["blue".into(), "green".into()],
        ..Fleet::default()
    }
}

impl World {
    async fn sweep(&self, depth: Depth) -> usize {
        let listed = read::list_rest_apis(&self.client).await.unwrap();
        for api in &listed {
            let reading = read::read_api(&self.client, &api.id, depth, &self.cache).await.unwrap();
            assert_eq!(reading.stages.len(), 2);
            assert!(reading.exports.values().all(Result::is_ok), "{:?}", reading.exports);
        }
        listed.len()
    }

    fn counted(&self) -> BTreeMap<&'static str, usize> {
        let counted = self.sim.calls_by_operation();
        self.sim.clear_calls();
        counted
    }

    fn api(&self) -> &str {
        &self.apis[0]
    }

    async fn live(&self) -> Result<read::ApiReading, plumbline::aws::Error> {
        read::read_api(&self.client, self.api(), Depth::Live, &ExportCache::new()).await
    }
}

#[tokio::test]
async fn a_sweep_makes_the_fewest_calls() {
    let world = world(fleet(12, 4), Budget::unlimited()).await;
    assert_eq!(world.sweep(Depth::Live).await, 12);
    let first = [
        ("GetExport", 12),
        ("GetResources", 12),
        ("GetRestApis", 1),
        ("GetStages", 12),
    ];
    assert_eq!(world.counted(), first.into(), "one export for both stages' deployment");
    world.sweep(Depth::Live).await;
    let later = [("GetResources", 12), ("GetRestApis", 1), ("GetStages", 12)];
    assert_eq!(world.counted(), later.into(), "a deployment never changes");
    world.sweep(Depth::Stages).await;
    assert_eq!(world.counted(), [("GetRestApis", 1), ("GetStages", 12)].into());
}

/// Keeps what a sweep finds, as the controller does, and notes in which way each endpoint was told of.
#[derive(Default)]
struct Keeper {
    inventory: Inventory,
    told: Mutex<Vec<(String, &'static str)>>,
}

impl Listener for Keeper {
    async fn listed(&self, _: &str, _: &BTreeMap<EndpointId, Value>) {}

    async fn read(
        &self,
        id: &EndpointId,
        depth: Depth,
        begun: std::time::Instant,
        result: Result<Arc<Snapshot>, plumbline::aws::Error>,
    ) {
        let news = match result {
            Ok(snapshot) => self
                .inventory
                .keep(&id.id, &snapshot, depth, Hand::Anybody, begun, Timestamp::UNIX_EPOCH),
            Err(error) => self
                .inventory
                .failed(&id.id, &error.to_string(), begun, Timestamp::UNIX_EPOCH),
        };
        self.tell(id, if news { "news" } else { "the same" });
    }

    fn known(&self, id: &EndpointId, depth: Depth) -> Option<String> {
        self.inventory.digest(&id.id, depth)
    }

    async fn unchanged(&self, id: &EndpointId) {
        self.inventory.unchanged(&id.id, Timestamp::UNIX_EPOCH);
        self.tell(id, "unchanged");
    }
}

impl Keeper {
    fn tell(&self, id: &EndpointId, how: &'static str) {
        self.told.lock().unwrap().push((id.id.clone(), how));
    }

    /// What was told of the first API, and of the others.
    async fn sweep(&self, world: &World, cache: &ExportCache) -> (&'static str, Vec<&'static str>) {
        let swept = sweep::region(&world.client, ACCOUNT, REGION, Depth::Live, cache, Duration::ZERO, self).await;
        assert!(
            swept.failure.is_none() || swept.endpoints == world.apis.len(),
            "{swept:?}"
        );
        let told = std::mem::take(&mut *self.told.lock().unwrap());
        let (first, others): (Vec<_>, Vec<_>) = told.into_iter().partition(|(id, _)| id == world.api());
        assert_eq!(first.len(), 1, "{first:?}");
        (first[0].1, others.into_iter().map(|(_, how)| how).collect())
    }

    /// What is kept of the first API says what a reading that nobody kept says.
    async fn is_right(&self, world: &World) {
        let id = EndpointId {
            account_id: ACCOUNT.into(),
            region: REGION.into(),
            type_: EndpointType::RestApi,
            id: world.api().into(),
        };
        let fresh = sweep::again(&world.client, &id, Depth::Live, &ExportCache::new()).await;
        let kept = self.inventory.get(world.api()).unwrap().snapshot.unwrap();
        let told = |snapshot: &Snapshot| {
            let resources = snapshot.resources.iter().map(|resource| {
                let shown = |known: &Known| match known {
                    Known::Shown { document, hidden } => format!("{} {hidden:?}", document.json()),
                    other => format!("{other:?}"),
                };
                let live: Vec<_> = resource
                    .live
                    .iter()
                    .map(|l| (l.stage.clone(), shown(&l.known)))
                    .collect();
                let draft = resource.draft.as_ref().map(|draft| draft.json().to_string());
                format!("{} {:?} {draft:?} {live:?}", resource.key, resource.address)
            });
            (snapshot.digest.clone(), resources.collect::<Vec<_>>())
        };
        assert_eq!(told(&kept), told(&fresh.unwrap()));
    }
}

#[tokio::test]
async fn the_exports_of_an_api_that_is_gone_are_forgotten() {
    let world = world(fleet(3, 1), Budget::unlimited()).await;
    let (keeper, cache) = (Keeper::default(), ExportCache::new());
    keeper.sweep(&world, &cache).await;
    let kept = cache.len();
    let gone = world.apis.last().unwrap();
    let console = aws_sdk_apigateway::Client::new(&world.config);
    console.delete_rest_api().rest_api_id(gone).send().await.unwrap();
    keeper.sweep(&world, &cache).await;
    assert_eq!(cache.len(), kept / 3 * 2, "of {kept} for three APIs");
    cache.forget_account("444455556666");
    assert_eq!(cache.len(), kept / 3 * 2, "another account went");
    cache.forget_account(ACCOUNT);
    assert!(cache.is_empty(), "the account went");
}

#[tokio::test]
async fn a_sweep_puts_together_only_what_is_new() {
    let world = world(fleet(3, 4), Budget::unlimited()).await;
    let (keeper, cache, api) = (Keeper::default(), ExportCache::new(), world.api());
    assert_eq!(keeper.sweep(&world, &cache).await, ("news", vec!["news"; 2]));
    keeper.is_right(&world).await;
    for why in ["read again, and the exports confirmed", "and again"] {
        assert_eq!(
            keeper.sweep(&world, &cache).await,
            ("unchanged", vec!["unchanged"; 2]),
            "{why}"
        );
    }
    keeper.is_right(&world).await;

    let others = || vec!["unchanged"; 2];
    let edit = Call {
        operation: "UpdateRestApi".into(),
        parameters: [("restApiId".to_owned(), api.to_owned())].into(),
        patch_operations: vec![PatchOperation {
            op: "replace".into(),
            path: "/minimumCompressionSize".into(),
            value: Some("7".into()),
        }],
    };
    write::apply(&world.client, &edit).await.unwrap();
    assert_eq!(keeper.sweep(&world, &cache).await, ("news", others()), "an edit");
    assert_eq!(keeper.sweep(&world, &cache).await, ("unchanged", others()));
    keeper.is_right(&world).await;

    let made = write::create_deployment(&world.client, api, "repair 1").await.unwrap();
    write::point_stage(&world.client, api, "blue", &made).await.unwrap();
    assert_eq!(keeper.sweep(&world, &cache).await, ("news", others()), "a deployment");
    keeper.is_right(&world).await;

    let asked = ExportCache::new();
    let same = ("the same", vec!["the same"; 2]);
    assert_eq!(
        keeper.sweep(&world, &asked).await,
        same,
        "an export read just now is looked at"
    );

    world
        .sim
        .fault(Fault::error("GetStages", 403, "AccessDeniedException", "no").times(3));
    assert_eq!(keeper.sweep(&world, &asked).await, ("news", vec!["news"; 2]), "denied");
    let told = keeper.inventory.get(api).unwrap();
    assert!(
        told.failure.is_some() && told.snapshot.is_some(),
        "kept, but believed no more"
    );
    assert_eq!(
        keeper.sweep(&world, &asked).await,
        ("news", vec!["news"; 2]),
        "believed again"
    );
}

#[tokio::test]
async fn every_page_is_read() {
    let many_apis = world(fleet(501, 2), Budget::unlimited()).await;
    let listed = read::list_rest_apis(&many_apis.client).await.unwrap();
    let mut ids: Vec<String> = listed.iter().map(|api| api.id.clone()).collect();
    let mut planted = many_apis.apis.clone();
    ids.sort();
    planted.sort();
    assert_eq!(ids, planted);
    assert_eq!(many_apis.counted(), [("GetRestApis", 2)].into());

    let large = world(fleet(1, 1300), Budget::unlimited()).await;
    let resources = large.client.get_resources(large.api()).await.unwrap();
    let methods = resources
        .iter()
        .filter_map(|resource| resource["resourceMethods"].as_object())
        .map(serde_json::Map::len)
        .sum::<usize>();
    assert!(resources.len() > 500, "{}", resources.len());
    assert_eq!(methods, 1300);
    assert_eq!(large.counted(), [("GetResources", 2)].into());
}

#[tokio::test]
async fn a_reading_is_whole_or_none() {
    let world = world(fleet(1, 1300), Budget::unlimited()).await;
    for (operation, after, fault, class) in [
        (
            "GetStages",
            0,
            Fault {
                truncate: true,
                ..Fault::default()
            },
            Class::Malformed,
        ),
        (
            "GetResources",
            1,
            Fault {
                truncate: true,
                ..Fault::default()
            },
            Class::Malformed,
        ),
        (
            "GetExport",
            0,
            Fault {
                truncate: true,
                ..Fault::default()
            },
            Class::Malformed,
        ),
        (
            "GetResources",
            1,
            Fault {
                drop: true,
                ..Fault::default()
            },
            Class::Unavailable,
        ),
        (
            "GetExport",
            0,
            Fault::error("", 429, "TooManyRequestsException", "Too Many Requests"),
            Class::Throttled,
        ),
        (
            "GetResources",
            1,
            Fault::error("", 403, "AccessDeniedException", "no"),
            Class::Denied,
        ),
        (
            "GetStages",
            0,
            Fault::error("", 404, "NotFoundException", "Invalid API identifier"),
            Class::NotFound,
        ),
    ] {
        let operation_name = Some(operation.to_owned());
        world.sim.fault(Fault {
            operation: operation_name,
            after,
            ..fault
        });
        let error = world.live().await.unwrap_err();
        assert_eq!((error.class, error.operation), (class, operation), "{error}");
        world.sim.clear_faults();
    }
    world.live().await.unwrap();
}

#[tokio::test]
async fn one_throttled_answer_is_repeated_and_slows_the_rest() {
    let world = world(fleet(1, 2), Budget::api_gateway(0.5)).await;
    let throttled = Fault::error("GetStages", 429, "TooManyRequestsException", "Too Many Requests");
    world.sim.fault(throttled.times(1));
    world.live().await.unwrap();
    assert_eq!(world.counted()["GetStages"], 2);
    assert!(world.budget.pace() < 0.3, "pace {}", world.budget.pace());
}

#[tokio::test]
async fn within_the_budget_aws_never_throttles() {
    let world = world(fleet(9, 2), Budget::api_gateway(0.8)).await;
    world.sim.set_quotas(true);
    world.sweep(Depth::Resources).await;
    let refused = world.sim.calls().iter().filter(|call| call.status == 429).count();
    assert_eq!(refused, 0);
}

#[tokio::test]
async fn a_deployment_is_made_unseen_found_again_and_pointed_at() {
    let world = world(fleet(1, 2), Budget::unlimited()).await;
    let (client, api) = (&world.client, world.api());
    let deployed = async || {
        let stage = client.get_stage(api, "blue").await.unwrap();
        stage["deploymentId"].as_str().unwrap().to_owned()
    };
    let before = deployed().await;
    assert_eq!(write::find_deployment(client, api, "repair 1").await.unwrap(), None);
    // The call works and its answer is lost: the one thing that must not be repeated blindly.
    let lost = Fault::error("CreateDeployment", 500, "InternalFailure", "");
    world.sim.fault(lost.times(1).applied());
    let error = write::create_deployment(client, api, "repair 1").await.unwrap_err();
    assert_eq!(error.class, Class::Unavailable);
    assert_eq!(world.counted()["CreateDeployment"], 1, "no retry");
    assert_eq!(deployed().await, before, "no caller meets it yet");
    let made = write::find_deployment(client, api, "repair 1").await.unwrap().unwrap();
    write::point_stage(client, api, "blue", &made).await.unwrap();
    assert_eq!(deployed().await, made);
    let other = write::create_deployment(client, api, "repair 2").await.unwrap();
    assert_ne!(other, made);
    assert_eq!(deployed().await, made);

    let stages = ["blue".to_owned(), "green".to_owned()];
    let exports = read::read_stage_exports(client, api, &stages, &world.cache)
        .await
        .unwrap();
    assert_eq!(exports["blue"].deployment_id, made);
    assert_eq!(exports["green"].deployment_id, before);
}

#[tokio::test]
async fn exactly_the_plans_calls_are_made() {
    let world = world(fleet(1, 2), Budget::unlimited()).await;
    let (client, api) = (&world.client, world.api());
    let editor = read::read_editor(client, api).await.unwrap();
    let with_methods = editor
        .resources
        .iter()
        .find(|one| one["resourceMethods"].is_object())
        .unwrap();
    let resource = with_methods["id"].as_str().unwrap();
    let method = with_methods["resourceMethods"]
        .as_object()
        .unwrap()
        .keys()
        .next()
        .unwrap();
    let arn = format!("arn:aws:apigateway:{REGION}::/restapis/{api}");
    let call = |operation: &str, parameters: &[(&str, &str)], op: &str, path: &str, value: Option<&str>| Call {
        operation: operation.into(),
        parameters: parameters
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect(),
        patch_operations: vec![PatchOperation {
            op: op.into(),
            path: path.into(),
            value: value.map(str::to_owned),
        }],
    };
    let of_api = [("restApiId", api)];
    let of_stage = [("restApiId", api), ("stageName", "blue")];
    let of_method = [("restApiId", api), ("resourceId", resource), ("httpMethod", method)];
    let of_arn = [("resourceArn", arn.as_str())];
    world.counted();
    for made in [
        call("UpdateRestApi", &of_api, "replace", "/description", Some("d")),
        call("UpdateStage", &of_stage, "replace", "/tracingEnabled", Some("false")),
        call("UpdateMethod", &of_method, "replace", "/apiKeyRequired", Some("true")),
        call(
            "UpdateIntegration",
            &of_method,
            "replace",
            "/uri",
            Some("https://other.example.com"),
        ),
        call("TagResource", &of_arn, "add", "/tags/a~1b", Some("1")),
        call("TagResource", &of_arn, "replace", "/tags/c", Some("2")),
        call("UntagResource", &of_arn, "remove", "/tags/c", None),
    ] {
        write::apply(client, &made)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", made.operation));
    }
    let counted = world.counted();
    assert_eq!(counted.values().sum::<usize>(), 7, "one call each: {counted:?}");
    let after = read::read_editor(client, api).await.unwrap();
    assert_eq!(after.rest_api["description"], "d");
    assert_eq!(after.rest_api["tags"]["a/b"], "1");
    assert_eq!(after.rest_api["tags"].get("c"), None);
    let changed = after.resources.iter().find(|one| one["id"] == resource).unwrap();
    assert_eq!(changed["resourceMethods"][method]["apiKeyRequired"], true);
    assert_eq!(
        changed["resourceMethods"][method]["methodIntegration"]["uri"],
        "https://other.example.com"
    );
    assert_eq!(client.get_stage(api, "blue").await.unwrap()["tracingEnabled"], false);

    let unknown = write::apply(client, &call("DeleteRestApi", &of_api, "remove", "/", None))
        .await
        .unwrap_err();
    assert_eq!(unknown.class, Class::Refused);
    let incomplete = write::apply(client, &call("UpdateStage", &of_api, "replace", "/x", None))
        .await
        .unwrap_err();
    assert_eq!(incomplete.class, Class::Refused);
}
