//! A trail's file, in whatever pieces it comes.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde_json::Value;

use super::{each_said, seeds};
use crate::inventory::events::{Fault, Item};
use crate::inventory::intake::files::{Limits, Records};

type Found = Vec<Result<Item, Fault>>;

fn read(records: Records, pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> (Found, Result<(), Fault>) {
    let mut found = Found::new();
    let mut records = records;
    for piece in pieces {
        if let Err(fault) = records.push(piece.as_ref(), &mut |one| found.push(one)) {
            return (found, Err(fault));
        }
    }
    let ended = records.finish(&mut |one| found.push(one));
    (found, ended)
}

fn zip(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
    zip.write_all(text.as_ref()).unwrap();
    zip.finish().unwrap()
}

/// A record as in `fuzz/seeds/record/call.json`, as text.
fn call() -> String {
    String::from_utf8(seeds("record")["call.json"].clone()).unwrap()
}

const ALL: [&str; 8] = [
    "UpdateIntegration abc123",
    "CreateDeployment abc123 made d7",
    "ReadOnly",
    "FailedCall",
    "OtherService",
    "OtherService",
    "NoEndpoint",
    "UpdateDomainName domain api.example.com",
];

/// A file, what is found in it, how it ends, and why.
type Row = (Vec<u8>, &'static [&'static str], Result<(), Fault>, &'static str);

#[test]
fn a_file_is_read_to_its_end_or_says_why_not() {
    let of = |file: &str| seeds("trail_file")[file].clone();
    let rows: [Row; 20] = [
        (of("records.json.gz"), &ALL, Ok(()), "as CloudTrail writes it"),
        (of("two_members.json.gz"), &ALL, Ok(()), "gzip may have several members"),
        (of("none.json.gz"), &[], Ok(()), "nothing was called"),
        (
            of("other_lists.json.gz"),
            &["Incomplete!"],
            Ok(()),
            "other lists hold no records; brackets in texts are none",
        ),
        (of("no_list.json.gz"), &[], Err(Fault::Incomplete), "no list at all"),
        (of("records.json"), &[], Err(Fault::MalformedGzip), "not zipped"),
        (Vec::new(), &[], Err(Fault::MalformedGzip), "an empty file"),
        (zip(""), &[], Err(Fault::Incomplete), "nothing in it"),
        (zip("  \n"), &[], Err(Fault::Incomplete), "next to nothing in it"),
        (zip("hello"), &[], Err(Fault::NotJson), "words"),
        (zip("[]"), &[], Err(Fault::UnknownShape), "a list without its object"),
        (
            zip(r#"{"Records":[1]}"#),
            &[],
            Err(Fault::UnknownShape),
            "a number is no record",
        ),
        (
            zip(r#"{"Records":["{}"]}"#),
            &[],
            Err(Fault::UnknownShape),
            "a text is no record",
        ),
        (
            zip(r#"{"Records":{"x":[{}]}}"#),
            &[],
            Err(Fault::Incomplete),
            "records stand in a list",
        ),
        (
            zip(r#"{"Recordss":[{}],"x":"Records","y":[{}]}"#),
            &[],
            Err(Fault::Incomplete),
            "names are compared whole",
        ),
        (
            zip(r#"{"Records":[{"a":"#),
            &[],
            Err(Fault::NotJson),
            "zipped whole, but broken off before",
        ),
        (
            zip(r#"{"Records":[]}}"#),
            &[],
            Err(Fault::NotJson),
            "more ends than beginnings",
        ),
        (
            zip(r#"{"Records":[{"a":}, {"b":1}, [{}]]}"#),
            &["NotJson!", "Incomplete!", "Incomplete!"],
            Ok(()),
            "one that is broken is no harm to others",
        ),
        (
            zip(format!(
                r#"{{"Records":[{},{}],"x":1}}"#,
                "[".repeat(500) + &"]".repeat(500),
                call()
            )),
            &["NotJson!", "UpdateIntegration abc123"],
            Ok(()),
            "nested deeper than is read",
        ),
        (
            [of("records.json.gz"), b"more".to_vec()].concat(),
            &ALL,
            Err(Fault::MalformedGzip),
            "something behind its end",
        ),
    ];
    for (file, expected, end, why) in rows {
        let (found, ended) = read(Records::default(), [&file]);
        assert_eq!(
            (each_said(&found), ended),
            (expected.iter().map(ToString::to_string).collect(), end),
            "{why}"
        );
        let (found, ended) = read(Records::default(), file.chunks(1));
        assert_eq!(
            (each_said(&found), ended),
            (expected.iter().map(ToString::to_string).collect(), end),
            "{why}, byte by byte"
        );
    }
}

#[test]
fn a_file_that_breaks_off_says_so_and_nothing_else() {
    let file = &seeds("trail_file")["records.json.gz"];
    let (whole, _) = read(Records::default(), [file]);
    for end in 0..file.len() {
        let (found, ended) = read(Records::default(), [&file[..end]]);
        assert!(whole.starts_with(&found), "at {end}");
        assert_eq!(ended, Err(Fault::MalformedGzip), "at {end}");
    }
}

#[test]
fn a_record_that_is_too_long_is_skipped_and_the_others_go_on() {
    let long = format!(r#"{{"eventName":"{}"}}"#, "x".repeat(5000));
    let file = zip(format!(r#"{{"Records":[{0},{long},{0}]}}"#, call()));
    let limits = Limits {
        record: 4096,
        ..Limits::default()
    };
    let (found, ended) = read(Records::new(limits), file.chunks(100));
    assert_eq!(
        each_said(&found),
        ["UpdateIntegration abc123", "TooLarge!", "UpdateIntegration abc123"]
    );
    assert_eq!(ended, Ok(()));
}

#[test]
fn a_file_that_is_too_long_is_not_read_on() {
    let file = zip(format!(r#"{{"Records":[{0},{0}]}}"#, call()));
    let limits = Limits {
        file: call().len() as u64 + 100,
        ..Limits::default()
    };
    assert_eq!(read(Records::new(limits), [file]), (vec![], Err(Fault::TooLarge)));
}

/// A file of a great many records, piece by piece, and how much is held of it at most.
fn peak(one: &str, times: usize) -> (usize, usize, u64) {
    let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
    let mut records = Records::new(Limits {
        file: u64::MAX,
        ..Limits::default()
    });
    let (mut found, mut peak, mut unzipped) = (0, 0, 0);
    let mut push = |piece: &[u8]| {
        records.push(piece, &mut |_| found += 1).unwrap();
        peak = peak.max(records.held());
    };
    zip.write_all(br#"{"Records":["#).unwrap();
    let many = format!("{one},").repeat(1000);
    for _ in 0..times / 1000 {
        zip.write_all(many.as_bytes()).unwrap();
        unzipped += many.len() as u64;
        if zip.get_ref().len() > 64 * 1024 {
            push(&std::mem::take(zip.get_mut()));
        }
    }
    zip.write_all(format!("{one}]}}").as_bytes()).unwrap();
    push(&zip.finish().unwrap());
    records.finish(&mut |_| found += 1).unwrap();
    (found, peak, unzipped)
}

#[test]
fn what_is_held_of_a_file_does_not_grow_with_it() {
    for (one, why) in [
        (call(), "records as they are"),
        ("{}".into(), "as many as fit into a piece"),
    ] {
        let few = peak(&one, 20_000);
        let many = peak(&one, 60_000);
        assert_eq!((few.0, many.0), (20_001, 60_001), "{why}");
        assert!(many.1 <= few.1 && many.1 < 4 * 1024 * 1024, "{why}: {few:?}, {many:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_their_end(bytes in any::<Vec<u8>>()) {
        prop_assert!(read(Records::default(), [bytes]).1.is_err());
    }

    #[test]
    fn it_is_no_matter_in_which_pieces_a_file_comes(
        pieces in prop::collection::vec(1_usize..400, 1..20),
        damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let mut text = seeds("trail_file")["records.json"].clone();
        if let Some((at, byte)) = damage {
            let at = at.index(text.len());
            text[at] = byte;
        }
        let file = zip(&text);
        let mut rest = file.as_slice();
        let mut cut = Vec::new();
        for length in pieces.iter().cycle() {
            let (piece, more) = rest.split_at((*length).min(rest.len()));
            cut.push(piece);
            rest = more;
            if rest.is_empty() {
                break;
            }
        }
        let (whole, in_pieces) = (read(Records::default(), [&file]), read(Records::default(), cut));
        prop_assert_eq!(&whole, &in_pieces);
        // What a JSON parser takes says the same.
        if let (Ok(json), Ok(())) = (serde_json::from_slice::<Value>(&text), whole.1) {
            let records = json["Records"].as_array().cloned().unwrap_or_default();
            prop_assert_eq!(whole.0, records.iter().map(crate::inventory::intake::record).collect::<Found>());
        }
    }
}
