//! What a request costs the server: ours, beside two that drop.
//!
//! Ours is there twice. With the wall clock, as it is used: points carry the current time and are judged every second, which
//! is ten times as often as the shipped rules ask for. With the clock of the data: an entity's exports lie ten seconds apart
//! however fast they come, so every point is judged as it would be in a service that exports every ten seconds. CPU time runs
//! from the first request until the engine has taken and judged everything. A step, in which every process reports once, is
//! answered before the next one is sent: no process has two exports on their way, as no client of today has.

use crate::Plan;
use crate::client::{Client, Patience, bodies};
use crate::corpus::{Corpus, Shape};
use crate::process::Server;
use crate::table::{Bar, Table};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Calls at a time, on one connection.
const CALLS: usize = 8;
/// The longest window of the shipped rules, in steps of ten seconds, and a few more.
const WARM_UP: u64 = 64;

struct Contender {
    name: &'static str,
    server: Server,
    corpus: Corpus,
    /// Whether points carry the current time.
    now: bool,
    /// Points sent so far.
    points: u64,
    /// Nanoseconds of CPU time a request, of each round.
    rounds: Vec<f64>,
    requests_per_second: f64,
    points_per_request: f64,
}

impl Contender {
    fn new(name: &'static str, server: Server, shape: Shape, now: bool) -> Self {
        Contender {
            name,
            server,
            corpus: Corpus::new(shape),
            now,
            points: 0,
            rounds: Vec::new(),
            requests_per_second: 0.0,
            points_per_request: 0.0,
        }
    }

    fn run(&mut self, steps: u64) {
        let steps: Vec<_> = bodies(&mut self.corpus, steps, self.now).into_iter().map(Arc::new).collect();
        // A connection that waits for its turn without a request would be closed.
        let client = Client::connect(self.server.grpc);
        let before = self.server.cpu_ns();
        let (mut requests, mut points, mut took) = (0, 0, Duration::ZERO);
        for step in &steps {
            let sent = client.send(step, CALLS, Patience::Again);
            (requests, points, took) = (requests + sent.requests, points + sent.points, took + sent.took);
        }
        self.points += points;
        self.server.settle(self.points);
        let spent = (self.server.cpu_ns() - before) as f64;
        self.rounds.push(spent / requests as f64);
        self.requests_per_second = requests as f64 / took.as_secs_f64();
        self.points_per_request = points as f64 / requests as f64;
    }

    fn least(&self) -> f64 {
        self.rounds.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn median(&self) -> f64 {
        median(self.rounds.clone())
    }

    /// The median of the ratios of the rounds that were run one after the other. The machine's speed changes from second to
    /// second, and then the quietest rounds of two servers are not of the same machine.
    fn over(&self, other: &Contender) -> f64 {
        median(self.rounds.iter().zip(&other.rounds).map(|(ours, theirs)| ours / theirs).collect())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The package of the shipped rules.
pub fn shipped_rules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/python")
}

/// Runs one shape of bodies, and sets its bars.
pub fn run(table: &mut Table, plan: Plan, name: &str, points_per_request: usize, steps: u64) {
    let shape = Shape { entities: plan.entities, interval_s: 10, points_per_request };
    let rules = shipped_rules();
    let mut contenders = [
        Contender::new("tonic, bytes dropped", Server::peer("drop"), shape, false),
        Contender::new("tonic + prost, dropped", Server::peer("prost"), shape, false),
        Contender::new("serve", Server::ours(&rules, &["--step", "1s"]), shape, true),
        Contender::new("serve --clock data", Server::ours(&rules, &["--clock", "data"]), shape, false),
    ];
    for contender in &mut contenders {
        contender.run(WARM_UP);
        contender.rounds.clear();
    }
    for _ in 0..plan.rounds {
        contenders.iter_mut().for_each(|contender| contender.run(steps));
    }
    println!("{name} points a request, {CALLS} calls at a time, one connection");
    println!(
        "  {:<24}{:>10}{:>10}{:>10}{:>22}{:>12}",
        "", "least us", "median us", "ns/point", "million/core-second", "requests/s"
    );
    for contender in &contenders {
        let (least, median) = (contender.least(), contender.median());
        let point = least / contender.points_per_request;
        let (name, speed) = (contender.name, contender.requests_per_second);
        println!(
            "  {name:<24}{:>10.1}{:>10.1}{point:>10.1}{:>22.2}{speed:>12.0}",
            least / 1e3,
            median / 1e3,
            1e3 / point
        );
    }
    let [drop, prost, wall, data] = contenders;
    for (ours, as_used) in [(wall, true), (data, false)] {
        let [to_drop, to_prost] = [&drop, &prost].map(|peer| ours.over(peer));
        println!(
            "  {:<24} / dropped {to_drop:.2} (of the least {:.2}), / prost {to_prost:.3} ({:.3})",
            ours.name,
            ours.least() / drop.least(),
            ours.least() / prost.least()
        );
        if points_per_request > 0 {
            table.bar(Bar::at_least(format!("{name}: {}, points/core-s / prost", ours.name), 1.0 / to_prost, 4.5));
        } else if as_used {
            // These are for receiving. To judge every report again, with all rules, is work that neither peer has.
            table.bar(Bar::at_most(format!("{name}: {}, CPU / bytes dropped", ours.name), to_drop, 1.15));
            table.bar(Bar::at_most(format!("{name}: {}, CPU / prost", ours.name), to_prost, 0.6));
        }
    }
    println!();
}
