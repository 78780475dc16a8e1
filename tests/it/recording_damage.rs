//! Damaged recordings: it is always said, it costs no more than it must, and nothing else comes of it.

use crate::recording::{
    Outcome, START, bodies, body, drain, gunzip, gzip, prefixed, read, read_all, source, write, zstd,
};
use foreshock::model::SECOND;
use foreshock::recording::{
    Compression, Damage, DamageKind, DamageLocation, Flaw, MESSAGE_LIMIT, OpenError, Reader, RecordingFormat, Writer,
};
use proptest::prelude::*;
use std::io::{Read, Write};

/// A frame that does not declare its size and ends with a checksum.
fn checked_zstd(content: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).expect("an encoder");
    encoder.include_checksum(true).expect("a checksum");
    encoder.write_all(content).expect("into memory");
    encoder.finish().expect("into memory")
}

/// True when `part` is `whole` with at most one run of elements left out.
fn is_whole_but_one_run(part: &[&[u8]], whole: &[&[u8]]) -> bool {
    let front = part.iter().zip(whole).take_while(|(a, b)| a == b).count();
    let back = part.iter().rev().zip(whole.iter().rev()).take_while(|(a, b)| a == b).count();
    part.len() <= whole.len() && front + back >= part.len()
}

fn said(outcome: &Outcome) -> Vec<String> {
    outcome.damages.iter().map(Damage::to_string).collect()
}

#[test]
fn a_flipped_byte_costs_one_frame_and_is_said() {
    const FRAME: usize = 4;
    let recording = write(&bodies(12), RecordingFormat::Own, Compression::Zstd, FRAME);
    let whole = read(&recording);
    let expected = whole.bodies();
    for i in 0..recording.len() {
        for mask in [0x01, 0x10, 0x80, 0xff] {
            let mut damaged = recording.clone();
            damaged[i] ^= mask;
            let outcome = read(&damaged);
            let bodies = outcome.bodies();
            assert!(is_whole_but_one_run(&bodies, &expected), "byte {i}, mask {mask:x}");
            assert!(expected.len() - bodies.len() <= FRAME, "byte {i}, mask {mask:x}: {:?}", said(&outcome));
            // What is flipped may be something a decoder need not look at; then nothing may be lost.
            assert!(bodies.len() == expected.len() || !outcome.damages.is_empty(), "byte {i}, mask {mask:x}");
        }
    }
}

#[test]
fn a_flipped_byte_of_an_uncompressed_recording_costs_a_message_or_ends_it() {
    let recording = write(&bodies(6), RecordingFormat::Own, Compression::None, 6);
    for i in 0..recording.len() {
        for mask in [0x01, 0x10, 0x80, 0xff] {
            let mut damaged = recording.clone();
            damaged[i] ^= mask;
            let outcome = read(&damaged);
            assert!(outcome.arrivals.len() == 6 || !outcome.damages.is_empty(), "byte {i}, mask {mask:x}");
        }
    }
}

#[test]
fn a_body_that_cannot_be_read_is_skipped_with_its_place() {
    for (format, compression) in
        [(RecordingFormat::Own, Compression::None), (RecordingFormat::Protobuf, Compression::Gzip)]
    {
        let recording = write(&bodies(5), format, compression, 5);
        let mut content = if compression == Compression::Gzip { gunzip(&recording) } else { recording };
        let third = 2 * content.len() / 5;
        let body_at = if format == RecordingFormat::Own { third + 4 + 13 } else { third + 4 };
        content[body_at] = 0x0c;
        let place = match compression {
            Compression::Gzip => DamageLocation::Content(third as u64),
            _ => DamageLocation::Byte(third as u64),
        };
        let outcome = read(&if compression == Compression::Gzip { gzip(&content) } else { content });
        assert_eq!(outcome.arrivals.len(), 4);
        assert_eq!(outcome.damages.len(), 1);
        assert_eq!((outcome.damages[0].location, outcome.damages[0].kind), (place, DamageKind::Damage));
        assert!(matches!(outcome.damages[0].what, Flaw::Export(_)));
        assert_eq!(outcome.damage_count, 1);
    }
}

#[test]
fn a_broken_line_is_skipped_with_its_number() {
    let mut text =
        String::from_utf8(write(&bodies(5), RecordingFormat::JsonLines, Compression::None, 5)).expect("JSON");
    let third = text.match_indices('\n').nth(1).expect("lines").0 + 1;
    text.replace_range(third + 20..third + 25, "");
    for bytes in [text.clone().into_bytes(), gzip(text.as_bytes()), zstd(text.as_bytes())] {
        let outcome = read(&bytes);
        assert_eq!(outcome.arrivals.len(), 4);
        assert_eq!(outcome.damages.len(), 1);
        assert_eq!(
            (outcome.damages[0].location, outcome.damages[0].kind),
            (DamageLocation::Line(3), DamageKind::Damage)
        );
    }
}

