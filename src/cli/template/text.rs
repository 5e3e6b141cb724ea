//! The text of `Fn::Sub`.

/// A part of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// As it is.
    Text(String),
    /// What a name stands for.
    Name(&'a str),
}

/// Its parts, in order.
pub(super) fn pieces(template: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("${") {
        literal.push_str(before);
        let Some((name, behind)) = after.split_once('}') else {
            literal.push_str("${");
            rest = after;
            continue;
        };
        // `${!x}` is `${x}` in the result: a stage variable, or a mapping.
        if let Some(own) = name.strip_prefix('!') {
            literal.push_str("${");
            literal.push_str(own);
            literal.push('}');
        } else {
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Name(name.trim()));
        }
        rest = behind;
    }
    literal.push_str(rest);
    if !literal.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Text(literal));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_between_braces() {
        let text = |text: &str| Piece::Text(text.to_owned());
        for (template, parts, why) in [
            ("a", vec![text("a")], "nothing but text"),
            ("", vec![text("")], "nothing"),
            ("${A}", vec![Piece::Name("A")], "nothing but a name"),
            (
                "https://${A.B}/x",
                vec![text("https://"), Piece::Name("A.B"), text("/x")],
                "an attribute",
            ),
            ("${ A }", vec![Piece::Name("A")], "spaces within"),
            (
                "${!stageVariables.x}/${A}",
                vec![text("${stageVariables.x}/"), Piece::Name("A")],
                "one that is meant literally",
            ),
            ("$A {B} ${C", vec![text("$A {B} ${C")], "what is no name"),
            ("$${A}", vec![text("$"), Piece::Name("A")], "a dollar before it"),
        ] {
            assert_eq!(pieces(template), parts, "{why}");
        }
    }
}
