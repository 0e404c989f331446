//! Which size and preset suit this machine: timed once, remembered.

use std::cell::Cell;
use std::time::Duration;

use gradus::imagegen::{Preset, scene};
use gradus::prelude::*;

/// The presets by the names that the page shows.
pub const PRESETS: [(&str, Preset); 3] = [("low", Preset::Low), ("middle", Preset::Middle), ("high", Preset::High)];

thread_local! {
    // Two timings at once would each find the machine half as fast.
    static TIMING: Cell<bool> = const { Cell::new(false) };
}

/// The name of a preset.
pub fn name(preset: Preset) -> &'static str {
    PRESETS.iter().find(|(_, known)| *known == preset).map_or("middle", |(name, _)| name)
}

/// The side and preset whose picture takes about three seconds here.
pub async fn suited(ctx: &Context) -> Result<(u32, Preset), Error> {
    let engine = ctx.engine().await?;
    let key = format!("speed of {}", engine.info().name);
    loop {
        if let Some(speed) = ctx.recall(&key).and_then(|text| text.parse::<u64>().ok()) {
            return Ok(scene::suggest(speed as f32));
        }
        if !TIMING.replace(true) {
            break;
        }
        ctx.pause(Duration::from_millis(20)).await;
    }
    let _over = Over;
    let speed = scene::calibrate(&*engine, ctx).await?;
    ctx.remember(&key, (speed as u64).to_string());
    Ok(scene::suggest(speed))
}

/// Ends the timing however it ends, by a cancel too.
struct Over;

impl Drop for Over {
    fn drop(&mut self) {
        TIMING.set(false);
    }
}
