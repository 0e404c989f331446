//! Whether the device is still there, as a flag and as a future.

use std::sync::{Arc, Mutex, PoisonError};

use futures_channel::oneshot;
use futures_util::FutureExt as _;
use futures_util::future::{Either, Shared, select};

use crate::kernels::EngineError;

/// Watches a device. wgpu calls back from any thread, hence the lock.
pub(super) struct Watch {
    reason: Arc<Mutex<Option<String>>>,
    lost: Shared<oneshot::Receiver<()>>,
}

impl Watch {
    pub(super) fn over(device: &wgpu::Device) -> Self {
        let reason = Arc::new(Mutex::new(None));
        let (tell, lost) = oneshot::channel();
        let tell = Mutex::new(Some(tell));
        let noted = Arc::clone(&reason);
        device.set_device_lost_callback(move |kind, message| {
            let why = if message.is_empty() { format!("{kind:?}") } else { message };
            noted.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
            if let Some(tell) = tell.lock().unwrap_or_else(PoisonError::into_inner).take() {
                // Nobody waits any more when the engine is gone.
                let _ = tell.send(());
            }
        });
        Self { reason, lost: lost.shared() }
    }

    /// An error once the device is lost.
    pub(super) fn check(&self) -> Result<(), EngineError> {
        match &*self.reason.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(why) => Err(EngineError::Lost(why.clone())),
            None => Ok(()),
        }
    }

    /// Waits for what a callback of the device sends; an error when the device is lost before.
    pub(super) async fn unless_lost<T>(&self, answer: oneshot::Receiver<T>) -> Result<T, EngineError> {
        match select(answer, self.lost.clone()).await {
            Either::Left((Ok(value), _)) => Ok(value),
            Either::Left((Err(_), _)) => Err(EngineError::Lost("it does not answer".to_owned())),
            Either::Right(_) => {
                self.check()?;
                Err(EngineError::Lost("it went away".to_owned()))
            }
        }
    }
}
