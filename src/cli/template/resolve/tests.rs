//! Functions of templates: what they give, what stays unknown, and what is a mistake.

#![allow(clippy::too_many_lines)] // tables

use super::*;
use crate::cli::template::parse::parse;

struct Files;

impl super::Files for Files {
    fn read(&self, name: &str, by: &Node) -> Result<Node, Fault> {
        match name {
            "part.yaml" => parse("a: !Ref Name\n", &"part.yaml".into()),
            "itself.yaml" => parse(
                "Fn::Transform: {Name: AWS::Include, Parameters: {Location: itself.yaml}}",
                &"itself.yaml".into(),
            ),
            _ => Err(by.fault(format!("{name}: no such file"))),
        }
    }
}

const TEMPLATE: &str = "
Parameters:
  Name: {Type: String, Default: shop}
  Host: {Type: String}
  Secret: {Type: String, Default: hush, NoEcho: true}
  Stored: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /a/name}
  Zones: {Type: CommaDelimitedList, Default: 'a, b'}
  Size: {Type: Number, Default: 3}
Mappings:
  Levels: {prod: {log: INFO}, dev: {log: 'OFF'}}
Conditions:
  IsShop: !Equals [!Ref Name, shop]
  IsHost: !Equals [!Ref Host, x]
  Never: !And [!Not [!Condition IsShop], !Condition IsHost]
  Perhaps: !Or [!Condition Never, !Condition IsHost]
  Surely: !Or [!Condition IsHost, !Condition IsShop]
  Round: !Not [!Condition About]
  About: !Not [!Condition Round]
Resources:
  Api: {Type: AWS::ApiGateway::RestApi}
  Logs: {Type: AWS::Logs::LogGroup}
";

/// The value of an expression, with `?` for what is not known (`??` if there may be none, and what it begins with).
fn value(expression: &str, given: &[&str]) -> Result<String, String> {
    let text = format!("{TEMPLATE}V: {expression}\n");
    let root = parse(&text, &"t.yaml".into()).map_err(|fault| fault.to_string())?;
    let given: Vec<String> = given.iter().map(|&text| text.to_owned()).collect();
    let given = Given::new(Some("eu-west-1"), &given, &[], &[])?;
    let unknowns = Unknowns::default();
    let resolver = Resolver::new(&root, &given, &unknowns, &Files, false);
    let value = resolver
        .value(root.get("V").unwrap())
        .map_err(|fault| fault.to_string())?;
    let Some(value) = value else {
        return Ok("nothing".into());
    };
    let mut shown = value.json().to_string();
    for at in 0..100 {
        let mystery = unknowns.get(at);
        let sure = if mystery.certain { "?" } else { "??" };
        shown = shown.replace(&format!("\\u0000{at}\\u0000"), &format!("{sure}{}", mystery.starts));
    }
    Ok(shown)
}

