// What the engine is held to beside onnxruntime-web, by the names of the bench's figures.
const BOUNDS = {
  onnx_cpu_load_ratio: 0.5,
  onnx_cpu_step_ratio: 1.0,
  onnx_cpu_relaxed_step_ratio: 0.8,
  onnx_gpu_step_ratio: 0.2,
  onnx_gpu_first_over_warm_ours: 1.5,
};

/** A line for each of these figures, by name, that is over its bound, or is no number. */
export function exceeded(figures) {
  return Object.entries(BOUNDS)
    .filter(([name, most]) => name in figures && !(figures[name] <= most))
    .map(([name, most]) => `${name} is ${figures[name]}, over its bound of ${most}`);
}
