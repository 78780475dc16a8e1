//! One process that reports: its resource, its series, and how their values move.

use super::{BASE, Random, SECOND};

const DISKS: [&str; 4] = ["nvme0n1", "sda", "dm-0", "sdb"];
const NETS: [&str; 4] = ["eth0", "lo", "docker0", "veth5f3a91c"];

/// Name and version of the only scope.
pub const SCOPE: (&str, &str) = ("opentelemetry.instrumentation.system_metrics", "0.51b0");

/// How a metric is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Data {
    Gauge,
    Sum { monotonic: bool },
}

/// One metric: the facts around its points.
pub struct Metric {
    pub name: &'static str,
    pub description: &'static str,
    pub unit: &'static str,
    pub data: Data,
    pub integer: bool,
    /// One attribute set per point.
    pub points: Vec<Vec<(&'static str, &'static str)>>,
}

/// The processes that report, one by one. Series are numbered in the order of their metrics.
pub struct Entity {
    id: u32,
    random: Random,
    disks: usize,
    nets: usize,
    /// Busy ones break a threshold now and then.
    busy: bool,
    /// Where in the interval its exports fall, in nanoseconds.
    pub phase: u64,
    /// Time of the current export.
    pub time: u64,
    /// Time of the first export: where start times come from.
    began: u64,
    values: Vec<f64>,
    /// The export as protobuf, made once and patched from then on.
    pub template: Vec<u8>,
    /// Offsets in `template` of each point's time and value.
    pub holes: Vec<(u32, u32)>,
}

impl Entity {
    /// Entity number `id`, its phase somewhere in the interval.
    pub fn new(id: u32, interval: u64) -> Self {
        let mut random = Random::new(0x51ED_270B ^ (u64::from(id) + 1).wrapping_mul(0xD134_2543_DE82_EF95));
        let (disks, nets) = (2 + random.below(3) as usize, 2 + random.below(3) as usize);
        let phase = random.below(interval);
        let mut entity = Entity {
            id,
            disks,
            nets,
            busy: id % 32 == 7,
            phase,
            time: 0,
            began: BASE + phase - 2_000_000,
            values: Vec::new(),
            template: Vec::new(),
            holes: Vec::new(),
            random,
        };
        for series in 0..entity.points() {
            let first = entity.first_value(series);
            entity.values.push(first);
        }
        super::wire::make_template(&mut entity);
        entity
    }

    /// Number of points of one export.
    pub fn points(&self) -> usize {
        11 + 2 * (self.disks + self.nets)
    }

    /// The current value of a series.
    pub fn value(&self, series: usize) -> f64 {
        self.values[series]
    }

    /// The start time of a series: the client notes it when it first sees the series, microseconds after the one before.
    pub fn start(&self, series: usize) -> u64 {
        self.began + series as u64 * 3_700 + u64::from(self.id % 5) * 900
    }

