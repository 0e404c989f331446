//! The engine that runs twins on the processor.
