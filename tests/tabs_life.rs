//! Lives of a browser by chance: tabs come, die, freeze and hang at any step, writes are late or fail, the clock jumps.
//! The page's own code runs in each tab, and after every step the promises at the head of `src/queue/` are checked.
//!
//! `GRADUS_TABS_STEPS` and `GRADUS_TABS_SEED` choose another life; a failure prints the line that replays it.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/lives.rs"]
mod lives;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use browser::Browser;
use gradus::ids::JobId;
use gradus::runtime::view::Told;
use lives::live_all;

const STEPS: usize = 400;

struct Life {
    browser: Browser,
    seed: u64,
    /// Of each tab: how much of what it was told has been looked at.
    heard: BTreeMap<usize, usize>,
    accepted: BTreeSet<JobId>,
    ended: BTreeSet<JobId>,
    frozen: BTreeSet<usize>,
    submits: usize,
}

impl Life {
    fn below(&mut self, bound: usize) -> usize {
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound.max(1) as u64) as usize
    }

    fn some_tab(&mut self) -> Option<usize> {
        let ids: Vec<usize> = self.browser.ids().into_iter().filter(|id| !self.frozen.contains(id)).collect();
        (!ids.is_empty()).then(|| ids[self.below(ids.len())])
    }

    fn step(&mut self) {
        match self.below(100) {
            0..30 => {
                if let Some(tab) = self.some_tab() {
                    self.submits += 1;
                    let name = ["slow", "slow_1", "two"][self.below(3)];
                    self.browser.submit_only(tab, name, &self.submits.to_string());
                }
            }
            30..60 => {
                let millis = self.below(60) as u64;
                self.browser.clock.advance(Duration::from_millis(millis));
            }
            60..80 => {
                let puts = self.below(3);
                self.browser.origin.write(puts);
            }
            80..84 if self.browser.ids().len() < 4 => {
                let session = 1 + self.below(3) as u64;
                // A session is open in one tab at a time: its lock sees to that.
                if !self.browser.sessions().contains(&session) {
                    self.browser.open_only(session);
                }
            }
            84..87 => {
                if let Some(tab) = self.some_tab() {
                    self.browser.kill_only(tab);
                    self.heard.remove(&tab);
                }
            }
            87 => {
                // Chromium says so before it freezes a page.
                if let Some(tab) = self.some_tab() {
                    self.browser.rest_now(tab);
                    self.browser.origin.freeze(tab, true);
                    self.frozen.insert(tab);
                }
            }
            88..92 => {
                if let Some(&tab) = self.frozen.iter().next() {
                    self.frozen.remove(&tab);
                    self.browser.origin.freeze(tab, false);
                    self.browser.origin.signal(tab, gradus::ports::TabSignal::Wake);
                }
            }
            92..94 => {
                let jobs: Vec<JobId> = self.accepted.difference(&self.ended).copied().collect();
                if let Some(tab) = self.some_tab().filter(|_| !jobs.is_empty()) {
                    let job = jobs[self.below(jobs.len())];
                    self.browser.tab(tab).runtime.cancel(job);
                }
            }
            94 if self.below(10) == 0 => self.browser.clock.advance(Duration::from_secs(3600)),
            _ => {}
        }
        for _ in 0..self.below(4) {
            self.browser.turn_but(&self.frozen);
        }
        self.check();
        if self.below(50) == 0 {
            self.check_shown();
        }
    }

    /// Whatever a page shows or has told of an end, a page that opens after a crash shows as well.
    fn check_shown(&self) {
        let again = Browser::new();
        again.origin.set_found(self.browser.origin.found());
        let tab = again.open(9);
        let kept: BTreeSet<JobId> = ended_of(&again, tab).collect();
        let shown = self.browser.ids().into_iter().flat_map(|tab| ended_of(&self.browser, tab));
        let lost: BTreeSet<JobId> = shown.chain(self.ended.iter().copied()).filter(|job| !kept.contains(job)).collect();
        assert!(lost.is_empty() || kept.len() >= 200, "shown as ended, and not written: {lost:?}");
    }

    fn check(&mut self) {
        let work = self.browser.work();
        for (lane, most) in [("slow", 1), ("two", 2)] {
            let jobs: Vec<_> = work.iter().filter(|(name, _)| name == lane).collect();
            assert!(jobs.len() <= most, "{lane}: {} of {most} run: {jobs:?}", jobs.len());
        }
        for id in self.browser.ids() {
            let tab = self.browser.tab(id);
            let told = tab.told.borrow();
            let from = self.heard.insert(id, told.len()).unwrap_or(0);
            for news in &told[from..] {
                match news {
                    (_, Told::Accepted(job)) => {
                        assert!(self.accepted.insert(*job), "{job} accepted twice");
                    }
                    (_, Told::Refused(refused)) => panic!("refused: {refused}"),
                    (Some(job), Told::Ended(..)) => {
                        assert!(self.ended.insert(*job), "{job} ended twice");
                    }
                    _ => {}
                }
            }
        }
    }

    /// Everything comes to its end; then each accepted job has exactly one.
    fn finish(&mut self) {
        for tab in std::mem::take(&mut self.frozen) {
            self.browser.origin.freeze(tab, false);
            self.browser.origin.signal(tab, gradus::ports::TabSignal::Wake);
        }
        let tab = self.browser.ids().first().copied().unwrap_or_else(|| self.browser.open(1));
        for _ in 0..400 {
            self.browser.pass(100);
            self.check();
            if self.browser.jobs(tab).iter().all(|job| job.state != "waiting" && job.state != "running") {
                break;
            }
        }
        let jobs = self.browser.jobs(tab);
        let open: Vec<_> = jobs.iter().filter(|job| job.state == "waiting" || job.state == "running").collect();
        assert!(open.is_empty(), "without an end: {:?} {open:?}", self.browser.parts());
        let ids: BTreeSet<JobId> = jobs.iter().map(|job| job.id).collect();
        assert_eq!(ids.len(), jobs.len(), "one job twice");
        let lost: Vec<_> = self.accepted.difference(&ids).filter(|job| !self.ended.contains(job)).collect();
        assert!(lost.is_empty() || jobs.len() >= 200, "accepted and lost: {lost:?}");
        let roots = jobs.iter().filter(|job| job.after.is_none()).count();
        assert!(roots <= self.submits, "{roots} jobs of {} submits", self.submits);
        let chains = jobs.iter().filter(|job| job.listener == "slow_1").count();
        let links = jobs.iter().filter(|job| job.listener == "link").count();
        assert!(chains == links || jobs.len() >= 200, "{chains} chains, {links} links");
        // In each tab the same.
        for other in self.browser.ids() {
            let states = |id| self.browser.jobs(id).into_iter().map(|job| (job.id, job.state)).collect::<Vec<_>>();
            assert_eq!(states(other), states(tab), "tab {other} shows another queue than {tab}");
        }
    }
}

