//! Whatever a file holds, reading it ends.

use proptest::prelude::*;

use super::*;

const TEMPLATES: [&str; 2] = [
    include_str!("../../../../tests/templates/cloudformation.yaml"),
    include_str!("../../../../tests/templates/sam.yaml"),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Lines are taken out, put twice, or cut: there is an answer, and every place that it names is in the file.
    #[test]
    fn a_broken_template_is_answered(
        which in 0..TEMPLATES.len(),
        edits in proptest::collection::vec((0.0..1.0_f64, 0..4_u8, 0..40_usize), 1..6),
    ) {
        let mut lines: Vec<String> = TEMPLATES[which].lines().map(str::to_owned).collect();
        for (at, edit, column) in edits {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let at = (at * lines.len() as f64) as usize;
            let column = lines[at].char_indices().nth(column).map_or(lines[at].len(), |(index, _)| index);
            match edit {
                0 => { lines.remove(at); }
                1 => { let again = lines[at].clone(); lines.insert(at, again); }
                2 => lines[at].truncate(column),
                _ => lines[at].insert_str(column, "!If [x, "),
            }
            if lines.is_empty() {
                break;
            }
        }
        let text = lines.join("\n");
        let inside = |place: &Place| place.line >= 1 && place.line <= lines.len().max(1) + 1;
        match parse::parse(&text, &"t.yaml".into()).and_then(|root| tree(&root, &given(&[]), &Known(&[]))) {
            Ok(Some(found)) => {
                for part in found.endpoints.iter().flat_map(|endpoint| &endpoint.parts) {
                    prop_assert!(inside(&part.at));
                    prop_assert!(part.lines.values().all(inside));
                }
                prop_assert!(found.untold.iter().all(|fault| inside(&fault.at)));
            }
            Ok(None) => {}
            Err(fault) => prop_assert!(inside(&fault.at), "{fault}"),
        }
    }
}
