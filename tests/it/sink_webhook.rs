//! Webhooks over real sockets: what is on the wire, what is tried again and when, and what is not.

use super::cli_support::Folder;
use super::sink_support::{OK, Receiver, Reply, closed, open, opened, settings};
use foreshock::sink::{Loss, SinkCounts};
use std::time::{Duration, Instant};

/// Sends one event to a receiver that answers as `script` says; what became of it.
fn send_one(receiver: &Receiver) -> SinkCounts {
    let (mut sinks, _) = open(&[&receiver.spec()], settings());
    sinks.send(&opened(0));
    sinks.close(None).remove(0)
}

#[test]
fn the_request_is_instanas() {
    let folder = Folder::new();
    folder.write("token", "s3cret\n").write("headers", "X-Team: shop\n");
    let options = ["token-file=", &folder.path("token").display().to_string(), ",headers-file="].concat()
        + &folder.path("headers").display().to_string();
    let receiver = Receiver::start(|_| OK);
    let (mut sinks, _) = open(&[&receiver.spec_with(&options)], settings());
    sinks.send(&opened(7));
    sinks.send(&closed(7));
    sinks.close(None);
    let request = receiver.next();
    assert_eq!(request.line, "POST /hook HTTP/1.1");
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("user-agent"), Some(concat!("foreshock/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(request.header("authorization"), Some("Bearer s3cret"));
    assert_eq!(request.header("x-team"), Some("shop"));
    assert_eq!(request.header("idempotency-key"), Some("\"event-7-OPEN\""));
    assert_eq!(
        request.body,
        r#"{"issue":{"id":"event-7","type":"issue","state":"OPEN","start":1763791207000,"severity":10,"#.to_string()
            + r#""text":"Busy","suggestion":"","entity":"openTelemetry","entityLabel":"","tags":"","#
            + r#""foreshock":{"definition":"busy","at":1763791207000,"resource":{},"rules":[],"#
            + r#""lastViolation":1763791207000}}}"#
    );
    let request = receiver.next();
    assert_eq!(request.header("idempotency-key"), Some("\"event-7-CLOSED\""));
    assert_eq!(request.issue()["end"], 1_763_791_217_000_i64);
    assert_eq!(request.connection, 0, "the connection is kept");
}

#[test]
fn what_may_pass_is_tried_again_with_the_same_key() {
    for reply in [|| Reply::Status(503, ""), || Reply::Status(429, ""), || Reply::Status(408, ""), || Reply::Close] {
        let receiver = Receiver::start(move |n| if n < 2 { reply() } else { OK });
        let counts = send_one(&receiver);
        assert_eq!((counts.sent, counts.failed, counts.retried, counts.losses()), (1, 2, 2, None));
        let requests: Vec<_> = receiver.requests.try_iter().collect();
        assert_eq!(requests.len(), 3);
        assert!(requests.iter().all(|request| request.header("idempotency-key") == Some("\"event-0-OPEN\"")));
        assert!(requests.iter().all(|request| request.body == requests[0].body));
    }
}

#[test]
fn a_receiver_that_does_not_answer_in_time_is_asked_again() {
    let receiver = Receiver::start(|n| if n == 0 { Reply::Hang } else { OK });
    let (mut sinks, _) = open(&[&receiver.spec_with("timeout=100ms")], settings());
    sinks.send(&opened(0));
    let counts = &sinks.close(None)[0];
    assert_eq!((counts.sent, counts.failed), (1, 1));
    assert_eq!(counts.last_failure.as_deref(), Some("no response within 100ms"));
}

#[test]
fn a_receiver_that_asks_for_time_gets_it() {
    let receiver = Receiver::start(|n| if n == 0 { Reply::Status(429, "Retry-After: 1\r\n") } else { OK });
    let (mut sinks, _) = open(&[&receiver.spec()], settings());
    sinks.send(&opened(0));
    sinks.send(&opened(1));
    assert_eq!(sinks.close(None)[0].sent, 2);
    let at: Vec<Instant> = receiver.requests.try_iter().map(|request| request.at).collect();
    assert!(at[1] - at[0] >= Duration::from_secs(1), "{:?}", at[1] - at[0]);
    assert!(at[2] - at[0] < Duration::from_secs(3), "the next one does not wait for itself: {:?}", at[2] - at[0]);
}

#[test]
fn what_will_never_be_taken_is_sent_once_and_said() {
    for status in [400, 401, 404, 410, 301, 308] {
        let receiver = Receiver::start(move |n| match n {
            0 => Reply::Status(status, "Location: http://127.0.0.1:9/elsewhere\r\n"),
            _ => OK,
        });
        let (mut sinks, said) = open(&[&receiver.spec()], settings());
        sinks.send(&opened(0));
        sinks.send(&closed(0));
        let counts = &sinks.close(None)[0];
        assert_eq!((counts.sent, counts.failed, counts.retried), (1, 1, 0), "{status}");
        assert_eq!(counts.lost[Loss::Refused as usize], 1, "{status}");
        let losses = counts.losses().expect("losses");
        assert!(losses.contains("1 of 2 events not delivered (1 refused)"), "{losses}");
        assert!(losses.contains(&status.to_string()) && losses.contains(": read"), "{losses}");
        assert_eq!(losses.contains("name the final URL"), status < 400, "{losses}");
        assert!(!losses.contains("/hook"), "the path may be a secret: {losses}");
        let lines = said.lines(1);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines.iter().all(|line| line.contains(&status.to_string()) && !line.contains("/hook")), "{lines:?}");
        assert_eq!(receiver.requests.try_iter().count(), 2);
    }
}

#[test]
fn an_event_is_given_up_when_it_is_too_old() {
    let receiver = Receiver::start(|_| Reply::Status(500, ""));
    let (mut sinks, _) = open(&[&receiver.spec_with("retry-for=300ms")], settings());
    let begin = Instant::now();
    (0..3).for_each(|n| sinks.send(&opened(n)));
    let counts = &sinks.close(None)[0];
    assert_eq!((counts.sent, counts.lost[Loss::Expired as usize]), (0, 3));
    assert!(begin.elapsed() < Duration::from_secs(3), "each is as old as it is, and does not wait for its turn");
}

#[test]
fn a_connection_that_the_receiver_closed_costs_no_attempt() {
    let receiver = Receiver::start(|n| if n % 2 == 0 { Reply::ThenClose } else { OK });
    let (mut sinks, _) = open(&[&receiver.spec()], settings());
    for n in 0..10 {
        sinks.send(&opened(n));
        receiver.next();
    }
    let counts = &sinks.close(None)[0];
    assert_eq!((counts.sent, counts.failed), (10, 0));
}

#[test]
fn a_request_leaves_at_once() {
    let receiver = Receiver::start(|_| OK);
    let (mut sinks, _) = open(&[&receiver.spec()], settings());
    sinks.send(&opened(0));
    receiver.next();
    let mut delays: Vec<Duration> = (1..60)
        .map(|n| {
            let transition = opened(n);
            let begin = Instant::now();
            sinks.send(&transition);
            let request = receiver.next();
            assert_eq!(request.connection, 0);
            request.at - begin
        })
        .collect();
    delays.sort();
    // Far below what Nagle's algorithm or any polling would cost, far above what a busy machine does to a thread.
    let median = delays[delays.len() / 2];
    assert!(median < Duration::from_millis(20), "{delays:?}");
    assert_eq!(sinks.close(None)[0].sent, 60);
}
