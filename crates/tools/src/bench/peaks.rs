//! What the device can do at the best: multiply-adds, and bytes moved.

use gradus::kernels::{Buffer, Dispatch, Kernel};

use super::{Bench, Numbers};

const PEAK: &str = include_str!("peak.wgsl");

static SINGLE: Kernel = Kernel::new("peak-f32", &["alias T = f32;", PEAK]);
static HALF: Kernel = Kernel::new("peak-f16", &["enable f16;", "alias T = f16;", PEAK]);
static COPY: Kernel = Kernel::new("copy", &[include_str!("copy.wgsl")]);

impl Bench {
    /// Prints the peaks and gives the one of single precision, in operations a second.
    pub(super) async fn peaks(&self, half: bool) -> Result<f64, String> {
        let items = 1 << 18;
        let result = self.engine.buffer("result", items).map_err(|error| error.to_string())?;
        let a_round = 8.0 * 32.0 * 2.0;
        let rounds = (self.most / (a_round * items as f64)).clamp(1.0, 512.0) as u32;
        let mut peak = 0.0;
        for (name, kernel) in [("f32", &SINGLE), ("f16", &HALF)] {
            if name == "f16" && !half {
                continue;
            }
            let numbers = [rounds, 0.75f32.to_bits(), 0.125f32.to_bits(), 0];
            let params = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            let cost = a_round as f32 * rounds as f32;
            let took = self.time(&dispatch(kernel, items, cost, params, vec![result.clone()])).await?;
            let speed = f64::from(cost) * items as f64 / took;
            println!("{{\"name\":\"peak_{name}\",\"value\":{:.3},\"unit\":\"TFLOP/s\"}}", speed / 1e12);
            if name == "f32" {
                peak = speed;
            }
        }
        let words: usize = if self.most.is_finite() { 1 << 22 } else { 1 << 27 };
        let numbers = Numbers { halves: false, scale: 1.0, middle: 0.0 };
        let (from, to) = (self.filled(words, &numbers).await?, self.filled(words, &numbers).await?);
        let took = self.time(&dispatch(&COPY, words / 4, 1.0, Vec::new(), vec![from, to])).await?;
        println!("{{\"name\":\"copy\",\"value\":{:.1},\"unit\":\"GB/s\"}}", words as f64 * 8.0 / took / 1e9);
        let (from, to) = (self.filled(256, &numbers).await?, self.filled(256, &numbers).await?);
        let took = self.time(&dispatch(&COPY, 64, 1.0, Vec::new(), vec![from, to])).await?;
        println!("{{\"name\":\"a_tiny_dispatch\",\"value\":{:.2},\"unit\":\"us\"}}", took * 1e6);
        Ok(peak)
    }
}

fn dispatch(kernel: &'static Kernel, items: usize, cost: f32, params: Vec<u8>, buffers: Vec<Buffer>) -> Dispatch {
    Dispatch { kernel, items: items as u32, cost, params, buffers }
}
