//! A safetensors file taken apart and put together again, for tests that change one.
#![allow(dead_code, reason = "no test uses all")]

use gradus::diffusion::json::Json;

/// A tensor of a file: name, type, shape, bytes.
pub struct Entry {
    pub name: String,
    pub dtype: String,
    pub shape: Vec<u64>,
    pub bytes: Vec<u8>,
}

/// The tensors of a file; what it says beside them is left out.
pub fn entries(file: &[u8]) -> Vec<Entry> {
    let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let header = Json::parse(&file[8..8 + length]).unwrap();
    let whole = |json: &Json, key: &str| -> Vec<u64> {
        json.get(key).unwrap().list().unwrap().iter().map(|number| number.whole().unwrap()).collect()
    };
    let tensors = header.map().unwrap().iter().filter(|(name, _)| name != "__metadata__");
    tensors
        .map(|(name, json)| {
            let ends = whole(json, "data_offsets");
            Entry {
                name: name.clone(),
                dtype: json.get("dtype").unwrap().text().unwrap().to_owned(),
                shape: whole(json, "shape"),
                bytes: file[8 + length + ends[0] as usize..8 + length + ends[1] as usize].to_vec(),
            }
        })
        .collect()
}

/// A file of tensors.
pub fn file(entries: &[Entry]) -> Vec<u8> {
    let mut start = 0;
    let of = |entry: &Entry| {
        let (name, dtype, shape, from) = (&entry.name, &entry.dtype, &entry.shape, start);
        start += entry.bytes.len();
        format!("{name:?}:{{\"dtype\":{dtype:?},\"shape\":{shape:?},\"data_offsets\":[{from},{start}]}}")
    };
    let header = format!("{{{}}}", entries.iter().map(of).collect::<Vec<_>>().join(","));
    let mut file = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
    entries.iter().for_each(|entry| file.extend(&entry.bytes));
    file
}

/// The same file with each entry changed.
pub fn changed(bytes: &[u8], change: impl FnMut(&mut Entry)) -> Vec<u8> {
    let mut all = entries(bytes);
    all.iter_mut().for_each(change);
    file(&all)
}

impl Entry {
    /// The numbers of an F32 tensor, changed.
    pub fn change(&mut self, change: impl Fn(f32) -> f32) {
        for number in self.bytes.chunks_exact_mut(4) {
            let changed = change(f32::from_le_bytes((&*number).try_into().unwrap()));
            number.copy_from_slice(&changed.to_le_bytes());
        }
    }

    /// An F32 tensor as an F64 one.
    pub fn double(&mut self) {
        assert_eq!(self.dtype, "F32", "{}", self.name);
        "F64".clone_into(&mut self.dtype);
        let double = |number: &[u8]| f64::from(f32::from_le_bytes(number.try_into().unwrap())).to_le_bytes();
        self.bytes = self.bytes.chunks_exact(4).flat_map(double).collect();
    }

    /// An F32 tensor as a BF16 one, cut off.
    pub fn halve(&mut self) {
        if self.dtype == "F32" {
            "BF16".clone_into(&mut self.dtype);
            self.bytes = self.bytes.chunks_exact(4).flat_map(|number| [number[2], number[3]]).collect();
        }
    }
}
