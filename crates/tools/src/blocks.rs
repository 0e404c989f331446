//! `blocks`: a checkpoint's weights as 8-bit blocks, or as the f16 copy that means the same numbers.

use std::path::Path;

use gradus::diffusion::config::Config;
use gradus::diffusion::json::Json;
use gradus::diffusion::quantised::{self, BLOCK};
use gradus::diffusion::safetensors::{Dtype, Tensors};
use gradus::kernels::nn::half;

use crate::golden::quoted;
use crate::world::Folder;

/// What became of the weights.
#[derive(Default)]
struct Told {
    tensors: usize,
    weights: usize,
    /// Bytes of all that was written.
    bytes: u64,
    /// The sums of the weights' squares and of their errors' squares.
    squares: [f64; 2],
    /// The largest error, as a share of its block's largest weight.
    worst: f64,
    /// Weights that are not what they were.
    moved: usize,
}

/// Writes the checkpoint of a folder into another: the components that model_index.json names, and the files beside it.
/// The two may be the same folder.
///
/// # Errors
/// When a file cannot be read or written, or has weights that no half can be.
pub(crate) fn run(model: &str, out: &str, dequantised: bool) -> Result<(), String> {
    let (model, out) = (Path::new(model), Path::new(out));
    let folder = Folder(model.to_owned());
    let read = pollster::block_on(Config::read(&folder, "model_index.json"));
    let index = read.map_err(|why| format!("{}: {why}", model.display()))?;
    let mut told = Told::default();
    let mut paths = files(model, "")?;
    for component in ["scheduler", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "unet", "vae"] {
        if index.get(component).and_then(Json::list).is_some() && model.join(component).is_dir() {
            paths.extend(files(model, component)?);
        }
    }
    for path in paths {
        let to = out.join(&path);
        let refused = |why: std::io::Error| format!("{} cannot be written: {why}.", to.display());
        std::fs::create_dir_all(to.parent().unwrap_or(out)).map_err(refused)?;
        // Weights are in folders; beside them are reference results, which stay what they are.
        match path.strip_suffix(".safetensors").and_then(|stem| stem.rsplit_once('/')) {
            Some((component, stem)) => {
                let bytes = converted(&folder, component, stem, dequantised, &mut told)?;
                told.bytes += bytes.len() as u64;
                std::fs::write(&to, bytes).map_err(refused)?;
            }
            None => {
                let bytes = std::fs::read(model.join(&path)).map_err(|why| format!("{path} cannot be read: {why}."))?;
                if !path.starts_with("golden.") {
                    told.bytes += bytes.len() as u64;
                }
                if std::fs::canonicalize(&to).ok() != std::fs::canonicalize(model.join(&path)).ok() {
                    std::fs::write(&to, bytes).map_err(refused)?;
                }
            }
        }
    }
    let [all, off] = told.squares;
    println!(
        "{}: {} bytes; {} weights in {} tensors, {} of them changed; error {:.2e} of the root mean square, at most {:.2e} of a \
         block's largest weight",
        out.display(),
        told.bytes,
        told.weights,
        told.tensors,
        told.moved,
        (off / all.max(f64::MIN_POSITIVE)).sqrt(),
        told.worst
    );
    Ok(())
}

/// The files right in a folder of the checkpoint, as paths below it.
fn files(model: &Path, folder: &str) -> Result<Vec<String>, String> {
    let at = model.join(folder);
    let entries = std::fs::read_dir(&at).map_err(|why| format!("{} cannot be read: {why}.", at.display()))?;
    let names = entries.flatten().filter(|entry| entry.path().is_file()).map(|entry| entry.file_name());
    let mut paths: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .map(|name| if folder.is_empty() { name } else { format!("{folder}/{name}") })
        .collect();
    paths.sort();
    Ok(paths)
}

