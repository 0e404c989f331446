use serde::{Deserialize, Serialize};

/// How far a running job is.
///
/// ```
/// use gradus::value::Progress;
/// let half = Progress::step(10, 20).unit("samples").describe("Tracing rays");
/// assert_eq!(half.fraction(), Some(0.5));
/// assert_eq!(half.label(), "10/20 samples");
/// assert_eq!(Progress::fraction_of(0.25).label(), "25%");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps done and steps in all, where the work is counted.
    pub steps: Option<(u64, u64)>,
    /// The share done, 0 to 1, where the work is not counted.
    pub share: Option<f32>,
    /// What a step is: "steps", "samples".
    pub unit: String,
    /// What is being done, in a few words; may be empty.
    pub description: String,
}

impl Progress {
    /// `done` of `total` steps.
    #[must_use]
    pub fn step(done: u64, total: u64) -> Self {
        Self { steps: Some((done.min(total), total)), share: None, unit: "steps".into(), description: String::new() }
    }

    /// A share from 0 to 1; what is outside is brought to the nearer end, NaN to 0.
    #[must_use]
    pub fn fraction_of(share: f32) -> Self {
        let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
        Self { steps: None, share: Some(share), unit: String::new(), description: String::new() }
    }

    /// Names what a step is, in the plural.
    #[must_use]
    pub fn unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = unit.into();
        self
    }

    /// Says what is being done.
    #[must_use]
    pub fn describe(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// The share done, 0 to 1; `None` for zero steps in all.
    #[must_use]
    pub fn fraction(&self) -> Option<f32> {
        match (self.steps, self.share) {
            (Some((done, total)), _) => (total > 0).then(|| done as f32 / total as f32),
            (None, share) => share,
        }
    }

    /// The words Gradio users know: "3/20 steps", or a percentage.
    #[must_use]
    pub fn label(&self) -> String {
        match (self.steps, self.share) {
            (Some((done, total)), _) => format!("{done}/{total} {}", self.unit).trim_end().to_owned(),
            (None, Some(share)) => format!("{}%", (share * 100.0).round() as u32),
            (None, None) => String::new(),
        }
    }
}

/// How loudly a handler's message is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoteLevel {
    /// Good to know.
    Info,
    /// The result may not be what was meant.
    Warning,
}
