//! Pictures of captions by the library's own scene generator, for training.

use std::fs::{File, OpenOptions, read_to_string};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::thread;

use gradus::imagegen::{Preset, Request, scene};

/// Captions that a thread renders before the pictures are written.
const TURN: usize = 32;

/// Renders what is not rendered yet; see the usage in `main`.
///
/// # Errors
/// When a file cannot be read or written, a line is malformed, or a caption has words that the generator ignores.
pub(crate) fn render(captions: &str, pictures: &str, side: u32) -> Result<(), String> {
    let text = read_to_string(captions).map_err(|why| format!("{captions} cannot be read: {why}."))?;
    let requests: Vec<Request> = text.lines().map(|line| request(line, side)).collect::<Result<_, _>>()?;
    let refused = |why: std::io::Error| format!("{pictures} cannot be written: {why}.");
    let mut file = OpenOptions::new().create(true).append(true).open(pictures).map_err(refused)?;
    let bytes = u64::from(side) * u64::from(side) * 3;
    let done = whole(&mut file, bytes).map_err(refused)?;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    for turn in requests.get(done..).unwrap_or_default().chunks(TURN * threads) {
        let rendered: Vec<Vec<u8>> = thread::scope(|scope| {
            let parts: Vec<_> =
                turn.chunks(TURN).map(|part| scope.spawn(|| part.iter().flat_map(picture).collect())).collect();
            parts.into_iter().map(|part| part.join().unwrap_or_default()).collect()
        });
        let made: usize = rendered.iter().map(Vec::len).sum();
        if made as u64 != turn.len() as u64 * bytes {
            return Err("A rendering thread broke; what was written before is whole.".to_owned());
        }
        for part in rendered {
            file.write_all(&part).map_err(refused)?;
        }
    }
    Ok(())
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
    pixels.iter().flat_map(|pixel| pixel.to_le_bytes().into_iter().take(3)).collect()
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
        render(&captions, &pictures, 64)?;
        let one = read()?;
        assert_eq!(one.len(), 64 * 64 * 3);
        // Torn in the middle of the second picture.
        std::fs::write(&pictures, [one.as_slice(), &[1; 100]].concat()).map_err(|why| why.to_string())?;
        write("7\ta red cube\n8\ta blue ball at night\n")?;
        render(&captions, &pictures, 64)?;
        let two = read()?;
        assert_eq!(two.len(), 2 * one.len());
        assert_eq!(two[..one.len()], one);
        assert_ne!(two[one.len()..], one);
        std::fs::remove_dir_all(&folder).map_err(|why| why.to_string())
    }

    #[test]
    fn lines_that_are_refused() {
        for line in ["a red cube", "seven\ta red cube", "7\ta zebra"] {
            assert!(request(line, 128).is_err(), "{line}");
        }
    }
}