#[test]
fn an_impossible_length_ends_the_file_with_a_word() {
    let mut recording = write(&bodies(3), RecordingFormat::Own, Compression::None, 3);
    let second = recording.len() / 3;
    for length in [u32::MAX, (MESSAGE_LIMIT + (1 << 20)) as u32, 1 << 24] {
        recording[second..second + 4].copy_from_slice(&length.to_be_bytes());
        let outcome = read(&recording);
        assert_eq!(outcome.arrivals.len(), 1);
        assert_eq!(outcome.damages.len(), 1);
        assert_eq!(outcome.damages[0].what, Flaw::Length(length));
        assert_eq!(outcome.damages[0].kind, DamageKind::Damage);
        assert_eq!(outcome.damages[0].location, DamageLocation::Byte(second as u64));
    }
}

#[test]
fn zeros_behind_an_own_recording_are_said() {
    let mut recording = write(&bodies(3), RecordingFormat::Own, Compression::None, 3);
    recording.resize(recording.len() + 4096, 0);
    let outcome = read(&recording);
    assert_eq!(outcome.arrivals.len(), 3);
    assert_eq!(outcome.damages.len(), 1);
    assert_eq!(outcome.damages[0].what, Flaw::Zeros(4096));
}

/// Cuts a recording at every byte: the arrivals are the first ones, and what is missing of the last is a torn tail.
fn check_truncation(recording: &[u8], good_ends: &[usize]) {
    let whole = read(recording);
    for cut in 0..recording.len() {
        let outcome = match read_all(vec![recording[..cut].to_vec()]) {
            Ok(outcome) => outcome,
            Err(error) => panic!("cut at {cut}: {error}"),
        };
        let n = outcome.arrivals.len();
        assert_eq!(outcome.bodies(), whole.bodies()[..n], "cut at {cut}");
        let torn = outcome.damages.iter().all(|damage| damage.kind == DamageKind::TornTail);
        assert!(torn && outcome.damage_count == 0, "cut at {cut}: {:?}", said(&outcome));
        assert_eq!(outcome.damages.is_empty(), good_ends.contains(&cut), "cut at {cut}: {:?}", said(&outcome));
    }
}

fn ends(parts: &[Vec<u8>]) -> Vec<usize> {
    (0..=parts.len()).map(|n| parts[..n].iter().map(Vec::len).sum()).collect()
}

#[test]
fn a_recording_cut_anywhere_is_a_torn_tail() {
    let arrivals = bodies(6);
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        for format in [RecordingFormat::Own, RecordingFormat::Protobuf] {
            let parts: Vec<_> = arrivals.chunks(2).map(|part| write(part, format, compression, 2)).collect();
            let messages = arrivals.chunks(1).map(|part| write(part, format, Compression::None, 1)).collect::<Vec<_>>();
            let good = if compression == Compression::None { ends(&messages) } else { ends(&parts) };
            check_truncation(&parts.concat(), &good);
        }
    }
    let frames: Vec<_> = arrivals.iter().map(|(_, body)| prefixed(&[zstd(body)])).collect();
    check_truncation(&frames.concat(), &ends(&frames));
}

#[test]
fn json_lines_cut_anywhere_are_a_torn_tail() {
    let text = write(&bodies(3), RecordingFormat::JsonLines, Compression::None, 3);
    let breaks = text.iter().enumerate().filter(|(_, c)| **c == b'\n').map(|(i, _)| i);
    // A line without its line break is whole.
    let good: Vec<_> = std::iter::once(0).chain(breaks.flat_map(|i| [i, i + 1])).collect();
    check_truncation(&text, &good);
}

#[test]
fn what_was_flushed_of_a_cut_stream_is_read() {
    let arrivals = bodies(40);
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).expect("an encoder");
    for (i, (at, body)) in arrivals.iter().enumerate() {
        let message = write(&[(*at, body.clone())], RecordingFormat::Protobuf, Compression::None, 1);
        encoder.write_all(&message).expect("into memory");
        if i == 29 {
            encoder.flush().expect("into memory");
            break;
        }
    }
    let cut = encoder.get_ref().clone();
    let outcome = read(&cut);
    assert_eq!(outcome.arrivals.len(), 30);
    assert_eq!(outcome.damages.iter().map(|d| d.kind).collect::<Vec<_>>(), [DamageKind::TornTail]);
}

