//! Any text as a message's body: it says the same when SNS wraps it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plumbline::inventory::events::Fault;
use plumbline::inventory::intake;
use serde_json::json;

fuzz_target!(|body: &str| {
    let raw = intake::read(body);
    let wrapped = json!({"Type": "Notification", "Message": body}).to_string();
    let wrapped = intake::read(&wrapped);
    if !wrapped.faults.contains(&Fault::TooDeep) && !wrapped.faults.contains(&Fault::TooLarge) {
        assert_eq!(raw.items, wrapped.items);
        assert_eq!(raw.faults, wrapped.faults);
    }
});
