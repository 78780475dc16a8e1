//! What bench and tests share of meeting `foreshock serve` from outside: where it listens, and messages as bytes.

use bytes::{Buf, BufMut, Bytes};
use h2::client::SendRequest;
use http_body_util::combinators::WithTrailers;
use http_body_util::{BodyExt, Full};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io::BufRead;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::{BoxFuture, Service, StdError, http};

/// The addresses for gRPC and HTTP, as soon as it says them on standard error; `said` gets what it says until then.
pub fn addresses(stderr: &mut impl BufRead, said: &mut String) -> (SocketAddr, SocketAddr) {
    loop {
        let before = said.len();
        let n = stderr.read_line(said).expect("UTF-8");
        assert!(n > 0, "it ended instead of listening: {said}");
        if let Some(rest) = said[before..].strip_prefix("OTLP/gRPC on ") {
            let (grpc, rest) = rest.split_once(", OTLP/HTTP on ").expect("two addresses");
            let http = rest.split_once(". ").expect("an end").0;
            return (grpc.parse().expect("an address"), http.parse().expect("an address"));
        }
    }
}

/// One gRPC connection for unary calls, on plain HTTP/2: the library's own transport would have every crate below it built twice,
/// with and without the features of a client.
#[derive(Clone)]
pub struct Channel {
    calls: SendRequest<Bytes>,
    patience: Duration,
}

type Trailers = Ready<Option<Result<http::HeaderMap, Infallible>>>;

impl Channel {
    /// Connects; a call that takes longer than the patience fails.
    pub async fn connect(address: SocketAddr, patience: Duration) -> Result<Channel, StdError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (calls, connection) = h2::client::handshake(stream).await?;
        tokio::spawn(connection);
        Ok(Channel { calls, patience })
    }

    async fn call_once(
        calls: SendRequest<Bytes>,
        request: http::Request<tonic::body::Body>,
    ) -> Result<http::Response<WithTrailers<Full<Bytes>, Trailers>>, StdError> {
        let (mut head, message) = request.into_parts();
        head.uri = format!("http://localhost{}", head.uri.path()).parse()?;
        head.version = http::Version::HTTP_2;
        let message = message.collect().await?.to_bytes();
        let (response, mut sending) = calls.ready().await?.send_request(http::Request::from_parts(head, ()), false)?;
        sending.send_data(message, true)?;
        let (head, mut body) = response.await?.into_parts();
        let mut bytes = Vec::new();
        while let Some(data) = body.data().await {
            let data = data?;
            body.flow_control().release_capacity(data.len())?;
            bytes.extend_from_slice(&data);
        }
        let trailers = body.trailers().await?.map(Ok);
        Ok(http::Response::from_parts(head, Full::new(bytes.into()).with_trailers(ready(trailers))))
    }
}

impl Service<http::Request<tonic::body::Body>> for Channel {
    type Response = http::Response<WithTrailers<Full<Bytes>, Trailers>>;
    type Error = StdError;
    type Future = BoxFuture<Self::Response, StdError>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StdError>> {
        self.calls.poll_ready(context).map_err(StdError::from)
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let (calls, patience) = (self.calls.clone(), self.patience);
        Box::pin(async move { tokio::time::timeout(patience, Channel::call_once(calls, request)).await? })
    }
}

/// Messages as bytes.
#[derive(Clone, Copy)]
pub struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let length = message.remaining();
        Ok(Some(message.copy_to_bytes(length).to_vec()))
    }
}
