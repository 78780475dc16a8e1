//! What bench and tests share of meeting `foreshock serve` from outside: where it listens, and messages as bytes.

use bytes::{Buf, BufMut};
use std::io::BufRead;
use std::net::SocketAddr;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

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
