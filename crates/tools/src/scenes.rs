//! Pictures of captions by the library's own scene generator, for training.

use std::fs::{File, OpenOptions, read_to_string};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::thread;
use std::time::Instant;

use gradus::imagegen::{Preset, Request, scene};
use gradus::kernels::scene::{RESOLVE, TRACE, Uniform};
use gradus::kernels::{Buffer, Engine, Recording};

use crate::world::{Clock, gpu};

/// Captions that a thread renders before the pictures are written.
const TURN: usize = 32;

/// Threads that feed a GPU, each with a device of its own: while one reads its pictures back, the others' are computed.
const FEEDERS: usize = 12;

/// What renders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// All cores of the processor.
    Processor,
    /// The GPU's engine.
    Gpu,
}

/// Reads the options and renders; see the usage in `main`.
pub(crate) fn run(captions: &str, pictures: &str, rest: &[&str]) -> Result<(), String> {
    let (side, by) = match rest {
        [side @ .., "--engine", "gpu"] => (side, By::Gpu),
        [side @ .., "--engine", "cpu"] | side => (side, By::Processor),
    };
    let side = match side {
        [] => 256,
        [side] => side.parse().map_err(|_| format!("The side {side} is no whole number of pixels."))?,
        _ => return Err(crate::USAGE.to_owned()),
    };
    render(captions, pictures, side, by)
}

/// Renders what is not rendered yet.
///
/// # Errors
/// When a file cannot be read or written, a line is malformed, or a caption has words that the generator ignores.
fn render(captions: &str, pictures: &str, side: u32, by: By) -> Result<(), String> {
    let text = read_to_string(captions).map_err(|why| format!("{captions} cannot be read: {why}."))?;
    let requests: Vec<Request> = text.lines().map(|line| request(line, side)).collect::<Result<_, _>>()?;
    let refused = |why: std::io::Error| format!("{pictures} cannot be written: {why}.");
    let mut file = OpenOptions::new().create(true).append(true).open(pictures).map_err(refused)?;
    let bytes = u64::from(side) * u64::from(side) * 3;
    let done = whole(&mut file, bytes).map_err(refused)?;
    let left = requests.get(done..).unwrap_or_default();
    let threads = match by {
        By::Processor => thread::available_parallelism().map_or(1, usize::from),
        By::Gpu => FEEDERS,
    };
    // Each thread is sent its part of a turn and sends the pictures back, so that the file has them in order.
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                let (give, given) = std::sync::mpsc::channel::<&[Request]>();
                let (tell, told) = std::sync::mpsc::sync_channel(2);
                scope.spawn(move || work(by, side, &given, &tell));
                (give, told)
            })
            .collect();
        let parts: Vec<&[Request]> = left.chunks(TURN).collect();
        for (part, (give, _)) in parts.iter().zip(workers.iter().cycle()) {
            // A thread that is gone has told why.
            let _ = give.send(part);
        }
        for (part, (_, told)) in parts.iter().zip(workers.iter().cycle()) {
            let made: Result<Vec<u8>, String> = told.recv().unwrap_or_else(|_| Err("A rendering thread broke.".into()));
            let made = made.map_err(|why| format!("{why} What was written before is whole."))?;
            debug_assert_eq!(made.len() as u64, part.len() as u64 * bytes);
            file.write_all(&made).map_err(refused)?;
        }
        Ok(())
    })
}

/// A thread's life: it renders part after part, until none comes or nobody listens.
fn work(
    by: By,
    side: u32,
    given: &std::sync::mpsc::Receiver<&[Request]>,
    tell: &std::sync::mpsc::SyncSender<Result<Vec<u8>, String>>,
) {
    let mut slots = None;
    while let Ok(part) = given.recv() {
        let made = match by {
            By::Processor => Ok(part.iter().flat_map(picture).collect()),
            By::Gpu => slots.take().map_or_else(|| Slots::new(side), Ok).and_then(|ready| {
                let made = ready.pictures(part);
                slots = Some(ready);
                made
            }),
        };
        if tell.send(made).is_err() {
            return;
        }
    }
}

/// How many whole pictures a file has; what is left of a broken one is cut off.
fn whole(file: &mut File, bytes: u64) -> std::io::Result<usize> {
    let count = file.seek(SeekFrom::End(0))? / bytes;
    file.set_len(count * bytes)?;
    Ok(count as usize)
}

fn request(line: &str, side: u32) -> Result<Request, String> {
    let mut columns = line.split('\t');
    let (Some(seed), Some(prompt)) = (columns.next().and_then(|seed| seed.parse().ok()), columns.next()) else {
        return Err(format!("\"{line}\" is not a seed, a tab and a caption."));
    };
    let request = Request { prompt: prompt.to_owned(), width: side, height: side, seed, preset: Preset::Low };
    request.check().map_err(|why| why.to_string())?;
    let unknown = scene::parse(prompt).unknown;
    if unknown.is_empty() {
        Ok(request)
    } else {
        Err(format!("\"{prompt}\" has unknown words: {}.", unknown.join(", ")))
    }
}

