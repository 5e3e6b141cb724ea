//! The names of `CloudFormation`'s functions.

/// The short tag and the long name of each.
const FUNCTIONS: &[(&str, &str)] = &[
    ("And", "Fn::And"),
    ("Base64", "Fn::Base64"),
    ("Cidr", "Fn::Cidr"),
    ("Condition", "Condition"),
    ("Contains", "Fn::Contains"),
    ("EachMemberEquals", "Fn::EachMemberEquals"),
    ("EachMemberIn", "Fn::EachMemberIn"),
    ("Equals", "Fn::Equals"),
    ("FindInMap", "Fn::FindInMap"),
    ("GetAZs", "Fn::GetAZs"),
    ("GetAtt", "Fn::GetAtt"),
    ("GetStackOutput", "Fn::GetStackOutput"),
    ("If", "Fn::If"),
    ("ImportValue", "Fn::ImportValue"),
    ("Join", "Fn::Join"),
    ("Length", "Fn::Length"),
    ("Not", "Fn::Not"),
    ("Or", "Fn::Or"),
    ("Ref", "Ref"),
    ("RefAll", "Fn::RefAll"),
    ("Select", "Fn::Select"),
    ("Split", "Fn::Split"),
    ("Sub", "Fn::Sub"),
    ("ToJsonString", "Fn::ToJsonString"),
    ("Transform", "Fn::Transform"),
    ("ValueOf", "Fn::ValueOf"),
    ("ValueOfAll", "Fn::ValueOfAll"),
];

/// The long name of a short tag.
pub(super) fn long(short: &str) -> Option<&'static str> {
    let found = FUNCTIONS.iter().find(|(name, _)| *name == short);
    found.map(|(_, long)| *long)
}

/// Whether there is such a function.
pub(super) fn is_known(long: &str) -> bool {
    FUNCTIONS.iter().any(|(_, name)| *name == long)
}

/// What to write instead of a function that does not exist.
pub(super) fn instead(name: &str) -> String {
    let lower = name.trim_start_matches("Fn::").to_ascii_lowercase();
    let same = FUNCTIONS.iter().find(|(short, _)| short.to_ascii_lowercase() == lower);
    if let Some((short, long)) = same {
        return format!("write !{short} or {long}");
    }
    let names: Vec<&str> = FUNCTIONS.iter().map(|(short, _)| *short).collect();
    format!("write one of {}", names.join(", "))
}