/// A file of weights, converted.
fn converted(
    folder: &Folder,
    component: &str,
    stem: &str,
    dequantised: bool,
    told: &mut Told,
) -> Result<Vec<u8>, String> {
    let words = |why: gradus::Error| format!("{component}/{stem}.safetensors: {why}");
    let tensors = pollster::block_on(Tensors::open(folder, component, stem)).map_err(words)?;
    let mut parts: Vec<(String, &str, Vec<usize>, Vec<u8>)> = Vec::new();
    for name in tensors.names() {
        let Some(tensor) = tensors.get(name) else { continue };
        let shape = tensor.shape.clone();
        let of_blocks = name.strip_suffix(".scale").and_then(|weight| tensors.get(weight));
        if of_blocks.is_some_and(|weight| weight.dtype == Dtype::I8) {
            continue;
        }
        let numbers = pollster::block_on(tensors.read(folder, name)).map_err(words)?;
        if tensor.dtype == Dtype::I64 {
            let bytes = numbers.iter().flat_map(|&number| (number as i64).to_le_bytes()).collect();
            parts.push((name.to_owned(), "I64", shape, bytes));
            continue;
        }
        let refused = || format!("{component}/{stem}.safetensors: {name} has weights that no f16 number can be.");
        let halves = |numbers: &[f32]| -> Vec<u8> {
            numbers.iter().flat_map(|&number| half::from_f32(number).to_le_bytes()).collect()
        };
        if shape.len() < 2 {
            if !numbers.iter().all(|number| number.abs() < 65_520.0) {
                return Err(refused());
            }
            parts.push((name.to_owned(), "F16", shape, halves(&numbers)));
            continue;
        }
        let (mut scales, mut stored) = (Vec::new(), Vec::with_capacity(numbers.len()));
        let mut meant = Vec::with_capacity(if dequantised { numbers.len() } else { 0 });
        for block in numbers.chunks(BLOCK) {
            let (scale, quantised) = quantised::quantise(block).ok_or_else(refused)?;
            let values: Vec<f32> =
                quantised.iter().map(|&stored| quantised::number(stored, half::to_f32(scale))).collect();
            told.note(block, &values);
            scales.extend(scale.to_le_bytes());
            stored.extend(quantised.iter().map(|&stored| stored as u8));
            if dequantised {
                meant.extend(values);
            }
        }
        told.tensors += 1;
        if dequantised {
            parts.push((name.to_owned(), "F16", shape, halves(&meant)));
        } else {
            parts.push((format!("{name}.scale"), "F16", vec![scales.len() / 2], scales));
            parts.push((name.to_owned(), "I8", shape, stored));
        }
    }
    // Readers want numbers of two bytes at even places.
    parts.sort_by_key(|(_, _, _, bytes)| bytes.len() % 2);
    Ok(file(if dequantised { "pt" } else { quantised::FORMAT }, &parts))
}

impl Told {
    fn note(&mut self, before: &[f32], after: &[f32]) {
        let largest = before.iter().fold(0.0f64, |largest, &weight| largest.max(f64::from(weight).abs()));
        for (&before, &after) in before.iter().zip(after) {
            let off = f64::from(before) - f64::from(after);
            self.squares[0] += f64::from(before).powi(2);
            self.squares[1] += off.powi(2);
            self.worst = self.worst.max(off.abs() / largest.max(f64::MIN_POSITIVE));
            self.moved += usize::from(off != 0.0);
        }
        self.weights += before.len();
    }
}

/// A safetensors file.
fn file(format: &str, parts: &[(String, &str, Vec<usize>, Vec<u8>)]) -> Vec<u8> {
    let mut header = format!("{{\"__metadata__\":{{\"format\":{}}}", quoted(format));
    let mut at = 0;
    for (name, dtype, shape, bytes) in parts {
        let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
        let end = at + bytes.len();
        header += &format!(
            ",{}:{{\"dtype\":\"{dtype}\",\"shape\":[{}],\"data_offsets\":[{at},{end}]}}",
            quoted(name),
            sizes.join(",")
        );
        at = end;
    }
    header.push('}');
    // The data begins at a multiple of 8.
    header += &" ".repeat(header.len().next_multiple_of(8) - header.len());
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.into_bytes());
    parts.iter().for_each(|(_, _, _, bytes)| file.extend(bytes));
    file
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn both_forms_mean_the_same_and_change_no_more() -> Result<(), String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/diffusion/flow");
        let base = std::env::temp_dir().join(format!("gradus-blocks-{}", std::process::id()));
        let path = |name: &str| base.join(name).to_string_lossy().into_owned();
        run(&root.to_string_lossy(), &path("eight"), false)?;
        run(&root.to_string_lossy(), &path("halves"), true)?;
        // Once more, of each form, and in place.
        run(&path("halves"), &path("eight again"), false)?;
        run(&path("eight"), &path("halves again"), true)?;
        run(&path("eight"), &path("eight"), false)?;
        let weights = "unet/diffusion_pytorch_model.safetensors";
        let read = |name: &str, file: &str| std::fs::read(base.join(name).join(file)).map_err(|why| why.to_string());
        assert_eq!(read("eight", weights)?, read("eight again", weights)?);
        assert_eq!(read("halves", weights)?, read("halves again", weights)?);
        // Of these small tensors half of the file is their names.
        assert!(read("eight", weights)?.len() * 10 < read("halves", weights)?.len() * 9);
        assert_eq!(read("eight", "unet/config.json")?, read("halves", "unet/config.json")?);
        let of = |name: &str| -> Result<Vec<Vec<f32>>, String> {
            let folder = Folder(PathBuf::from(path(name)));
            let read = async {
                let tensors = Tensors::open(&folder, "unet", "diffusion_pytorch_model").await?;
                let mut all = Vec::new();
                for name in tensors.names().filter(|name| !name.ends_with(".scale")) {
                    all.push(tensors.read(&folder, name).await?);
                }
                Ok(all)
            };
            pollster::block_on(read).map_err(|why: gradus::Error| why.to_string())
        };
        assert_eq!(of("eight")?, of("halves")?);
        std::fs::remove_dir_all(&base).map_err(|why| why.to_string())
    }
}
