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
    /// The longer work that this is a part of.
    pub outer: Option<Box<Progress>>,
}

impl Progress {
    /// `done` of `total` steps.
    #[must_use]
    pub fn step(done: u64, total: u64) -> Self {
        Self {
            steps: Some((done.min(total), total)),
            share: None,
            unit: "steps".into(),
            description: String::new(),
            outer: None,
        }
    }

    /// A share from 0 to 1; what is outside is brought to the nearer end, NaN to 0.
    #[must_use]
    pub fn fraction_of(share: f32) -> Self {
        let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
        Self { steps: None, share: Some(share), unit: String::new(), description: String::new(), outer: None }
    }

    /// Work of which nobody knows how long it takes, in a few words.
    ///
    /// ```
    /// use gradus::value::Progress;
    /// let progress = Progress::doing("Reading the prompt");
    /// assert_eq!((progress.fraction(), progress.label().as_str()), (None, ""));
    /// ```
    #[must_use]
    pub fn doing(words: impl Into<String>) -> Self {
        Self { steps: None, share: None, unit: String::new(), description: words.into(), outer: None }
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

    /// Makes this the current step of a longer work.
    ///
    /// ```
    /// use gradus::value::Progress;
    /// let both = Progress::step(5, 10).inside(Progress::step(1, 2).unit("images"));
    /// assert_eq!(both.label(), "1/2 images / 5/10 steps");
    /// assert_eq!(both.fraction(), Some(0.75));
    /// ```
    #[must_use]
    pub fn inside(mut self, outer: Self) -> Self {
        self.outer = Some(Box::new(outer));
        self
    }

    /// The share done of all, 0 to 1; `None` for zero steps in all.
    #[must_use]
    pub fn fraction(&self) -> Option<f32> {
        let own = match (self.steps, self.share) {
            (Some((done, total)), _) => (total > 0).then(|| done as f32 / total as f32),
            (None, share) => share,
        };
        match self.outer.as_deref() {
            None => own,
            Some(outer) => {
                let step = outer.steps.map_or(0.0, |(done, total)| if done < total { 1.0 / total as f32 } else { 0.0 });
                outer.fraction().map(|before| before + own.unwrap_or(0.0) * step)
            }
        }
    }

    /// The words Gradio users know: "3/20 steps", or a percentage.
    #[must_use]
    pub fn label(&self) -> String {
        let own = self.own_label();
        self.outer.as_deref().map_or_else(|| own.clone(), |outer| format!("{} / {own}", outer.label()))
    }

    fn own_label(&self) -> String {
        match (self.steps, self.share) {
            (Some((done, total)), _) => format!("{done}/{total} {}", self.unit).trim_end().to_owned(),
            (None, Some(share)) => format!("{}%", (share * 100.0).round() as u32),
            (None, None) => String::new(),
        }
    }
}

/// What sets the next link of a chain off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChainLink {
    /// Any end: done, failed or cancelled.
    Then,
    /// Done.
    Success,
    /// Failed.
    Failure,
}

/// How loudly a handler's message is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoteLevel {
    /// Good to know.
    Info,
    /// The result may not be what was meant.
    Warning,
    /// It went well.
    Success,
    /// Something failed.
    Error,
}