    /// The seven resource attributes.
    pub fn resource(&self) -> [(&'static str, String); 7] {
        let id = u64::from(self.id);
        let h = Random::new(id).bits();
        [
            ("telemetry.sdk.language", "python".into()),
            ("telemetry.sdk.name", "opentelemetry".into()),
            ("telemetry.sdk.version", "1.30.0".into()),
            ("service.name", format!("checkout-service-{:03}", id / 8)),
            (
                "service.instance.id",
                format!(
                    "{:08x}-{:04x}-4{:03x}-9{:03x}-{:012x}",
                    h >> 32,
                    h >> 16 & 0xffff,
                    h & 0xfff,
                    h >> 20 & 0xfff,
                    h & 0xffff_ffff_ffff
                ),
            ),
            ("host.name", format!("ip-10-{}-{}-{}.internal", id >> 16 & 255, id >> 8 & 255, id & 255)),
            ("deployment.environment", "production".into()),
        ]
    }

    /// The metrics of an export, in the order they are sent.
    pub fn metrics(&self) -> Vec<Metric> {
        let typed = |values: &[&'static str]| values.iter().map(|v| vec![("type", *v)]).collect::<Vec<_>>();
        let io = |devices: &[&'static str], directions: [&'static str; 2]| {
            let pair = |device| directions.map(|direction| vec![("device", device), ("direction", direction)]);
            devices.iter().flat_map(|device| pair(*device)).collect::<Vec<_>>()
        };
        let counts = ["0", "1", "2"].map(|v| vec![("count", v)]).to_vec();
        let counter = Data::Sum { monotonic: true };
        let level = Data::Sum { monotonic: false };
        let runtime =
            |name, description, unit, data, integer, points| Metric { name, description, unit, data, integer, points };
        vec![
            runtime(
                "process.runtime.cpython.context_switches",
                "Runtime context switches",
                "switches",
                counter,
                true,
                typed(&["involuntary", "voluntary"]),
            ),
            runtime(
                "process.runtime.cpython.cpu.utilization",
                "Runtime CPU utilization",
                "1",
                Data::Gauge,
                false,
                vec![vec![]],
            ),
            runtime(
                "process.runtime.cpython.thread_count",
                "Runtime active threads count",
                "",
                level,
                true,
                vec![vec![]],
            ),
            runtime(
                "process.runtime.cpython.cpu_time",
                "Runtime cpython CPU time",
                "s",
                counter,
                false,
                typed(&["user", "system"]),
            ),
            runtime("process.runtime.cpython.gc_count", "Runtime cpython GC count", "By", counter, true, counts),
            runtime(
                "process.runtime.cpython.memory",
                "Runtime cpython memory",
                "By",
                level,
                true,
                typed(&["rss", "vms"]),
            ),
            runtime(
                "system.disk.io",
                "System disk IO",
                "By",
                counter,
                true,
                io(&DISKS[..self.disks], ["read", "write"]),
            ),
            runtime(
                "system.network.io",
                "System network IO",
                "By",
                counter,
                true,
                io(&NETS[..self.nets], ["transmit", "receive"]),
            ),
        ]
    }

    fn first_value(&mut self, series: usize) -> f64 {
        match series {
            0..=8 => self.random.below(9) as f64,
            9 => (20_000 + self.random.below(30_000)) as f64 * 4096.0,
            10 => 670_000_000.0,
            _ => self.random.below(1 << 40) as f64,
        }
    }

    /// Moves every value by one interval and sets the time of the export of this step.
    pub fn advance(&mut self, step_start: u64, step: u64) {
        // The client waits a whole interval after each export, so its clock drifts by the export's own few milliseconds.
        let drift = (step * 4_100_000).min(SECOND / 2);
        self.time = step_start + self.phase + drift + self.random.below(900_000);
        for series in 0..self.values.len() {
            let value = self.values[series];
            self.values[series] = self.next_value(series, value);
        }
    }

    fn next_value(&mut self, series: usize, v: f64) -> f64 {
        let busy = self.busy;
        let random = &mut self.random;
        match series {
            0 => v + random.below(8) as f64,
            1 => v + random.below(if busy { 30_000 } else { 400 }) as f64,
            2 => (random.unit() * if busy { 2000.0 } else { 300.0 }).round() / 1000.0,
            3 => 8.0 + random.below(4) as f64,
            // The operating system counts hundredths of a second.
            4 => (v * 100.0 + random.below(300) as f64).round() / 100.0,
            5 => (v * 100.0 + random.below(40) as f64).round() / 100.0,
            // Collections let the three counters fall, although they are declared monotonic.
            6 => (v + random.below(60) as f64) % 700.0,
            7 => (v + random.below(2) as f64) % 11.0,
            8 => v + if random.below(40) == 0 { 1.0 } else { 0.0 },
            9 => {
                let change = (random.below(4001) as f64 - 2000.0) * 4096.0;
                if random.below(3) == 0 { (v + change).max(4e7) } else { v }
            }
            10 => v,
            _ if random.below(4) == 0 => v,
            _ => v + random.below(if busy { 1 << 20 } else { 60_000 }) as f64,
        }
    }
}
