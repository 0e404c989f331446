//! What stands in for the engines in an app without pictures.

use std::rc::Rc;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use crate::kernels::Engine;
use crate::value::{EngineInfo, EngineKind, Error};
use crate::wire::EngineChoice;
use crate::worker::Engines;

/// None: handlers of such an app have no way to ask for one.
pub(super) struct BrowserEngines;

impl Engines for BrowserEngines {
    fn look(&self, _: EngineChoice) -> LocalBoxFuture<'static, EngineInfo> {
        let none = String::new;
        let info = EngineInfo {
            kind: EngineKind::Cpu,
            name: none(),
            software: false,
            tier: none(),
            largest_buffer: 0,
            note: none(),
        };
        std::future::ready(info).boxed_local()
    }

    fn open(&self, _: EngineChoice) -> LocalBoxFuture<'static, Result<Rc<dyn Engine>, Error>> {
        let refusal = "This app was built without the feature `pictures` of gradus, so it has no engine.";
        std::future::ready(Err(Error::new(refusal))).boxed_local()
    }
}
