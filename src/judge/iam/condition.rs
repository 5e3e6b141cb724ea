//! Condition operators.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::document::Condition;
use super::pattern::{Match, covers};

const OPERATORS: [&str; 25] = [
    "stringequals",
    "stringnotequals",
    "stringequalsignorecase",
    "stringnotequalsignorecase",
    "stringlike",
    "stringnotlike",
    "numericequals",
    "numericnotequals",
    "numericlessthan",
    "numericlessthanequals",
    "numericgreaterthan",
    "numericgreaterthanequals",
    "dateequals",
    "datenotequals",
    "datelessthan",
    "datelessthanequals",
    "dategreaterthan",
    "dategreaterthanequals",
    "bool",
    "binaryequals",
    "ipaddress",
    "notipaddress",
    "arnlike",
    "arnnotlike",
    "null",
];

/// The operator in lower case, `ArnEquals` as its synonym `ArnLike`; none if there is no such operator.
pub(super) fn normal(name: &str) -> Option<String> {
    let lower = name
        .to_ascii_lowercase()
        .replace("arnequals", "arnlike")
        .replace("arnnotequals", "arnnotlike");
    let operator = Operator::of(&lower);
    OPERATORS.contains(&operator.base).then_some(lower)
}

/// Values that mean the same are written the same.
pub(super) fn normal_value(operator: &str, value: String) -> String {
    match Operator::of(operator).base {
        "bool" | "null" => value.to_ascii_lowercase(),
        "ipaddress" | "notipaddress" => network(&value).map_or(value, |(ip, bits)| format!("{ip}/{bits}")),
        _ => value,
    }
}

struct Operator<'a> {
    set: Option<&'a str>,
    base: &'a str,
    if_exists: bool,
}

impl<'a> Operator<'a> {
    fn of(lower: &'a str) -> Self {
        let (set, base) = match lower.split_once(':') {
            Some((set @ ("foranyvalue" | "forallvalues"), base)) => (Some(set), base),
            _ => (None, lower),
        };
        let stripped = base.strip_suffix("ifexists");
        Self {
            set,
            base: stripped.unwrap_or(base),
            if_exists: stripped.is_some(),
        }
    }

    /// The operator that this one negates.
    fn positive(&self) -> (&str, bool) {
        match self.base {
            "stringnotequals" => ("stringequals", true),
            "stringnotequalsignorecase" => ("stringequalsignorecase", true),
            "stringnotlike" => ("stringlike", true),
            "numericnotequals" => ("numericequals", true),
            "datenotequals" => ("dateequals", true),
            "notipaddress" => ("ipaddress", true),
            "arnnotlike" => ("arnlike", true),
            base => (base, false),
        }
    }
}

/// Does the condition hold? `None`: the key is not known. An empty list: it is known to be absent.
pub(super) fn holds(condition: &Condition, known: Option<&Vec<String>>) -> Match {
    let Some(actual) = known else { return Match::Maybe };
    let operator = Operator::of(&condition.operator);
    let (base, negated) = operator.positive();
    if condition.values.iter().any(|value| value.contains("${")) {
        return Match::Maybe;
    }
    let holds = if base == "null" {
        condition
            .values
            .contains(if actual.is_empty() { "true" } else { "false" })
    } else if actual.is_empty() {
        match operator.set {
            Some("forallvalues") => true,
            Some(_) => operator.if_exists,
            None => operator.if_exists || negated,
        }
    } else {
        let test = |value: &String| any(base, &condition.values, value) != negated;
        match operator.set {
            Some("forallvalues") => actual.iter().all(test),
            None if negated => actual.iter().all(test),
            _ => actual.iter().any(test),
        }
    };
    if holds { Match::Yes } else { Match::No }
}

fn any(base: &str, wanted: &BTreeSet<String>, actual: &str) -> bool {
    wanted.iter().any(|wanted| one(base, wanted, actual))
}

fn one(base: &str, wanted: &str, actual: &str) -> bool {
    match base {
        "stringequalsignorecase" | "bool" => wanted.eq_ignore_ascii_case(actual),
        "stringlike" => covers(wanted, actual),
        "arnlike" => arn_like(wanted, actual),
        "ipaddress" => within(wanted, actual),
        _ => {
            if let Some(comparison) = base.strip_prefix("numeric") {
                compare(comparison, actual.parse::<f64>().ok(), wanted.parse().ok())
            } else if let Some(comparison) = base.strip_prefix("date") {
                compare(comparison, seconds(actual), seconds(wanted))
            } else {
                wanted == actual
            }
        }
    }
}

fn compare<T: PartialOrd>(comparison: &str, actual: Option<T>, wanted: Option<T>) -> bool {
    let Some(order) = actual
        .zip(wanted)
        .and_then(|(actual, wanted)| actual.partial_cmp(&wanted))
    else {
        return false;
    };
    match comparison {
        "equals" => order.is_eq(),
        "lessthan" => order.is_lt(),
        "lessthanequals" => order.is_le(),
        "greaterthan" => order.is_gt(),
        "greaterthanequals" => order.is_ge(),
        _ => false,
    }
}

/// A time as ISO 8601, as a date, or in seconds since 1970.
fn seconds(text: &str) -> Option<i64> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second))
        .or_else(|| {
            format!("{text}T00:00:00Z")
                .parse::<jiff::Timestamp>()
                .ok()
                .map(jiff::Timestamp::as_second)
        })
}

fn arn_like(pattern: &str, actual: &str) -> bool {
    let (patterns, parts): (Vec<_>, Vec<_>) = (pattern.splitn(6, ':').collect(), actual.splitn(6, ':').collect());
    patterns.len() == parts.len() && patterns.iter().zip(parts).all(|(pattern, part)| covers(pattern, part))
}

fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (ip, bits) = text.split_once('/').map_or((text, None), |(ip, bits)| (ip, Some(bits)));
    let ip: IpAddr = ip.parse().ok()?;
    let most = if ip.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(most), |bits| bits.parse().ok())?;
    (bits <= most).then_some((ip, bits))
}

fn within(wanted: &str, actual: &str) -> bool {
    let (Some((net, bits)), Some((ip, own))) = (network(wanted), network(actual)) else {
        return false;
    };
    let differ = |left: u128, right: u128, width: u32| {
        bits != 0
            && (left ^ right)
                .checked_shr(width - u32::from(bits))
                .is_some_and(|rest| rest != 0)
    };
    own >= bits
        && match (net, ip) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => !differ(net.to_bits().into(), ip.to_bits().into(), 32),
            (IpAddr::V6(net), IpAddr::V6(ip)) => !differ(net.to_bits(), ip.to_bits(), 128),
            _ => false,
        }
}
