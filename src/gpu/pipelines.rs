//! Compute pipelines, made once for each kernel.
//!
//! wgpu 30 cannot make a pipeline in the background: it has no `createComputePipelineAsync`. Here one is made at a time and
//! waited for by its error scope, which the browser answers when the shader is compiled; until then the worker's event loop
//! turns, and the page's own thread has no part in it. What cannot be had so is that several are compiled at once.

use std::cell::RefCell;

use crate::kernels::{EngineError, Kernel};
use crate::value::{SortedMap, cut, holds};

/// Where the storage buffers of a kernel begin; see [`Kernel`].
pub(super) const FIRST_STORAGE: u32 = 2;

#[derive(Clone)]
pub(super) struct Pipeline {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
    pub(super) has_params: bool,
    /// How many storage buffers the shader declares.
    pub(super) storage: usize,
}

#[derive(Default)]
pub(super) struct Pipelines {
    made: RefCell<SortedMap<(&'static str, usize), Pipeline>>,
}

impl Pipelines {
    pub(super) fn has(&self, kernel: &'static Kernel) -> bool {
        self.made.borrow().get(&key_of(kernel)).is_some()
    }

    /// The kernel's pipeline; made on first use.
    pub(super) async fn get(&self, device: &wgpu::Device, kernel: &'static Kernel) -> Result<Pipeline, EngineError> {
        let key = key_of(kernel);
        if let Some(made) = self.made.borrow().get(&key) {
            return Ok(made.clone());
        }
        let refuse = |why: String| EngineError::Refused { kernel: kernel.name.to_owned(), why };
        let source = shader(device, kernel);
        let has_params = declares(&source, 1).is_some();
        let storage: Vec<bool> = (FIRST_STORAGE..).map_while(|binding| declares(&source, binding)).collect();
        let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let mut entries = vec![uniform(0)];
        if has_params {
            entries.push(uniform(1));
        }
        entries.extend((FIRST_STORAGE..).zip(&storage).map(|(binding, &read_only)| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Storage { read_only },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        }));
        let layout = device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(kernel.name), entries: &entries });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(kernel.name),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(kernel.name),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(kernel.name),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        if let Some(error) = scope.pop().await {
            return Err(refuse(error.to_string()));
        }
        let made = Pipeline { pipeline, layout, has_params, storage: storage.len() };
        self.made.borrow_mut().insert(key, made.clone());
        Ok(made)
    }
}

/// The shader that the device compiles for a kernel.
pub(super) fn shader(device: &wgpu::Device, kernel: &Kernel) -> String {
    // The first is known when this is compiled, and what only the second would need is then left out.
    if cfg!(not(target_arch = "wasm32")) && device.features().contains(wgpu::Features::SUBGROUP) {
        kernel.wgsl_by_subgroups()
    } else {
        kernel.wgsl()
    }
}

/// Two kernels of one name are told apart by where their sources are.
fn key_of(kernel: &'static Kernel) -> (&'static str, usize) {
    (kernel.name, kernel.sources.as_ptr() as usize)
}

fn uniform(binding: u32) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Uniform,
            has_dynamic_offset: true,
            min_binding_size: None,
        },
        count: None,
    }
}

/// Whether the source declares this binding of group 0, and if so, whether it is only read.
///
/// An automatic layout would leave out what a shader does not use, so that bind groups would differ from kernel to
/// kernel; so the declarations are read here.
fn declares(source: &str, binding: u32) -> Option<bool> {
    let plain: String =
        source.lines().map(|line| cut(line, "//").map_or(line, |(code, _)| code)).collect::<Vec<_>>().join("\n");
    let plain: String = plain.split_whitespace().collect();
    let marks = [format!("@group(0)@binding({binding})var<"), format!("@binding({binding})@group(0)var<")];
    let after = marks.iter().find_map(|mark| cut(&plain, mark)).map(|(_, after)| after)?;
    let space = after.split_once('>').map_or(after, |(space, _)| space);
    Some(space == "uniform" || !holds(space, "read_write"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_are_found_whatever_the_spacing() {
        let source = "@group(0) @binding(1) var<uniform> p: P;\n// @group(0) @binding(4) var<storage> no: u32;\n\
                      @binding(2) @group(0)\nvar<storage, read_write> a: array<f32>;\n@group(0) @binding(3) var<storage,read> b: array<u32>;";
        let check = |binding, expected| assert_eq!(declares(source, binding), expected, "{binding}");
        check(1, Some(true));
        check(2, Some(false));
        check(3, Some(true));
        check(4, None);
    }
}
