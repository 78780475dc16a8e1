//! What ours is measured against: tonic on one thread, which takes the same requests and drops them.
//!
//! One hands over the bytes of a message as they are, the other decodes them with the official types. Windows, compressions
//! and the rest are as ours has them, so that the difference is the work.

use bytes::{Buf, Bytes};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use prost::Message;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::marker::PhantomData;
use std::process::ExitCode;
use tokio::net::TcpListener;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http;
use tonic::server::{Grpc, UnaryService};
use tonic::{Request, Response, Status};

/// A server to compare with.
#[derive(Clone, Copy)]
pub enum Peer {
    /// Takes the bytes and drops them.
    Drop,
    /// Decodes them with prost and drops that.
    Prost,
}

impl Peer {
    /// By the word on the command line.
    pub fn named(word: &str) -> Option<Peer> {
        match word {
            "drop" => Some(Peer::Drop),
            "prost" => Some(Peer::Prost),
            _ => None,
        }
    }
}

/// Serves until the process is ended; the address is the only line it prints.
pub fn serve(peer: Peer) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        println!("{}", listener.local_addr().expect("it is bound"));
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http2()
            .initial_stream_window_size(4 << 20)
            .initial_connection_window_size(16 << 20)
            .max_frame_size(1 << 20);
        loop {
            let (stream, _) = listener.accept().await.expect("it listens");
            stream.set_nodelay(true).expect("a socket");
            let service = service_fn(move |request: http::Request<Incoming>| take(peer, request));
            let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
            tokio::spawn(connection);
        }
    });
    ExitCode::SUCCESS
}

async fn take(peer: Peer, request: http::Request<Incoming>) -> Result<http::Response<tonic::body::Body>, Infallible> {
    Ok(match peer {
        Peer::Drop => grpc::<Bytes>().unary(Dropping, request).await,
        Peer::Prost => grpc::<ExportMetricsServiceRequest>().unary(Dropping, request).await,
    })
}

fn grpc<T: Taken>() -> Grpc<Taking<T>> {
    Grpc::new(Taking(PhantomData))
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Zstd)
        .max_decoding_message_size(64 << 20)
}

struct Dropping;

impl<T: Taken> UnaryService<T> for Dropping {
    type Response = ();
    type Future = Ready<Result<Response<()>, Status>>;

    fn call(&mut self, request: Request<T>) -> Self::Future {
        drop(black_box(request));
        ready(Ok(Response::new(())))
    }
}

/// What a message is handed over as.
trait Taken: Send + 'static {
    fn take(message: &mut DecodeBuf<'_>) -> Result<Self, Status>
    where
        Self: Sized;
}

impl Taken for Bytes {
    fn take(message: &mut DecodeBuf<'_>) -> Result<Self, Status> {
        Ok(message.copy_to_bytes(message.remaining()))
    }
}

impl Taken for ExportMetricsServiceRequest {
    fn take(message: &mut DecodeBuf<'_>) -> Result<Self, Status> {
        Self::decode(message).map_err(|error| Status::internal(error.to_string()))
    }
}

struct Taking<T>(PhantomData<T>);

impl<T: Taken> Codec for Taking<T> {
    type Encode = ();
    type Decode = T;
    type Encoder = Nothing;
    type Decoder = Taking<T>;

    fn encoder(&mut self) -> Nothing {
        Nothing
    }

    fn decoder(&mut self) -> Taking<T> {
        Taking(PhantomData)
    }
}

impl<T: Taken> Decoder for Taking<T> {
    type Item = T;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<T>, Status> {
        T::take(message).map(Some)
    }
}

/// A response without any field: full success.
struct Nothing;

impl Encoder for Nothing {
    type Item = ();
    type Error = Status;

    fn encode(&mut self, (): (), _: &mut EncodeBuf<'_>) -> Result<(), Status> {
        Ok(())
    }
}