#[test]
fn a_damaged_frame_of_a_foreign_chain_costs_what_lies_across_it() {
    let arrivals = bodies(200);
    for format in [RecordingFormat::Protobuf, RecordingFormat::JsonLines] {
        let content = write(&arrivals, format, Compression::None, 200);
        let frames: Vec<_> = content.chunks(1000).map(checked_zstd).collect();
        for broken in 0..frames.len() {
            let mut damaged = frames.clone();
            let middle = damaged[broken].len() / 2;
            damaged[broken][middle] ^= 0xff;
            let outcome = match read_all(vec![damaged.concat()]) {
                Ok(outcome) => outcome,
                // Nothing tells where a message begins when the first frame is gone.
                Err(_) if broken == 0 && format == RecordingFormat::Protobuf => continue,
                Err(error) => panic!("{error}"),
            };
            assert!(outcome.damage_count >= 1);
            let first =
                arrivals.iter().zip(&outcome.arrivals).take_while(|((at, _), (a, _))| a.at == Some(*at)).count();
            assert!(first * 1000 / 10 >= broken, "everything before the frame");
            // Length-prefixed messages are found again where a frame begins with one: at the latest, never.
            if format == RecordingFormat::JsonLines {
                assert!(outcome.arrivals.len() >= 190, "{broken}: {} {:?}", outcome.arrivals.len(), said(&outcome));
            }
        }
    }
}

#[test]
fn garbage_between_and_behind_frames_is_said() {
    let parts: Vec<_> =
        bodies(9).chunks(3).map(|part| write(part, RecordingFormat::Own, Compression::Zstd, 3)).collect();
    let garbage = [vec![0u8; 1000], b"\x28\xb5\x2f\xfd rubbish \x28\xb5\x2f\xfd\x20\x01".to_vec()].concat();
    let outcome = read(&[&parts[0][..], &garbage, &parts[1], &parts[2]].concat());
    assert_eq!((outcome.arrivals.len(), outcome.damage_count), (9, 1));
    assert_eq!(outcome.damages[0].location, DamageLocation::Byte(parts[0].len() as u64));
    let outcome = read(&[&parts.concat()[..], &[0; 1000]].concat());
    assert_eq!((outcome.arrivals.len(), outcome.damage_count), (9, 1));
    assert_eq!(outcome.damages[0].what, Flaw::LastFrame);
}

#[test]
fn damages_are_words_with_file_and_place() {
    let mut recording = write(&bodies(6), RecordingFormat::Own, Compression::Zstd, 2);
    recording[30] ^= 0xff;
    recording.truncate(recording.len() - 3);
    let outcome = read_all(vec![recording]).expect("a recording");
    let said = said(&outcome);
    assert_eq!(said[0], "file-0: byte 0: a damaged zstd frame; reading resumed at the next one");
    assert!(said[1].ends_with(": the recording ends in the middle: the last zstd frame is incomplete"), "{}", said[1]);
    assert_eq!(outcome.damage_count, 1);
}

#[test]
fn an_error_of_the_source_is_said_and_the_rest_is_kept() {
    struct Fails(Vec<u8>);
    impl Read for Fails {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0.is_empty() {
                return Err(std::io::Error::from(std::io::ErrorKind::TimedOut));
            }
            let n = buffer.len().min(self.0.len());
            buffer[..n].copy_from_slice(&self.0[..n]);
            self.0.drain(..n);
            Ok(n)
        }
    }
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let recording = write(&bodies(4), RecordingFormat::Own, compression, 2);
        let outcome =
            drain(Reader::open(vec![source("s", Fails(recording))]).expect("a recording")).expect("a recording");
        assert_eq!(outcome.arrivals.len(), 4);
        assert_eq!(outcome.damages.len(), 1, "{compression:?} {:?}", said(&outcome));
        assert_eq!(outcome.damages[0].what, Flaw::Io(std::io::ErrorKind::TimedOut));
        assert_eq!(outcome.damage_count, 1);
    }
}

