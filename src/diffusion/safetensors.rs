//! The safetensors format: tensors by name, in one file or several.
//!
//! A file is 8 bytes of length, a JSON header of that length, and the data. The header is hostile: everything it says
//! is checked before anything of its size is allocated. Beside what PyTorch writes it reads 8-bit blocks: see
//! [`super::quantised`].

use std::cell::RefCell;
use std::collections::BinaryHeap;
use std::rc::Rc;

use futures_util::future::LocalBoxFuture;

use super::config;
use super::json::Json;
use super::quantised::{self, BLOCK};
use crate::kernels::nn::half;
use crate::ports::Files;
use crate::value::{Error, SortedMap};

/// The most that a header may have.
const MOST_HEADER: u64 = 32 << 20;
/// From so many bytes on the fp16 variant is the better file, where there is one, and halves are what a GPU keeps.
const LARGE: u64 = 256 << 20;
/// The most dimensions that a tensor may have.
const MOST_DIMENSIONS: usize = 8;

/// How a tensor's numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// 8 bytes.
    F64,
    /// 4 bytes.
    F32,
    /// 2 bytes, IEEE 754 binary16.
    F16,
    /// 2 bytes, the upper half of a 4-byte one.
    Bf16,
    /// 8 bytes, whole numbers.
    I64,
    /// 1 byte and a scale for each block of them; see [`super::quantised`].
    I8,
}

impl Dtype {
    fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::F64 | Self::I64 => 8,
            Self::I8 => 1,
        }
    }
}

/// A file's number, and a place in it.
type Place = (usize, u64);

/// Where a tensor is.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// How its numbers are stored.
    pub dtype: Dtype,
    /// Its shape, the slowest dimension first.
    pub shape: Vec<usize>,
    file: usize,
    pub(super) start: u64,
    /// File and start of its scales, which only 8-bit blocks have.
    scales: Place,
    /// Which of the component's patches change it.
    patches: Vec<usize>,
}

impl Tensor {
    /// How many numbers it has.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Changes a tensor's numbers as they are read. It is a trait so that a page that merges nothing does not carry how: it
/// would be 3 % of its download.
pub(super) trait Patch {
    /// Adds to the numbers from `first` on, of which a row has `row`.
    fn add<'a>(&'a self, first: usize, row: usize, numbers: &'a mut [f32]) -> LocalBoxFuture<'a, Result<(), Error>>;
}

/// The tensors of a component.
#[derive(Clone, Default)]
pub struct Tensors {
    files: Vec<String>,
    entries: SortedMap<String, Tensor>,
    /// Scales that were read last, with their place: a tensor is read in many parts.
    last: RefCell<(Place, Rc<[u8]>)>,
    patches: Vec<Rc<dyn Patch>>,
    /// Whether the files' numbers are so many that a GPU keeps halves of them.
    large: bool,
    /// What the last file's header says beside its tensors.
    pub(super) told: Option<Json>,
}

impl Tensors {
    /// Opens `folder/stem.safetensors`, or (where it is large, or there is none) its fp16 variant, or the shards that
    /// `folder/stem.safetensors.index.fp16.json` or `folder/stem.safetensors.index.json` names.
    ///
    /// # Errors
    /// When there is none of these, or a header is not as it should be.
    ///
    /// ```
    /// use gradus::diffusion::safetensors::Tensors;
    /// use gradus::ports::memory::MemoryFiles;
    /// let mut files = MemoryFiles::default();
    /// let header = br#"{"x":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}"#;
    /// let length = (header.len() as u64).to_le_bytes();
    /// files.insert("unet/model.safetensors", [&length[..], header, &[0, 0x3c]].concat());
    /// # futures_util::FutureExt::now_or_never(async {
    /// let tensors = Tensors::open(&files, "unet", "model").await?;
    /// assert_eq!(tensors.read(&files, "x").await?, [1.0]);
    /// # Ok::<(), gradus::Error>(())
    /// # }).unwrap()?;
    /// # Ok::<(), gradus::Error>(())
    /// ```
    pub async fn open(files: &dyn Files, folder: &str, stem: &str) -> Result<Self, Error> {
        let path = |ending: &str| [folder, if folder.is_empty() { "" } else { "/" }, stem, ending].concat();
        let (whole, halves) = (path(".safetensors"), path(".fp16.safetensors"));
        let size = files.size(&whole).await?;
        // Of a large file the variant is half the download, and a GPU keeps halves where it can.
        if size.is_none_or(|size| size > LARGE) && files.size(&halves).await?.is_some() {
            return Self::open_file(files, &halves).await;
        }
        if size.is_some() {
            return Self::open_file(files, &whole).await;
        }
        // Shards are of large components, so again the variant first.
        let mut index = path(".safetensors.index.fp16.json");
        if files.size(&index).await?.is_none() {
            index = path(".safetensors.index.json");
        }
        if files.size(&index).await?.is_none() {
            return Err(Error::new(format!("The checkpoint has no {}.", path(".safetensors"))));
        }
        let json = Json::parse(&config::read(files, &index).await?)
            .map_err(|error| Error::new(format!("{index}: {error}.")))?;
        let shards: Vec<&str> = json
            .get("weight_map")
            .and_then(Json::map)
            .map(|map| map.iter().filter_map(|(_, file)| file.text()).collect())
            .unwrap_or_default();
        let mut shards = BinaryHeap::from(shards).into_sorted_vec();
        shards.dedup();
        let mut tensors = Self::default();
        for shard in shards {
            if shard.contains('/') || shard.contains('\\') || !shard.ends_with(".safetensors") {
                return Err(Error::new(format!("{index} names a file that is no shard beside it.")));
            }
            tensors.add(files, [folder, "/", shard].concat()).await?;
        }
        tensors.with_scales()
    }

