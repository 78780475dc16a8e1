//! Sinks from inside: what `--sink` may say, and that no sink delays the engine or another sink.

use super::cli_support::Folder;
use super::sink_support::{OK, Receiver, Reply, closed, dead_port, open, opened, settings, try_open, wait_for};
use foreshock::sink::{Bounds, Loss, SecretPlace, SinkCounts, SinkSpec, StreamFormat, WhenFull};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

fn lost(counts: &SinkCounts, loss: Loss) -> u64 {
    counts.lost[loss as usize]
}

#[test]
fn a_place_is_taken_as_it_is() {
    let parse = |text: &str| text.parse::<SinkSpec>().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(parse("stdout"), SinkSpec::Stdout { format: StreamFormat::Text });
    assert_eq!(parse("stdout:text"), SinkSpec::Stdout { format: StreamFormat::Text });
    assert_eq!(parse("stdout:jsonl"), SinkSpec::Stdout { format: StreamFormat::JsonLines });
    let file = |path: &str, format| SinkSpec::File { path: PathBuf::from(path), format };
    assert_eq!(parse("file:a,b:c=d.jsonl"), file("a,b:c=d.jsonl", StreamFormat::JsonLines));
    assert_eq!(parse("file,format=text:/var/log/x"), file("/var/log/x", StreamFormat::Text));
    let SinkSpec::Webhook(webhook) = parse("webhook:https://h:8443/a,b;c:d?e=f,g") else { panic!("a webhook") };
    assert_eq!(webhook.url.to_string(), "https://h:8443/…");
    assert_eq!((webhook.token, webhook.headers, webhook.retry_for), (None, None, None));
    assert_eq!(webhook.timeout, Duration::from_secs(10));
    let SinkSpec::Webhook(webhook) =
        parse("webhook,token-file=t,headers-file=h,timeout=2s,retry-for=5m:http://[::1]:9")
    else {
        panic!("a webhook")
    };
    assert_eq!(webhook.url.to_string(), "http://[::1]:9");
    assert_eq!(webhook.token, Some(SecretPlace::File("t".into())));
    assert_eq!(webhook.headers, Some("h".into()));
    assert_eq!((webhook.timeout, webhook.retry_for), (Duration::from_secs(2), Some(Duration::from_secs(300))));
}

#[test]
fn a_mistake_in_a_sink_names_it_and_the_remedy() {
    let says = |text: &str, words: &[&str]| {
        let error = text.parse::<SinkSpec>().expect_err(text).to_string();
        for word in words {
            assert!(error.contains(word), "{text}: {word:?} is not in {error:?}");
        }
        for secret in ["s3cret", "T0ken", "user"] {
            assert!(!error.contains(secret), "{text}: {error}");
        }
    };
    says("", &["`stdout`, `file:PATH` or `webhook:URL`"]);
    says("https://h/T0ken", &["https://h/…", "`webhook:URL`"]);
    says("stdout:xml", &["--sink stdout:xml", "stdout:jsonl"]);
    says("stdout,format=text", &["stdout:text"]);
    says("file", &["--sink file", "the path"]);
    says("file:", &["the path"]);
    says("file,mode=a:x", &["`mode`", "`format`"]);
    says("file,format=xml:x", &["`text` or `jsonl`"]);
    says("file,format=text,format=text:x", &["`format`", "twice"]);
    says("file:x.log,format=text", &["`format`", "in front of the colon", "file,format=…:"]);
    says("webhook", &["a URL"]);
    says("webhook:ftp://h/", &["http://HOST"]);
    says("webhook:h/T0ken", &["http://HOST"]);
    says("webhook:https:///T0ken", &["http://HOST"]);
    says("webhook:https://h:x/", &["http://HOST"]);
    says("webhook:https://h:99999/", &["http://HOST"]);
    says("webhook:https://h/a b", &["without spaces"]);
    says("webhook:https://user:s3cret@h/T0ken", &["webhook:https://…@h/…", "headers-file"]);
    says("webhook:https://user:s3/cret@h/T0ken", &["webhook:https://…"]);
    says("webhook:https://h/x,token-file=t", &["`token-file`", "in front of the colon", "%2C"]);
    says("webhook:user:s3cret@h/x", &["webhook:…@h/…", "http://HOST"]);
    says("webhook,token=s3cret:https://h/", &["webhook,token=…:https://h", "`token` is no option", "`token-file`"]);
    says("webhook,timeout=0s:https://h/", &["`timeout`", "10s"]);
    says("webhook,retry-for=9y:https://h/", &["`retry-for`"]);
    says("webhook,token-env=HOME:https://h/", &["`token-env`", "FORESHOCK_"]);
    says("webhook,token-file=a,token-env=FORESHOCK_X:https://h/", &["twice"]);
}

