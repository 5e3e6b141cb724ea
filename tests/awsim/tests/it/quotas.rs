//! The fixed request quotas, turned by the test's clock.

use std::time::Duration;

use awsim::Options;
use serde_json::{Value, json};

use crate::world::World;

fn served(world: &World, line: &str, calls: usize) -> usize {
    (0..calls)
        .filter(|_| world.call(line, &Value::Null).status != 429)
        .count()
}

#[test]
fn calls_beyond_a_bucket_are_throttled_until_it_fills_again() {
    let rows = [
        ("GET /account", 40, 10, "all operations: burst 40, 10 a second"),
        ("GET /restapis/{api}/resources", 5, 2, "GetResources: 5 in 2 seconds"),
        (
            "POST /restapis/{api}/deployments",
            1,
            0,
            "CreateDeployment: 1 in 5 seconds",
        ),
        (
            "DELETE /restapis/nope",
            1,
            0,
            "DeleteRestApi: 1 in 30 seconds, refused or not",
        ),
    ];
    for (line, burst, per_second, why) in rows {
        let mut world = World::new().with_api();
        world.sim.set_quotas(true);
        assert_eq!(served(&world, line, 60), burst, "{why}");
        world.pass(Duration::from_secs(1));
        assert_eq!(served(&world, line, 60), per_second, "{why}, a second later");
        world.sim.set_quotas(false);
        assert_eq!(served(&world, line, 60), 60, "off");
    }
}

#[test]
fn a_throttled_call_says_so_and_costs_nothing() {
    let mut world = World::new().with_api();
    world.sim.set_quotas(true);
    let deploy = |world: &World| world.call("POST /restapis/{api}/deployments", &json!({}));
    assert_eq!(deploy(&world).status, 201);
    let refused = deploy(&world);
    assert_eq!(
        (refused.status, refused.code.as_str(), refused.message()),
        (429, "TooManyRequestsException", "Too Many Requests")
    );
    world.pass(Duration::from_secs(4));
    assert_eq!(deploy(&world).status, 429, "four seconds are too few");
    world.pass(Duration::from_secs(1));
    assert_eq!(
        deploy(&world).status,
        201,
        "five are enough, whatever was refused between"
    );
}

#[test]
fn accounts_and_regions_have_buckets_of_their_own() {
    let mut world = World::with(Options {
        quotas: true,
        ..Options::default()
    });
    assert_eq!(served(&world, "GET /account", 60), 40);
    world.key("AKIA444455556666OTHER");
    assert_eq!(served(&world, "GET /account", 60), 40);
}
