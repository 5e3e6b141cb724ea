//! Any bytes as a trail's file, or as what is zipped in one: it is read the same in one piece and in many.
#![no_main]

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use plumbline::inventory::events::{Fault, Item};
use plumbline::inventory::intake::files::Records;

fn read(file: &[u8], piece: usize) -> (Vec<Result<Item, Fault>>, Result<(), Fault>) {
    let mut found = Vec::new();
    let mut records = Records::default();
    for piece in file.chunks(piece) {
        if let Err(fault) = records.push(piece, &mut |item| found.push(item)) {
            return (found, Err(fault));
        }
    }
    let ended = records.finish(&mut |item| found.push(item));
    (found, ended)
}

fuzz_target!(|bytes: &[u8]| {
    let mut file = bytes.to_vec();
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
        zip.write_all(bytes).expect("a Vec takes anything");
        file = zip.finish().expect("a Vec takes anything");
    }
    let (whole, ended) = read(&file, file.len().max(1));
    let (pieces, in_pieces) = read(&file, bytes.len() % 61 + 1);
    assert_eq!(ended.is_ok(), in_pieces.is_ok());
    if ended.is_ok() {
        assert_eq!(whole, pieces);
    }
});
