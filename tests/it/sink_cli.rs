//! `--sink` from outside: what arrives equals what `replay` prints, TLS is checked, secrets stay where they are.

use super::cli_support::{Ended, Folder, gauge, hump, rule};
use super::sink_support::{OK, Receiver, Reply, dead_port, read};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use std::fs;
use std::io::{BufReader, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;

/// A folder with a recording in which `busy` opens and closes.
fn folder() -> Folder {
    let folder = Folder::new();
    folder
        .write("cpu.jsonl", gauge("shop", "cpu", &hump()))
        .write("rules/busy.json", rule("Busy shop", "metrics.gauges.app/cpu", 10, 0.8));
    folder
}

fn replay(folder: &Folder, more: &str) -> Ended {
    folder.run(&format!("replay cpu.jsonl --rules rules {more}"))
}

fn text_of(folder: &Folder, name: &str) -> String {
    fs::read_to_string(folder.path(name)).expect("the file")
}

#[test]
fn every_sink_gets_the_lines_of_replay() {
    let folder = folder();
    let receiver = Receiver::start(|_| OK);
    let lines = replay(&folder, "--format jsonl -q").stdout;
    assert_eq!(lines.lines().count(), 2);
    let sinks = format!("--sink stdout:jsonl --sink file:events.jsonl --sink {}", receiver.spec());
    let ended = replay(&folder, &format!("{sinks} -o answer.txt"));
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert_eq!(ended.stdout, lines);
    assert_eq!(text_of(&folder, "events.jsonl"), lines);
    let bodies: Vec<String> = receiver.requests.try_iter().map(|request| request.body + "\n").collect();
    let issues: Vec<String> = lines.lines().map(|line| format!("{{\"issue\":{line}}}\n")).collect();
    assert_eq!(bodies, issues);
    assert_eq!(text_of(&folder, "answer.txt"), replay(&folder, "").stdout, "the answer is what it is without sinks");
}

#[test]
fn a_text_tells_each_transition_in_the_words_of_replay() {
    let folder = folder();
    let ended = replay(&folder, "--sink stdout --sink file,format=text:events.txt -o answer.txt");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let expected = "\
2025-11-22 06:02:20  opened  CRITICAL  Busy shop  busy  shop (i-1)  0.867 (threshold 0.8, 8.3% above); avg over 1m of cpu
2025-11-22 06:04:20  closed  CRITICAL  Busy shop  busy  shop (i-1)  recovered after 1m10s; peak 1 (threshold 0.8, 25% above)
";
    assert_eq!(ended.stdout, expected);
    assert_eq!(text_of(&folder, "events.txt"), expected);
    let answer = text_of(&folder, "answer.txt");
    for said in [
        "0.867 (threshold 0.8, 8.3% above)",
        "avg over 1m of cpu",
        "recovered after 1m10s",
        "1 (threshold 0.8, 25% above)",
    ] {
        assert!(answer.contains(said), "{said:?} is not in\n{answer}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let folder = folder();
    let services: Vec<String> = (0..400).map(|i| gauge(&format!("shop-{i}"), "cpu", &hump())).collect();
    let by_time = (0..hump().len()).flat_map(|n| services.iter().filter_map(move |lines| lines.lines().nth(n)));
    folder.write("many.jsonl", by_time.map(|line| format!("{line}\n")).collect::<String>());
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("foreshock"))
        .current_dir(folder.path(""))
        .args("replay many.jsonl --rules rules --sink stdout -o answer.txt --sink file:all.jsonl".split(' '))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(text_of(&folder, "all.jsonl").lines().count(), 800, "the other sink gets all");
}

#[test]
fn mistakes_end_the_command_before_anything_is_judged() {
    let folder = folder();
    let says = |arguments: &str, words: &[&str]| {
        let ended = replay(&folder, arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{arguments}");
        for word in words {
            assert!(ended.stderr.contains(word), "{arguments}: {word:?} is not in\n{}", ended.stderr);
        }
        assert!(!ended.stderr.contains("s3cret"), "{}", ended.stderr);
    };
    says("--sink stdout", &["--sink stdout", "with -o"]);
    says("--sink stdout -o -", &["with -o"]);
    says("--sink file:answer.txt -o answer.txt", &["file:answer.txt", "the output goes there"]);
    says("--sink file:cpu.jsonl", &["cpu.jsonl is an input"]);
    says("--sink file:no/such/folder", &["no/such/folder"]);
    says("--sink mail:ops@example.com", &["`webhook:URL`"]);
    says("--sink webhook:https://ops:s3cret@example.com/", &["webhook:https://…@example.com", "headers-file"]);
    says("--sink webhook,token-env=FORESHOCK_NO_SUCH:https://example.com/", &["$FORESHOCK_NO_SUCH", "not set"]);
    says("--sink-queue 0", &["--sink-queue", "from 1"]);
    assert_eq!(text_of(&folder, "cpu.jsonl"), gauge("shop", "cpu", &hump()), "the recording is as it was");
}

#[test]
fn a_sink_that_does_not_get_every_event_fails_the_command() {
    let folder = folder();
    let refusing = Receiver::start(|_| Reply::Status(404, ""));
    let ended = replay(&folder, &format!("--sink {}", refusing.spec()));
    assert_eq!(ended.code, 2);
    assert!(ended.stdout.contains("1 definition: 1 fired"), "the answer is there: {}", ended.stdout);
    assert!(ended.stderr.contains("2 of 2 events not delivered (2 refused)"), "{}", ended.stderr);
    assert!(ended.stderr.contains("404") && !ended.stderr.contains("/hook"), "{}", ended.stderr);
    let ended = replay(&folder, &format!("--sink {} --fail-on critical", refusing.spec()));
    assert_eq!(ended.code, 1, "a failed gate wins");
    let ended = replay(&folder, &format!("--sink webhook,retry-for=200ms:http://{}/", dead_port()));
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("tried again for up to 200ms"), "{}", ended.stderr);
    assert!(ended.stderr.contains("(2 given up); the last failure: Connection refused"), "{}", ended.stderr);
}

#[test]
fn a_token_comes_from_the_environment_and_no_proxy_stands_in_between() {
    let folder = folder();
    let receiver = Receiver::start(|_| OK);
    let mut command = folder.command("replay cpu.jsonl --rules rules");
    command.args(["--sink", &receiver.spec_with("token-env=FORESHOCK_OPS_TOKEN")]);
    command
        .env("FORESHOCK_OPS_TOKEN", "s3cret")
        .env("HTTP_PROXY", "http://127.0.0.1:9")
        .env("ALL_PROXY", "http://[::1]:9");
    command.assert().code(0);
    assert_eq!(receiver.next().header("authorization"), Some("Bearer s3cret"));
}

#[test]
fn tls_is_spoken_with_those_whom_the_system_trusts() {
    let folder = folder();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_string()]).expect("a certificate");
    folder.write("trusted.pem", cert.pem()).write("none.pem", "");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key))
        .expect("a server");
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").expect("a port"));
    let port = listener.local_addr().expect("an address").port();
    let server = thread::spawn(move || {
        let mut taken = Vec::new();
        while taken.len() < 2 {
            let (stream, _) = listener.accept().expect("a connection");
            let session = rustls::ServerConnection::new(Arc::clone(&config)).expect("a session");
            let mut reader = BufReader::new(rustls::StreamOwned::new(session, stream));
            while let Some(request) = read(&mut reader, 0) {
                reader.get_mut().write_all(b"HTTP/1.1 204 -\r\n\r\n").expect("an answer");
                taken.push(request.issue()["state"].to_string());
            }
        }
        taken
    });
    let run = |trusted: &str| {
        let mut command = folder.command("replay cpu.jsonl --rules rules --sink");
        command.arg(format!("webhook,retry-for=200ms:https://localhost:{port}/"));
        command.env("SSL_CERT_FILE", folder.path(trusted)).env_remove("SSL_CERT_DIR");
        command.output().expect("the binary runs")
    };
    let refused = run("none.pem");
    let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{stderr}");
    assert!(stderr.to_lowercase().contains("certificate"), "{stderr}");
    let trusted = run("trusted.pem");
    assert_eq!(trusted.status.code(), Some(0), "{}", String::from_utf8_lossy(&trusted.stderr));
    assert_eq!(server.join().expect("no panic"), ["\"OPEN\"", "\"CLOSED\""]);
}
