//! Texts as kernels have them; the files themselves are the other tests' matter.

use super::*;

#[test]
fn lists_of_cpus() {
    assert_eq!(cpu::list("0-3,7\n"), [0, 1, 2, 3, 7]);
    assert_eq!(cpu::list("5"), [5]);
    assert_eq!(cpu::list("\n"), [0; 0]);
}

#[test]
fn time_by_cpu_and_mode() {
    let text = "cpu user system\n0 10 20\n1 30 40\n";
    assert_eq!(cpu::modes(text), (vec![10, 30], vec![20, 40]));
}

#[test]
fn block_devices() {
    let entry = |op: &str, value| IoEntry {
        major: 8,
        minor: 16,
        op: op.into(),
        value,
    };
    let v1 = io::entries("8:16 Read 4096\n8:16 Total 4097\nTotal 4097\n8:16 5\n");
    assert_eq!(
        v1,
        [entry("Read", 4096), entry("Total", 4097), entry("", 5)]
    );
    let v2 = io::v2("8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n7:0\n");
    assert_eq!(v2.service_bytes, [entry("Read", 1), entry("Write", 2)]);
    assert_eq!(v2.serviced, [entry("Read", 3), entry("Write", 4)]);
}

#[test]
fn pressure_lines() {
    let text = "some avg10=1.50 avg60=0.25 avg300=0.00 total=77\n\
                full avg10=0.00 avg60=0.00 avg300=0.10 total=5\n";
    let pressure = pressure(text);
    assert_eq!((pressure.some.avg10, pressure.some.total), (1.5, 77));
    assert_eq!((pressure.full.avg300, pressure.full.total), (0.1, 5));
}

#[test]
fn no_limit_is_the_greatest_number() {
    assert_eq!(number("max\n"), u64::MAX);
    assert_eq!(number("4096\n"), 4096);
}
