//! One step of a kernel on an engine and on its twin, from the same buffers.

use gradus::kernels::{Control, Engine, Kernel, Recording, Tolerance, TwinArgs};

/// A case: what one step starts from.
pub struct Case {
    pub kernel: &'static Kernel,
    pub items: u32,
    pub params: Vec<u8>,
    pub buffers: Vec<Vec<u32>>,
    /// The share of words that may be outside of the tolerance: a ray at an edge meets one thing or the other.
    pub stray: f32,
}

/// Compares all cases that the engine can run; how many it cannot is printed.
pub async fn compare_all(cases: Vec<Case>, engine: &dyn Engine, control: &dyn Control) {
    let mut left_out = 0;
    for case in cases {
        if case.kernel.needs_halves() && !engine.info().halves() {
            left_out += 1;
        } else {
            compare(&case, engine, control).await;
        }
    }
    println!("{{\"adapter\":{:?},\"cases_left_out_for_want_of_halves\":{left_out}}}", engine.info().name);
}

/// Runs the case on both and compares every buffer.
pub async fn compare(case: &Case, engine: &dyn Engine, control: &dyn Control) {
    let mut expected = case.buffers.clone();
    let twin = case.kernel.twin.expect("a twin");
    let mut slices: Vec<&mut [u32]> = expected.iter_mut().map(Vec::as_mut_slice).collect();
    twin(TwinArgs { span: 0..case.items, params: &case.params, buffers: &mut slices });

    let buffers: Vec<_> =
        case.buffers.iter().map(|words| engine.buffer(case.kernel.name, words.len()).unwrap()).collect();
    let mut recording = Recording::new();
    for (buffer, words) in buffers.iter().zip(&case.buffers) {
        recording.write(buffer, words);
    }
    let bound: Vec<_> = buffers.iter().collect();
    recording.dispatch_bytes(case.kernel, case.items, &case.params, &bound);
    engine.run(&recording, control).await.unwrap();
    for (index, (buffer, expected)) in buffers.iter().zip(&expected).enumerate() {
        let words = engine.read(buffer).await.unwrap();
        let off: Vec<usize> =
            (0..expected.len()).filter(|&at| !near(case.kernel.tolerance, words[at], expected[at])).collect();
        let share = off.len() as f32 / expected.len() as f32;
        let first = off
            .first()
            .map(|&at| (at, words[at], expected[at], f32::from_bits(words[at]), f32::from_bits(expected[at])));
        assert!(
            share <= case.stray,
            "{:?}, buffer {index}: {} of {} words differ, first {first:?}",
            case.kernel,
            off.len(),
            expected.len()
        );
    }
}

fn near(tolerance: Tolerance, got: u32, expected: u32) -> bool {
    match tolerance {
        Tolerance::Exact => got == expected,
        // Weights that are no floats may look like NaN.
        Tolerance::Near { .. } if got == expected => true,
        Tolerance::Near { absolute, relative } => {
            let (got, expected) = (f32::from_bits(got), f32::from_bits(expected));
            (got - expected).abs() <= absolute + relative * expected.abs()
        }
        Tolerance::Bytes(most) => {
            got.to_le_bytes().iter().zip(expected.to_le_bytes()).all(|(a, b)| a.abs_diff(b) <= most)
        }
    }
}
