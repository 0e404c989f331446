//! A network of diffusers' on Gradus' engines, for the page of `onnx.mjs`.

mod table;

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use gradus::browser::{BrowserClock, BrowserTimer};
use gradus::diffusion::Precision;
use gradus::diffusion::config::Config;
use gradus::diffusion::plan::Plan;
use gradus::diffusion::safetensors::Tensors;
use gradus::diffusion::unet::Unet;
use gradus::diffusion::weights::{self, Meter};
use gradus::kernels::{Control, Engine, Recording, cpu::CpuEngine};
use gradus::ports::memory::MemoryFiles;
use gradus::ports::{Clock as _, Observer, Timer as _};
use gradus::value::{Error, NoteLevel, Picture, Progress, Time};
use wasm_bindgen::prelude::*;

const PICTURES: usize = 2;
const SIDE: usize = 32;
const TOKENS: usize = 77;

/// As a worker's: its clock, and a turn of the event loop at each checkpoint.
#[derive(Default)]
struct Browser {
    clock: BrowserClock,
    timer: BrowserTimer,
}

impl Control for Browser {
    fn now(&self) -> Time {
        self.clock.now()
    }

    fn checkpoint(&self) -> LocalBoxFuture<'_, ()> {
        self.timer.turn()
    }
}

struct Nobody;

impl Observer for Nobody {
    fn progress(&self, _: Progress) {}

    fn wants_preview(&self) -> bool {
        false
    }

    fn preview(&self, _: Picture) {}

    fn note(&self, _: NoteLevel, _: String) {}
}

/// A network on an engine.
#[wasm_bindgen]
pub struct Network {
    engine: Rc<dyn Engine>,
    control: Browser,
    unet: Unet,
    plan: Plan,
}

#[wasm_bindgen]
impl Network {
    /// From now on the processor computes by relaxed SIMD, where this browser has it.
    pub fn hasten() -> bool {
        gradus::browser::hasten()
    }

    /// Loads it from the bytes of its two files.
    pub async fn load(gpu: bool, config: Vec<u8>, weights: Vec<u8>) -> Result<Network, JsError> {
        Self::of(gpu, config, weights).await.map_err(|error| JsError::new(&error.to_string()))
    }

    async fn of(gpu: bool, config: Vec<u8>, weights: Vec<u8>) -> Result<Network, Error> {
        let control = Browser::default();
        let engine: Rc<dyn Engine> = if gpu {
            let probe = gradus::gpu::probe().await.map_err(|none| Error::new(none.to_string()))?;
            Rc::new(probe.open().await?)
        } else {
            Rc::new(CpuEngine::new("The bench asks for it."))
        };
        let mut files = MemoryFiles::default();
        files.insert("unet/config.json", config);
        files.insert("unet/diffusion_pytorch_model.safetensors", weights);
        let unet = Unet::new(&Config::read(&files, "unet/config.json").await?)?;
        let graph = unet.graph(PICTURES, [SIDE; 2], TOKENS)?;
        let tensors = Tensors::open(&files, "unet", "diffusion_pytorch_model").await?;
        let mut meter = Meter::new(&Nobody, 1, 0);
        let weights =
            weights::load(&graph.weights, &tensors, Precision::AsStored, &files, &*engine, &control, &mut meter)
                .await?;
        let plan = Plan::new(&graph, &*engine, &control, &weights, false).await?;
        Ok(Self { engine, control, unet, plan })
    }

    /// One step of the network; all tensors channels first, as ONNX has them.
    pub async fn step(&self, sample: Vec<f32>, t: f32, context: Vec<f32>) -> Result<Vec<f32>, JsError> {
        let step = async {
            self.write(&sample, t, &context).await?;
            self.plan.run(&*self.engine, &self.control).await?;
            self.plan.read(&*self.engine, 0).await
        };
        step.await.map_err(|error: Error| JsError::new(&error.to_string()))
    }

    /// Where the time of a step goes: a line for each kind of call.
    pub async fn table(&self) -> Result<String, JsError> {
        let timed = table::Timed::new(Rc::clone(&self.engine));
        let run = self.plan.run(&timed, &self.control).await;
        run.map(|()| timed.lines()).map_err(|error| JsError::new(&error.to_string()))
    }

    async fn write(&self, sample: &[f32], t: f32, context: &[f32]) -> Result<(), Error> {
        let mut recording = Recording::new();
        self.plan.write(&mut recording, 0, sample)?;
        self.plan.write(&mut recording, 1, &self.unet.time_input(t, PICTURES))?;
        self.plan.write(&mut recording, 2, context)?;
        Ok(self.engine.run(&recording, &self.control).await?)
    }
}

fn main() {}
