//! PyTorch's random numbers of the processor, so that a seed gives the same noise there and here.
//!
//! MT19937 (Matsumoto and Nishimura, 1998); normal numbers by Box and Muller's method in PyTorch's two ways: sixteen
//! at a time from 24-bit uniform numbers, and one by one from 53-bit ones where fewer than sixteen are drawn.

use gradus_cpu::elementary::{cos, sin, sin_cos};

const WORDS: usize = 624;

/// A generator, as `torch.Generator().manual_seed(seed)`.
///
/// ```
/// use gradus::diffusion::noise::Generator;
/// let noise = Generator::new(0).normal(5);
/// assert!((noise[0] - 1.540_996).abs() < 1e-6 && (noise[4] + 1.084_522_3).abs() < 1e-6);
/// assert_eq!(Generator::new(7).normal(5), Generator::new(7 + (1 << 32)).normal(5));
/// ```
pub struct Generator {
    state: Box<[u32; WORDS]>,
    next: usize,
    /// The second of a pair of normal numbers, when the first was drawn alone.
    spare: Option<f64>,
}

impl Generator {
    /// A generator from a seed, of which PyTorch's takes the low 32 bits.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut state = Box::new([0; WORDS]);
        state[0] = seed as u32;
        for n in 1..WORDS {
            let before = state[n - 1];
            state[n] = 1_812_433_253u32.wrapping_mul(before ^ before >> 30).wrapping_add(n as u32);
        }
        Self { state, next: WORDS, spare: None }
    }

    fn bits(&mut self) -> u32 {
        if self.next == WORDS {
            for n in 0..WORDS {
                let y = self.state[n] & 0x8000_0000 | self.state[(n + 1) % WORDS] & 0x7fff_ffff;
                let twist = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[n] = self.state[(n + 397) % WORDS] ^ y >> 1 ^ twist;
            }
            self.next = 0;
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= y << 7 & 0x9d2c_5680;
        y ^= y << 15 & 0xefc6_0000;
        y ^ y >> 18
    }

    /// So many normal numbers, as `torch.randn` draws them.
    #[must_use]
    pub fn normal(&mut self, count: usize) -> Vec<f32> {
        if count < 16 {
            return (0..count).map(|_| self.one() as f32).collect();
        }
        let mut all: Vec<f32> = (0..count).map(|_| self.uniform()).collect();
        all.chunks_exact_mut(16).for_each(sixteen);
        if !count.is_multiple_of(16) {
            // The last sixteen are drawn anew, the end of the full ones among them.
            let last = &mut all[count - 16..];
            last.iter_mut().for_each(|x| *x = self.uniform());
            sixteen(last);
        }
        all
    }

    fn uniform(&mut self) -> f32 {
        (self.bits() & 0xff_ffff) as f32 / 16_777_216.0
    }

    fn one(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let mut unit = || {
            let high = u64::from(self.bits()) << 32;
            ((high | u64::from(self.bits())) & ((1 << 53) - 1)) as f64 / (1u64 << 53) as f64
        };
        let (turn, size) = (unit(), unit());
        let radius = (-2.0 * (-size).ln_1p()).sqrt();
        let angle = std::f64::consts::TAU * turn;
        let (sine, cosine) = sin_cos(angle);
        self.spare = Some(radius * sine);
        radius * cosine
    }
}

fn sixteen(block: &mut [f32]) {
    let (first, second) = block.split_at_mut(8);
    for (one, other) in first.iter_mut().zip(second) {
        let radius = (-2.0 * (1.0 - *one).ln()).sqrt();
        let angle = std::f32::consts::TAU * *other;
        *one = radius * cos(angle);
        *other = radius * sin(angle);
    }
}