#[test]
fn what_is_known_before_deployment_stands_there() {
    for (expression, expected, why) in [
        ("!Ref Name", "\"shop\"", "a Default"),
        ("!Ref Host", "\"?\"", "no Default"),
        ("!Ref Secret", "\"?\"", "not to be shown"),
        (
            "!Ref Stored",
            "\"?\"",
            "the Default names the value, it is not the value",
        ),
        ("!Ref Zones", "[\"a\",\"b\"]", "a list"),
        ("!Ref Size", "3", "a number"),
        ("!Ref Api", "\"?\"", "AWS gives the id"),
        ("!Ref AWS::Region", "\"eu-west-1\"", "--region"),
        ("!Ref AWS::Partition", "\"aws\"", "follows from the region"),
        ("!Ref AWS::AccountId", "\"?\"", "nobody said"),
        ("{a: !Ref AWS::NoValue, b: 1}", "{\"b\":1}", "as if it were not written"),
        ("[!Ref AWS::NoValue, 1]", "[1]", "the same in a list"),
        ("!GetAtt Logs.Arn", "\"?\"", "known after deployment"),
        (
            "{Ref: {type: string}}",
            "{\"Ref\":{\"type\":\"string\"}}",
            "a schema's own key, no function",
        ),
        (
            "!Sub 'https://${Name}.${AWS::Region}/${!stageVariables.x}'",
            "\"https://shop.eu-west-1/${stageVariables.x}\"",
            "all known",
        ),
        ("!Sub 'https://${Host}/x'", "\"?https://\"", "its beginning is known"),
        ("!Sub 'https://${Logs.Arn}'", "\"?https://\"", "an attribute"),
        (
            "!Sub ['${a}-${Name}', {a: !Join ['/', [b, c]]}]",
            "\"b/c-shop\"",
            "names of its own",
        ),
        ("!Sub '${Host}'", "\"?\"", "nothing but a name"),
        ("!Join ['', [a, !Ref Name]]", "\"ashop\"", "without delimiter"),
        ("!Join [',', !Ref Zones]", "\"a,b\"", "a list from elsewhere"),
        (
            "!Join ['', ['https://', !Sub 'x.${Host}']]",
            "\"?https://x.\"",
            "the beginning of the beginning",
        ),
        ("!Select [1, !Split [',', 'a,b']]", "\"b\"", "a part"),
        (
            "!Select [0, [!Ref Name, !Ref Host]]",
            "\"shop\"",
            "the others do not matter",
        ),
        (
            "!Select [0, !Split [',', !Ref Host]]",
            "\"?\"",
            "parts of what is not known",
        ),
        ("!Select [0, !GetAZs '']", "\"?\"", "AWS knows the zones"),
        ("!FindInMap [Levels, prod, log]", "\"INFO\"", "a mapping"),
        (
            "!FindInMap [Levels, !Ref Host, log]",
            "\"?\"",
            "a key that is not known",
        ),
        (
            "!FindInMap [Levels, test, log, {DefaultValue: x}]",
            "\"x\"",
            "a default",
        ),
        ("!If [IsShop, a, b]", "\"a\"", "decided"),
        ("!If [Never, a, b]", "\"b\"", "one side of And decides"),
        ("!If [Surely, a, b]", "\"a\"", "one side of Or decides"),
        ("!If [Perhaps, a, b]", "\"?\"", "not decided"),
        ("!If [Perhaps, a, a]", "\"a\"", "both sides are the same"),
        ("!If [Perhaps, a, !Ref AWS::NoValue]", "\"??\"", "there may be none"),
        (
            "!If [Perhaps, !If [IsHost, a, !Ref AWS::NoValue], b]",
            "\"??\"",
            "deeper within",
        ),
        ("!If [IsShop, !Ref AWS::NoValue, b]", "nothing", "decided to be nothing"),
        ("!ImportValue shared", "\"?\"", "another stack's"),
        ("!Base64 x", "\"?\"", "not computed here"),
        ("{Fn::Length: [a, b]}", "2", "of a list"),
        (
            "{Fn::ToJsonString: {a: !Ref Name}}",
            "\"{\\\"a\\\":\\\"shop\\\"}\"",
            "as text",
        ),
        ("'{{resolve:ssm:/a}}'", "\"?\"", "looked up when deployed"),
        ("!Sub 'https://{{resolve:ssm:/a}}/'", "\"?https://\"", "within a text"),
        (
            "{Fn::Transform: {Name: AWS::Include, Parameters: {Location: part.yaml}}}",
            "{\"a\":\"shop\"}",
            "a local file",
        ),
        (
            "{Fn::Transform: {Name: AWS::Include, Parameters: {Location: 's3://b/k'}}}",
            "\"?\"",
            "a file on AWS",
        ),
        ("{Fn::Transform: {Name: Own}}", "\"?\"", "a macro"),
        (
            "{a: 1, Fn::Transform: {Name: Own}}",
            "\"?\"",
            "a macro beside other keys",
        ),
    ] {
        assert_eq!(value(expression, &[]).as_deref(), Ok(expected), "{expression}: {why}");
    }
}

