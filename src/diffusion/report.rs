//! What a checkpoint takes, told before any of its weights is fetched.

use std::cell::RefCell;
use std::ops::Range;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use super::checkpoint::{Checkpoint, Needs};
use super::weights::Precision;
use crate::ports::{Files, Kept};
use crate::value::{EngineInfo, Error, SortedMap};

/// What a checkpoint is made of and what it takes on an engine.
///
/// ```
/// use gradus::diffusion::Report;
/// use gradus::ports::Files;
/// use gradus::value::EngineInfo;
///
/// async fn fits(files: &dyn Files, engine: &EngineInfo) -> Result<bool, gradus::Error> {
///     let report = Report::read(files, engine).await?;
///     println!("{} bytes to fetch", report.bytes());
///     Ok(report.fit.is_ok())
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The files that will be read, with their bytes.
    pub files: Vec<(String, u64)>,
    /// The side in pixels that the network was trained for.
    pub side: u32,
    /// What it takes on the engine.
    pub needs: Needs,
    /// Whether the engine can hold it, and if not, why.
    pub fit: Result<(), Error>,
    /// What it takes with [`Precision::EightBit`].
    pub with_eight_bit: Needs,
    /// Whether the engine can hold that.
    pub fit_with_eight_bit: Result<(), Error>,
}

impl Report {
    /// Reads configurations, vocabulary and the headers of the weights.
    ///
    /// # Errors
    /// Names what is missing or not supported.
    pub async fn read(files: &dyn Files, engine: &EngineInfo) -> Result<Self, Error> {
        let listing = Listing { files, seen: RefCell::default() };
        let of = Checkpoint::open(&listing, &[]).await?;
        let [needs, with_eight_bit] =
            [of.needs(engine.kind, Precision::AsStored)?, of.needs(engine.kind, Precision::EightBit)?];
        Ok(Self {
            files: listing.seen.into_inner().into_iter().collect(),
            side: (of.side() * of.autoencoder.scale()) as u32,
            needs,
            fit: needs.fit(engine),
            with_eight_bit,
            fit_with_eight_bit: with_eight_bit.fit(engine),
        })
    }

    /// As [`Report::fit`] and [`Report::fit_with_eight_bit`].
    pub fn fit_with(&self, precision: Precision) -> &Result<(), Error> {
        match precision {
            Precision::AsStored => &self.fit,
            Precision::EightBit => &self.fit_with_eight_bit,
        }
    }

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, bytes)| bytes).sum()
    }
}

/// Notes which files there are that a checkpoint asks for.
struct Listing<'a> {
    files: &'a dyn Files,
    seen: RefCell<SortedMap<String, u64>>,
}

impl Files for Listing<'_> {
    fn size<'a>(&'a self, path: &'a str) -> LocalBoxFuture<'a, Result<Option<u64>, Error>> {
        async move {
            let size = self.files.size(path).await?;
            if let Some(bytes) = size {
                self.seen.borrow_mut().insert(path.to_owned(), bytes);
            }
            Ok(size)
        }
        .boxed_local()
    }

    fn read<'a>(&'a self, path: &'a str, range: Range<u64>) -> LocalBoxFuture<'a, Result<Vec<u8>, Error>> {
        self.files.read(path, range)
    }

    fn kept(&self) -> LocalBoxFuture<'_, Result<Kept, Error>> {
        self.files.kept()
    }
}
