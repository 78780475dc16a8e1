//! The client: bodies that are ready, sent by several unary calls at a time on one connection.

use crate::corpus::{Corpus, Form};
use crate::outside::{Channel, Raw};
use bytes::Bytes;
use foreshock::model::Export;
use foreshock::otlp::{Decoder as OtlpDecoder, Encoding};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request};

const EXPORT: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// A body that can be sent as it is, or with the current time in all its points.
pub struct Body {
    bytes: Bytes,
    points: u64,
    /// Where the points' times are.
    times: Vec<usize>,
}

impl Body {
    /// A body that is sent as it is.
    pub fn fixed(bytes: Vec<u8>, points: u64) -> Body {
        Body { bytes: bytes.into(), points, times: Vec::new() }
    }

    /// What goes over the wire. The copy is made in any case, so that every server has the same client.
    fn message(&self) -> Vec<u8> {
        let mut message = self.bytes.to_vec();
        if !self.times.is_empty() {
            let now = foreshock::clock::now().to_le_bytes();
            self.times.iter().for_each(|&at| message[at..at + 8].copy_from_slice(&now));
        }
        message
    }
}

/// The bodies of each of the next steps of a corpus; `now` makes them carry the current time whenever they are sent.
pub fn bodies(corpus: &mut Corpus, steps: u64, now: bool) -> Vec<Vec<Body>> {
    let (mut decoder, mut export) = (OtlpDecoder::default(), Export::default());
    let step = |_| {
        let mut bodies = Vec::new();
        corpus.step(Form::Protobuf, |request| {
            let bytes = Bytes::copy_from_slice(request.body);
            let mut times = Vec::new();
            if now {
                decoder.decode(Encoding::Protobuf, bytes.clone(), &mut export).expect("generated bodies are valid");
                let mut from = 0;
                for point in &export.points {
                    // The tag of a point's time, and the time; points come in the order of the wire.
                    let mut field = [0x19; 9];
                    field[1..].copy_from_slice(&point.time.to_le_bytes());
                    from += memchr::memmem::find(&bytes[from..], &field).expect("every point has a time") + 9;
                    times.push(from - 8);
                }
            }
            bodies.push(Body { bytes, points: request.points as u64, times });
        });
        bodies
    };
    (0..steps).map(step).collect()
}

/// One connection.
pub struct Client {
    runtime: tokio::runtime::Runtime,
    channel: Channel,
}

/// What became of some bodies.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Bodies and points that were accepted.
    pub requests: u64,
    /// See `requests`.
    pub points: u64,
    /// Answers that asked to wait.
    pub refused: u64,
    /// How long it took.
    pub took: Duration,
}

/// What somebody does who is asked to wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Sends the same again a little later.
    Again,
    /// Goes on with the next body.
    Next,
}

impl Client {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Client {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let channel = runtime.block_on(Channel::connect(address, Duration::from_secs(600))).expect("it listens");
        Client { runtime, channel }
    }

    /// Sends all bodies, in about their order, so many calls at a time.
    pub fn send(&self, bodies: &Arc<Vec<Body>>, calls: usize, patience: Patience) -> Sent {
        let next = Arc::new(AtomicUsize::new(0));
        let sums = Arc::new([const { AtomicU64::new(0) }; 3]);
        let since = Instant::now();
        self.runtime.block_on(async {
            let calls: Vec<_> = (0..calls)
                .map(|_| {
                    let worker =
                        send(self.channel.clone(), Arc::clone(bodies), patience, Arc::clone(&next), Arc::clone(&sums));
                    tokio::spawn(worker)
                })
                .collect();
            for call in calls {
                call.await.expect("no worker fails");
            }
        });
        let sum = |i: usize| sums[i].load(Ordering::Relaxed);
        Sent { requests: sum(0), points: sum(1), refused: sum(2), took: since.elapsed() }
    }
}

async fn send(
    channel: Channel,
    bodies: Arc<Vec<Body>>,
    patience: Patience,
    next: Arc<AtomicUsize>,
    sums: Arc<[AtomicU64; 3]>,
) {
    let mut grpc = tonic::client::Grpc::new(channel).max_encoding_message_size(usize::MAX);
    while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
        loop {
            grpc.ready().await.expect("the connection stays");
            let request = Request::new(body.message());
            match grpc.unary(request, PathAndQuery::from_static(EXPORT), Raw).await {
                Ok(answer) => {
                    assert!(answer.into_inner().is_empty(), "a full success has no field");
                    sums[0].fetch_add(1, Ordering::Relaxed);
                    sums[1].fetch_add(body.points, Ordering::Relaxed);
                    break;
                }
                Err(status) if status.code() == Code::Unavailable => {
                    sums[2].fetch_add(1, Ordering::Relaxed);
                    if patience == Patience::Next {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(status) => panic!("{status}"),
            }
        }
    }
}