    /// Opens one file.
    ///
    /// # Errors
    /// When it is not there, or its header is not as it should be.
    pub async fn open_file(files: &dyn Files, path: &str) -> Result<Self, Error> {
        let mut tensors = Self::default();
        tensors.add(files, path.to_owned()).await?;
        tensors.with_scales()
    }

    /// From now on this tensor is read with a change.
    pub(super) fn patch(&mut self, name: &str, patch: Rc<dyn Patch>) {
        if let Some(tensor) = self.entries.get_mut(name) {
            tensor.patches.push(self.patches.len());
            self.patches.push(patch);
        }
    }

    /// Finds the scales of 8-bit blocks, which may be in another shard.
    fn with_scales(mut self) -> Result<Self, Error> {
        let blocks = self.entries.iter().filter(|(_, tensor)| tensor.dtype == Dtype::I8);
        let names: Vec<String> = blocks.map(|(name, _)| name.clone()).collect();
        for name in names {
            let scales = self.get(&[&name, ".scale"].concat());
            let found = scales.map(|scales| (scales.dtype, scales.shape.clone(), (scales.file, scales.start)));
            let tensor = self.entries.get_mut(&name);
            match (tensor, found) {
                (Some(tensor), Some((Dtype::F16, shape, place))) if shape == [tensor.count().div_ceil(BLOCK)] => {
                    tensor.scales = place;
                }
                _ => {
                    return Err(Error::new(format!(
                        "The tensor {name} is stored as I8, so there must be {name}.scale: F16, one number for each {BLOCK}."
                    )));
                }
            }
        }
        self.large = self.bytes() > LARGE;
        Ok(self)
    }

    /// Reads the header of one file; the scales of 8-bit blocks are not looked for.
    pub(super) async fn add(&mut self, files: &dyn Files, path: String) -> Result<(), Error> {
        let refuse = |why: &str| Error::new(format!("{path} is no safetensors file: {why}. Download it again."));
        let size = files.size(&path).await?.ok_or_else(|| refuse("it is not there"))?;
        let length = files.read(&path, 0..8.min(size)).await?;
        let length = <[u8; 8]>::try_from(length.as_slice()).map_err(|_| refuse("it is too short"))?;
        let length = u64::from_le_bytes(length);
        if length > MOST_HEADER || length > size.saturating_sub(8) {
            return Err(refuse("its header is longer than can be"));
        }
        let data = 8 + length;
        let header = Json::parse(&files.read(&path, 8..data).await?).map_err(|error| refuse(&error.to_string()))?;
        let file = self.files.len();
        let format = header.get("__metadata__").and_then(|told| told.get("format")?.text());
        let blocks = format == Some(quantised::FORMAT);
        for (name, entry) in header.map().ok_or_else(|| refuse("its header is no map"))? {
            if name == "__metadata__" {
                continue;
            }
            let tensor = entry_of(entry, file, data, size - data);
            let tensor = tensor.filter(|tensor| blocks || tensor.dtype != Dtype::I8).ok_or_else(|| {
                Error::new(format!(
                    "{path}: the tensor {name} is not stored as F64, F32, F16, BF16, I64 or (in {}) I8 inside of the file.",
                    quantised::FORMAT
                ))
            })?;
            self.entries.insert(name.clone(), tensor);
        }
        self.files.push(path);
        self.told = header.get("__metadata__").cloned();
        Ok(())
    }

