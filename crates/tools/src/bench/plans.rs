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

/// Submits that a step needs beside its network's own: for what the network reads, the look for numbers that are none, and
/// the sampler's sums. Neither noise that is drawn nor previews are counted.
const OF_A_STEP: f64 = 3.0;

/// Those of a picture beside its steps and networks: what each network reads, the first latent, the pixels, and the look for
/// numbers that are none among them.
const OF_A_PICTURE: f64 = 6.0;

/// Seconds that a run takes at least.
fn roofline(cost: &Cost, operations: f64, bytes: f64) -> f64 {
    (cost.operations / (operations * COMPUTE)).max(cost.moved_bytes as f64 / (bytes * MEMORY))
}

/// The fewest submits that a run of so many seconds is cut into.
fn submits(seconds: f64) -> f64 {
    (seconds / SUBMIT.as_secs_f64()).ceil().max(1.0)
}

fn peak(cost: &Cost) -> u64 {
    cost.weight_bytes / 2 + cost.tensor_bytes
}

/// Prints a line of JSON for each network and each whole picture, and one for each GPU: how long it takes there at least, and
/// in how many submits.
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
            peak(&cost) >> 20,
        );
        for (gpu, operations, bytes) in GPUS {
            let seconds = roofline(&cost, operations, bytes);
            line("plan", name, gpu, seconds, submits(seconds));
        }
    }
    for job in nets::jobs().map_err(|error| error.to_string())? {
        let [text, network, decoder] = [&job.text, &job.network, &job.decoder].map(Cost::of);
        // A cost, and how often a picture has it.
        let parts = [(&text, 1), (&network, job.steps), (&decoder, 1)];
        let all = |of: fn(&Cost) -> f64| parts.iter().map(|&(cost, times)| of(cost) * times as f64).sum::<f64>();
        println!(
            "{{\"picture\":\"{}\",\"gflop\":{:.1},\"moved_mib\":{:.0},\"dispatches\":{},\"peak_mib\":{}}}",
            job.name,
            all(|cost| cost.operations) / 1e9,
            all(|cost| cost.moved_bytes as f64) / f64::from(1 << 20),
            all(|cost| cost.dispatches as f64),
            parts.iter().map(|(cost, _)| peak(cost)).sum::<u64>() >> 20,
        );
        for (gpu, operations, bytes) in GPUS {
            let (mut seconds, mut count) = (0.0, OF_A_PICTURE + OF_A_STEP * job.steps as f64);
            for (cost, times) in parts {
                let one = roofline(cost, operations, bytes);
                seconds += one * times as f64;
                count += submits(one) * times as f64;
            }
            line("picture", job.name, gpu, seconds, count);
        }
    }
    Ok(())
}

fn line(what: &str, name: &str, gpu: &str, seconds: f64, submits: f64) {
    println!(
        "{{\"{what}\":\"{name}\",\"gpu\":\"{gpu}\",\"of_compute\":{COMPUTE},\"of_memory\":{MEMORY},\
         \"roofline_ms\":{:.1},\"submits\":{submits}}}",
        seconds * 1e3
    );
}