fn ended_of(browser: &Browser, tab: usize) -> impl Iterator<Item = JobId> {
    let ended = |job: &gradus::runtime::JobSnapshot| job.state != "waiting" && job.state != "running";
    browser.jobs(tab).into_iter().filter(ended).map(|job| job.id)
}

fn live(seed: u64, steps: usize, prepare: impl Fn(&Browser)) -> Result<usize, String> {
    let mut life = Life {
        browser: Browser::new(),
        seed,
        heard: BTreeMap::new(),
        accepted: BTreeSet::new(),
        ended: BTreeSet::new(),
        frozen: BTreeSet::new(),
        submits: 0,
    };
    let mut done = 0;
    let lived = catch_unwind(AssertUnwindSafe(|| {
        prepare(&life.browser);
        life.browser.open(1);
        life.browser.hold_writes();
        for step in 0..steps {
            done = step;
            life.step();
        }
        life.browser.let_writes();
        life.finish();
        life.accepted.len()
    }));
    lived.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default();
        format!(
            "step {done}: {text}\nreplay: GRADUS_TABS_SEED={seed} GRADUS_TABS_STEPS={steps} cargo test --test tabs_life"
        )
    })
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn tabs_keep_every_promise() {
    let steps = number("GRADUS_TABS_STEPS").unwrap_or(400_000) as usize;
    let lives = steps.div_ceil(STEPS) as u64;
    let first = number("GRADUS_TABS_SEED").unwrap_or(1);
    let accepted = live_all(
        first..first + lives,
        |seed| live(seed, STEPS.min(steps), |_| ()),
        |sum: &mut usize, accepted| *sum += accepted,
    );
    println!("{steps} steps, {accepted} jobs accepted");
    assert!(steps < 10_000 || accepted > steps / 50, "a life in which little happens: {accepted}");
}

#[cfg(feature = "faults")]
#[test]
fn faults_planted_in_the_page_are_found() {
    use gradus::runtime::TabFault::{
        ForgetsInterrupted, KeepsWorkers, LeadsAfterRest, ShowsBeforeWrite, TakesTwice, TellsBeforeWrite,
    };
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let faults = [TellsBeforeWrite, ShowsBeforeWrite, KeepsWorkers, TakesTwice, LeadsAfterRest, ForgetsInterrupted];
    let survives = |fault| (1..=500).all(|seed| live(seed, STEPS, |browser| browser.fault.set(Some(fault))).is_ok());
    let missed: Vec<_> = faults.into_iter().filter(|fault| survives(*fault)).collect();
    std::panic::set_hook(quiet);
    assert!(missed.is_empty(), "not found: {missed:?}");
}
