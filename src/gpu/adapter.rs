//! Looks for an adapter. The one file here that may speak JavaScript: wgpu tells too little of a browser's adapter.

use std::fmt;

use super::engine::GpuEngine;
use crate::kernels::EngineError;
use crate::value::{EngineInfo, EngineKind, holds};

/// Why there is no GPU, in one line for the visitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoGpu(pub(super) String);

impl fmt::Display for NoGpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoGpu {}

/// An adapter that was found; no device is open yet.
pub struct Probe {
    adapter: wgpu::Adapter,
    /// What is asked of the device.
    features: wgpu::Features,
    info: EngineInfo,
}

/// Names by which software adapters are known that do not say it by their type.
const SOFTWARE: [&str; 3] = ["swiftshader", "llvmpipe", "lavapipe"];

/// What a device is asked for where the adapter has it. wgpu 30 has no subgroups in the browser.
const WANTED: wgpu::Features = if cfg!(target_arch = "wasm32") {
    wgpu::Features::SHADER_F16
} else {
    wgpu::Features::SHADER_F16.union(wgpu::Features::SUBGROUP)
};

/// Looks for the fastest adapter.
///
/// # Errors
/// [`NoGpu`] where there is no WebGPU (natively: no Vulkan, Metal or DX12), or no adapter.
pub async fn probe() -> Result<Probe, NoGpu> {
    let (named, missing) = surroundings().await;
    if let Some(why) = missing {
        return Err(NoGpu(why));
    }
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let options =
        wgpu::RequestAdapterOptions { power_preference: wgpu::PowerPreference::HighPerformance, ..Default::default() };
    let adapter = instance
        .request_adapter(&options)
        .await
        .map_err(|_| NoGpu("No GPU is open to this page, so pictures are computed on the processor.".to_owned()))?;
    let found = adapter.get_info();
    let name = [named, found.name].into_iter().find(|name| !name.is_empty()).unwrap_or_else(|| "WebGPU adapter".into());
    let lower = name.to_ascii_lowercase();
    let software = found.device_type == wgpu::DeviceType::Cpu || SOFTWARE.iter().any(|known| holds(&lower, known));
    let limits = adapter.limits();
    let features = adapter.features() & WANTED;
    let tier = tier(features);
    let largest_buffer = limits.max_buffer_size.min(limits.max_storage_buffer_binding_size);
    let info = EngineInfo { kind: EngineKind::Gpu, name, software, tier, largest_buffer, note: String::new() };
    Ok(Probe { adapter, features, info })
}

/// One ordered tier instead of many features: each includes those before it. Packed halves are read as u32 and unpacked,
/// which needs no feature.
fn tier(features: wgpu::Features) -> String {
    if features.contains(wgpu::Features::SHADER_F16) { EngineInfo::HALVES } else { "packed-f16" }.to_owned()
}

impl Probe {
    /// What the adapter is.
    #[must_use]
    pub fn info(&self) -> &EngineInfo {
        &self.info
    }

    /// The same adapter without halves in its shaders: all is computed in floats, whatever is faster.
    #[must_use]
    pub fn in_floats(mut self) -> Self {
        self.features.remove(wgpu::Features::SHADER_F16);
        self.info.tier = tier(self.features);
        self
    }

    /// The same adapter without subgroups: all of a workgroup adds up through its memory, whatever is faster.
    #[cfg(not(target_arch = "wasm32"))]
    #[must_use]
    pub fn without_subgroups(mut self) -> Self {
        self.features.remove(wgpu::Features::SUBGROUP);
        self
    }

    /// Opens a device with all that the adapter allows.
    ///
    /// # Errors
    /// [`EngineError::Lost`] when the device is refused.
    pub async fn open(self) -> Result<GpuEngine, EngineError> {
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("gradus"),
            required_features: self.features,
            required_limits: self.adapter.limits(),
            ..Default::default()
        };
        let opened = self.adapter.request_device(&descriptor).await;
        let (device, queue) = opened.map_err(|error| EngineError::Lost(format!("it could not be opened: {error}")))?;
        Ok(GpuEngine::new(device, queue, self.info))
    }
}

/// The adapter's name as the browser tells it, or why there is none.
#[cfg(target_arch = "wasm32")]
async fn surroundings() -> (String, Option<String>) {
    use js_sys::{Function, Promise, Reflect};
    use wasm_bindgen::JsCast as _;

    let get = |object: &wasm_bindgen::JsValue, key: &str| {
        Reflect::get(object, &key.into()).ok().filter(|value| !value.is_undefined() && !value.is_null())
    };
    let gpu = get(&js_sys::global(), "navigator").and_then(|navigator| get(&navigator, "gpu"));
    let Some(gpu) = gpu else {
        let why = "This browser offers no WebGPU here, so pictures are computed on the processor.";
        return (String::new(), Some(why.to_owned()));
    };
    let ask = || {
        Some(get(&gpu, "requestAdapter")?.dyn_into::<Function>().ok()?.call0(&gpu).ok()?.unchecked_into::<Promise>())
    };
    let Some(asked) = ask() else { return (String::new(), None) };
    let adapter = wasm_bindgen_futures::JsFuture::from(asked).await.ok();
    let Some(info) = adapter.and_then(|adapter| get(&adapter, "info")) else { return (String::new(), None) };
    let text = |key: &str| get(&info, key).and_then(|value| value.as_string()).filter(|text| !text.is_empty());
    let name = text("description").or_else(|| {
        let words: Vec<String> = ["vendor", "architecture"].into_iter().filter_map(text).collect();
        (!words.is_empty()).then(|| words.join(" "))
    });
    (name.unwrap_or_default(), None)
}

#[cfg(not(target_arch = "wasm32"))]
async fn surroundings() -> (String, Option<String>) {
    (String::new(), None)
}
