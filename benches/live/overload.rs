//! A client that is faster than the engine: how much memory that takes, and whether anything accepted is lost.
//!
//! The same bodies go to two servers. One gets them one after the other and is given time; the other gets them with many
//! calls at a time, which go on with the next body when they are asked to wait. What the second one needs beyond the first is
//! the price of the overload.

use crate::client::{Client, Patience, Sent, bodies};
use crate::corpus::{Corpus, Shape};
use crate::ingest::shipped_rules;
use crate::process::Server;
use crate::table::{Bar, Table};
use std::sync::Arc;

/// Calls at a time, on one connection.
const CALLS: usize = 32;
const INBOX: u64 = 32 << 20;
/// What may be held beside the inbox, as docs/live.md has it for these arguments: the window of one connection, lists that are kept
/// for the next bodies, and one message that is put together.
const BESIDE: u64 = INBOX / 16 + INBOX / 16 + (2 << 20);
/// Judged every second, so that the engine has ten times the usual work and falls behind.
const ARGUMENTS: [&str; 8] = ["--clock", "data", "--step", "1s", "--max-message-size", "2MiB", "--inbox-size", "32MiB"];

/// Runs the case.
pub fn run(table: &mut Table) {
    let mut corpus = Corpus::new(Shape { entities: 1000, interval_s: 10, points_per_request: 8000 });
    let bodies = Arc::new(bodies(&mut corpus, 100, false).into_iter().flatten().collect());
    let calm = Server::ours(&shipped_rules(), &ARGUMENTS);
    let sent = Client::connect(calm.grpc).send(&bodies, 1, Patience::Again);
    calm.settle(sent.points);
    let enough = calm.peak_bytes();
    drop(calm);
    let flooded = Server::ours(&shipped_rules(), &ARGUMENTS);
    let sent = Client::connect(flooded.grpc).send(&bodies, CALLS, Patience::Next);
    let Sent { requests: accepted, points, refused, .. } = sent;
    assert!(refused > 0, "the engine was faster than the clients: this was no overload");
    // Fails unless every accepted point is judged.
    flooded.settle(points);
    let peak = flooded.peak_bytes();
    let (mib, more) = (f64::from(1 << 20), peak.saturating_sub(enough));
    println!("overload: {CALLS} calls at a time, an inbox of {} MiB", INBOX >> 20);
    println!("  {accepted} bodies accepted and judged ({points} points), {refused} asked to wait");
    println!(
        "  at most {:.0} MiB in memory; {:.0} MiB when the bodies come one after the other\n",
        peak as f64 / mib,
        enough as f64 / mib
    );
    let allowed = (INBOX + BESIDE) as f64;
    table.bar(Bar::at_most(
        "overload: memory more / inbox, window, lists and a message".into(),
        more as f64 / allowed,
        1.0,
    ));
}