#[test]
fn what_the_person_says_is_known() {
    for (expression, given, expected, why) in [
        ("!Ref Name", "Name=x", "\"x\"", "over a Default"),
        ("!Ref Host", "Host=x", "\"x\"", "in place of none"),
        ("!Sub 'https://${Host}/'", "Host=x", "\"https://x/\"", "within a text"),
        ("!If [IsHost, a, b]", "Host=x", "\"a\"", "conditions are decided by it"),
        (
            "!Ref AWS::AccountId",
            "AWS::AccountId=111122223333",
            "\"111122223333\"",
            "a pseudo parameter",
        ),
        ("!GetAtt Logs.Arn", "Logs.Arn=arn:x", "\"arn:x\"", "an attribute"),
        (
            "!Sub '${Logs.Arn}:*'",
            "Logs.Arn=arn:x",
            "\"arn:x:*\"",
            "an attribute within a text",
        ),
        ("!Ref Zones", "Zones=c", "[\"c\"]", "a list"),
        ("!Ref Secret", "Secret=x", "\"?\"", "still not to be shown"),
        ("!Ref Api", "Api=x", "\"?\"", "no parameter"),
    ] {
        assert_eq!(
            value(expression, &[given]).as_deref(),
            Ok(expected),
            "{expression} with {given}: {why}"
        );
    }
}

#[test]
fn mistakes_are_answered_with_what_to_write() {
    for (expression, words, why) in [
        (
            "!Ref Nmae",
            "`Nmae` is neither a parameter nor a resource",
            "a name that is nothing's",
        ),
        (
            "!Ref AWS::Regoin",
            "`AWS::Regoin` is no pseudo parameter",
            "nor a pseudo parameter's",
        ),
        (
            "!GetAtt Lgos.Arn",
            "`Lgos` is no resource of this template",
            "an attribute of nothing",
        ),
        ("!GetAtt Logs", "as in !GetAtt Api.RootResourceId", "no attribute"),
        ("!Sub '${Nmae}'", "`Nmae` is neither", "within a text"),
        ("!Sub {a: b}", "Fn::Sub takes text", "no text"),
        (
            "!Sub '${Zones}'",
            "a list or a map is put into a text",
            "a list in a text",
        ),
        ("!Join [a]", "Fn::Join takes a delimiter and a list", "one argument"),
        ("!Split [',']", "Fn::Split takes", "one argument"),
        ("!Select [2, [a, b]]", "place 2 of a list of 2", "behind the end"),
        (
            "!FindInMap [Levels, prod]",
            "Fn::FindInMap takes a map and two keys",
            "one key",
        ),
        (
            "!FindInMap [Levels, prod, size]",
            "Mappings has no Levels / prod / size",
            "a key that it has not",
        ),
        (
            "!If [IsShop, a]",
            "Fn::If takes a condition's name and two values",
            "one value",
        ),
        (
            "!If [IsSohp, a, b]",
            "Conditions has no IsSohp",
            "a condition that is not written",
        ),
        ("!If [Round, a, b]", "hangs on itself", "a circle"),
        (
            "{Fn::Sbu: x}",
            "`Fn::Sbu` is no function: write one of",
            "a function that is none",
        ),
        ("{Fn::sub: x}", "write !Sub or Fn::Sub", "in lower case"),
        ("!Equals [a, b]", "belongs into Conditions", "a condition as a value"),
        ("{a: 1, Fn::Sub: x}", "stands among other keys", "a function among keys"),
        (
            "{Fn::Transform: {Name: AWS::Include, Parameters: {Location: none.yaml}}}",
            "none.yaml: no such file",
            "a file that is not there",
        ),
        (
            "{Fn::Transform: {Name: AWS::Include, Parameters: {Location: itself.yaml}}}",
            "deeper than 4 levels",
            "a file that includes itself",
        ),
    ] {
        let fault = value(expression, &[]).expect_err(why);
        assert!(fault.contains(words), "{expression}: {why}: {fault}");
        assert!(
            fault.starts_with("t.yaml:") || fault.starts_with("itself.yaml:"),
            "it names file and line: {fault}"
        );
    }
}

#[test]
fn a_template_cannot_grow_without_bound() {
    let long = "x".repeat(1 << 20);
    let parts = vec!["!Ref Host"; 100].join(", ");
    let fault = value(&format!("[{parts}]"), &[&format!("Host={long}")]).unwrap_err();
    assert!(fault.contains("more than 64 MiB"), "{fault}");
}
