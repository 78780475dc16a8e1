//! Synthetic exports in the shape of a real Python client, without a stored byte.
//!
//! Owns the generator that benches and tests share: N entities × M steps of OTLP bodies, as protobuf and as OTLP/JSON.
//! Invariant: the same [`Shape`] gives the same bytes on every machine. One step is made at a time, so the memory needed is
//! that of the entities, whatever the number of steps.
//!
//! What it copies from the client: 19 to 27 series an entity (host devices make the difference), one time for all points
//! of an export, start times a few microseconds apart, a `gc_count` that falls although it is declared monotonic, memory and
//! threads as non-monotonic sums. Absent on purpose: histograms, exemplars and odd field orders, which this client does
//! not send.

mod entity;
mod wire;

use entity::Entity;

/// First instant of every corpus: 2026-01-01T00:00:00Z, in nanoseconds since the epoch.
pub const BASE: u64 = 1_767_225_600_000_000_000;

const SECOND: u64 = 1_000_000_000;

/// Entities of one slot report in any order: the window in which exports are shuffled.
const SLOT_S: u64 = 10;

/// What to generate.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Number of processes that report.
    pub entities: u32,
    /// Seconds between two exports of an entity; a multiple of 10.
    pub interval_s: u64,
    /// A request is closed once it holds this many points; 0 means one entity a request, as without a Collector.
    pub points_per_request: usize,
}

/// The encoding of a generated body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `ExportMetricsServiceRequest` as protobuf.
    Protobuf,
    /// The same as OTLP/JSON, one line, no line feed.
    Json,
}

/// One generated request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// When it arrives, in nanoseconds since the epoch; never falls.
    pub at: u64,
    /// Its bytes.
    pub body: &'a [u8],
    /// Number of data points in it.
    pub points: usize,
}

/// The generator: entities with their current values, and the position in time.
pub struct Corpus {
    shape: Shape,
    entities: Vec<Entity>,
    slots: Vec<Vec<u32>>,
    random: Random,
    step: u64,
    body: Vec<u8>,
}

impl Corpus {
    /// A generator at its first step.
    pub fn new(shape: Shape) -> Self {
        let entities: Vec<Entity> = (0..shape.entities).map(|id| Entity::new(id, shape.interval_s * SECOND)).collect();
        let mut slots = vec![Vec::new(); shape.interval_s.div_ceil(SLOT_S) as usize];
        for (i, entity) in entities.iter().enumerate() {
            slots[(entity.phase / (SLOT_S * SECOND)) as usize].push(i as u32);
        }
        Corpus { shape, entities, slots, random: Random::new(42), step: 0, body: Vec::new() }
    }

    /// Number of series, which is also the number of points of a step.
    pub fn series(&self) -> usize {
        self.entities.iter().map(Entity::points).sum()
    }

    /// Makes the next step: every entity once, shuffled within its ten seconds, delivered in the ten seconds after.
    pub fn step(&mut self, form: Form, mut each: impl FnMut(Request<'_>)) {
        let start = BASE + self.step * self.shape.interval_s * SECOND;
        for slot in 0..self.slots.len() {
            self.random.shuffle(&mut self.slots[slot]);
            let opens = start + (slot as u64 + 1) * SLOT_S * SECOND;
            let (mut points, count) = (0, self.slots[slot].len());
            wire::open(form, &mut self.body);
            for k in 0..count {
                let entity = &mut self.entities[self.slots[slot][k] as usize];
                entity.advance(start, self.step);
                wire::append(form, &mut self.body, entity, points == 0);
                points += entity.points();
                if points >= self.shape.points_per_request || k + 1 == count {
                    let at = opens + SLOT_S * SECOND * k as u64 / count as u64;
                    wire::close(form, &mut self.body);
                    each(Request { at, body: &self.body, points });
                    wire::open(form, &mut self.body);
                    points = 0;
                }
            }
        }
        self.step += 1;
    }
}

/// A small deterministic generator of random numbers (splitmix64).
pub struct Random(u64);

impl Random {
    /// A generator with a seed.
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A whole number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// A number in `0..1`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn shuffle(&mut self, list: &mut [u32]) {
        for i in (1..list.len()).rev() {
            list.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}