#[test]
fn bombs_are_refused_at_the_limit() {
    let (small, mut lines) = (body(&[START]), b"{}\n".to_vec());
    // A line of blanks, larger than any message may be.
    lines.resize(MESSAGE_LIMIT + (8 << 20), b' ');
    lines.extend_from_slice(b"\n{}\n");
    for bomb in [gzip(&lines), zstd(&lines)] {
        assert!(bomb.len() < 1 << 20);
        let outcome = read(&bomb);
        assert_eq!(outcome.arrivals.len(), 2);
        assert_eq!(outcome.damages.len(), 1);
        assert_eq!((&outcome.damages[0].what, outcome.damages[0].location), (&Flaw::LongLine, DamageLocation::Line(2)));
    }
    let frames = [zstd(&small), zstd(&lines), zstd(&small)];
    let outcome = read(&prefixed(&frames));
    assert_eq!(outcome.arrivals.len(), 2);
    assert_eq!(outcome.damages[0].what, Flaw::LargeMessage);
    let error = read_all(vec![zstd(&vec![b'a'; MESSAGE_LIMIT + 2])]).expect_err("no recording");
    assert!(matches!(error, OpenError::Unrecognised { .. }));
    let too_large = vec![0; MESSAGE_LIMIT + 1];
    let mut writer = Writer::new(Vec::new(), RecordingFormat::Own, Compression::Zstd).expect("a writer");
    assert!(writer.append(Some(START), &too_large).is_err());
    assert!(writer.set_head("x".repeat(MESSAGE_LIMIT)).is_err());
    assert_eq!(writer.finish().expect("the end"), b"");
}

/// Bytes that are more or less a recording.
fn nearly_a_recording() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        any::<u64>().prop_map(|n| n.to_le_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40),
        Just(vec![0x28, 0xb5, 0x2f, 0xfd]),
        Just(vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]),
        Just(vec![0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]),
        Just(b"{\"resourceMetrics\":[]}\n".to_vec()),
        Just(b"{".to_vec()),
        Just(vec![0, 0, 0, 5]),
        Just(write(&bodies(2), RecordingFormat::Own, Compression::None, 1)),
        Just(write(&bodies(2), RecordingFormat::Own, Compression::Zstd, 1)),
        Just(write(&bodies(2), RecordingFormat::Protobuf, Compression::Gzip, 1)),
        Just(prefixed(&[zstd(&body(&[START]))])),
        Just(body(&[START])),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in nearly_a_recording(), second in nearly_a_recording()) {
        if let Ok(outcome) = read_all(vec![bytes, second]) {
            let instants: Vec<_> = outcome.arrivals.iter().filter_map(|(arrival, _)| arrival.at).collect();
            prop_assert!(instants.is_sorted());
            let kept = outcome.damages.iter().filter(|d| d.kind == DamageKind::Damage).count();
            prop_assert_eq!(kept as u64, outcome.damage_count);
        }
    }

    #[test]
    fn pieces_of_good_recordings_are_found_in_rubbish(
        rubbish in proptest::collection::vec(any::<u8>(), 1..300),
        n in 1i64..5,
    ) {
        let good = write(&bodies(n), RecordingFormat::Own, Compression::Zstd, 2);
        let outcome = read(&[&good[..], &rubbish, &good].concat());
        prop_assert_eq!(outcome.arrivals.len(), 2 * n as usize);
    }
}

#[test]
fn the_time_is_linear_in_hostile_bytes() {
    // Frame starts inside frames: each looks good until its end, which another one is.
    let frame_head = [0x28, 0xb5, 0x2f, 0xfd, 0x80, 0x58, 0, 0, 0, 0x02, 0];
    let hostile = [
        frame_head.repeat(60_000),
        [0x28, 0xb5, 0x2f, 0xfd].repeat(200_000),
        [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58][..], &[0; 600_000]].concat(),
        b"{\"resourceMetrics\":[\n".repeat(30_000),
        [0, 0, 0, 1, 0xff].repeat(100_000),
        vec![0; 1 << 20],
    ];
    for bytes in hostile {
        let started = std::time::Instant::now();
        let _ = read_all(vec![write(&bodies(1), RecordingFormat::Own, Compression::Zstd, 1), bytes.clone()]);
        let _ = read_all(vec![[write(&bodies(1), RecordingFormat::Own, Compression::Zstd, 1), bytes.clone()].concat()]);
        let _ = read_all(vec![[write(&bodies(1), RecordingFormat::Own, Compression::None, 1), bytes].concat()]);
        assert!(started.elapsed().as_secs() < 20);
    }
}

#[test]
fn of_very_many_damages_the_first_are_kept_and_all_are_counted() {
    let text = [b"{\"resourceMetrics\":[]}\n".to_vec(), b"nothing\n".repeat(5000)].concat();
    let outcome = read(&text);
    assert_eq!(outcome.damage_count, 5000);
    assert!(outcome.damages.len() < 1000);
    assert_eq!(outcome.arrivals.len(), 1);
    assert_eq!(START % SECOND, 0);
}
