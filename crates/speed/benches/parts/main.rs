//! `cargo bench -p speed`: how fast this machine does the parts of training and decoding, without any download.
//!
//! A few minutes; `cargo bench -p speed -- NAME` runs the benchmarks whose name holds NAME. In `matmul` an "element" is
//! a floating-point operation, elsewhere what the group's name says.

mod data;
mod decode;
mod matmul;
mod model;
mod training;
mod users;

use std::time::Duration;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    matmul::all(&mut criterion);
    training::all(&mut criterion);
    users::all(&mut criterion);
    decode::all(&mut criterion);
    data::all(&mut criterion);
    criterion.final_summary();
}
