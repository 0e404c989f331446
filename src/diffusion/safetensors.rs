//! The safetensors format: tensors by name, in one file or several.
//!
//! A file is 8 bytes of length, a JSON header of that length, and the data. The header is hostile: everything it says
//! is checked before anything of its size is allocated.

use std::collections::BinaryHeap;

use super::config;
use super::json::Json;
use crate::kernels::nn::half;
use crate::ports::Files;
use crate::value::{Error, SortedMap};

/// The most that a header may have.
const MOST_HEADER: u64 = 32 << 20;
/// The most dimensions that a tensor may have.
const MOST_DIMENSIONS: usize = 8;

/// How a tensor's numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// 4 bytes.
    F32,
    /// 2 bytes, IEEE 754 binary16.
    F16,
    /// 2 bytes, the upper half of a 4-byte one.
    Bf16,
    /// 8 bytes, whole numbers.
    I64,
}

impl Dtype {
    fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::I64 => 8,
        }
    }
}

/// Where a tensor is.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// How its numbers are stored.
    pub dtype: Dtype,
    /// Its shape, the slowest dimension first.
    pub shape: Vec<usize>,
    file: usize,
    start: u64,
}

impl Tensor {
    /// How many numbers it has.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }
}

/// The tensors of a component.
#[derive(Clone, Debug, Default)]
pub struct Tensors {
    files: Vec<String>,
    entries: SortedMap<String, Tensor>,
}

impl Tensors {
    /// Opens `folder/stem.safetensors`, or its fp16 variant, or the shards that `folder/stem.safetensors.index.json`
    /// names.
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
        let mut tensors = Self::default();
        for name in [path(".safetensors"), path(".fp16.safetensors")] {
            if files.size(&name).await?.is_some() {
                tensors.add(files, name).await?;
                return Ok(tensors);
            }
        }
        let index = path(".safetensors.index.json");
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
        for shard in shards {
            if shard.contains('/') || shard.contains('\\') || !shard.ends_with(".safetensors") {
                return Err(Error::new(format!("{index} names a file that is no shard beside it.")));
            }
            tensors.add(files, [folder, "/", shard].concat()).await?;
        }
        Ok(tensors)
    }

    async fn add(&mut self, files: &dyn Files, path: String) -> Result<(), Error> {
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
        for (name, entry) in header.map().ok_or_else(|| refuse("its header is no map"))? {
            if name == "__metadata__" {
                continue;
            }
            let tensor = entry_of(entry, file, data, size - data).ok_or_else(|| {
                Error::new(format!(
                    "{path}: the tensor {name} is not stored as F32, F16, BF16 or I64 inside of the file."
                ))
            })?;
            self.entries.insert(name.clone(), tensor);
        }
        self.files.push(path);
        Ok(())
    }

    /// A tensor, by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.entries.get(name)
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

    /// So many numbers of a tensor from one on.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn read_part(
        &self,
        files: &dyn Files,
        tensor: &Tensor,
        first: usize,
        count: usize,
    ) -> Result<Vec<f32>, Error> {
        let size = tensor.dtype.bytes();
        let start = tensor.start + first as u64 * size;
        let path = self.files.get(tensor.file).map_or("", String::as_str);
        let bytes = files.read(path, start..start + count as u64 * size).await?;
        let numbers: Vec<f32> = match tensor.dtype {
            Dtype::F32 => bytes.as_chunks::<4>().0.iter().map(|&four| f32::from_le_bytes(four)).collect(),
            Dtype::F16 => bytes.as_chunks::<2>().0.iter().map(|&two| half::to_f32(u16::from_le_bytes(two))).collect(),
            Dtype::Bf16 => {
                let number = |&two: &[u8; 2]| f32::from_bits(u32::from(u16::from_le_bytes(two)) << 16);
                bytes.as_chunks::<2>().0.iter().map(number).collect()
            }
            Dtype::I64 => bytes.as_chunks::<8>().0.iter().map(|&eight| i64::from_le_bytes(eight) as f32).collect(),
        };
        if numbers.len() == count {
            return Ok(numbers);
        }
        Err(Error::new(format!("{path} ended too early. Download it again.")))
    }
}

fn entry_of(entry: &Json, file: usize, data: u64, room: u64) -> Option<Tensor> {
    let dtype = match entry.get("dtype")?.text()? {
        "F32" => Dtype::F32,
        "F16" => Dtype::F16,
        "BF16" => Dtype::Bf16,
        "I64" => Dtype::I64,
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
    let [start, end] = entry.get("data_offsets")?.list()? else { return None };
    let (start, end) = (start.whole()?, end.whole()?);
    let fits = start <= end && end <= room && count.checked_mul(dtype.bytes())? == end - start;
    fits.then_some(Tensor { dtype, shape, file, start: data + start })
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
            (r#"{"x":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}"#, None, 8),
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
}
