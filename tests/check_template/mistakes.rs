//! Files that are not as they should be.

use super::*;

#[test]
fn a_folder_is_every_template_in_it() {
    let folder = Folder::new("folder")
        .file("policies/a.yaml", BACKENDS)
        .file("templates/other.yaml", "just: {some: settings}\n")
        .file("templates/broken.yaml", "Resources: [\n")
        .file("templates/api/openapi.json", &template("openapi.json"))
        .file("templates/shop.yaml", &template("cloudformation.yaml"));
    let ran = folder.check(&["--template", "templates"]);
    says(
        ran.ended(2).row("could not be read"),
        &["templates/broken.yaml:1", "no YAML or JSON"],
    );
    says(
        &ran.out,
        &["templates/api/openapi.json:", "templates/shop.yaml:", "2 endpoints"],
    );
    assert!(
        !ran.out.contains("other.yaml"),
        "a folder holds other files too: {}",
        ran.out
    );
}

#[test]
fn what_is_no_template_is_answered_with_what_to_write() {
    for (name, text, words, why) in [
        (
            "t.yaml",
            "a: 1",
            "t.yaml:1: give a CloudFormation or SAM template",
            "something else",
        ),
        ("t.yaml", "", "t.yaml:1: the file is empty", "nothing"),
        (
            "t.yaml",
            "Resources:\n  A: !Rfe b\n",
            "t.yaml:2: `!Rfe` is no function",
            "a function that does not exist",
        ),
        (
            "t.yaml",
            "Resources:\n  A:\n    Type: AWS::ApiGateway::RestApi\n    Properties: {Name: !Ref Nmae}\n",
            "t.yaml:4: `Nmae` is neither a parameter nor a resource",
            "a name that nothing has",
        ),
        (
            "t.json",
            "{\"Resources\": {",
            "t.json:1: no YAML or JSON",
            "JSON that ends too early",
        ),
    ] {
        let folder = Folder::new("mistakes")
            .file("policies/a.yaml", BACKENDS)
            .file(name, text);
        let ran = folder.check(&["--template", name]);
        assert_eq!(ran.code, 2, "{why}: {}{}", ran.out, ran.err);
        says(ran.row("could not be read"), &[words]);
    }
    let folder = Folder::new("arguments")
        .file("policies/a.yaml", BACKENDS)
        .copy("openapi.json");
    for (arguments, words, why) in [
        (&["--template", "none.yaml"][..], "none.yaml", "no such file"),
        (
            &["--template", "policies"],
            "no template in policies",
            "a folder without templates",
        ),
        (
            &["--template", "openapi.json", "--parameter", "x"],
            "write --parameter NAME=VALUE",
            "no value",
        ),
        (
            &["--template", "openapi.json", "--parameter", "Nmae=x"],
            "no template has a parameter of this name",
            "a misspelt name",
        ),
        (
            &["--template", "openapi.json", "--region", "a,b"],
            "give --region once",
            "two regions",
        ),
        (&["--parameter", "a=b"], "--template", "a parameter of nothing"),
        (
            &["--template", "openapi.json", "--calls"],
            "cannot be used with",
            "calls that are never made",
        ),
    ] {
        let ran = folder.check(arguments);
        assert!(ran.code == 2 && ran.err.contains(words), "{why}: {}", ran.err);
    }
}

#[test]
fn small_files_that_mean_much_are_refused_at_once() {
    let aliases = (0..40).fold("a0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned(), |text, n| {
        format!("{text}a{}: &a{} [*a{n}, *a{n}, *a{n}, *a{n}]\n", n + 1, n + 1)
    });
    let deep = format!("Resources: {}{}", "[".repeat(100_000), "]".repeat(100_000));
    let chain = (0..5000).fold(
        "Resources: {A: {Type: AWS::ApiGateway::RestApi, Condition: C0}}\nConditions:\n".to_owned(),
        |text, n| format!("{text}  C{n}: !Not [!Condition C{}]\n", n + 1),
    );
    for (text, words, why) in [
        (&aliases, "aliases", "aliases of aliases"),
        (&deep, "no YAML or JSON", "deep nesting"),
        (&chain, "in a chain of more than 32", "conditions of conditions"),
        (
            &format!("a: {}", "x".repeat(9 << 20)),
            "is larger than 8 MiB",
            "a huge file",
        ),
    ] {
        let folder = Folder::new("bounds")
            .file("policies/a.yaml", BACKENDS)
            .file("t.yaml", text);
        let ran = folder.check(&["--template", "t.yaml"]);
        assert_eq!(ran.code, 2, "{why}: {}", ran.err);
        says(ran.row("could not be read"), &["t.yaml:", words]);
    }
}

#[test]
fn a_broken_policy_is_named_beside_the_findings() {
    let folder = Folder::new("faults")
        .copy("openapi.json")
        .file("policies/a.yaml", BACKENDS)
        .file(
            "policies/b.yaml",
            &policy("b", "AWS::ApiGateway::Method", "object.(", &json!({})),
        );
    let ran = folder.check(&["--template", "openapi.json"]);
    says(ran.ended(2).row("wrong in a policy"), &["policies/b.yaml"]);
    says(ran.row("backends-over-https"), &["openapi.json:11"]);
}