    /// A tensor, by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.entries.get(name)
    }

    /// Whether a GPU keeps a tensor's numbers as halves. Those of 2 bytes or fewer lose nothing by it, but bfloat16's below
    /// 2^-14, which come to lie on multiples of 2^-24. Those of 4 bytes are rounded where the component is large: they
    /// would take twice the memory for a picture that nobody could tell from the other; and so is what was merged into.
    #[must_use]
    pub fn halves(&self, tensor: &Tensor) -> bool {
        self.large || (tensor.patches.is_empty() && matches!(tensor.dtype, Dtype::F16 | Dtype::Bf16 | Dtype::I8))
    }

    /// Bytes of all tensors in their files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.entries.values().map(|tensor| tensor.count() as u64 * tensor.dtype.bytes()).sum()
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// All numbers of a tensor.
    ///
    /// # Errors
    /// When there is none of this name, or the file cannot be read.
    pub async fn read(&self, files: &dyn Files, name: &str) -> Result<Vec<f32>, Error> {
        let tensor = self.get(name).ok_or_else(|| Error::new(format!("The checkpoint has no tensor {name}.")))?;
        self.read_part(files, tensor, 0, tensor.count()).await
    }

    /// So many numbers of a tensor from one on, with what was merged into it.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub async fn read_part(
        &self,
        files: &dyn Files,
        tensor: &Tensor,
        first: usize,
        count: usize,
    ) -> Result<Vec<f32>, Error> {
        let mut numbers = self.read_plain(files, tensor, first, count).await?;
        let row = tensor.count() / tensor.shape.first().copied().unwrap_or(1).max(1);
        for patch in tensor.patches.iter().filter_map(|&patch| self.patches.get(patch)) {
            patch.add(first, row, &mut numbers).await?;
        }
        Ok(numbers)
    }

    /// The same as halves in little-endian order, where the file has such and nothing was merged into them.
    pub(super) async fn read_halves(
        &self,
        files: &dyn Files,
        tensor: &Tensor,
        first: usize,
        count: usize,
    ) -> Result<Option<Vec<u8>>, Error> {
        if tensor.dtype != Dtype::F16 || !tensor.patches.is_empty() {
            return Ok(None);
        }
        self.bytes_of(files, tensor, first, count).await.map(Some)
    }

    /// The numbers as they are in the file.
    pub(super) async fn read_plain(
        &self,
        files: &dyn Files,
        tensor: &Tensor,
        first: usize,
        count: usize,
    ) -> Result<Vec<f32>, Error> {
        let bytes = self.bytes_of(files, tensor, first, count).await?;
        Ok(match tensor.dtype {
            Dtype::F32 => bytes.as_chunks::<4>().0.iter().map(|&four| f32::from_le_bytes(four)).collect(),
            Dtype::F16 => half::to_floats(&bytes),
            Dtype::Bf16 => {
                let number = |&two: &[u8; 2]| f32::from_bits(u32::from(u16::from_le_bytes(two)) << 16);
                bytes.as_chunks::<2>().0.iter().map(number).collect()
            }
            Dtype::I8 => {
                let scales = self.scales(files, tensor).await?;
                let scales = scales.as_chunks::<2>().0;
                let number = |(n, &byte): (usize, &u8)| {
                    let scale =
                        scales.get((first + n) / BLOCK).map_or(0.0, |&two| half::to_f32(u16::from_le_bytes(two)));
                    quantised::number(byte as i8, scale)
                };
                bytes.iter().enumerate().map(number).collect()
            }
            Dtype::F64 => bytes.as_chunks::<8>().0.iter().map(|&eight| f64::from_le_bytes(eight) as f32).collect(),
            Dtype::I64 => bytes.as_chunks::<8>().0.iter().map(|&eight| i64::from_le_bytes(eight) as f32).collect(),
        })
    }

    /// So many numbers from one on, both whole blocks, as 8-bit numbers with their scales: those of the file where it has
    /// such blocks and nothing was merged into them, else rounded to them.
    ///
    /// # Errors
    /// When a file cannot be read, or has weights that no half can be.
    pub(super) async fn read_blocks(
        &self,
        files: &dyn Files,
        tensor: &Tensor,
        first: usize,
        count: usize,
    ) -> Result<(Vec<i8>, Vec<u16>), Error> {
        if tensor.dtype == Dtype::I8 && tensor.patches.is_empty() {
            let bytes = self.bytes_of(files, tensor, first, count).await?;
            let scales = self.scales(files, tensor).await?;
            let scales = scales.as_chunks::<2>().0.iter().map(|&two| u16::from_le_bytes(two));
            let scales = scales.skip(first / BLOCK).take(count / BLOCK).collect();
            return Ok((bytes.into_iter().map(|byte| byte as i8).collect(), scales));
        }
        let numbers = self.read_part(files, tensor, first, count).await?;
        let mut stored = Vec::with_capacity(count);
        let scales = numbers.chunks(BLOCK).map(|block| quantised::quantise_quickly(block, &mut stored)).collect();
        let scales: Option<Vec<u16>> = scales;
        let refused =
            || Error::new("This checkpoint has weights that are none or too large for 8 bit. Load it as it is.");
        Ok((stored, scales.ok_or_else(refused)?))
    }

    /// The bytes of so many numbers.
    async fn bytes_of(&self, files: &dyn Files, tensor: &Tensor, first: usize, count: usize) -> Result<Vec<u8>, Error> {
        let size = tensor.dtype.bytes();
        let start = tensor.start + first as u64 * size;
        let path = self.files.get(tensor.file).map_or("", String::as_str);
        let bytes = files.read(path, start..start + count as u64 * size).await?;
        if bytes.len() as u64 == count as u64 * size {
            return Ok(bytes);
        }
        Err(Error::new(format!("{path} ended too early. Download it again.")))
    }

    /// All scales of a tensor in 8-bit blocks.
    async fn scales(&self, files: &dyn Files, tensor: &Tensor) -> Result<Rc<[u8]>, Error> {
        let (place, known) = self.last.borrow().clone();
        if place == tensor.scales && !known.is_empty() {
            return Ok(known);
        }
        let path = self.files.get(tensor.scales.0).map_or("", String::as_str);
        let (start, length) = (tensor.scales.1, 2 * tensor.count().div_ceil(BLOCK) as u64);
        let read: Rc<[u8]> = files.read(path, start..start + length).await?.into();
        self.last.replace((tensor.scales, Rc::clone(&read)));
        Ok(read)
    }
}

