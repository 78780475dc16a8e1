//! Several calls on one gRPC connection: what waits, what is taken back, what goes on for ever; none of them delays the others.

use crate::cli_support::Folder;
use crate::live_support::{EXPORT, PATIENCE, Server, bodies, fixture};
use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, StatusCode};
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio::time::timeout;

struct Calls(SendRequest<Bytes>);

impl Calls {
    async fn connect(address: SocketAddr) -> Calls {
        let stream = TcpStream::connect(address).await.expect("it listens");
        let (calls, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        tokio::spawn(connection);
        Calls(calls)
    }

    async fn begin(&self, path: &str) -> (ResponseFuture, SendStream<Bytes>) {
        self.begin_with(path, "identity").await
    }

    async fn begin_with(&self, path: &str, encoding: &str) -> (ResponseFuture, SendStream<Bytes>) {
        let head = Request::post(format!("http://x{path}"))
            .header("content-type", "application/grpc")
            .header("grpc-encoding", encoding)
            .body(());
        let mut calls = self.0.clone().ready().await.expect("it is open");
        calls.send_request(head.expect("a head"), false).expect("it is open")
    }

    /// The status of an export.
    async fn export(&self, message: &[u8]) -> String {
        let (answer, mut sending) = self.begin(EXPORT).await;
        sending.send_data(framed(message), true).expect("it is open");
        status(answer).await
    }
}

fn framed(message: &[u8]) -> Bytes {
    let mut framed = vec![0];
    framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
    framed.extend_from_slice(message);
    framed.into()
}

async fn status(answer: ResponseFuture) -> String {
    let answer = timeout(PATIENCE, answer).await.expect("in time").expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    let number = |headers: &HeaderMap| headers["grpc-status"].to_str().expect("a number").to_owned();
    if answer.headers().contains_key("grpc-status") {
        return number(answer.headers());
    }
    let mut body = answer.into_body();
    assert_eq!(next(&mut body).await, framed(b""), "a full success has no field");
    let trailers = timeout(PATIENCE, body.trailers()).await.expect("in time").expect("an answer");
    number(&trailers.expect("trailers"))
}

async fn next(body: &mut RecvStream) -> Bytes {
    timeout(PATIENCE, body.data()).await.expect("in time").expect("a message").expect("an answer")
}

#[test]
fn calls_of_one_connection_do_not_wait_for_each_other() {
    let folder = Folder::new();
    let server = Server::start(&folder, "serve --clock data --max-requests 4");
    let message = bodies(&fixture("fast_leak.jsonl.gz")).swap_remove(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let calls = Calls::connect(server.grpc).await;
        // One that sends half of its message and stops to think.
        let whole = framed(&message);
        let (slow_answer, mut slow) = calls.begin(EXPORT).await;
        slow.send_data(whole.slice(..whole.len() / 2), false).expect("it is open");
        // One that has second thoughts.
        let (_, mut regretted) = calls.begin(EXPORT).await;
        regretted.send_data(whole.slice(..7), false).expect("it is open");
        // One that watches, and will hear nothing new.
        let (watched, mut watching) = calls.begin("/grpc.health.v1.Health/Watch").await;
        watching.send_data(framed(b""), true).expect("it is open");
        let mut watched = timeout(PATIENCE, watched).await.expect("in time").expect("an answer").into_body();
        assert_eq!(next(&mut watched).await, framed(b"\x08\x01"), "it serves");

        assert_eq!(calls.export(&message).await, "0", "meanwhile others are served");
        let (last_answer, mut last) = calls.begin(EXPORT).await;
        regretted.send_reset(Reason::CANCEL);
        watching.send_reset(Reason::CANCEL);
        // No connection may have more than four at a time.
        assert_eq!(calls.export(&message).await, "0", "what was taken back gives its place back");
        slow.send_data(whole.slice(whole.len() / 2..), true).expect("it is open");
        last.send_data(whole.clone(), true).expect("it is open");
        assert_eq!((status(slow_answer).await, status(last_answer).await), ("0".to_owned(), "0".to_owned()));
    });
    server.wait_for("foreshock_requests_total{transport=\"grpc\",result=\"accepted\"}", 4.0);
    assert_eq!(server.stop().code, 0);
}

#[test]
fn what_is_decompressed_holds_memory_while_the_end_of_its_call_is_waited_for() {
    let folder = Folder::new();
    let limits = "--max-message-size 4MiB --inbox-size 16MiB --request-timeout 2s";
    let server = Server::start(&folder, &format!("serve --clock data {limits}"));
    let mut message = framed(&zstd::bulk::compress(&vec![0; 3 << 20], 1).expect("memory")).to_vec();
    message[0] = 1;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let statuses = runtime.block_on(async {
        let calls = Calls::connect(server.grpc).await;
        let mut begun = Vec::new();
        for _ in 0..8 {
            let (answer, mut sending) = calls.begin_with(EXPORT, "zstd").await;
            sending.send_data(message.clone().into(), false).expect("it is open");
            begun.push((answer, sending));
        }
        let mut statuses = Vec::new();
        for (answer, _sending) in begun {
            statuses.push(status(answer).await);
        }
        statuses
    });
    // Five of three mebibytes fit into sixteen.
    assert_eq!(statuses, ["4", "4", "4", "4", "4", "14", "14", "14"], "late, and the inbox is full");
    assert_eq!(server.metric("foreshock_inbox_bytes"), 0.0);
    assert_eq!(server.stop().code, 0);
}