/// RGB bytes, rows from the top. The kernels are called straight, since there is nobody to wait for a turn here.
fn picture(request: &Request) -> Vec<u8> {
    let (described, _) = scene::understand(request);
    let floats = described.floats();
    let mut params = described.params(request.width, request.height, request.seed as u32);
    let items = request.width * request.height;
    let mut sums = vec![0.0; items as usize * 4];
    for sample in 0..scene::samples(request.preset) {
        params.sample = sample;
        gradus_cpu::scene::trace(0..items, &params, &floats, &mut sums);
    }
    let mut pixels = vec![0; items as usize];
    gradus_cpu::scene::resolve(0..items, &params, &sums, &mut pixels);
    rgb(&pixels)
}

fn rgb(pixels: &[u32]) -> Vec<u8> {
    pixels.iter().flat_map(|pixel| pixel.to_le_bytes().into_iter().take(3)).collect()
}

/// A GPU's buffers for the pictures of a part, so that a recording holds them all.
struct Slots {
    engine: std::rc::Rc<dyn Engine>,
    /// The objects, the sums and the pixels of each.
    buffers: Vec<[Buffer; 3]>,
}

impl Slots {
    fn new(side: u32) -> Result<Self, String> {
        let engine = gpu(None)?;
        let items = side as usize * side as usize;
        let words = gradus_cpu::scene::OBJECT_FLOATS * gradus_cpu::scene::MOST_OBJECTS;
        let make = || -> Result<_, String> {
            let buffer = |label, words| engine.buffer(label, words).map_err(|why| why.to_string());
            Ok([buffer("objects", words)?, buffer("sums", items * 4)?, buffer("pixels", items)?])
        };
        let buffers = (0..TURN).map(|_| make()).collect::<Result<_, _>>()?;
        Ok(Self { engine, buffers })
    }

    /// The same as [`picture`] of each.
    fn pictures(&self, requests: &[Request]) -> Result<Vec<u8>, String> {
        let mut recording = Recording::new();
        let described: Vec<_> = requests.iter().map(|request| (request, scene::understand(request).0)).collect();
        // A write ends a submit, so all of them come first.
        for ((_, scene), [objects, sums, _]) in described.iter().zip(&self.buffers) {
            recording.write(objects, &scene.floats());
            recording.clear(sums);
        }
        for ((request, scene), [objects, sums, pixels]) in described.iter().zip(&self.buffers) {
            let params = scene.params(request.width, request.height, request.seed as u32);
            let items = request.width * request.height;
            for sample in 0..scene::samples(request.preset) {
                let params = gradus_cpu::scene::Params { sample, ..params };
                recording.dispatch(&TRACE, items, &Uniform::of(params), &[objects, sums]);
            }
            recording.dispatch(&RESOLVE, items, &Uniform::of(params), &[sums, pixels]);
        }
        let failed = |why: gradus::kernels::EngineError| why.to_string();
        let mut made = Vec::new();
        pollster::block_on(async {
            self.engine.run(&recording, &Clock(Instant::now())).await.map_err(failed)?;
            for (_, [_, _, pixels]) in requests.iter().zip(&self.buffers) {
                made.extend(rgb(&self.engine.read(pixels).await.map_err(failed)?));
            }
            Ok(made)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_on_where_the_last_one_ended() -> Result<(), String> {
        let folder = std::env::temp_dir().join(format!("gradus-tools-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|why| why.to_string())?;
        let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
        let (captions, pictures) = (path("captions.tsv"), path("pictures.rgb"));
        let write = |text: &str| std::fs::write(&captions, text).map_err(|why| why.to_string());
        let read = || std::fs::read(&pictures).map_err(|why| why.to_string());
        write("7\ta red cube\t{}\n")?;
        render(&captions, &pictures, 64, By::Processor)?;
        let one = read()?;
        assert_eq!(one.len(), 64 * 64 * 3);
        // Torn in the middle of the second picture.
        std::fs::write(&pictures, [one.as_slice(), &[1; 100]].concat()).map_err(|why| why.to_string())?;
        write("7\ta red cube\n8\ta blue ball at night\n")?;
        render(&captions, &pictures, 64, By::Processor)?;
        let two = read()?;
        assert_eq!(two.len(), 2 * one.len());
        assert_eq!(two[..one.len()], one);
        assert_ne!(two[one.len()..], one);
        std::fs::remove_dir_all(&folder).map_err(|why| why.to_string())
    }

    #[test]
    fn the_gpu_renders_what_the_processor_does() -> Result<(), String> {
        let lines = ["7\ta red cube", "8\ta blue ball at night on water", "9\ta white cone in the snow"];
        let requests = lines.iter().map(|line| request(line, 96)).collect::<Result<Vec<_>, _>>()?;
        let slots = Slots::new(96)?;
        // Twice, so that what the first left in the buffers would be seen.
        slots.pictures(&requests[1..])?;
        let made = slots.pictures(&requests)?;
        let real: Vec<u8> = requests.iter().flat_map(picture).collect();
        assert_eq!(made.len(), real.len());
        let near = made.iter().zip(&real).filter(|(a, b)| a.abs_diff(**b) <= 2).count();
        assert!(near as f64 >= 0.995 * real.len() as f64, "{near} of {} bytes agree", real.len());
        Ok(())
    }

    #[test]
    fn lines_that_are_refused() {
        for line in ["a red cube", "seven\ta red cube", "7\ta zebra"] {
            assert!(request(line, 128).is_err(), "{line}");
        }
    }
}
