//! Chooses the engine of a worker.

use std::rc::Rc;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use crate::browser::{FetchedFiles, hasten};
use crate::gpu;
use crate::kernels::{Engine, cpu::CpuEngine};
use crate::ports::Files;
use crate::value::{EngineInfo, Error};
use crate::wire::EngineChoice;
use crate::worker::Engines;

/// The visitor's GPU, or the processor where that is the faster or the only one.
pub(super) struct BrowserEngines;

impl Engines for BrowserEngines {
    fn look(&self, choice: EngineChoice) -> LocalBoxFuture<'static, EngineInfo> {
        async move {
            match choose(choice).await {
                Ok(probe) => probe.info().clone(),
                Err(note) => processor(note).info().clone(),
            }
        }
        .boxed_local()
    }

    fn open(&self, choice: EngineChoice) -> LocalBoxFuture<'static, Result<Rc<dyn Engine>, Error>> {
        async move {
            let note = match choose(choice).await {
                Ok(probe) => match probe.open().await {
                    Ok(engine) => return Ok(Rc::new(engine) as Rc<dyn Engine>),
                    Err(error) if choice != EngineChoice::Auto => return Err(error.into()),
                    Err(error) => {
                        format!("The GPU could not be opened, so pictures are computed on the processor: {error}")
                    }
                },
                Err(note) => note,
            };
            Ok(Rc::new(processor(note)) as Rc<dyn Engine>)
        }
        .boxed_local()
    }

    fn files(&self, address: &str) -> Rc<dyn Files> {
        Rc::new(FetchedFiles::below(address))
    }
}

fn processor(note: String) -> CpuEngine {
    hasten();
    CpuEngine::new(note)
}

/// The GPU, or why it is not used, in one line for the visitor.
async fn choose(choice: EngineChoice) -> Result<gpu::Probe, String> {
    if choice == EngineChoice::Cpu {
        return Err("The address asks for the processor (engine=cpu).".into());
    }
    let probe = gpu::probe().await.map_err(|none| none.to_string())?;
    if probe.info().software && choice == EngineChoice::Auto {
        // Measured: a software adapter computes several times slower than the processor's own kernels.
        return Err(format!(
            "The only WebGPU adapter here ({}) is a software one, so pictures are computed on the processor directly.",
            probe.info().name
        ));
    }
    Ok(if choice == EngineChoice::Floats { probe.in_floats() } else { probe })
}