#[test]
fn what_cannot_be_opened_is_said_before_anything_is_sent() {
    let folder = Folder::new();
    folder
        .write("empty", "\n")
        .write("headers", "X-A: 1\nnonsense s3cret")
        .write("both", "Authorization: Basic s3cret");
    folder.write("token", "s3cret");
    let place = |name: &str| folder.path(name).display().to_string();
    let says = |specs: &[&str], words: &[&str]| {
        let error = try_open(specs, settings()).err().expect("an error").to_string();
        for word in words {
            assert!(error.contains(word), "{word:?} is not in {error:?}");
        }
        assert!(!error.contains("s3cret"), "{error}");
    };
    let with = |option: &str, name: &str| format!("webhook,{option}={}:http://127.0.0.1:9/", place(name));
    says(&[&format!("file:{}", place("no/such/folder"))], &["no/such/folder", "No such file"]);
    says(&[&with("token-file", "missing")], &["webhook:http://127.0.0.1:9", "missing", "No such file"]);
    says(&[&with("token-file", "empty")], &["empty", "first line"]);
    says(&[&with("headers-file", "headers")], &["headers", "line 2", "`Name: value`"]);
    says(&["webhook,token-env=FORESHOCK_X:http://127.0.0.1:9/"], &["$FORESHOCK_X", "not set"]);
    let two = format!("webhook,token-file={},headers-file={}:http://127.0.0.1:9/", place("token"), place("both"));
    says(&[&two], &["`Authorization` already"]);
    says(&["stdout:text", "stdout:jsonl"], &["--sink stdout", "twice"]);
    let file = format!("file:{}", place("x"));
    says(&[&file, &file], &["twice"]);
}

#[test]
fn a_dead_receiver_delays_neither_the_engine_nor_a_file() {
    let folder = Folder::new();
    let file = folder.path("events.jsonl");
    let hanging = Receiver::start(|_| Reply::Hang);
    let specs = [format!("webhook:http://{}/", dead_port()), hanging.spec(), format!("file:{}", file.display())];
    let specs: Vec<&str> = specs.iter().map(String::as_str).collect();
    let (mut sinks, said) = open(&specs, settings());
    let begin = Instant::now();
    for n in 0..100 {
        sinks.send(&opened(n));
    }
    let sending = begin.elapsed();
    assert!(sending < Duration::from_secs(1), "the engine waited {sending:?}");
    wait_for(&sinks, |counts| counts[2].sent == 100);
    assert_eq!(fs::read_to_string(&file).expect("the file").lines().count(), 100);
    wait_for(&sinks, |counts| counts[0].failed > 1);
    let begin = Instant::now();
    let counts = sinks.close(Some(Duration::from_millis(100)));
    let closing = begin.elapsed();
    assert!(closing < Duration::from_secs(2), "it took {closing:?} to close");
    assert_eq!(counts.iter().map(|sink| sink.sent).collect::<Vec<_>>(), [0, 0, 100]);
    assert_eq!(counts.iter().map(|sink| lost(sink, Loss::Unfinished)).collect::<Vec<_>>(), [100, 100, 0]);
    assert!(counts.iter().all(|sink| sink.queued == 0 && sink.queued_bytes == 0), "{counts:?}");
    let losses = counts[0].losses().expect("losses");
    assert!(losses.contains("100 of 100 events not delivered (100 still waiting at the end)"), "{losses}");
    assert!(losses.contains("refused"), "why the receiver could not be reached: {losses}");
    assert_eq!(counts[2].losses(), None);
    let lines = said.lines(1);
    assert_eq!(lines.len(), 1, "one line a minute for a sink and its trouble: {lines:?}");
    assert!(lines[0].contains("tried again for up to 20s"), "{lines:?}");
}

