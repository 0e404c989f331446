//! What a model's networks are on paper, known without weights and without a GPU.

use gradus::diffusion::plan::Cost;
use gradus::gpu::SUBMIT;

use super::nets;

/// Floating-point operations and bytes a second of four GPUs, as their makers state them for single precision.
const GPUS: [(&str, f64, f64); 4] = [
    ("Apple M2", 3.6e12, 100e9),
    ("Intel Xe2", 3.9e12, 136e9),
    ("RTX 4070", 29.0e12, 504e9),
    ("H100", 60.0e12, 3350e9),
];

/// The shares of both that are assumed.
const COMPUTE: f64 = 0.5;
const MEMORY: f64 = 0.7;

/// Prints a line of JSON for each network, and one for each GPU: how long it takes there at least, and in how many submits.
pub(super) fn print() -> Result<(), String> {
    for (name, graph) in nets::all()? {
        let cost = Cost::of(&graph);
        println!(
            "{{\"plan\":\"{name}\",\"gflop\":{:.1},\"moved_mib\":{},\"dispatches\":{},\"pipelines\":{},\
             \"weights_mib_f16\":{},\"peak_mib\":{}}}",
            cost.operations / 1e9,
            cost.moved_bytes >> 20,
            cost.dispatches,
            cost.pipelines,
            cost.weight_bytes >> 21,
            (cost.weight_bytes / 2 + cost.tensor_bytes) >> 20,
        );
        for (gpu, operations, bytes) in GPUS {
            let seconds = (cost.operations / (operations * COMPUTE)).max(cost.moved_bytes as f64 / (bytes * MEMORY));
            println!(
                "{{\"plan\":\"{name}\",\"gpu\":\"{gpu}\",\"of_compute\":{COMPUTE},\"of_memory\":{MEMORY},\
                 \"roofline_ms\":{:.1},\"submits\":{}}}",
                seconds * 1e3,
                (seconds / SUBMIT.as_secs_f64()).ceil().max(1.0),
            );
        }
    }
    Ok(())
}
