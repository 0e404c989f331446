//! The world for native commands: a folder's files, the machine's clock, an observer that writes lines, engines.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use futures_util::future::LocalBoxFuture;
use gradus::gpu::{self, GpuEngine, Probe};
use gradus::kernels::nn::{TileChoices, tune, variants};
use gradus::kernels::{Control, Engine, cpu::CpuEngine};
use gradus::ports::{Files, Observer};
use gradus::value::{Error, NoteLevel, Picture, Progress, Time};

/// A folder on disk.
pub struct Folder(pub PathBuf);

impl Folder {
    fn part(&self, path: &str, range: Range<u64>) -> std::io::Result<Vec<u8>> {
        let mut file = File::open(self.0.join(path))?;
        file.seek(SeekFrom::Start(range.start))?;
        let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or(usize::MAX)];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl Files for Folder {
    fn size<'a>(&'a self, path: &'a str) -> LocalBoxFuture<'a, Result<Option<u64>, Error>> {
        let size = std::fs::metadata(self.0.join(path)).ok().filter(std::fs::Metadata::is_file).map(|file| file.len());
        Box::pin(std::future::ready(Ok(size)))
    }

    fn read<'a>(&'a self, path: &'a str, range: Range<u64>) -> LocalBoxFuture<'a, Result<Vec<u8>, Error>> {
        let read = self.part(path, range).map_err(|error| Error::new(format!("{path} could not be read: {error}")));
        Box::pin(std::future::ready(read))
    }
}

/// The machine's clock; nothing cancels.
pub struct Clock(pub Instant);

impl Control for Clock {
    fn now(&self) -> Time {
        Time::from_micros(u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn checkpoint(&self) -> LocalBoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Writes notes and counted steps to the standard error.
pub struct Lines(pub Instant);

impl Observer for Lines {
    fn progress(&self, progress: Progress) {
        if let Some((done, all)) = progress.steps {
            eprintln!("{:7.2} s  {done}/{all}", self.0.elapsed().as_secs_f64());
        }
    }

    fn wants_preview(&self) -> bool {
        false
    }

    fn preview(&self, _: Picture) {}

    fn note(&self, _: NoteLevel, text: String) {
        eprintln!("{text}");
    }
}

/// The processor's engine.
pub fn cpu() -> Rc<dyn Engine> {
    Rc::new(CpuEngine::new("A native command."))
}

/// An engine on the GPU, with what is asked of it changed.
pub async fn opened(change: impl FnOnce(Probe) -> Probe) -> Result<GpuEngine, String> {
    let probe = gpu::probe().await.map_err(|none| none.to_string())?;
    change(probe).open().await.map_err(|error| error.to_string())
}

/// The GPU's engine, with this variant of the product everywhere: a number, or `timed` for what is the fastest here.
pub fn gpu(variant: Option<&str>) -> Result<Rc<dyn Engine>, String> {
    pollster::block_on(async {
        let engine = opened(|probe| probe).await?;
        let choices = match variant {
            None => TileChoices::default(),
            Some("timed") => tune(&engine, &Clock(Instant::now())).await.map_err(|error| error.to_string())?,
            Some(number) => {
                let known = variants(engine.info());
                let number = number.parse().ok().filter(|number| known.contains(number));
                TileChoices::all(
                    number.ok_or_else(|| format!("The variants here are 0 to {} and timed.", known.end - 1))?,
                )
            }
        };
        engine.choose(choices);
        Ok(Rc::new(engine) as Rc<dyn Engine>)
    })
}
