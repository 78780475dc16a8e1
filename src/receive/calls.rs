//! The calls of one gRPC connection, on HTTP/2 without a general server in between.
//!
//! A message has mostly arrived with the head of its call, and a small one is answered at once, in the connection's own turn: a
//! task for it would cost more than that. What has to wait becomes a task of its own, so that no call waits for another one.

use super::connection::Way;
use super::grpc::Outgoing;
use bytes::Bytes;
use h2::server::{Builder, Connection, Handshake, SendResponse};
use h2::{Reason, RecvStream};
use http::{Request, Response};
use http_body::{Body, Frame};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite};

type Answering = Pin<Box<dyn Future<Output = ()> + Send>>;

/// See the file's head. It is over when the connection is.
pub(super) struct Calls<S> {
    state: State<S>,
    way: Arc<Way>,
    /// Begun in the turn that is now.
    begun: Vec<Answering>,
}

enum State<S> {
    Greeting(Handshake<S, Bytes>),
    Open(Connection<S, Bytes>),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Calls<S> {
    pub(super) fn new(stream: S, builder: &Builder, way: Arc<Way>) -> Self {
        Calls { state: State::Greeting(builder.handshake(stream)), way, begun: Vec::new() }
    }

    /// Takes no more calls, and is over when those that are there are answered.
    pub(super) fn end(&mut self) {
        if let State::Open(connection) = &mut self.state {
            connection.graceful_shutdown();
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Calls<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Calls { state, way, begun } = self.get_mut();
        if let State::Greeting(greeting) = state {
            match ready!(Pin::new(greeting).poll(context)) {
                Ok(connection) => *state = State::Open(connection),
                Err(_) => return Poll::Ready(()),
            }
        }
        let State::Open(connection) = state else { return Poll::Pending };
        let turn = loop {
            match connection.poll_accept(context) {
                Poll::Ready(Some(Ok((request, respond)))) => begun.push(Box::pin(answer(way, request, respond))),
                // How a connection ends is its client's affair.
                Poll::Ready(_) => break Poll::Ready(()),
                Poll::Pending => break Poll::Pending,
            }
        };
        for mut answering in begun.drain(..) {
            // What is answered wakes the connection, which has to send it.
            if answering.as_mut().poll(context).is_pending() {
                tokio::spawn(answering);
            }
        }
        turn
    }
}

/// Answers a call. Its head is looked at before the future is made.
fn answer(
    way: &Arc<Way>,
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
) -> impl Future<Output = ()> + Send + use<> {
    let answer = way.answer(request.map(Arriving));
    async move {
        let Ok(answer) = answer.await;
        // A client that is gone needs no answer.
        let _ = send(answer, respond).await;
    }
}

/// Sends an answer. They are small, so nothing waits for room in the client's window.
async fn send(answer: Outgoing, mut respond: SendResponse<Bytes>) -> Result<(), h2::Error> {
    let (head, mut body) = answer.into_parts();
    let is_head_only = body.is_end_stream();
    let mut stream = respond.send_response(Response::from_parts(head, ()), is_head_only)?;
    if is_head_only {
        return Ok(());
    }
    loop {
        let next = poll_fn(|context| match Pin::new(&mut body).poll_frame(context) {
            Poll::Ready(frame) => Poll::Ready(Ok(frame)),
            // Somebody who watches may leave.
            Poll::Pending => stream.poll_reset(context).map(Err),
        });
        let Ok(frame) = next.await else { return Ok(()) };
        match frame.map(|frame| frame.map(Frame::into_data)) {
            None => return stream.send_data(Bytes::new(), true),
            Some(Ok(Ok(data))) => stream.send_data(data, false)?,
            Some(Ok(Err(frame))) => match frame.into_trailers() {
                Ok(trailers) => return stream.send_trailers(trailers),
                Err(_) => continue,
            },
            Some(Err(_)) => {
                stream.send_reset(Reason::INTERNAL_ERROR);
                return Ok(());
            }
        }
    }
}

/// The body of a call, while it arrives.
struct Arriving(RecvStream);

impl Body for Arriving {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        match ready!(self.0.poll_data(context)) {
            Some(Ok(data)) => {
                self.0.flow_control().release_capacity(data.len())?;
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            // Trailers say nothing here.
            None => Poll::Ready(None),
            // The client has heard enough of the answer, and sends no more.
            Some(Err(error)) if error.reason() == Some(Reason::NO_ERROR) => Poll::Ready(None),
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
}
