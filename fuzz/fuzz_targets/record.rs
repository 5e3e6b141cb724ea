//! Any JSON as a record: whoever it names fits into an object of Kubernetes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plumbline::api::drift::Actor;
use plumbline::inventory::events::Item;
use plumbline::inventory::intake;
use serde_json::Value;

fuzz_target!(|text: &[u8]| {
    let Ok(record) = serde_json::from_slice::<Value>(text) else {
        return;
    };
    if let Ok(Item::Call(event)) = intake::record(&record) {
        assert!(!event.endpoints.is_empty());
        let actor = Actor::from(&*event);
        assert!(serde_json::to_string(&actor).is_ok_and(|text| text.len() < 64 * 1024));
    }
});
