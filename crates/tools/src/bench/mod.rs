//! `bench`: what the GPU can do, and how much of that the kernels of diffusion reach, one line of JSON a figure.

mod nets;
mod norms;
mod peaks;
mod plans;
mod submits;

use std::rc::Rc;
use std::time::Instant;

use gradus::kernels::nn::{TileChoices, tune, variants};
use gradus::kernels::{Buffer, Dispatch, Engine, Kernel, Recording};

use crate::golden::quoted;
use crate::world::{Clock, opened};

/// What is measured takes so long at least, in seconds.
const TELLING: f64 = 0.012;

/// Dispatches of one measurement at the most.
const MOST: usize = 512;

static FILL: Kernel = Kernel::new("fill", &[include_str!("fill.wgsl")]);

/// An engine to be measured.
struct Bench {
    engine: Rc<dyn Engine>,
    control: Clock,
    /// Operations that a measured dispatch may have, for slow adapters.
    most: f64,
    /// The measured peak in operations a second: single precision.
    peak: f64,
}

/// Numbers that a buffer is filled with.
struct Numbers {
    halves: bool,
    scale: f32,
    middle: f32,
}

/// Measures all, or the parts that are named.
pub fn run(rest: &[&str]) -> Result<(), String> {
    let value = |key: &str| rest.windows(2).find(|pair| pair[0] == key).map(|pair| pair[1]);
    let most = match value("--most") {
        None => f64::INFINITY,
        Some(text) => text.parse::<f64>().map_err(|_| format!("--most: {text} is no number of GFLOP."))? * 1e9,
    };
    plans::print()?;
    pollster::block_on(submits::slices())?;
    let engine = match pollster::block_on(opened(|probe| probe)) {
        Ok(engine) => Rc::new(engine),
        Err(why) => {
            println!("{{\"adapter\":null,\"why\":{}}}", quoted(&why));
            return Ok(());
        }
    };
    let info = engine.info();
    println!("{{\"adapter\":{},\"tier\":{},\"software\":{}}}", quoted(&info.name), quoted(&info.tier), info.software);
    pollster::block_on(submits::print(&*engine))?;
    if info.software && most.is_infinite() {
        eprintln!("This adapter is a processor, which would take hours; --most 0.1 measures the small dispatches.");
        return Ok(());
    }
    let half = info.halves();
    let mut bench = Bench { engine, control: Clock(Instant::now()), most, peak: 0.0 };
    let only = value("--only");
    pollster::block_on(async {
        bench.peak = bench.peaks(half).await?;
        for (name, net) in nets::all()? {
            if only.is_none_or(|only| only.split(',').any(|wanted| wanted == name)) {
                bench.net(name, &net).await?;
            }
        }
        if only.is_none_or(|only| only.split(',').any(|wanted| wanted == "norms")) {
            norms::compare(most).await?;
        }
        Ok(())
    })
}

impl Bench {
    /// A buffer full of random numbers.
    async fn filled(&self, words: usize, numbers: &Numbers) -> Result<Buffer, String> {
        let buffer = self.engine.buffer("bench", words).map_err(|error| error.to_string())?;
        self.fill(&buffer, numbers).await?;
        Ok(buffer)
    }

    async fn fill(&self, buffer: &Buffer, numbers: &Numbers) -> Result<(), String> {
        let &Numbers { halves, scale, middle } = numbers;
        let params = [u32::from(halves), scale.to_bits(), middle.to_bits(), buffer.words() as u32];
        let mut recording = Recording::new();
        recording.dispatch(&FILL, buffer.words() as u32, &params, &[buffer]);
        self.engine.run(&recording, &self.control).await.map_err(|error| error.to_string())
    }

    async fn took(&self, recording: &Recording) -> Result<f64, String> {
        let began = Instant::now();
        self.engine.run(recording, &self.control).await.map_err(|error| error.to_string())?;
        Ok(began.elapsed().as_secs_f64())
    }

    /// Seconds of a dispatch: the middle of three measurements of many in a row, once the engine knows its speed.
    async fn time(&self, dispatch: &Dispatch) -> Result<f64, String> {
        let many = |times: usize| {
            let mut recording = Recording::new();
            (0..times).for_each(|_| recording.push(dispatch.clone()));
            recording
        };
        self.took(&many(1)).await?;
        let mut times = 1;
        loop {
            let took = self.took(&many(times)).await?;
            if took >= TELLING || times >= MOST {
                break;
            }
            times = (times * ((TELLING / took * 1.3) as usize).clamp(2, 8)).min(MOST);
        }
        let recording = many(times);
        let mut all = [0.0; 3];
        for one in &mut all {
            *one = self.took(&recording).await? / times as f64;
        }
        all.sort_unstable_by(f64::total_cmp);
        Ok(all[1])
    }

    /// The choices to compare: each variant with tiles everywhere, and each where it is the fastest.
    async fn choices(&self) -> Result<Vec<(String, TileChoices)>, String> {
        let tiles = variants(self.engine.info()).skip(1);
        let mut all: Vec<_> = tiles.map(|variant| (variant.to_string(), TileChoices::all(variant))).collect();
        let timed = tune(&*self.engine, &self.control).await.map_err(|error| error.to_string())?;
        all.push(("timed".to_owned(), timed));
        Ok(all)
    }
}
