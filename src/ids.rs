//! Newtypes for every id, so that a job can never be taken for a listener. PURE: no other module of ours.

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty), $letter:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub $inner);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }
    };
}

id!(
    /// One accepted run of a listener. Ids rise in the order of acceptance and are never used twice.
    ///
    /// ```
    /// assert_eq!(gradus::ids::JobId(7).to_string(), "j7");
    /// ```
    JobId(u64), "j"
);
id!(
    /// One execution of a job, counted from 1. Results carry it, and a stale one is refused.
    Attempt(u32), "a"
);
id!(
    /// A listener by its index inside one build of the app.
    ListenerId(u32), "l"
);
id!(
    /// A component by its index inside one build of the app.
    ComponentId(u32), "c"
);
id!(
    /// A lane by its index inside one build of the app.
    LaneId(u32), "lane"
);
id!(
    /// One tab or API client.
    SessionId(u64), "s"
);
id!(
    /// One worker started by the page; a restarted worker gets a new id.
    WorkerId(u32), "w"
);