#[test]
fn what_a_full_queue_cannot_hold_is_counted_and_said() {
    let receiver = Receiver::start(|n| if n == 0 { Reply::Slow(Duration::from_millis(300)) } else { OK });
    let bounds = Bounds { events: 4, bytes: 1 << 20 };
    let (mut sinks, said) = open(&[&receiver.spec()], foreshock::sink::SinkSettings { bounds, ..settings() });
    sinks.send(&opened(0));
    assert_eq!(receiver.next().issue()["id"], "event-0");
    (1..50).for_each(|n| sinks.send(&opened(n)));
    let now = &sinks.counts_view().counts()[0];
    assert_eq!((now.queued, lost(now, Loss::QueueFull)), (4, 46), "the one on its way is one of the four");
    let counts = &sinks.close(None)[0];
    assert_eq!((counts.sent, counts.queued, lost(counts, Loss::QueueFull)), (4, 0, 46));
    let ids: Vec<String> = receiver.requests.try_iter().map(|request| request.issue()["id"].to_string()).collect();
    assert_eq!(ids, ["\"event-1\"", "\"event-2\"", "\"event-3\""], "the oldest stay");
    let lines = said.lines(1);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("4 events") && lines[0].contains("--sink-queue"), "{lines:?}");
}

#[test]
fn bytes_are_bounded_too_but_one_event_always_fits() {
    let receiver = Receiver::start(|_| Reply::Slow(Duration::from_millis(200)));
    let bounds = Bounds { events: 1000, bytes: 1 };
    let (mut sinks, _) = open(&[&receiver.spec()], foreshock::sink::SinkSettings { bounds, ..settings() });
    (0..3).for_each(|n| sinks.send(&opened(n)));
    let counts = &sinks.close(None)[0];
    assert_eq!((counts.sent, lost(counts, Loss::QueueFull)), (1, 2));
}

#[test]
fn a_recording_waits_for_room_and_loses_nothing() {
    let receiver = Receiver::start(|_| Reply::Slow(Duration::from_millis(2)));
    let bounds = Bounds { events: 2, bytes: 1 << 20 };
    let patient = foreshock::sink::SinkSettings { bounds, when_full: WhenFull::Wait, ..settings() };
    let (mut sinks, _) = open(&[&receiver.spec()], patient);
    (0..50).for_each(|n| sinks.send(&opened(n)));
    let counts = &sinks.close(None)[0];
    assert_eq!((counts.sent, counts.losses()), (50, None));
}

#[test]
fn order_is_kept_through_retries() {
    let receiver = Receiver::start(|n| if n % 3 == 0 { Reply::Status(503, "") } else { OK });
    let folder = Folder::new();
    let file = folder.path("events.jsonl");
    let (mut sinks, _) = open(&[&receiver.spec(), &format!("file:{}", file.display())], settings());
    for n in 0..4 {
        sinks.send(&opened(n));
        sinks.send(&closed(n));
    }
    let counts = sinks.close(None);
    assert_eq!((counts[0].sent, counts[1].sent), (8, 8));
    let mut taken: Vec<String> = Vec::new();
    for (n, request) in receiver.requests.try_iter().enumerate() {
        if n % 3 != 0 {
            taken.push(request.issue().to_string());
        }
    }
    let lines: Vec<String> = fs::read_to_string(&file)
        .expect("the file")
        .lines()
        .map(|line| line.parse::<serde_json::Value>().expect("JSON").to_string())
        .collect();
    let expected = (0..4).flat_map(|n| [(n, "OPEN"), (n, "CLOSED")]);
    for ((line, taken), (n, state)) in lines.iter().zip(&taken).zip(expected) {
        assert_eq!(line, taken, "a webhook's issue is the line of a file");
        assert!(line.contains(&format!("event-{n}\"")) && line.contains(&format!("\"{state}\"")), "{line}");
    }
    assert_eq!((lines.len(), taken.len()), (8, 8));
}

