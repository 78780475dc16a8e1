pub fn kv(k: &str, v: &str) -> KeyValue {
    KeyValue { key: k.into(), value: Some(AnyValue { value: Some(AV::StringValue(v.into())) }), ..Default::default() }
}
pub struct Inst {
    pub id: u64,
    rng: Rng,
    disks: usize,
    nets: usize,
    start: u64,
    vals: Vec<f64>,
}
const DISKS: [&str; 4] = ["nvme0n1", "sda", "dm-0", "sdb"];
const NETS: [&str; 4] = ["eth0", "lo", "docker0", "veth5f3a91c"];
impl Inst {
    pub fn new(id: u64) -> Self {
        let mut rng = Rng(0x9E3779B97F4A7C15 ^ (id + 1).wrapping_mul(0xD1342543DE82EF95));
        rng.next();
        let disks = 2 + rng.below(3) as usize;
        let nets = 2 + rng.below(3) as usize;
        let start = 1_750_000_000_000_000_000 + rng.below(3_600_000_000_000);
        let vals = (0..11 + 2 * (disks + nets))
            .map(|i| match i {
                0 | 1 => 1e8 + (rng.f() * 1e9).floor(),
                10 => rng.f(),
                _ => (rng.f() * 1e6).floor(),
            })
            .collect();
        Inst { id, rng, disks, nets, start, vals }
    }
    pub fn points(&self) -> usize {
        11 + 2 * (self.disks + self.nets)
    }
    pub fn resource(&self) -> Resource {
        let id = self.id;
        let h = id.wrapping_mul(0x9E3779B97F4A7C15);
        Resource {
            attributes: vec![
                kv("telemetry.sdk.language", "python"),
                kv("telemetry.sdk.name", "opentelemetry"),
                kv("telemetry.sdk.version", "1.27.0"),
                kv("service.name", &format!("checkout-service-{:03}", id / 8)),
                kv(
                    "service.instance.id",
                    &format!(
                        "{:08x}-{:04x}-4{:03x}-9{:03x}-{:012x}",
                        h >> 32,
                        h >> 16 & 0xffff,
                        h & 0xfff,
                        h >> 20 & 0xfff,
                        h & 0xffff_ffff_ffff
                    ),
                ),
                kv("host.name", &format!("ip-10-{}-{}-{}.ec2.internal", id >> 16 & 255, id >> 8 & 255, id & 255)),
                kv("deployment.environment", "production"),
            ],
            ..Default::default()
        }
    }
    pub fn step(&mut self, step: u64) -> ResourceMetrics {
        let t = self.start + step * 10_000_000_000 + self.rng.below(3_000_000);
        let start = self.start;
        for i in 0..self.vals.len() {
            let v = &mut self.vals[i];
            match i {
                0 | 1 => {
                    if self.rng.below(3) == 0 {
                        *v += (self.rng.below(4001) as f64 - 2000.0) * 4096.0
                    }
                }
                2 | 3 => *v += (self.rng.f() * 1000.0).round() / 100.0,
                4 => *v += self.rng.below(40) as f64,
                5 => *v += self.rng.below(4) as f64,
                6 => *v += self.rng.below(2) as f64,
                7 | 8 => *v += self.rng.below(2000) as f64,
                9 => {
                    if self.rng.below(8) == 0 {
                        *v = 8.0 + self.rng.below(24) as f64
                    }
                }
                10 => *v = (self.rng.f() * 1000.0).round() / 1000.0,
                _ => {
                    if self.rng.below(4) != 0 {
                        *v += self.rng.below(1 << 20) as f64
                    }
                }
            }
        }
        let vals = self.vals.clone();
        let mut n = 0;
        let mut pt = |attrs: Vec<KeyValue>, int: bool, with_start: bool| {
            let v = vals[n];
            n += 1;
            NumberDataPoint {
                attributes: attrs,
                start_time_unix_nano: if with_start { start } else { 0 },
                time_unix_nano: t,
                value: Some(if int {
                    number_data_point::Value::AsInt(v as i64)
                } else {
                    number_data_point::Value::AsDouble(v)
                }),
                ..Default::default()
            }
        };
        let m = |name: &str, desc: &str, unit: &str, d: metric::Data| Metric {
            name: name.into(),
            description: desc.into(),
            unit: unit.into(),
            data: Some(d),
            ..Default::default()
        };
        let sum = |dp: Vec<NumberDataPoint>, mono: bool| {
            metric::Data::Sum(Sum { data_points: dp, aggregation_temporality: 2, is_monotonic: mono })
        };
        let mut metrics = vec![
            m(
                "process.runtime.cpython.memory",
                "Runtime cpython memory",
                "bytes",
                sum(vec![pt(vec![kv("type", "rss")], true, true), pt(vec![kv("type", "vms")], true, true)], false),
            ),
            m(
                "process.runtime.cpython.cpu_time",
                "Runtime cpython CPU time",
                "s",
                sum(vec![pt(vec![kv("type", "user")], false, true), pt(vec![kv("type", "system")], false, true)], true),
            ),
            m(
                "process.runtime.cpython.gc_count",
                "Runtime cpython GC count",
                "1",
                sum((0..3).map(|i| pt(vec![kv("count", &i.to_string())], true, true)).collect(), true),
            ),
            m(
                "process.runtime.cpython.context_switches",
                "Runtime context switches",
                "switches",
                sum(
                    vec![
                        pt(vec![kv("type", "involuntary")], true, true),
                        pt(vec![kv("type", "voluntary")], true, true),
                    ],
                    true,
                ),
            ),
            m(
                "process.runtime.cpython.thread_count",
                "Runtime active threads count",
                "1",
                sum(vec![pt(vec![], true, true)], false),
            ),
            m(
                "process.runtime.cpython.cpu.utilization",
                "Runtime CPU utilization",
                "1",
                metric::Data::Gauge(Gauge { data_points: vec![pt(vec![], false, false)] }),
            ),
        ];
        let io: Vec<_> = (0..self.disks)
            .flat_map(|d| ["read", "write"].map(|r| (d, r)))
            .map(|(d, r)| pt(vec![kv("device", DISKS[d]), kv("direction", r)], true, true))
            .collect();
        metrics.push(m("system.disk.io", "System disk IO", "By", sum(io, true)));
        let net: Vec<_> = (0..self.nets)
            .flat_map(|d| ["transmit", "receive"].map(|r| (d, r)))
            .map(|(d, r)| pt(vec![kv("device", NETS[d]), kv("direction", r)], true, true))
            .collect();
        metrics.push(m("system.network.io", "System network IO", "By", sum(net, true)));
        ResourceMetrics {
            resource: Some(self.resource()),
            schema_url: String::new(),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(InstrumentationScope {
                    name: "opentelemetry.instrumentation.system_metrics".into(),
                    version: "0.48b0".into(),
                    ..Default::default()
                }),
                metrics,
                schema_url: "https://opentelemetry.io/schemas/1.11.0".into(),
            }],
        }
    }
}
pub struct Corpus {
    pub reqs: Vec<Vec<u8>>,
    pub points: usize,
    pub bytes: usize,
}
/// per step: every instance once (shuffled), `batch_points`=0 -> one resource per request
pub fn messages(
    instances: u64,
    steps: u64,
    batch_points: usize,
    mut f: impl FnMut(ExportMetricsServiceRequest, usize),
) {
    let mut insts: Vec<_> = (0..instances).map(Inst::new).collect();
    let mut rng = Rng(42);
    let mut order: Vec<usize> = (0..insts.len()).collect();
    let (mut cur, mut n) = (vec![], 0);
    for s in 0..steps {
        rng.shuffle(&mut order);
        for &i in &order {
            n += insts[i].points();
            cur.push(insts[i].step(s));
            if n >= batch_points.max(1) {
                f(ExportMetricsServiceRequest { resource_metrics: std::mem::take(&mut cur) }, n);
                n = 0;
            }
        }
    }
    if n > 0 {
        f(ExportMetricsServiceRequest { resource_metrics: cur }, n);
    }
}
pub fn corpus(instances: u64, steps: u64, batch_points: usize) -> Corpus {
    let mut c = Corpus { reqs: vec![], points: 0, bytes: 0 };
    messages(instances, steps, batch_points, |m, n| {
        let v = m.encode_to_vec();
        c.points += n;
        c.bytes += v.len();
        c.reqs.push(v);
    });
    c
}
/// OTLP-JSON in the Collector file exporter's style (one request a line)
pub fn json_lines(instances: u64, steps: u64, batch_points: usize) -> (Vec<u8>, usize) {
    let (mut out, mut pts) = (vec![], 0);
    messages(instances, steps, batch_points, |m, n| {
        pts += n;
        write_json(&m, &mut out);
        out.push(b'\n');
    });
    (out, pts)
}
fn q(o: &mut Vec<u8>, s: &str) {
    o.push(b'"');
    o.extend_from_slice(s.as_bytes());
    o.push(b'"');
}
fn attrs(o: &mut Vec<u8>, a: &[KeyValue]) {
    if a.is_empty() {
        return;
    }
    o.extend_from_slice(b"\"attributes\":[");
    for (i, k) in a.iter().enumerate() {
        if i > 0 {
            o.push(b',');
        }
        o.extend_from_slice(b"{\"key\":");
        q(o, &k.key);
        o.extend_from_slice(b",\"value\":{\"stringValue\":");
        if let Some(AV::StringValue(s)) = &k.value.as_ref().unwrap().value {
            q(o, s)
        }
        o.extend_from_slice(b"}}");
    }
    o.push(b']');
}
pub fn write_json(m: &ExportMetricsServiceRequest, o: &mut Vec<u8>) {
    use std::io::Write;
    o.extend_from_slice(b"{\"resourceMetrics\":[");
    for (i, rm) in m.resource_metrics.iter().enumerate() {
        if i > 0 {
            o.push(b',');
        }
        o.extend_from_slice(b"{\"resource\":{");
        attrs(o, &rm.resource.as_ref().unwrap().attributes);
        o.extend_from_slice(b"},\"scopeMetrics\":[");
        for sm in &rm.scope_metrics {
            let sc = sm.scope.as_ref().unwrap();
            write!(o, "{{\"scope\":{{\"name\":\"{}\",\"version\":\"{}\"}},\"metrics\":[", sc.name, sc.version).unwrap();
            for (j, me) in sm.metrics.iter().enumerate() {
                if j > 0 {
                    o.push(b',');
                }
                write!(
                    o,
                    "{{\"name\":\"{}\",\"description\":\"{}\",\"unit\":\"{}\",",
                    me.name, me.description, me.unit
                )
                .unwrap();
                let (dps, tail) = match me.data.as_ref().unwrap() {
                    metric::Data::Sum(s) => {
                        o.extend_from_slice(b"\"sum\":{\"dataPoints\":[");
                        (
                            &s.data_points,
                            if s.is_monotonic {
                                ",\"aggregationTemporality\":2,\"isMonotonic\":true}}"
                            } else {
                                ",\"aggregationTemporality\":2}}"
                            },
                        )
                    }
                    metric::Data::Gauge(g) => {
                        o.extend_from_slice(b"\"gauge\":{\"dataPoints\":[");
                        (&g.data_points, "}}")
                    }
                    _ => unreachable!(),
                };
                for (k, d) in dps.iter().enumerate() {
                    if k > 0 {
                        o.push(b',');
                    }
                    o.push(b'{');
                    attrs(o, &d.attributes);
                    if !d.attributes.is_empty() {
                        o.push(b',');
                    }
                    if d.start_time_unix_nano != 0 {
                        write!(o, "\"startTimeUnixNano\":\"{}\",", d.start_time_unix_nano).unwrap();
                    }
                    write!(o, "\"timeUnixNano\":\"{}\",", d.time_unix_nano).unwrap();
                    match d.value.unwrap() {
                        number_data_point::Value::AsInt(v) => write!(o, "\"asInt\":\"{v}\"}}").unwrap(),
                        number_data_point::Value::AsDouble(v) => write!(o, "\"asDouble\":{v}}}").unwrap(),
                    }
                }
                o.push(b']');
                o.extend_from_slice(tail.as_bytes());
            }
            write!(o, "],\"schemaUrl\":\"{}\"}}", sm.schema_url).unwrap();
        }
        o.extend_from_slice(b"]}");
    }
    o.extend_from_slice(b"]}");
}