fn entry_of(entry: &Json, file: usize, data: u64, room: u64) -> Option<Tensor> {
    let dtype = match entry.get("dtype")?.text()? {
        "F32" => Dtype::F32,
        "F16" => Dtype::F16,
        "BF16" => Dtype::Bf16,
        "F64" => Dtype::F64,
        "I64" => Dtype::I64,
        "I8" => Dtype::I8,
        _ => return None,
    };
    let sizes = entry.get("shape")?.list()?;
    if sizes.len() > MOST_DIMENSIONS {
        return None;
    }
    let mut count = 1u64;
    let mut shape = Vec::with_capacity(sizes.len());
    for size in sizes {
        let size = size.whole()?;
        count = count.checked_mul(size)?;
        shape.push(usize::try_from(size).ok()?);
    }
    // In a page the numbers of a tensor are counted in 32 bits.
    usize::try_from(count).ok()?;
    let [start, end] = entry.get("data_offsets")?.list()? else { return None };
    let (start, end) = (start.whole()?, end.whole()?);
    let fits = start <= end && end <= room && count.checked_mul(dtype.bytes())? == end - start;
    fits.then_some(Tensor { dtype, shape, file, start: data + start, scales: (0, 0), patches: Vec::new() })
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::ports::memory::MemoryFiles;

    fn open(header: &str, length: Option<u64>, data: usize) -> Result<Tensors, Error> {
        let length = length.unwrap_or(header.len() as u64).to_le_bytes();
        let mut files = MemoryFiles::default();
        files.insert("model.safetensors", [&length[..], header.as_bytes(), &vec![0; data]].concat());
        Tensors::open(&files, "", "model").now_or_never().unwrap()
    }

    #[test]
    fn hostile_headers_are_refused() {
        let good = r#"{"__metadata__":{"format":"pt"},"x":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#;
        assert_eq!(open(good, None, 24).unwrap().get("x").map(Tensor::count), Some(6));
        for (header, length, data) in [
            (good, None, 23),
            (good, Some(u64::MAX), 24),
            (good, Some(3), 24),
            ("[]", None, 0),
            (r#"{"x":{"dtype":"U64","shape":[1],"data_offsets":[0,8]}}"#, None, 8),
            (r#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, None, 8),
            (r#"{"x":{"dtype":"F32","shape":[4294967296,4294967296,16],"data_offsets":[0,0]}}"#, None, 8),
            (r#"{"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, None, 8),
            (r#"{"x":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}"#, None, 8),
            (r#"{"x":{"dtype":"F32","shape":[1]}}"#, None, 8),
            (r#"{"x":3}"#, None, 8),
        ] {
            assert!(open(header, length, data).is_err(), "{header}");
        }
    }

    #[test]
    fn blocks_are_refused_without_their_mark_or_their_scales() {
        let header = |mark: &str, name: &str, dtype: &str, count: usize, end: usize| {
            [
                r#"{"__metadata__":{"format":""#,
                mark,
                r#""},"x":{"dtype":"I8","shape":[3,11],"data_offsets":[0,33]},""#,
                name,
                r#"":{"dtype":""#,
                dtype,
                &format!(r#"","shape":[{count}],"data_offsets":[33,{end}]}}}}"#),
            ]
            .concat()
        };
        let good = open(&header("gradus-blocks-8", "x.scale", "F16", 2, 37), None, 37).unwrap();
        assert_eq!(good.get("x").map(|x| (x.dtype, good.halves(x))), Some((Dtype::I8, true)));
        for (mark, name, dtype, count, end) in [
            ("pt", "x.scale", "F16", 2, 37),
            ("gradus-blocks-8", "x.scales", "F16", 2, 37),
            ("gradus-blocks-8", "x.scale", "BF16", 2, 37),
            ("gradus-blocks-8", "x.scale", "F16", 1, 35),
            ("gradus-blocks-8", "x.scale", "F16", 3, 39),
            ("gradus-blocks-8", "x.scale", "I8", 2, 35),
        ] {
            let refused = open(&header(mark, name, dtype, count, end), None, 40);
            let words = refused.err().map(|error| error.message().to_owned()).unwrap_or_default();
            assert!(words.contains("tensor x") && words.contains("F16"), "{words}");
        }
    }

    #[test]
    fn blocks_are_read_from_any_number_on() {
        let header = r#"{"__metadata__":{"format":"gradus-blocks-8"},"x":{"dtype":"I8","shape":[3,11],"data_offsets":[4,37]},"x.scale":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}"#;
        let mut data = vec![0x00, 0x3c, 0x00, 0xb8];
        data.extend(0..33u8);
        data[36] = 0x80;
        let mut files = MemoryFiles::default();
        let length = (header.len() as u64).to_le_bytes();
        files.insert("model.safetensors", [&length[..], header.as_bytes(), &data].concat());
        let tensors = Tensors::open(&files, "", "model").now_or_never().unwrap().unwrap();
        let x = tensors.get("x").unwrap();
        for first in 0..33 {
            let read = tensors.read_part(&files, x, first, 33 - first).now_or_never().unwrap().unwrap();
            let expected: Vec<f32> = (first..33).map(|n| if n < 32 { n as f32 } else { 64.0 }).collect();
            assert_eq!(read, expected);
        }
    }
}