#[test]
fn sinks_that_are_dropped_end_their_threads() {
    let hanging = Receiver::start(|_| Reply::Hang);
    let (mut sinks, _) = open(&[&hanging.spec()], settings());
    sinks.send(&opened(0));
    hanging.next();
    let watch = sinks.counts_view();
    drop(sinks);
    let counts = &watch.counts()[0];
    assert_eq!((counts.sent, counts.queued, lost(counts, Loss::Unfinished)), (0, 0, 1));
}

#[test]
fn a_file_is_appended_to_by_whole_lines() {
    let folder = Folder::new();
    folder.write("events.jsonl", "before\n");
    let spec = format!("file:{}", folder.path("events.jsonl").display());
    for n in 0..2 {
        let (mut sinks, _) = open(&[&spec], settings());
        sinks.send(&opened(n));
        assert_eq!(sinks.close(None)[0].sent, 1);
    }
    let text = fs::read_to_string(folder.path("events.jsonl")).expect("the file");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "before"));
    assert!(lines[1].contains("event-0") && lines[2].contains("event-1"));
}

#[test]
fn what_cannot_be_rendered_is_counted() {
    let folder = Folder::new();
    let (mut sinks, _) = open(&[&format!("file:{}", folder.path("x").display())], settings());
    let mut stray = opened(0);
    stray.event.definition = 9;
    sinks.send(&stray);
    let losses = sinks.close(None)[0].losses().expect("losses");
    assert!(losses.contains("1 of 1 event not delivered (1 refused)") && losses.contains("no definition"), "{losses}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_tried_again_and_then_given_up() {
    let short = foreshock::sink::SinkSettings { retry_for: Duration::from_millis(300), ..settings() };
    let (mut sinks, said) = open(&["file:/dev/full"], short);
    sinks.send(&opened(0));
    sinks.send(&opened(1));
    let counts = &sinks.close(None)[0];
    assert_eq!((counts.sent, lost(counts, Loss::Expired)), (0, 2));
    assert!(counts.failed >= 1);
    let losses = counts.losses().expect("losses");
    assert!(losses.contains("2 given up") && losses.contains("No space left"), "{losses}");
    let lines = said.lines(2);
    assert!(lines[0].contains("No space left") && lines[0].contains("tried again"), "{lines:?}");
    assert!(lines[1].contains("lost") && lines[1].contains("retry-for="), "{lines:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_reader_that_stops_reading_holds_nobody_up() {
    use std::os::fd::AsRawFd;
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let folder = Folder::new();
    let stuck = format!("file:/proc/self/fd/{}", writer.as_raw_fd());
    let (mut sinks, _) = open(&[&stuck, &format!("file:{}", folder.path("all.jsonl").display())], settings());
    let begin = Instant::now();
    (0..900).for_each(|n| sinks.send(&opened(n)));
    let sending = begin.elapsed();
    assert!(sending < Duration::from_secs(2), "the engine waited {sending:?}");
    wait_for(&sinks, |counts| counts[1].sent == 900);
    let begin = Instant::now();
    let counts = sinks.close(Some(Duration::from_millis(100)));
    assert!(begin.elapsed() < Duration::from_secs(2), "it took {:?} to close", begin.elapsed());
    let unfinished = lost(&counts[0], Loss::Unfinished);
    assert!(unfinished > 0 && counts[0].sent > 0, "a pipe holds a part: {counts:?}");
    assert_eq!(counts[0].sent + unfinished, 900);
    drop(reader);
}
